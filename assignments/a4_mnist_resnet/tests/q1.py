from otter.test_files import test_case

OK_FORMAT = False

name = "q1"
points = None

@test_case(name="test_block_that_keeps_the_shape", points=0.75, hidden=False)
def test_block_that_keeps_the_shape(env):
    from deepmarks.checks import otter_case
    otter_case(env, 'q1', 'public/test_q1.py::test_block_that_keeps_the_shape')

@test_case(name="test_block_that_halves_the_map", points=0.75, hidden=False)
def test_block_that_halves_the_map(env):
    from deepmarks.checks import otter_case
    otter_case(env, 'q1', 'public/test_q1.py::test_block_that_halves_the_map')
