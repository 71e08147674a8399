from otter.test_files import test_case

OK_FORMAT = False

name = "q5"
points = None

@test_case(name="test_stopping_on_six_sequences", points=0.75, hidden=False)
def test_stopping_on_six_sequences(env):
    from deepmarks.checks import otter_case
    otter_case(env, 'q5', 'public/test_q5.py::test_stopping_on_six_sequences')

@test_case(name="test_fit_learns_and_keeps_a_history", points=0.75, hidden=False)
def test_fit_learns_and_keeps_a_history(env):
    from deepmarks.checks import otter_case
    otter_case(env, 'q5', 'public/test_q5.py::test_fit_learns_and_keeps_a_history')

@test_case(name="test_fit_keeps_the_best_of_six_epochs", points=0.5, hidden=False)
def test_fit_keeps_the_best_of_six_epochs(env):
    from deepmarks.checks import otter_case
    otter_case(env, 'q5', 'public/test_q5.py::test_fit_keeps_the_best_of_six_epochs')
