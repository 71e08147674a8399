"""Question 1, hidden: one linear neuron."""

from __future__ import annotations

import numpy as np

from deepmarks.checks import assert_matches, question

SECTION = "section 1"


def _points(rng):
    """Random x, w, target and lr; |x| stays away from 1, so that powers of x differ."""
    x = rng.uniform(1.3, 2.5, 8) * rng.choice([-1.0, 1.0], 8)
    return x, *rng.uniform(-3.0, 3.0, (2, 8)), rng.uniform(0.01, 0.3, 8)


def _run(side, *columns):
    rows = [side.linear_neuron_step(*row) for row in zip(*(c.tolist() for c in columns), strict=True)]
    return np.array([[float(part) for part in row] for row in rows]).T


@question("q1", points=0.5)
def test_loss_and_gradient_of_random_neurons(student, reference, rng):
    """Loss and gradient are right for any x, w and target."""
    x, w, target, lr = _points(rng)
    loss, grad, _ = _run(student, x, w, target, lr)
    right_loss, right_grad, right_w = _run(reference, x, w, target, lr)
    assert_matches(
        loss,
        right_loss,
        what="the loss",
        candidates={
            "half the squared error: this loss has no factor 1/2": right_loss / 2,
            "the error without the square": np.abs(target - w * x),
            "the squared error of w itself: the neuron computes w * x": (target - w) ** 2,
            "the loss after the step: the loss of the old weight is asked for": (target - right_w * x) ** 2,
        },
        pointer=SECTION,
    )
    assert_matches(
        grad,
        right_grad,
        what="the gradient",
        candidates={
            "the gradient without the factor x": right_grad / x,
            "the gradient without the factor 2": right_grad / 2,
            "the gradient without the factors 2 and x": right_grad / x / 2,
            "the gradient with the wrong sign: the derivative of target - y for y is -1": -right_grad,
            "the gradient for x instead of w": right_grad / x * w,
            "the new weight: the order is loss, gradient, new weight": right_w,
        },
        pointer=SECTION,
    )


@question("q1", points=0.5)
def test_the_step_goes_against_the_gradient(student, rng):
    """The new weight is one step of gradient descent from w, with the learning rate given."""
    x, w, target, lr = _points(rng)
    _, grad, new_w = _run(student, x, w, target, lr)
    assert_matches(
        new_w,
        w - lr * grad,
        what="the new weight",
        candidates={
            "a step uphill: subtract the gradient": w + lr * grad,
            "a step without the learning rate": w - grad,
            "a step with a fixed learning rate": w - 0.1 * grad,
            "the step alone: it must be subtracted from w": lr * grad,
            "the old weight": w,
        },
        pointer=SECTION,
    )
