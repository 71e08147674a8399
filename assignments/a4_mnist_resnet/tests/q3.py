from otter.test_files import test_case

OK_FORMAT = False

name = "q3"
points = None

@test_case(name="test_testing_scales_and_normalises", points=0.5, hidden=False)
def test_testing_scales_and_normalises(env):
    from deepmarks.checks import otter_case
    otter_case(env, 'q3', 'public/test_q3.py::test_testing_scales_and_normalises')

@test_case(name="test_training_turns_by_up_to_ten_degrees", points=0.75, hidden=False)
def test_training_turns_by_up_to_ten_degrees(env):
    from deepmarks.checks import otter_case
    otter_case(env, 'q3', 'public/test_q3.py::test_training_turns_by_up_to_ten_degrees')
