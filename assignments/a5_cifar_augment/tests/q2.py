from otter.test_files import test_case

OK_FORMAT = False

name = "q2"
points = None

@test_case(name="test_each_image_has_its_own_crop_and_flip", points=0.75, hidden=False)
def test_each_image_has_its_own_crop_and_flip(env):
    from deepmarks.checks import otter_case
    otter_case(env, 'q2', 'public/test_q2.py::test_each_image_has_its_own_crop_and_flip')

@test_case(name="test_brightness_and_holes_image_by_image", points=0.5, hidden=False)
def test_brightness_and_holes_image_by_image(env):
    from deepmarks.checks import otter_case
    otter_case(env, 'q2', 'public/test_q2.py::test_brightness_and_holes_image_by_image')
