from otter.test_files import test_case

OK_FORMAT = False

name = "q3"
points = None

@test_case(name="test_attention_vjp_without_a_mask", points=0.75, hidden=False)
def test_attention_vjp_without_a_mask(env):
    from deepmarks.checks import otter_case
    otter_case(env, 'q3', 'public/test_q3.py::test_attention_vjp_without_a_mask')

@test_case(name="test_causal_mask_of_four", points=0.25, hidden=False)
def test_causal_mask_of_four(env):
    from deepmarks.checks import otter_case
    otter_case(env, 'q3', 'public/test_q3.py::test_causal_mask_of_four')

@test_case(name="test_padding_mask_of_three_sequences", points=0.25, hidden=False)
def test_padding_mask_of_three_sequences(env):
    from deepmarks.checks import otter_case
    otter_case(env, 'q3', 'public/test_q3.py::test_padding_mask_of_three_sequences')
