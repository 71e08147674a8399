from otter.test_files import test_case

OK_FORMAT = False

name = "q2"
points = None

@test_case(name="test_in_use_the_middle_is_shown", points=0.75, hidden=False)
def test_in_use_the_middle_is_shown(env):
    from deepmarks.checks import otter_case
    otter_case(env, 'q2', 'public/test_q2.py::test_in_use_the_middle_is_shown')

@test_case(name="test_in_training_a_random_part_is_shown", points=0.5, hidden=False)
def test_in_training_a_random_part_is_shown(env):
    from deepmarks.checks import otter_case
    otter_case(env, 'q2', 'public/test_q2.py::test_in_training_a_random_part_is_shown')
