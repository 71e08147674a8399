from otter.test_files import test_case

OK_FORMAT = False

name = "q4"
points = None

@test_case(name="test_one_epoch_of_ten_images", points=0.75, hidden=False)
def test_one_epoch_of_ten_images(env):
    from deepmarks.checks import otter_case
    otter_case(env, 'q4', 'public/test_q4.py::test_one_epoch_of_ten_images')

@test_case(name="test_accuracy_overall_and_per_class", points=1, hidden=False)
def test_accuracy_overall_and_per_class(env):
    from deepmarks.checks import otter_case
    otter_case(env, 'q4', 'public/test_q4.py::test_accuracy_overall_and_per_class')
