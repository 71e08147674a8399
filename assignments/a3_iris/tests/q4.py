from otter.test_files import test_case

OK_FORMAT = False

name = "q4"
points = None

@test_case(name="test_fit_obeys_its_seed", points=0.5, hidden=False)
def test_fit_obeys_its_seed(env):
    from deepmarks.checks import otter_case
    otter_case(env, 'q4', 'public/test_q4.py::test_fit_obeys_its_seed')

@test_case(name="test_full_batches_follow_adam", points=0.75, hidden=False)
def test_full_batches_follow_adam(env):
    from deepmarks.checks import otter_case
    otter_case(env, 'q4', 'public/test_q4.py::test_full_batches_follow_adam')

@test_case(name="test_unseen_flowers_are_recognised", points=0.5, hidden=False)
def test_unseen_flowers_are_recognised(env):
    from deepmarks.checks import otter_case
    otter_case(env, 'q4', 'public/test_q4.py::test_unseen_flowers_are_recognised')
