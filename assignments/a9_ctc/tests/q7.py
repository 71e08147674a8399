from otter.test_files import test_case

OK_FORMAT = False

name = "q7"
points = None

@test_case(name="test_outputs_of_the_network", points=0.5, hidden=False)
def test_outputs_of_the_network(env):
    from deepmarks.checks import otter_case
    otter_case(env, 'q7', 'public/test_q7.py::test_outputs_of_the_network')

@test_case(name="test_one_second_of_training_lowers_the_loss", points=0.5, hidden=False)
def test_one_second_of_training_lowers_the_loss(env):
    from deepmarks.checks import otter_case
    otter_case(env, 'q7', 'public/test_q7.py::test_one_second_of_training_lowers_the_loss')
