from otter.test_files import test_case

OK_FORMAT = False

name = "q1"
points = None

@test_case(name="test_five_tensors_of_whole_numbers", points=0.5, hidden=False)
def test_five_tensors_of_whole_numbers(env):
    from deepmarks.checks import otter_case
    otter_case(env, 'q1', 'public/test_q1.py::test_five_tensors_of_whole_numbers')

@test_case(name="test_a_change_of_the_array", points=0.5, hidden=False)
def test_a_change_of_the_array(env):
    from deepmarks.checks import otter_case
    otter_case(env, 'q1', 'public/test_q1.py::test_a_change_of_the_array')
