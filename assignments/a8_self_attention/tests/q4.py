from otter.test_files import test_case

OK_FORMAT = False

name = "q4"
points = None

@test_case(name="test_parameters_of_multi_head_attention", points=0.5, hidden=False)
def test_parameters_of_multi_head_attention(env):
    from deepmarks.checks import otter_case
    otter_case(env, 'q4', 'public/test_q4.py::test_parameters_of_multi_head_attention')

@test_case(name="test_multi_head_attention_without_a_mask", points=0.75, hidden=False)
def test_multi_head_attention_without_a_mask(env):
    from deepmarks.checks import otter_case
    otter_case(env, 'q4', 'public/test_q4.py::test_multi_head_attention_without_a_mask')

@test_case(name="test_multi_head_attention_with_a_causal_mask", points=0.5, hidden=False)
def test_multi_head_attention_with_a_causal_mask(env):
    from deepmarks.checks import otter_case
    otter_case(env, 'q4', 'public/test_q4.py::test_multi_head_attention_with_a_causal_mask')
