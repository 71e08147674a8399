from otter.test_files import test_case

OK_FORMAT = False

name = "q2"
points = None

@test_case(name="test_attention_of_three_queries", points=0.5, hidden=False)
def test_attention_of_three_queries(env):
    from deepmarks.checks import otter_case
    otter_case(env, 'q2', 'public/test_q2.py::test_attention_of_three_queries')

@test_case(name="test_attention_with_a_mask", points=0.5, hidden=False)
def test_attention_with_a_mask(env):
    from deepmarks.checks import otter_case
    otter_case(env, 'q2', 'public/test_q2.py::test_attention_with_a_mask')

@test_case(name="test_attention_of_a_query_that_may_see_nothing", points=0.25, hidden=False)
def test_attention_of_a_query_that_may_see_nothing(env):
    from deepmarks.checks import otter_case
    otter_case(env, 'q2', 'public/test_q2.py::test_attention_of_a_query_that_may_see_nothing')
