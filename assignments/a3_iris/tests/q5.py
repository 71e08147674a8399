from otter.test_files import test_case

OK_FORMAT = False

name = "q5"
points = None

@test_case(name="test_labels_and_inertia_belong_to_the_centroids", points=0.5, hidden=False)
def test_labels_and_inertia_belong_to_the_centroids(env):
    from deepmarks.checks import otter_case
    otter_case(env, 'q5', 'public/test_q5.py::test_labels_and_inertia_belong_to_the_centroids')

@test_case(name="test_inertia_is_near_the_best_on_iris", points=0.75, hidden=False)
def test_inertia_is_near_the_best_on_iris(env):
    from deepmarks.checks import otter_case
    otter_case(env, 'q5', 'public/test_q5.py::test_inertia_is_near_the_best_on_iris')

@test_case(name="test_kmeans_obeys_its_seed", points=0.25, hidden=False)
def test_kmeans_obeys_its_seed(env):
    from deepmarks.checks import otter_case
    otter_case(env, 'q5', 'public/test_q5.py::test_kmeans_obeys_its_seed')

@test_case(name="test_smallest_and_largest_k", points=0.5, hidden=False)
def test_smallest_and_largest_k(env):
    from deepmarks.checks import otter_case
    otter_case(env, 'q5', 'public/test_q5.py::test_smallest_and_largest_k')
