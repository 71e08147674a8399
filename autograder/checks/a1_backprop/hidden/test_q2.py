"""Question 2, hidden: the sigmoid and its derivative."""

from __future__ import annotations

import numpy as np
from scipy.special import expit

from deepmarks.checks import assert_matches, expect, question

SECTION = "section 2"
ALLOWED = 1e-15  # the question's own limit for the absolute error


@question("q2", points=0.5)
def test_sigmoid_to_the_last_digits(student, reference, rng):
    """The absolute error of sigmoid is at most 1e-15 everywhere."""
    x = np.concatenate([rng.uniform(-2, 2, 150), rng.uniform(-45, 45, 150), rng.uniform(-720, 720, 100)])
    x = x.reshape(20, 4, 5)
    assert_matches(
        student.sigmoid(x),
        reference.sigmoid(x),
        what="sigmoid(x)",
        candidates={
            "the sigmoid of -x: the exponent is -x": expit(-x),
            "the hyperbolic tangent: it is a sigmoid too, but from -1 to 1": np.tanh(x),
            "the sigmoid of 2 * x": expit(2 * x),
            "the sigmoid of x / 2": expit(x / 2),
            **{
                f"the sigmoid of an x that was clipped at {bound}, which is too near": expit(np.clip(x, -bound, bound))
                for bound in (5, 6, 8, 10, 15, 16, 20, 25, 30)
            },
            "a straight line cut off at 0 and 1 (the hard sigmoid)": np.clip(x / 6 + 0.5, 0, 1),
        },
        rtol=0.0,
        atol=ALLOWED,
        pointer=SECTION,
    )


@question("q2", points=0.25)
def test_no_warning_among_mixed_arguments(student, rng):
    """Large and small arguments in one array give right values and no warning."""
    x = rng.choice([-1.0, 1.0], (4, 6)) * 10.0 ** rng.uniform(-3, 4, (4, 6))
    x[0, :2] = 1e4, -1e4
    found, warned = student.probe("sigmoid_and_warnings", x)
    assert_matches(found, expit(x), what="sigmoid(x) for large |x|", rtol=0.0, atol=ALLOWED, pointer=SECTION)
    expect(
        not warned,
        "sigmoid overflows at large |x|: NumPy warns. exp must never see a large positive number "
        "(np.where computes both of its branches for all entries).",
        kind="overflow",
        pointer=SECTION,
    )


@question("q2", points=0.5)
def test_derivative_from_random_outputs(student, reference, rng):
    """sigmoid_grad_from_output is right for arrays of any shape, and takes the output, not x."""
    for shape in ((), (9,), (3, 2, 5)):
        s = np.asarray(rng.uniform(0.02, 0.98, shape))
        right = reference.sigmoid_grad_from_output(s)
        assert_matches(
            student.sigmoid_grad_from_output(s),
            np.asarray(right),
            what="sigmoid_grad_from_output(s)",
            candidates={
                "a derivative that takes the sigmoid of s once more: s is its output already": (
                    expit(s) * (1 - expit(s))
                ),
                "s * (1 + s): look at the sign": s * (1 + s),
                "1 - s, without the factor s": 1 - s,
                "the derivative of tanh from its output": 1 - s**2,
                "s - 1 times s: look at the sign": s * (s - 1),
            },
            pointer=SECTION,
        )
