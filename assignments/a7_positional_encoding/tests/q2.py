from otter.test_files import test_case

OK_FORMAT = False

name = "q2"
points = None

@test_case(name="test_table_with_two_pairs", points=1, hidden=False)
def test_table_with_two_pairs(env):
    from deepmarks.checks import otter_case
    otter_case(env, 'q2', 'public/test_q2.py::test_table_with_two_pairs')

@test_case(name="test_table_with_an_odd_number_of_columns", points=0.5, hidden=False)
def test_table_with_an_odd_number_of_columns(env):
    from deepmarks.checks import otter_case
    otter_case(env, 'q2', 'public/test_q2.py::test_table_with_an_odd_number_of_columns')

@test_case(name="test_table_at_position_100000", points=0.5, hidden=False)
def test_table_at_position_100000(env):
    from deepmarks.checks import otter_case
    otter_case(env, 'q2', 'public/test_q2.py::test_table_at_position_100000')
