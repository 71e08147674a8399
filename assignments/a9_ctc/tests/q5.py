from otter.test_files import test_case

OK_FORMAT = False

name = "q5"
points = None

@test_case(name="test_gradient_of_one_step", points=0.75, hidden=False)
def test_gradient_of_one_step(env):
    from deepmarks.checks import otter_case
    otter_case(env, 'q5', 'public/test_q5.py::test_gradient_of_one_step')

@test_case(name="test_gradient_of_five_steps", points=0.75, hidden=False)
def test_gradient_of_five_steps(env):
    from deepmarks.checks import otter_case
    otter_case(env, 'q5', 'public/test_q5.py::test_gradient_of_five_steps')
