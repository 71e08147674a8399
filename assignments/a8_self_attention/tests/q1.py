from otter.test_files import test_case

OK_FORMAT = False

name = "q1"
points = None

@test_case(name="test_softmax_of_small_examples", points=0.5, hidden=False)
def test_softmax_of_small_examples(env):
    from deepmarks.checks import otter_case
    otter_case(env, 'q1', 'public/test_q1.py::test_softmax_of_small_examples')

@test_case(name="test_softmax_of_large_numbers_and_empty_rows", points=0.5, hidden=False)
def test_softmax_of_large_numbers_and_empty_rows(env):
    from deepmarks.checks import otter_case
    otter_case(env, 'q1', 'public/test_q1.py::test_softmax_of_large_numbers_and_empty_rows')

@test_case(name="test_softmax_vjp_of_one_row", points=0.5, hidden=False)
def test_softmax_vjp_of_one_row(env):
    from deepmarks.checks import otter_case
    otter_case(env, 'q1', 'public/test_q1.py::test_softmax_vjp_of_one_row')
