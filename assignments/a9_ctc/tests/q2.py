from otter.test_files import test_case

OK_FORMAT = False

name = "q2"
points = None

@test_case(name="test_collapse_of_small_paths", points=0.5, hidden=False)
def test_collapse_of_small_paths(env):
    from deepmarks.checks import otter_case
    otter_case(env, 'q2', 'public/test_q2.py::test_collapse_of_small_paths')

@test_case(name="test_extended_labels_and_shortest_paths", points=0.5, hidden=False)
def test_extended_labels_and_shortest_paths(env):
    from deepmarks.checks import otter_case
    otter_case(env, 'q2', 'public/test_q2.py::test_extended_labels_and_shortest_paths')
