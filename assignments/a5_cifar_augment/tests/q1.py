from otter.test_files import test_case

OK_FORMAT = False

name = "q1"
points = None

@test_case(name="test_crops_and_mirrors_of_a_numbered_image", points=0.5, hidden=False)
def test_crops_and_mirrors_of_a_numbered_image(env):
    from deepmarks.checks import otter_case
    otter_case(env, 'q1', 'public/test_q1.py::test_crops_and_mirrors_of_a_numbered_image')

@test_case(name="test_normalising_goes_there_and_back", points=0.5, hidden=False)
def test_normalising_goes_there_and_back(env):
    from deepmarks.checks import otter_case
    otter_case(env, 'q1', 'public/test_q1.py::test_normalising_goes_there_and_back')
