from otter.test_files import test_case

OK_FORMAT = False

name = "q4"
points = None

@test_case(name="test_cosine_of_a_hundred_steps", points=0.5, hidden=False)
def test_cosine_of_a_hundred_steps(env):
    from deepmarks.checks import otter_case
    otter_case(env, 'q4', 'public/test_q4.py::test_cosine_of_a_hundred_steps')

@test_case(name="test_the_default_network_has_the_right_parts", points=0.75, hidden=False)
def test_the_default_network_has_the_right_parts(env):
    from deepmarks.checks import otter_case
    otter_case(env, 'q4', 'public/test_q4.py::test_the_default_network_has_the_right_parts')
