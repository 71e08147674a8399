from otter.test_files import test_case

OK_FORMAT = False

name = "q5"
points = None

@test_case(name="test_gradient_of_a_sum_of_squares", points=0.5, hidden=False)
def test_gradient_of_a_sum_of_squares(env):
    from deepmarks.checks import otter_case
    otter_case(env, 'q5', 'public/test_q5.py::test_gradient_of_a_sum_of_squares')

@test_case(name="test_x_is_exactly_what_it_was", points=0.5, hidden=False)
def test_x_is_exactly_what_it_was(env):
    from deepmarks.checks import otter_case
    otter_case(env, 'q5', 'public/test_q5.py::test_x_is_exactly_what_it_was')
