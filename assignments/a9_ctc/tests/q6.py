from otter.test_files import test_case

OK_FORMAT = False

name = "q6"
points = None

@test_case(name="test_greedy_decoding_of_a_small_table", points=0.25, hidden=False)
def test_greedy_decoding_of_a_small_table(env):
    from deepmarks.checks import otter_case
    otter_case(env, 'q6', 'public/test_q6.py::test_greedy_decoding_of_a_small_table')

@test_case(name="test_beam_search_adds_up_paths", points=0.5, hidden=False)
def test_beam_search_adds_up_paths(env):
    from deepmarks.checks import otter_case
    otter_case(env, 'q6', 'public/test_q6.py::test_beam_search_adds_up_paths')

@test_case(name="test_edit_distances_and_error_rates", points=0.5, hidden=False)
def test_edit_distances_and_error_rates(env):
    from deepmarks.checks import otter_case
    otter_case(env, 'q6', 'public/test_q6.py::test_edit_distances_and_error_rates')
