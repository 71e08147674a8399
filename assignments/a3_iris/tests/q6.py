from otter.test_files import test_case

OK_FORMAT = False

name = "q6"
points = None

@test_case(name="test_pca_of_iris", points=0.75, hidden=False)
def test_pca_of_iris(env):
    from deepmarks.checks import otter_case
    otter_case(env, 'q6', 'public/test_q6.py::test_pca_of_iris')

@test_case(name="test_pca_reconstructs", points=0.5, hidden=False)
def test_pca_reconstructs(env):
    from deepmarks.checks import otter_case
    otter_case(env, 'q6', 'public/test_q6.py::test_pca_reconstructs')

@test_case(name="test_cluster_accuracy_examples", points=0.5, hidden=False)
def test_cluster_accuracy_examples(env):
    from deepmarks.checks import otter_case
    otter_case(env, 'q6', 'public/test_q6.py::test_cluster_accuracy_examples')
