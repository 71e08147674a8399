from otter.test_files import test_case

OK_FORMAT = False

name = "q1"
points = None

@test_case(name="test_worked_example_of_the_neuron", points=0.5, hidden=False)
def test_worked_example_of_the_neuron(env):
    from deepmarks.checks import otter_case
    otter_case(env, 'q1', 'public/test_q1.py::test_worked_example_of_the_neuron')

@test_case(name="test_gradient_is_the_slope_of_the_loss", points=0.5, hidden=False)
def test_gradient_is_the_slope_of_the_loss(env):
    from deepmarks.checks import otter_case
    otter_case(env, 'q1', 'public/test_q1.py::test_gradient_is_the_slope_of_the_loss')
