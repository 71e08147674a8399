"""Question 4, public: the loss and the backward pass."""

from __future__ import annotations

import numpy as np

from deepmarks.checks import Mismatch, assert_matches, expect, fairly, numerical_vjp, question

SECTION = "section 4"
NAMES = ("W1", "b1", "W2", "b2")
NO_SLOPE = "the gradient without the sigmoid derivative of the output layer"
LIBRARY = {"sigmoid": "probes.library_sigmoid", "sigmoid_grad_from_output": "probes.library_slope"}


def sigmoid_slope(s):
    """The slope of the sigmoid where its value is s, by finite differences."""
    s, step = np.clip(s, 1e-9, 1 - 1e-9), 1e-5
    x = np.log(s / (1 - s))
    above, below = (1 / (1 + np.exp(-(x + move))) for move in (step, -step))
    return (above - below) / (2 * step)


def the_four(found):
    """The four gradients in the order in which backward meets them."""
    expect(
        isinstance(found, dict) and all(f"d{name}" in found for name in NAMES),
        "backward must return a dict with the keys dW1, db1, dW2 and db2.",
        pointer=SECTION,
    )
    return {f"d{name}": found[f"d{name}"] for name in ("W2", "b2", "W1", "b1")}


@question("q4", points=0.5)
def test_loss_is_half_the_sum(student):
    """half_sse of errors 1, 2, 3, 0, -1 and 1 is 8, as one number."""
    y = np.array([[0.0, 1.0], [2.0, 0.5], [1.0, 0.0]])
    errors = np.array([[1.0, 2.0], [3.0, 0.0], [-1.0, 1.0]])
    assert_matches(
        student.half_sse(y + errors, y),
        8.0,
        what="half_sse",
        candidates={
            "the sum of the squared errors without the factor 1/2": 16.0,
            "the mean of the squared errors: a sum over batch and outputs is asked for": 16 / 6,
            "half the mean of the squared errors: a sum over batch and outputs is asked for": 8 / 6,
            "a sum divided by the size of the batch": 8 / 3,
            "the sum of the absolute errors": 8.5,
            "the sum over the outputs only: sum over the batch too": np.array([2.5, 4.5, 1.0]),
        },
        pointer=SECTION,
    )


@question("q4", points=0.5)
def test_worked_example_of_the_backward_pass(student):
    """The worked example gives dW2 and db2 as in the text, each gradient in its parameter's shape."""
    params = {
        "W1": np.array([[0.15, 0.25], [0.20, 0.30]]),
        "b1": np.array([[0.35, 0.35]]),
        "W2": np.array([[0.40, 0.50], [0.45, 0.55]]),
        "b2": np.array([[0.60, 0.60]]),
    }

    def check(parts):
        y_hat, cache = student.call("forward", params, np.array([[0.05, 0.10]]), keep=(1,), stand_in=parts)
        found = the_four(student.call("backward", params, cache, np.array([[0.01, 0.99]]), stand_in=parts))
        for name in NAMES:
            expect(
                np.shape(found[f"d{name}"]) == params[name].shape,
                f"d{name} must have the shape of {name}.",
                detail=f"expected {params[name].shape}, received {np.shape(found[f'd{name}'])}",
                kind="different-shape",
                pointer=SECTION,
            )
        wanted = {
            "dW2": np.array([[0.082167040564231, -0.022602540477475], [0.082667627847533, -0.022740242215978]]),
            "db2": np.array([[0.138498561628557, -0.038098236516556]]),
        }
        for name, right in wanted.items():
            try:
                assert_matches(found[name], right, what=name, pointer=SECTION)
            except Mismatch:
                expect(
                    np.shape(y_hat) == (1, 2) and np.allclose(y_hat, [[0.751365, 0.772928]], atol=1e-5),
                    f"{name} has other values than expected, and so have the outputs of your forward: mend forward "
                    "(question 3) first.",
                    pointer=SECTION,
                )
                raise

    fairly(check, LIBRARY)


@question("q4", points=1)
def test_gradients_agree_with_finite_differences(student, rng):
    """All gradients agree with finite differences of your own forward (batch of 5, 3 -> 4 -> 2)."""
    params = {
        "W1": rng.standard_normal((3, 4)),
        "b1": rng.standard_normal((1, 4)),
        "W2": rng.standard_normal((4, 2)),
        "b2": rng.standard_normal((1, 2)),
    }
    X, y = rng.standard_normal((5, 3)), rng.uniform(size=(5, 2))

    def check(parts):
        y_hat, cache = student.call("forward", params, X, keep=(1,), stand_in=parts)
        found = the_four(student.call("backward", params, cache, y, stand_in=parts))
        for name in ("W2", "b2", "W1", "b1"):

            def outputs(value, name=name):
                return student.call("forward", {**params, name: value}, X, keep=(1,), stand_in=parts)[0]

            assert_matches(
                found[f"d{name}"],
                numerical_vjp(outputs, [params[name]], y_hat - y),
                what=f"d{name}",
                candidates={
                    NO_SLOPE: lambda name=name, outputs=outputs: numerical_vjp(
                        outputs, [params[name]], (y_hat - y) / sigmoid_slope(y_hat)
                    ),
                },
                rtol=1e-6,  # finite differences: their own error is about 1e-10
                atol=1e-8,
                batch=5,
                pointer=SECTION,
            )

    fairly(check, LIBRARY)
