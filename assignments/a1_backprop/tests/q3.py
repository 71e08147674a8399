from otter.test_files import test_case

OK_FORMAT = False

name = "q3"
points = None

@test_case(name="test_initial_parameters_have_the_right_shapes", points=0.5, hidden=False)
def test_initial_parameters_have_the_right_shapes(env):
    from deepmarks.checks import otter_case
    otter_case(env, 'q3', 'public/test_q3.py::test_initial_parameters_have_the_right_shapes')

@test_case(name="test_the_seed_decides_the_weights", points=0.5, hidden=False)
def test_the_seed_decides_the_weights(env):
    from deepmarks.checks import otter_case
    otter_case(env, 'q3', 'public/test_q3.py::test_the_seed_decides_the_weights')

@test_case(name="test_worked_example_of_the_forward_pass", points=0.5, hidden=False)
def test_worked_example_of_the_forward_pass(env):
    from deepmarks.checks import otter_case
    otter_case(env, 'q3', 'public/test_q3.py::test_worked_example_of_the_forward_pass')

@test_case(name="test_each_row_is_an_example_of_its_own", points=0.5, hidden=False)
def test_each_row_is_an_example_of_its_own(env):
    from deepmarks.checks import otter_case
    otter_case(env, 'q3', 'public/test_q3.py::test_each_row_is_an_example_of_its_own')
