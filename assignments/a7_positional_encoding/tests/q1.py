from otter.test_files import test_case

OK_FORMAT = False

name = "q1"
points = None

@test_case(name="test_digits_of_a_time_of_day", points=0.5, hidden=False)
def test_digits_of_a_time_of_day(env):
    from deepmarks.checks import otter_case
    otter_case(env, 'q1', 'public/test_q1.py::test_digits_of_a_time_of_day')

@test_case(name="test_every_digit_starts_again_from_zero", points=0.5, hidden=False)
def test_every_digit_starts_again_from_zero(env):
    from deepmarks.checks import otter_case
    otter_case(env, 'q1', 'public/test_q1.py::test_every_digit_starts_again_from_zero')
