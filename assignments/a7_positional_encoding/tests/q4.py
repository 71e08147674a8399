from otter.test_files import test_case

OK_FORMAT = False

name = "q4"
points = None

@test_case(name="test_learned_positions_of_a_batch", points=0.5, hidden=False)
def test_learned_positions_of_a_batch(env):
    from deepmarks.checks import otter_case
    otter_case(env, 'q4', 'public/test_q4.py::test_learned_positions_of_a_batch')

@test_case(name="test_add_positions_outside_training", points=0.25, hidden=False)
def test_add_positions_outside_training(env):
    from deepmarks.checks import otter_case
    otter_case(env, 'q4', 'public/test_q4.py::test_add_positions_outside_training')

@test_case(name="test_add_positions_in_training", points=0.5, hidden=False)
def test_add_positions_in_training(env):
    from deepmarks.checks import otter_case
    otter_case(env, 'q4', 'public/test_q4.py::test_add_positions_in_training')
