from otter.test_files import test_case

OK_FORMAT = False

name = "q6"
points = None

@test_case(name="test_top_1_and_top_5_are_counted", points=0.5, hidden=False)
def test_top_1_and_top_5_are_counted(env):
    from deepmarks.checks import otter_case
    otter_case(env, 'q6', 'public/test_q6.py::test_top_1_and_top_5_are_counted')

@test_case(name="test_the_checkpoint_is_a_linear_head", points=0.5, hidden=False)
def test_the_checkpoint_is_a_linear_head(env):
    from deepmarks.checks import otter_case
    otter_case(env, 'q6', 'public/test_q6.py::test_the_checkpoint_is_a_linear_head')

@test_case(name="test_the_head_knows_the_validation_pictures", points=0.5, hidden=False)
def test_the_head_knows_the_validation_pictures(env):
    from deepmarks.checks import otter_case
    otter_case(env, 'q6', 'public/test_q6.py::test_the_head_knows_the_validation_pictures')
