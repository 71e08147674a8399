from otter.test_files import test_case

OK_FORMAT = False

name = "q2"
points = None

@test_case(name="test_default_network_has_83_parameters", points=0.5, hidden=False)
def test_default_network_has_83_parameters(env):
    from deepmarks.checks import otter_case
    otter_case(env, 'q2', 'public/test_q2.py::test_default_network_has_83_parameters')

@test_case(name="test_logits_agree_with_the_layers", points=0.5, hidden=False)
def test_logits_agree_with_the_layers(env):
    from deepmarks.checks import otter_case
    otter_case(env, 'q2', 'public/test_q2.py::test_logits_agree_with_the_layers')
