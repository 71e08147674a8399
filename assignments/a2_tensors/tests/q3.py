from otter.test_files import test_case

OK_FORMAT = False

name = "q3"
points = None

@test_case(name="test_gram_of_two_rows", points=0.5, hidden=False)
def test_gram_of_two_rows(env):
    from deepmarks.checks import otter_case
    otter_case(env, 'q3', 'public/test_q3.py::test_gram_of_two_rows')

@test_case(name="test_distances_of_a_few_points", points=0.5, hidden=False)
def test_distances_of_a_few_points(env):
    from deepmarks.checks import otter_case
    otter_case(env, 'q3', 'public/test_q3.py::test_distances_of_a_few_points')

@test_case(name="test_scores_one_by_one", points=0.25, hidden=False)
def test_scores_one_by_one(env):
    from deepmarks.checks import otter_case
    otter_case(env, 'q3', 'public/test_q3.py::test_scores_one_by_one')

@test_case(name="test_scores_are_written_with_einsum", points=0.25, hidden=False)
def test_scores_are_written_with_einsum(env):
    from deepmarks.checks import otter_case
    otter_case(env, 'q3', 'public/test_q3.py::test_scores_are_written_with_einsum')
