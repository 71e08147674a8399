from otter.test_files import test_case

OK_FORMAT = False

name = "q3"
points = None

@test_case(name="test_one_epoch_moves_the_parameters", points=0.75, hidden=False)
def test_one_epoch_moves_the_parameters(env):
    from deepmarks.checks import otter_case
    otter_case(env, 'q3', 'public/test_q3.py::test_one_epoch_moves_the_parameters')

@test_case(name="test_loss_is_the_mean_over_the_samples", points=0.5, hidden=False)
def test_loss_is_the_mean_over_the_samples(env):
    from deepmarks.checks import otter_case
    otter_case(env, 'q3', 'public/test_q3.py::test_loss_is_the_mean_over_the_samples')

@test_case(name="test_accuracy_restores_the_mode", points=0.75, hidden=False)
def test_accuracy_restores_the_mode(env):
    from deepmarks.checks import otter_case
    otter_case(env, 'q3', 'public/test_q3.py::test_accuracy_restores_the_mode')
