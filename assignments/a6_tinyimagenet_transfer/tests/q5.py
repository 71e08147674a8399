from otter.test_files import test_case

OK_FORMAT = False

name = "q5"
points = None

@test_case(name="test_features_belong_to_their_labels", points=0.5, hidden=False)
def test_features_belong_to_their_labels(env):
    from deepmarks.checks import otter_case
    otter_case(env, 'q5', 'public/test_q5.py::test_features_belong_to_their_labels')

@test_case(name="test_the_probe_finds_the_minimum", points=0.75, hidden=False)
def test_the_probe_finds_the_minimum(env):
    from deepmarks.checks import otter_case
    otter_case(env, 'q5', 'public/test_q5.py::test_the_probe_finds_the_minimum')
