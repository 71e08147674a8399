"""Question 5, hidden: the gradient by central differences."""

from __future__ import annotations

import numpy as np

from deepmarks.checks import assert_matches, expect, question

SECTION = "section 5"


@question("q5", points=0.5)
def test_differences_are_central_and_use_eps(student, rng):
    """Halving eps divides the error by four, as central differences with the given eps do."""
    x = rng.uniform(-1.0, 1.0, (3, 4))
    weights = 1.0 + np.arange(12).reshape(3, 4)  # as in the probe: the function is the sum of weights * exp(x)
    right = weights * np.exp(x)
    eps = 0.4
    found, half = (student.probe("gradient_of", "exponentials", x, eps=step)[0] for step in (eps, eps / 2))
    above, below = weights * np.exp(x + eps), weights * np.exp(x - eps)
    expect(
        np.shape(found) == right.shape and np.shape(half) == right.shape,
        "The numerical gradient must have the shape of x.",
        pointer=SECTION,
    )
    error, half_error = np.abs(found - right).max(), np.abs(half - right).max()
    # The error of central differences is of the order eps**2, here 2.7 % of the gradient; of one-sided ones eps.
    # Formulas of a higher order (five points) and points at eps / 2 are central too and pass.
    if error > 3 * half_error and error > 1e-6 * np.abs(right).max() and error < 0.1 * np.abs(right).max():
        return
    expect(
        not np.allclose(found, right, rtol=1e-4, atol=0.0),
        "The numerical gradient does not depend on eps: use the eps that is given.",
        pointer=SECTION,
    )
    assert_matches(
        found,
        (above - below) / (2 * eps),
        what="the numerical gradient for a large eps",
        candidates={
            "a one-sided difference: take f at x + eps and at x - eps": (above - right) / eps,
            "a one-sided difference, backwards: take f at x + eps and at x - eps": (right - below) / eps,
            "the difference divided by eps: the two points are 2 * eps apart": (above - below) / eps,
            "the difference without the division by 2 * eps": above - below,
            "the difference multiplied by eps: mind the brackets in (...) / (2 * eps)": (above - below) / 2 * eps,
        },
        pointer=SECTION,
    )
    expect(False, "The numerical gradient's error does not fall by four when eps is halved.", pointer=SECTION)


@question("q5", points=0.5)
def test_gradient_of_functions_in_which_every_entry_differs(student, rng):
    """The gradient is right entry by entry, for functions that return a NumPy scalar or a 0-d array."""
    for shape in ((7,), (3, 2), (2, 3, 2), ()):
        x = np.asarray(rng.uniform(-1.5, 1.5, shape))
        weights = 1.0 + np.arange(x.size, dtype=np.float64).reshape(x.shape)
        wanted = {
            "sines": weights * np.cos(x),
            "exponentials": weights * np.exp(x),
            "mixed": 2 * weights * x - np.sin(np.sum(x)),
        }
        for function, right in wanted.items():
            gradient, after = student.probe("gradient_of", function, x)
            assert_matches(
                gradient,
                np.asarray(right),
                what="the numerical gradient",
                candidates={
                    "the difference divided by eps: the two points are 2 * eps apart": 2 * right,
                    "a half of the gradient: divide by the distance of the two points": right / 2,
                    "the change when all entries move at once: move one entry at a time": np.full(shape, right.sum()),
                    "the change when whole rows move at once: move one entry at a time": np.broadcast_to(
                        right.sum(axis=tuple(range(1, x.ndim)), keepdims=True), shape
                    ),
                },
                rtol=1e-6,  # rounding of f (about 1e-14) divided by eps, and eps**2 / 6
                atol=1e-7,
                pointer=SECTION,
            )
            expect(
                np.array_equal(after, x),
                "numerical_gradient leaves x changed: put each entry back exactly, or work on a copy.",
                kind="input-changed",
                pointer=SECTION,
            )
    x = rng.uniform(-1.5, 1.5, (4, 3))
    gradient, _ = student.probe("gradient_of", "sines", x, order="F")
    expect(
        np.any(gradient),
        "The numerical gradient is zero where x is stored column by column, as a transposed array is: there "
        "x.reshape(-1) and x.ravel() are copies, and moving their entries leaves x as it was. x.flat always works.",
        pointer=SECTION,
    )
    assert_matches(
        gradient,
        (1.0 + np.arange(12).reshape(4, 3)) * np.cos(x),
        what="the numerical gradient for an x that is stored column by column",
        rtol=1e-6,
        atol=1e-7,
        pointer=SECTION,
    )
