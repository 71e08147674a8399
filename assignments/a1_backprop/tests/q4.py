from otter.test_files import test_case

OK_FORMAT = False

name = "q4"
points = None

@test_case(name="test_loss_is_half_the_sum", points=0.5, hidden=False)
def test_loss_is_half_the_sum(env):
    from deepmarks.checks import otter_case
    otter_case(env, 'q4', 'public/test_q4.py::test_loss_is_half_the_sum')

@test_case(name="test_worked_example_of_the_backward_pass", points=0.5, hidden=False)
def test_worked_example_of_the_backward_pass(env):
    from deepmarks.checks import otter_case
    otter_case(env, 'q4', 'public/test_q4.py::test_worked_example_of_the_backward_pass')

@test_case(name="test_gradients_agree_with_finite_differences", points=1, hidden=False)
def test_gradients_agree_with_finite_differences(env):
    from deepmarks.checks import otter_case
    otter_case(env, 'q4', 'public/test_q4.py::test_gradients_agree_with_finite_differences')
