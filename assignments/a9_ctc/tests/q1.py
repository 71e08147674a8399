from otter.test_files import test_case

OK_FORMAT = False

name = "q1"
points = None

@test_case(name="test_vector_of_a_small_text", points=0.5, hidden=False)
def test_vector_of_a_small_text(env):
    from deepmarks.checks import otter_case
    otter_case(env, 'q1', 'public/test_q1.py::test_vector_of_a_small_text')

@test_case(name="test_decoding_gives_the_text_back", points=0.5, hidden=False)
def test_decoding_gives_the_text_back(env):
    from deepmarks.checks import otter_case
    otter_case(env, 'q1', 'public/test_q1.py::test_decoding_gives_the_text_back')
