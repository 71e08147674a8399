from otter.test_files import test_case

OK_FORMAT = False

name = "q2"
points = None

@test_case(name="test_sigmoid_of_arrays_of_any_shape", points=0.75, hidden=False)
def test_sigmoid_of_arrays_of_any_shape(env):
    from deepmarks.checks import otter_case
    otter_case(env, 'q2', 'public/test_q2.py::test_sigmoid_of_arrays_of_any_shape')

@test_case(name="test_sigmoid_does_not_overflow", points=0.5, hidden=False)
def test_sigmoid_does_not_overflow(env):
    from deepmarks.checks import otter_case
    otter_case(env, 'q2', 'public/test_q2.py::test_sigmoid_does_not_overflow')

@test_case(name="test_derivative_is_the_slope_of_the_sigmoid", points=0.5, hidden=False)
def test_derivative_is_the_slope_of_the_sigmoid(env):
    from deepmarks.checks import otter_case
    otter_case(env, 'q2', 'public/test_q2.py::test_derivative_is_the_slope_of_the_sigmoid')
