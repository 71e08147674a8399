from otter.test_files import test_case

OK_FORMAT = False

name = "q6"
points = None

@test_case(name="test_the_weights_fit_the_network", points=0.5, hidden=False)
def test_the_weights_fit_the_network(env):
    from deepmarks.checks import otter_case
    otter_case(env, 'q6', 'public/test_q6.py::test_the_weights_fit_the_network')

@test_case(name="test_known_test_images_are_recognised", points=0.5, hidden=False)
def test_known_test_images_are_recognised(env):
    from deepmarks.checks import otter_case
    otter_case(env, 'q6', 'public/test_q6.py::test_known_test_images_are_recognised')
