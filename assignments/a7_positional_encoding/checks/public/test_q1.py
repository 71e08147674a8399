"""The digits of a clock, as students receive the checks."""

from __future__ import annotations

from deepmarks.checks import assert_matches, question

SECTION = "section 1"


@question("q1", points=0.5)
def test_digits_of_a_time_of_day(student):
    """45,296 seconds are 56 seconds, 34 minutes and 12 hours, fastest digit first."""
    assert_matches(
        student.clock_encoding(45296, [60, 60, 24]),
        [56, 34, 12],
        what="clock_encoding(45296, [60, 60, 24])",
        candidates={
            "the digits with the slowest one first": [12, 34, 56],
            "every digit taken from the whole of t: the quotient must go on to the next base": [56, 56, 8],
            "the digits after dividing by their own base; the first digit is not divided at all": [34, 34, 15],
            "the quotients without the modulo": [45296, 754, 12],
            "the digits for the bases in reverse order": [8, 27, 31],
            "digits that are floats; whole numbers are asked for": [56.0, 34 + 56 / 60, 12.5822],
        },
        pointer=SECTION,
    )


@question("q1", points=0.5)
def test_every_digit_starts_again_from_zero(student):
    """Every digit stays below its base, the slowest one too: after 24 hours the clock shows 0 again."""
    assert_matches(
        student.clock_encoding(90061, [60, 60, 24]),
        [1, 1, 1],
        what="clock_encoding(90061, [60, 60, 24])",
        candidates={"the digits without the modulo of the slowest one": [1, 1, 25]},
        pointer=SECTION,
    )
    got = [student.clock_encoding(t, [2, 2, 2, 2]) for t in range(20)]
    expected = [[int(digit) for digit in reversed(f"{t % 16:04b}")] for t in range(20)]
    wrong = {
        "the digits with the slowest one first": [list(reversed(digits)) for digits in expected],
        "the digits without the modulo of the slowest one": [
            [*digits[:3], t // 8] for t, digits in enumerate(expected)
        ],
    }
    assert_matches(
        got, expected, what="the list for the positions 0 to 19 in base 2", candidates=wrong, pointer=SECTION
    )
