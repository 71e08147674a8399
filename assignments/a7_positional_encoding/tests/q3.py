from otter.test_files import test_case

OK_FORMAT = False

name = "q3"
points = None

@test_case(name="test_shift_of_one_pair", points=0.5, hidden=False)
def test_shift_of_one_pair(env):
    from deepmarks.checks import otter_case
    otter_case(env, 'q3', 'public/test_q3.py::test_shift_of_one_pair')

@test_case(name="test_shift_moves_a_table_of_two_pairs", points=0.5, hidden=False)
def test_shift_moves_a_table_of_two_pairs(env):
    from deepmarks.checks import otter_case
    otter_case(env, 'q3', 'public/test_q3.py::test_shift_moves_a_table_of_two_pairs')

@test_case(name="test_shift_of_an_odd_number_of_columns", points=0.25, hidden=False)
def test_shift_of_an_odd_number_of_columns(env):
    from deepmarks.checks import otter_case
    otter_case(env, 'q3', 'public/test_q3.py::test_shift_of_an_odd_number_of_columns')

@test_case(name="test_relative_dot_of_a_small_table", points=0.75, hidden=False)
def test_relative_dot_of_a_small_table(env):
    from deepmarks.checks import otter_case
    otter_case(env, 'q3', 'public/test_q3.py::test_relative_dot_of_a_small_table')
