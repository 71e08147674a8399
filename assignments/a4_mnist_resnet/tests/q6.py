from otter.test_files import test_case

OK_FORMAT = False

name = "q6"
points = None

@test_case(name="test_weights_can_be_read", points=0.5, hidden=False)
def test_weights_can_be_read(env):
    from deepmarks.checks import otter_case
    otter_case(env, 'q6', 'public/test_q6.py::test_weights_can_be_read')

@test_case(name="test_offline_test_digits", points=0.5, hidden=False)
def test_offline_test_digits(env):
    from deepmarks.checks import otter_case
    otter_case(env, 'q6', 'public/test_q6.py::test_offline_test_digits')
