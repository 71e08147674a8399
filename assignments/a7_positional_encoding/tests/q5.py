from otter.test_files import test_case

OK_FORMAT = False

name = "q5"
points = None

@test_case(name="test_rotation_of_one_pair", points=0.25, hidden=False)
def test_rotation_of_one_pair(env):
    from deepmarks.checks import otter_case
    otter_case(env, 'q5', 'public/test_q5.py::test_rotation_of_one_pair')

@test_case(name="test_rotation_of_two_pairs", points=1, hidden=False)
def test_rotation_of_two_pairs(env):
    from deepmarks.checks import otter_case
    otter_case(env, 'q5', 'public/test_q5.py::test_rotation_of_two_pairs')

@test_case(name="test_lengths_and_relative_scores", points=0.25, hidden=False)
def test_lengths_and_relative_scores(env):
    from deepmarks.checks import otter_case
    otter_case(env, 'q5', 'public/test_q5.py::test_lengths_and_relative_scores')

@test_case(name="test_odd_features_and_gradients", points=0.5, hidden=False)
def test_odd_features_and_gradients(env):
    from deepmarks.checks import otter_case
    otter_case(env, 'q5', 'public/test_q5.py::test_odd_features_and_gradients')
