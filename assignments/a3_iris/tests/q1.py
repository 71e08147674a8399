from otter.test_files import test_case

OK_FORMAT = False

name = "q1"
points = None

@test_case(name="test_the_split_is_stratified", points=0.5, hidden=False)
def test_the_split_is_stratified(env):
    from deepmarks.checks import otter_case
    otter_case(env, 'q1', 'public/test_q1.py::test_the_split_is_stratified')

@test_case(name="test_statistics_come_from_the_training_part", points=0.5, hidden=False)
def test_statistics_come_from_the_training_part(env):
    from deepmarks.checks import otter_case
    otter_case(env, 'q1', 'public/test_q1.py::test_statistics_come_from_the_training_part')

@test_case(name="test_seed_decides_the_split", points=0.5, hidden=False)
def test_seed_decides_the_split(env):
    from deepmarks.checks import otter_case
    otter_case(env, 'q1', 'public/test_q1.py::test_seed_decides_the_split')
