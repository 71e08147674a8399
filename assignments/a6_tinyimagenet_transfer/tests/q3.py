from otter.test_files import test_case

OK_FORMAT = False

name = "q3"
points = None

@test_case(name="test_the_last_linear_layer_is_replaced", points=0.5, hidden=False)
def test_the_last_linear_layer_is_replaced(env):
    from deepmarks.checks import otter_case
    otter_case(env, 'q3', 'public/test_q3.py::test_the_last_linear_layer_is_replaced')

@test_case(name="test_frozen_means_frozen_in_train_mode_too", points=0.75, hidden=False)
def test_frozen_means_frozen_in_train_mode_too(env):
    from deepmarks.checks import otter_case
    otter_case(env, 'q3', 'public/test_q3.py::test_frozen_means_frozen_in_train_mode_too')

@test_case(name="test_groups_have_their_own_settings", points=0.5, hidden=False)
def test_groups_have_their_own_settings(env):
    from deepmarks.checks import otter_case
    otter_case(env, 'q3', 'public/test_q3.py::test_groups_have_their_own_settings')
