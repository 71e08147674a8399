from otter.test_files import test_case

OK_FORMAT = False

name = "q7"
points = None

@test_case(name="test_default_sizes", points=0.5, hidden=False)
def test_default_sizes(env):
    from deepmarks.checks import otter_case
    otter_case(env, 'q7', 'public/test_q7.py::test_default_sizes')

@test_case(name="test_logits_of_a_small_network", points=0.25, hidden=False)
def test_logits_of_a_small_network(env):
    from deepmarks.checks import otter_case
    otter_case(env, 'q7', 'public/test_q7.py::test_logits_of_a_small_network')

@test_case(name="test_save_and_load", points=0.25, hidden=False)
def test_save_and_load(env):
    from deepmarks.checks import otter_case
    otter_case(env, 'q7', 'public/test_q7.py::test_save_and_load')

@test_case(name="test_evaluate_ten_samples", points=0.5, hidden=False)
def test_evaluate_ten_samples(env):
    from deepmarks.checks import otter_case
    otter_case(env, 'q7', 'public/test_q7.py::test_evaluate_ten_samples')
