from otter.test_files import test_case

OK_FORMAT = False

name = "q6"
points = None

@test_case(name="test_train_reverse_obeys_its_seed", points=0.25, hidden=False)
def test_train_reverse_obeys_its_seed(env):
    from deepmarks.checks import otter_case
    otter_case(env, 'q6', 'public/test_q6.py::test_train_reverse_obeys_its_seed')

@test_case(name="test_most_digits_are_reversed", points=0.5, hidden=False)
def test_most_digits_are_reversed(env):
    from deepmarks.checks import otter_case
    otter_case(env, 'q6', 'public/test_q6.py::test_most_digits_are_reversed')
