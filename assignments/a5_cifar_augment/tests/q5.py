from otter.test_files import test_case

OK_FORMAT = False

name = "q5"
points = None

@test_case(name="test_a_short_run_trains_the_net", points=0.5, hidden=False)
def test_a_short_run_trains_the_net(env):
    from deepmarks.checks import otter_case
    otter_case(env, 'q5', 'public/test_q5.py::test_a_short_run_trains_the_net')

@test_case(name="test_two_looks_are_averaged", points=0.5, hidden=False)
def test_two_looks_are_averaged(env):
    from deepmarks.checks import otter_case
    otter_case(env, 'q5', 'public/test_q5.py::test_two_looks_are_averaged')
