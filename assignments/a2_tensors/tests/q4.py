from otter.test_files import test_case

OK_FORMAT = False

name = "q4"
points = None

@test_case(name="test_one_hot_of_five_labels", points=0.25, hidden=False)
def test_one_hot_of_five_labels(env):
    from deepmarks.checks import otter_case
    otter_case(env, 'q4', 'public/test_q4.py::test_one_hot_of_five_labels')

@test_case(name="test_one_hot_uses_scatter", points=0.25, hidden=False)
def test_one_hot_uses_scatter(env):
    from deepmarks.checks import otter_case
    otter_case(env, 'q4', 'public/test_q4.py::test_one_hot_uses_scatter')

@test_case(name="test_standardize_both_axes", points=0.5, hidden=False)
def test_standardize_both_axes(env):
    from deepmarks.checks import otter_case
    otter_case(env, 'q4', 'public/test_q4.py::test_standardize_both_axes')

@test_case(name="test_is_view_of_simple_pairs", points=0.5, hidden=False)
def test_is_view_of_simple_pairs(env):
    from deepmarks.checks import otter_case
    otter_case(env, 'q4', 'public/test_q4.py::test_is_view_of_simple_pairs')
