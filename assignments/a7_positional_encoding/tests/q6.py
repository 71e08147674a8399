from otter.test_files import test_case

OK_FORMAT = False

name = "q6"
points = None

@test_case(name="test_causal_biases_of_two_heads", points=0.5, hidden=False)
def test_causal_biases_of_two_heads(env):
    from deepmarks.checks import otter_case
    otter_case(env, 'q6', 'public/test_q6.py::test_causal_biases_of_two_heads')

@test_case(name="test_biases_of_eight_heads_in_both_directions", points=0.5, hidden=False)
def test_biases_of_eight_heads_in_both_directions(env):
    from deepmarks.checks import otter_case
    otter_case(env, 'q6', 'public/test_q6.py::test_biases_of_eight_heads_in_both_directions')

@test_case(name="test_slopes_of_twelve_heads", points=0.5, hidden=False)
def test_slopes_of_twelve_heads(env):
    from deepmarks.checks import otter_case
    otter_case(env, 'q6', 'public/test_q6.py::test_slopes_of_twelve_heads')
