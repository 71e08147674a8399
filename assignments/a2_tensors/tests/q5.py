from otter.test_files import test_case

OK_FORMAT = False

name = "q5"
points = None

@test_case(name="test_loss_and_gradients", points=0.75, hidden=False)
def test_loss_and_gradients(env):
    from deepmarks.checks import otter_case
    otter_case(env, 'q5', 'public/test_q5.py::test_loss_and_gradients')

@test_case(name="test_no_traces", points=0.5, hidden=False)
def test_no_traces(env):
    from deepmarks.checks import otter_case
    otter_case(env, 'q5', 'public/test_q5.py::test_no_traces')
