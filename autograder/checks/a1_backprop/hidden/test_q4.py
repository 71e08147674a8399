"""Question 4, hidden: the loss and the backward pass."""

from __future__ import annotations

import numpy as np
from scipy.special import expit

from deepmarks.checks import Mismatch, assert_matches, expect, fairly, numerical_vjp, question

SECTION = "section 4"
ORDER = ("dW2", "db2", "dW1", "db1")
LIBRARY = {"sigmoid": "probes.library_sigmoid", "sigmoid_grad_from_output": "probes.library_slope"}


def the_four(found):
    """The four gradients in the order in which backward meets them."""
    expect(
        isinstance(found, dict) and all(name in found for name in ORDER),
        "backward must return a dict with the keys dW1, db1, dW2 and db2.",
        pointer=SECTION,
    )
    return {name: found[name] for name in ORDER}


def network(rng, n, n_in, n_hidden, n_out):
    """Random parameters, inputs and targets."""
    params = {
        "W1": rng.standard_normal((n_in, n_hidden)),
        "b1": rng.standard_normal((1, n_hidden)),
        "W2": rng.standard_normal((n_hidden, n_out)),
        "b2": rng.standard_normal((1, n_out)),
    }
    return params, rng.standard_normal((n, n_in)), rng.uniform(size=(n, n_out))


def mistakes(params, X, y):
    """What typical mistakes give for each gradient, by what they look like.

    Gradients are compared in the order dW2, db2, dW1, db1, so each may take those before it for right.
    """
    W2 = params["W2"]
    h = expit(X @ params["W1"] + params["b1"])
    y_hat = expit(h @ params["W2"] + params["b2"])
    error, slope2, slope1 = y_hat - y, y_hat * (1 - y_hat), h * (1 - h)
    delta2 = error * slope2
    delta1 = (delta2 @ W2.T) * slope1

    def again(s):
        return expit(s) * (1 - expit(s))

    def biases(delta):
        return {
            "the mean over the batch where the sum is asked for": delta.mean(0, keepdims=True),
            "delta itself: sum it over the batch": delta,
            "the sum over all axes: sum over the batch only": np.full((1, delta.shape[1]), delta.sum()),
            "the sum over the outputs of the layer: sum over the batch": delta.sum(1, keepdims=True),
        }

    output_layer = {
        "the gradient without the sigmoid derivative of the output layer": error,
        "the gradient with the wrong sign: it must be y_hat - y, not y - y_hat": -delta2,
        "the gradient divided by the size of the batch: half_sse is a sum, not a mean": delta2 / len(X),
        "the gradient divided by the number of all entries: half_sse is a sum, not a mean": delta2 / y.size,
        "the gradient with a factor 2 too much: the 1/2 of half_sse cancels it": 2 * delta2,
        "the gradient with one sigmoid too many in its derivative: y_hat is an output already": error * again(y_hat),
        "the gradient that starts from the targets instead of the errors": y * slope2,
        "the gradient that starts from the outputs instead of the errors": y_hat * slope2,
        "the gradient that starts from the squared errors": error**2 * slope2,
    }
    hidden_layer = {
        "the gradient without the sigmoid derivative of the hidden layer": delta2 @ W2.T,
        "the gradient with the errors, not delta2, carried back to the hidden layer": (error @ W2.T) * slope1,
        "the gradient with one sigmoid too many in the derivative of the hidden layer": (delta2 @ W2.T) * again(h),
        "the gradient with the sigmoid derivative of the hidden layer twice": delta1 * slope1,
        "the gradient with the wrong sign in the hidden layer": -delta1,
    }
    return {
        "dW2": {text: h.T @ delta for text, delta in output_layer.items()},
        "db2": biases(delta2),
        "dW1": {text: X.T @ delta for text, delta in hidden_layer.items()},
        "db1": biases(delta1),
    }


def compare(found, wanted, y_hat, params, X, y, more=None):
    """Compare gradient by gradient, from the loss backwards; `more` holds another whole set of wrong ones."""
    known = mistakes(params, X, y)
    right = expit(expit(X @ params["W1"] + params["b1"]) @ params["W2"] + params["b2"])
    for name in ORDER:
        candidates = {text: gradients[name] for text, gradients in (more or {}).items()}
        try:
            assert_matches(
                found[name],
                wanted[name],
                what=name,
                candidates={**candidates, **known[name]},
                batch=len(X),
                pointer=SECTION,
            )
        except Mismatch:
            expect(
                np.shape(y_hat) == right.shape and np.allclose(y_hat, right),
                "The gradients are not those of two sigmoid layers, and the outputs of your forward are not theirs "
                "either: mend forward (question 3) first.",
                pointer=SECTION,
            )
            raise


def run_backward(student, params, X, y, parts):
    """The student's gradients from their own cache, and the outputs that came with it."""
    y_hat, cache = student.call("forward", params, X, keep=(1,), stand_in=parts)
    return the_four(student.call("backward", params, cache, y, stand_in=parts)), y_hat


def reference_gradients(reference, params, X, y):
    """The right gradients."""
    _, cache = reference.call("forward", params, X, keep=(1,))
    return the_four(reference.backward(params, cache, y))


@question("q4", points=0.5)
def test_loss_of_random_outputs(student, reference, rng):
    """half_sse is half the sum over the batch and the outputs, for any numbers of both."""
    for n, n_out in ((5, 3), (7, 1), (1, 4)):
        y_hat, y = rng.uniform(size=(2, n, n_out))
        found, wanted = student.half_sse(y_hat, y), reference.half_sse(y_hat, y)
        assert_matches(
            found,
            wanted,
            what="half_sse",
            candidates={
                "the sum of the squared errors without the factor 1/2": 2 * wanted,
                "the mean of the squared errors: a sum over batch and outputs is asked for": 2 * wanted / y.size,
                "half the mean of the squared errors: a sum over batch and outputs is asked for": wanted / y.size,
                "a sum divided by the size of the batch": wanted / n,
                "half the squared sum of the errors: square first, then sum": 0.5 * np.sum(y_hat - y) ** 2,
                "the root of the sum of squares": np.linalg.norm(y_hat - y),
            },
            pointer=SECTION,
        )


@question("q4", points=1.5)
def test_gradients_of_a_non_square_network(student, reference, rng):
    """All gradients agree with the chain rule and with finite differences (batch of 5, 3 -> 4 -> 2)."""
    params, X, y = network(rng, 5, 3, 4, 2)
    wanted = reference_gradients(reference, params, X, y)
    error = reference.call("forward", params, X, keep=(1,))[0] - y

    def check(parts):
        found, y_hat = run_backward(student, params, X, y, parts)
        compare(found, wanted, y_hat, params, X, y)
        for name in ORDER:

            def outputs(value, key=name[1:]):
                return reference.call("forward", {**params, key: value}, X, keep=(1,))[0]

            assert_matches(
                found[name],
                numerical_vjp(outputs, [params[name[1:]]], error),
                what=name,
                rtol=1e-6,  # finite differences: their own error is about 1e-10
                atol=1e-8,
                pointer=SECTION,
            )

    fairly(check, LIBRARY)


@question("q4", points=0.5)
def test_backward_uses_the_cache_it_is_given(student, reference, rng):
    """With two forward passes before it, backward works with the cache it is given, not with the latest."""
    params, X, y = network(rng, 6, 2, 5, 3)
    others, X_other, _ = network(rng, 6, 2, 5, 3)
    wanted = reference_gradients(reference, params, X, y)
    late = "the gradient for the latest forward pass: keep what you need in the cache, not in global variables"
    _, reference_cache = reference.call("forward", others, X_other, keep=(1,))
    latest = the_four(reference.backward(params, reference_cache, y))

    def check(parts):
        y_hat, cache = student.call("forward", params, X, keep=(1,), stand_in=parts)
        student.call("forward", others, X_other, keep=(1,), stand_in=parts)
        found = the_four(student.call("backward", params, cache, y, stand_in=parts))
        compare(found, wanted, y_hat, params, X, y, more={late: latest})

    fairly(check, LIBRARY)


@question("q4", points=0.5)
def test_gradients_of_one_output_and_of_one_example(student, reference, rng):
    """Gradients have the right shapes and values for a single output and for a single example."""
    for sizes in ((7, 3, 5, 1), (1, 4, 2, 3)):
        params, X, y = network(rng, *sizes)
        wanted = reference_gradients(reference, params, X, y)

        def check(parts, params=params, X=X, y=y, wanted=wanted):
            found, y_hat = run_backward(student, params, X, y, parts)
            compare(found, wanted, y_hat, params, X, y)

        fairly(check, LIBRARY)
