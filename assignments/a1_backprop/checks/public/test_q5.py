"""Question 5, public: the gradient by central differences."""

from __future__ import annotations

import numpy as np
import pytest

from deepmarks.checks import assert_matches, expect, question

SECTION = "section 5"


@question("q5", points=0.5)
@pytest.mark.parametrize("shape", [(4,), (2, 3), (2, 1, 3), ()], ids=["1 axis", "2 axes", "3 axes", "no axis"])
def test_gradient_of_a_sum_of_squares(student, rng, shape):
    """The gradient of the sum of squares is 2 x, for arrays of any shape."""
    x = np.asarray(rng.uniform(0.5, 2.0, shape) * rng.choice([-1.0, 1.0], shape))
    gradient, _ = student.probe("gradient_of", "squares", x)
    assert_matches(
        gradient,
        2 * x,
        what="the numerical gradient",
        candidates={
            "the difference divided by eps: the two points are 2 * eps apart": 4 * x,
            "a one-sided difference: take f at x + eps and at x - eps": 2 * x + 1e-5,
            "a one-sided difference, backwards: take f at x + eps and at x - eps": 2 * x - 1e-5,
            "a half of the gradient: divide by the distance of the two points": x,
        },
        rtol=1e-7,  # the rounding of f divided by eps
        atol=1e-8,
        pointer=SECTION,
    )


@question("q5", points=0.5)
def test_x_is_exactly_what_it_was(student, rng):
    """Afterwards x holds exactly the numbers it held before."""
    x = rng.standard_normal((6, 5))
    _, after = student.probe("gradient_of", "sines", x)
    expect(
        np.allclose(after, x, rtol=0.0, atol=1e-9),  # far above rounding, far below eps
        "numerical_gradient leaves x changed: put each entry back, or work on a copy.",
        kind="input-changed",
        pointer=SECTION,
    )
    expect(
        np.array_equal(after, x),
        "numerical_gradient leaves a rounding error in x: keep the old value and put it back, instead of adding "
        "and subtracting eps.",
        kind="input-changed",
        pointer=SECTION,
    )
