"""Question 1, public: one linear neuron."""

from __future__ import annotations

import numpy as np

from deepmarks.checks import assert_matches, expect, question

SECTION = "section 1"


@question("q1", points=0.5)
def test_worked_example_of_the_neuron(student):
    """The worked example: x=1, w=10, target=2, lr=0.1 give 64, 16 and 8.4."""
    found = student.linear_neuron_step(1.0, 10.0, 2.0, 0.1)
    expect(
        isinstance(found, tuple | list | np.ndarray) and len(found) == 3,
        "linear_neuron_step must return three numbers: the loss, its gradient and the new weight.",
        pointer=SECTION,
    )
    assert_matches(
        float(found[0]),
        64.0,
        what="the loss",
        candidates={
            "half the squared error: this loss has no factor 1/2": 32.0,
            "the error without the square": 8.0,
            "the loss after the step: the loss of the old weight is asked for": 40.96,
        },
        pointer=SECTION,
    )
    assert_matches(
        float(found[1]),
        16.0,
        what="the gradient",
        candidates={
            "the gradient without the factor 2": 8.0,
            "the gradient with the wrong sign: the derivative of target - y for y is -1": -16.0,
            "the new weight: the order is loss, gradient, new weight": 8.4,
        },
        pointer=SECTION,
    )
    assert_matches(
        float(found[2]),
        8.4,
        what="the new weight",
        candidates={
            "a step uphill: subtract the gradient": 11.6,
            "a step without the learning rate": -6.0,
            "the step alone: it must be subtracted from w": 1.6,
        },
        pointer=SECTION,
    )


@question("q1", points=0.5)
def test_gradient_is_the_slope_of_the_loss(student, rng):
    """Away from x=1, the gradient is the slope of your own loss (by finite differences)."""
    step = 1e-5
    points = rng.uniform(1.5, 3.0, 6) * rng.choice([-1.0, 1.0], 6)
    weights, targets = rng.standard_normal((2, 6))
    found, slopes = [], []
    for x, w, target in zip(points.tolist(), weights.tolist(), targets.tolist(), strict=True):
        _, grad, _ = student.linear_neuron_step(x, w, target, 0.1)
        above, below = (student.linear_neuron_step(x, w + move, target, 0.1)[0] for move in (step, -step))
        found.append(float(grad))
        slopes.append((float(above) - float(below)) / (2 * step))
    slopes = np.array(slopes)
    assert_matches(
        np.array(found),
        slopes,
        what="the gradient",
        candidates={
            "the gradient without the factor x": slopes / points,
            "the gradient without the factors 2 and x": slopes / points / 2,
            "the gradient with x where its square belongs, or the other way round": slopes * points,
            "the gradient for x instead of w": slopes / points * weights,
            "the gradient at the old weight, but the loss that comes with it is taken after the step": (
                slopes / (1 - 0.2 * points**2) ** 2
            ),
        },
        rtol=1e-6,  # finite differences of a parabola are exact but for rounding: about 1e-11 / step
        atol=1e-8,
        pointer=SECTION,
    )
