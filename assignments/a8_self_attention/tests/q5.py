from otter.test_files import test_case

OK_FORMAT = False

name = "q5"
points = None

@test_case(name="test_decoding_equals_the_causal_pass", points=0.75, hidden=False)
def test_decoding_equals_the_causal_pass(env):
    from deepmarks.checks import otter_case
    otter_case(env, 'q5', 'public/test_q5.py::test_decoding_equals_the_causal_pass')

@test_case(name="test_transformer_block_without_a_mask", points=0.75, hidden=False)
def test_transformer_block_without_a_mask(env):
    from deepmarks.checks import otter_case
    otter_case(env, 'q5', 'public/test_q5.py::test_transformer_block_without_a_mask')
