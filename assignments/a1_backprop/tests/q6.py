from otter.test_files import test_case

OK_FORMAT = False

name = "q6"
points = None

@test_case(name="test_training_returns_parameters_and_losses", points=0.5, hidden=False)
def test_training_returns_parameters_and_losses(env):
    from deepmarks.checks import otter_case
    otter_case(env, 'q6', 'public/test_q6.py::test_training_returns_parameters_and_losses')

@test_case(name="test_losses_belong_to_the_parameters_before_each_update", points=0.75, hidden=False)
def test_losses_belong_to_the_parameters_before_each_update(env):
    from deepmarks.checks import otter_case
    otter_case(env, 'q6', 'public/test_q6.py::test_losses_belong_to_the_parameters_before_each_update')

@test_case(name="test_xor_is_learned", points=1, hidden=False)
def test_xor_is_learned(env):
    from deepmarks.checks import otter_case
    otter_case(env, 'q6', 'public/test_q6.py::test_xor_is_learned')
