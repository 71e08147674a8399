from otter.test_files import test_case

OK_FORMAT = False

name = "q1"
points = None

@test_case(name="test_val_is_sorted_into_classes", points=0.5, hidden=False)
def test_val_is_sorted_into_classes(env):
    from deepmarks.checks import otter_case
    otter_case(env, 'q1', 'public/test_q1.py::test_val_is_sorted_into_classes')

@test_case(name="test_train_is_flattened", points=0.5, hidden=False)
def test_train_is_flattened(env):
    from deepmarks.checks import otter_case
    otter_case(env, 'q1', 'public/test_q1.py::test_train_is_flattened')

@test_case(name="test_missing_files_and_second_runs_do_no_harm", points=0.5, hidden=False)
def test_missing_files_and_second_runs_do_no_harm(env):
    from deepmarks.checks import otter_case
    otter_case(env, 'q1', 'public/test_q1.py::test_missing_files_and_second_runs_do_no_harm')
