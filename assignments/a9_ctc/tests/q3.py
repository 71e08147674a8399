from otter.test_files import test_case

OK_FORMAT = False

name = "q3"
points = None

@test_case(name="test_alpha_of_small_lattices", points=0.75, hidden=False)
def test_alpha_of_small_lattices(env):
    from deepmarks.checks import otter_case
    otter_case(env, 'q3', 'public/test_q3.py::test_alpha_of_small_lattices')

@test_case(name="test_alpha_with_repeats_and_without_labels", points=0.75, hidden=False)
def test_alpha_with_repeats_and_without_labels(env):
    from deepmarks.checks import otter_case
    otter_case(env, 'q3', 'public/test_q3.py::test_alpha_with_repeats_and_without_labels')
