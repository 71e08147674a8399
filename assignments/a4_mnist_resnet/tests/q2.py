from otter.test_files import test_case

OK_FORMAT = False

name = "q2"
points = None

@test_case(name="test_names_and_shapes_are_those_of_resnet18", points=0.75, hidden=False)
def test_names_and_shapes_are_those_of_resnet18(env):
    from deepmarks.checks import otter_case
    otter_case(env, 'q2', 'public/test_q2.py::test_names_and_shapes_are_those_of_resnet18')

@test_case(name="test_logits_of_digits", points=0.75, hidden=False)
def test_logits_of_digits(env):
    from deepmarks.checks import otter_case
    otter_case(env, 'q2', 'public/test_q2.py::test_logits_of_digits')
