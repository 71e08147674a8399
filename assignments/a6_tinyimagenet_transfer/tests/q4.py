from otter.test_files import test_case

OK_FORMAT = False

name = "q4"
points = None

@test_case(name="test_the_rate_falls_in_steps", points=0.5, hidden=False)
def test_the_rate_falls_in_steps(env):
    from deepmarks.checks import otter_case
    otter_case(env, 'q4', 'public/test_q4.py::test_the_rate_falls_in_steps')

@test_case(name="test_the_history_is_that_of_the_loop", points=0.75, hidden=False)
def test_the_history_is_that_of_the_loop(env):
    from deepmarks.checks import otter_case
    otter_case(env, 'q4', 'public/test_q4.py::test_the_history_is_that_of_the_loop')

@test_case(name="test_the_best_weights_come_back", points=0.5, hidden=False)
def test_the_best_weights_come_back(env):
    from deepmarks.checks import otter_case
    otter_case(env, 'q4', 'public/test_q4.py::test_the_best_weights_come_back')
