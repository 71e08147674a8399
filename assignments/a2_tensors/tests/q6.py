from otter.test_files import test_case

OK_FORMAT = False

name = "q6"
points = None

@test_case(name="test_cube_sigmoid_and_its_derivative", points=0.5, hidden=False)
def test_cube_sigmoid_and_its_derivative(env):
    from deepmarks.checks import otter_case
    otter_case(env, 'q6', 'public/test_q6.py::test_cube_sigmoid_and_its_derivative')

@test_case(name="test_accumulate_three_gradients", points=0.25, hidden=False)
def test_accumulate_three_gradients(env):
    from deepmarks.checks import otter_case
    otter_case(env, 'q6', 'public/test_q6.py::test_accumulate_three_gradients')

@test_case(name="test_one_graph_at_a_time", points=0.25, hidden=False)
def test_one_graph_at_a_time(env):
    from deepmarks.checks import otter_case
    otter_case(env, 'q6', 'public/test_q6.py::test_one_graph_at_a_time')

@test_case(name="test_hessian_of_a_quadratic", points=0.5, hidden=False)
def test_hessian_of_a_quadratic(env):
    from deepmarks.checks import otter_case
    otter_case(env, 'q6', 'public/test_q6.py::test_hessian_of_a_quadratic')
