from otter.test_files import test_case

OK_FORMAT = False

name = "q3"
points = None

@test_case(name="test_mixup_mixes_images_and_labels_alike", points=0.5, hidden=False)
def test_mixup_mixes_images_and_labels_alike(env):
    from deepmarks.checks import otter_case
    otter_case(env, 'q3', 'public/test_q3.py::test_mixup_mixes_images_and_labels_alike')

@test_case(name="test_cutmix_pastes_one_box_and_weighs_by_area", points=0.5, hidden=False)
def test_cutmix_pastes_one_box_and_weighs_by_area(env):
    from deepmarks.checks import otter_case
    otter_case(env, 'q3', 'public/test_q3.py::test_cutmix_pastes_one_box_and_weighs_by_area')

@test_case(name="test_soft_cross_entropy_of_four_rows", points=0.5, hidden=False)
def test_soft_cross_entropy_of_four_rows(env):
    from deepmarks.checks import otter_case
    otter_case(env, 'q3', 'public/test_q3.py::test_soft_cross_entropy_of_four_rows')
