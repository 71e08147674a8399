from otter.test_files import test_case

OK_FORMAT = False

name = "q2"
points = None

@test_case(name="test_pick_from_a_small_table", points=0.5, hidden=False)
def test_pick_from_a_small_table(env):
    from deepmarks.checks import otter_case
    otter_case(env, 'q2', 'public/test_q2.py::test_pick_from_a_small_table')

@test_case(name="test_zero_column_is_a_new_tensor", points=0.5, hidden=False)
def test_zero_column_is_a_new_tensor(env):
    from deepmarks.checks import otter_case
    otter_case(env, 'q2', 'public/test_q2.py::test_zero_column_is_a_new_tensor')

@test_case(name="test_join_two_tables", points=0.5, hidden=False)
def test_join_two_tables(env):
    from deepmarks.checks import otter_case
    otter_case(env, 'q2', 'public/test_q2.py::test_join_two_tables')
