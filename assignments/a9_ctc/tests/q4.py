from otter.test_files import test_case

OK_FORMAT = False

name = "q4"
points = None

@test_case(name="test_loss_of_small_cases", points=0.5, hidden=False)
def test_loss_of_small_cases(env):
    from deepmarks.checks import otter_case
    otter_case(env, 'q4', 'public/test_q4.py::test_loss_of_small_cases')

@test_case(name="test_gradient_is_finite_and_right", points=0.75, hidden=False)
def test_gradient_is_finite_and_right(env):
    from deepmarks.checks import otter_case
    otter_case(env, 'q4', 'public/test_q4.py::test_gradient_is_finite_and_right')

@test_case(name="test_reductions_of_a_small_batch", points=0.75, hidden=False)
def test_reductions_of_a_small_batch(env):
    from deepmarks.checks import otter_case
    otter_case(env, 'q4', 'public/test_q4.py::test_reductions_of_a_small_batch')
