"""Question 2, public: the sigmoid and its derivative."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import expit

from deepmarks.checks import assert_matches, expect, question

SECTION = "section 2"
ALLOWED = 1e-15  # the question's own limit for the absolute error


@question("q2", points=0.75)
@pytest.mark.parametrize("shape", [(), (7,), (2, 3, 4)], ids=["a single number", "a vector", "three axes"])
def test_sigmoid_of_arrays_of_any_shape(student, rng, shape):
    """The sigmoid is right to 1e-15 for arrays of 0, 1 and 3 axes."""
    x = np.asarray(rng.uniform(0.5, 6.0, shape) * rng.choice([-1.0, 1.0], shape))
    assert_matches(
        student.sigmoid(x),
        expit(x),
        what="sigmoid(x)",
        candidates={
            "the sigmoid of -x: the exponent is -x": expit(-x),
            "the hyperbolic tangent: it is a sigmoid too, but from -1 to 1": np.tanh(x),
            "the sigmoid of 2 * x": expit(2 * x),
            "the sigmoid of x / 2": expit(x / 2),
        },
        rtol=0.0,
        atol=ALLOWED,
        pointer=SECTION,
    )


@question("q2", points=0.5)
def test_sigmoid_does_not_overflow(student):
    """At |x| up to 1e4 sigmoid gives 0 and 1 without an overflow warning."""
    x = np.array([[-1e4, -800.0, -40.0], [40.0, 800.0, 1e4]])
    found, warned = student.probe("sigmoid_and_warnings", x)
    assert_matches(found, expit(x), what="sigmoid(x) for large |x|", rtol=0.0, atol=ALLOWED, pointer=SECTION)
    expect(
        not warned,
        "sigmoid overflows at large |x|: NumPy warns. exp must never see a large positive number "
        "(np.where computes both of its branches for all entries).",
        detail="; ".join(map(str, warned)),
        kind="overflow",
        pointer=SECTION,
    )


@question("q2", points=0.5)
def test_derivative_is_the_slope_of_the_sigmoid(student):
    """sigmoid_grad_from_output(sigmoid(x)) is the slope of the sigmoid at x (by finite differences)."""
    x = np.linspace(-4.0, 5.0, 12).reshape(3, 4)
    step = 1e-5
    s = expit(x)
    assert_matches(
        student.sigmoid_grad_from_output(s),
        (expit(x + step) - expit(x - step)) / (2 * step),
        what="sigmoid_grad_from_output(s)",
        candidates={
            "a derivative that takes the sigmoid of s once more: s is its output already": lambda: (
                (expit(s + step) - expit(s - step)) / (2 * step)
            ),
            "the derivative of tanh from its output": 1 - s**2,
        },
        rtol=1e-6,  # finite differences: the error is about step**2 and 1e-16 / step
        atol=1e-9,
        pointer=SECTION,
    )
