"""Question 6, hidden: training."""

from __future__ import annotations

import numpy as np
from scipy.special import expit

from deepmarks.checks import assert_matches, expect, fairly, question
from deepmarks.devices import tolerance
from public.test_q6 import LIBRARY, NAMES, SECTION, loss_mistakes


def gradients(reference, params, X, y):
    """The right gradients, by the names of the parameters."""
    _, cache = reference.call("forward", params, X, keep=(1,))
    found = reference.backward(params, cache, y)
    return {name: found[f"d{name}"] for name in NAMES}


def step(params, slopes, lr, names=NAMES):
    """One step of gradient descent for the parameters in `names`."""
    return {name: params[name] - lr * slopes[name] if name in names else params[name] for name in NAMES}


def one_by_one(reference, params, X, y, lr):
    """One epoch with a step for each example."""
    for i in range(len(X)):
        params = step(params, gradients(reference, params, X[i : i + 1], y[i : i + 1]), lr)
    return params


def output_layer_first(params, X, y, lr):
    """One epoch in which the hidden layer's gradient goes through W2 after its update."""
    h = expit(X @ params["W1"] + params["b1"])
    y_hat = expit(h @ params["W2"] + params["b2"])
    delta2 = (y_hat - y) * y_hat * (1 - y_hat)
    W2 = params["W2"] - lr * h.T @ delta2
    delta1 = (delta2 @ W2.T) * h * (1 - h)
    slopes = {"W1": X.T @ delta1, "b1": delta1.sum(0, keepdims=True), "b2": delta2.sum(0, keepdims=True)}
    return {**step(params, {**slopes, "W2": 0.0}, lr), "W2": W2}


def trained(student, data, epochs, lr, seed, parts, n_hidden=4):
    """The student's parameters and losses after so many epochs, always from the same start."""
    params, losses = student.probe("run_training", *data, n_hidden, epochs, lr, seed, stand_in=parts)
    X, y = data
    inputs, outputs = X.shape[1], y.shape[1]
    shapes = (inputs, n_hidden), (1, n_hidden), (n_hidden, outputs), (1, outputs)
    for name, shape in zip(NAMES, shapes, strict=True):
        # Looked at before anything is computed with them: a large network would keep the grader busy.
        expect(
            np.shape(params[name]) == shape,
            "The trained parameters have other shapes than init_params gives: train must use n_hidden hidden neurons.",
            kind="different-shape",
            pointer=SECTION,
        )
    return {name: params[name] for name in NAMES}, np.array(losses, dtype=np.float64)


@question("q6", points=0.5)
def test_each_update_is_a_step_of_gradient_descent(student, reference, rng):
    """Each epoch moves every parameter by -lr times the gradient of half_sse over the whole batch."""
    data = rng.standard_normal((6, 3)), rng.uniform(size=(6, 2))
    lr, seed = 0.7, int(rng.integers(2**31))
    fairly(lambda parts: check_updates(student, reference, data, lr, seed, parts), LIBRARY)


def check_updates(student, reference, data, lr, seed, parts):
    """The first update is the right step, and so are those after it."""
    X, y = data
    start, _ = trained(student, data, 0, lr, seed, parts)
    first, _ = trained(student, data, 1, lr, seed, parts)
    slopes = gradients(reference, start, X, y)

    def update(params):
        return np.concatenate([(params[name] - start[name]).ravel() for name in NAMES])

    assert_matches(
        update(first),
        update(step(start, slopes, lr)),
        what="the first update",
        candidates={
            "no update at all": np.zeros(update(start).shape),
            "a step uphill: subtract the gradient": update(step(start, slopes, -lr)),
            "a step without the learning rate": update(step(start, slopes, 1.0)),
            "a step with a fixed learning rate of 0.1": update(step(start, slopes, 0.1)),
            "a step divided by the size of the batch: half_sse is a sum": update(step(start, slopes, lr / 6)),
            "a step divided by the number of entries: half_sse is a sum": update(step(start, slopes, lr / 12)),
            "a step of twice the length": update(step(start, slopes, 2 * lr)),
            "a step without the biases": update(step(start, slopes, lr, ("W1", "W2"))),
            "a step of the output layer only": update(step(start, slopes, lr, ("W2", "b2"))),
            "a step of the hidden layer only": update(step(start, slopes, lr, ("W1", "b1"))),
            "several steps, one for each example: use the whole batch at once": lambda: update(
                one_by_one(reference, start, X, y, lr)
            ),
            "a step in which W2 changes before the hidden layer's gradient is computed": lambda: update(
                output_layer_first(start, X, y, lr)
            ),
        },
        pointer=SECTION,
    )
    wanted = start
    for _ in range(6):
        wanted = step(wanted, gradients(reference, wanted, X, y), lr)
    last, _ = trained(student, data, 6, lr, seed, parts)
    limits = tolerance("float64")

    def agrees(params):
        return np.allclose(update(last), update(params), rtol=limits.rtol, atol=limits.atol)

    expect(not agrees(first), "Only the first epoch changes the parameters: go on in the others.", pointer=SECTION)
    expect(
        not agrees(step(start, slopes, 6 * lr)),
        "Each epoch uses the gradient of the first: compute it anew with the updated parameters.",
        pointer=SECTION,
    )
    expect(
        agrees(wanted),
        "The first update is right, but later ones are not: each is -lr times the gradient at that point, with the "
        "same lr and without momentum.",
        pointer=SECTION,
    )


@question("q6", points=0.5)
def test_xor_is_learned_from_the_start(student, rng):
    """On XOR, gradient descent from the student's own start ends where the student's training ends."""
    seed = int(rng.integers(2**31))
    fairly(lambda parts: check_xor(student, seed, parts), LIBRARY)


def check_xor(student, seed, parts):
    """The training ends where gradient descent from the same start does."""
    X, y = np.array([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]]), np.array([[0.0], [1.0], [1.0], [0.0]])
    start, _ = trained(student, (X, y), 0, 0.1, seed, parts)
    last, _ = trained(student, (X, y), 10_000, 0.1, seed, parts)
    W1, b1, W2, b2 = (start[name].astype(np.float64) for name in NAMES)
    for _ in range(10_000):
        h = expit(X @ W1 + b1)
        y_hat = expit(h @ W2 + b2)
        delta2 = (y_hat - y) * y_hat * (1 - y_hat)
        delta1 = (delta2 @ W2.T) * h * (1 - h)
        W1, b1 = W1 - 0.1 * X.T @ delta1, b1 - 0.1 * delta1.sum(0, keepdims=True)
        W2, b2 = W2 - 0.1 * h.T @ delta2, b2 - 0.1 * delta2.sum(0, keepdims=True)
    # Measured for 400 starts: a change of the start by 1e-15 of itself grows to 8e-13 at most. Weights kept as float32
    # would be off by about 1e-4.
    for name, wanted in zip(NAMES, (W1, b1, W2, b2), strict=True):
        expect(
            np.shape(last[name]) == wanted.shape and np.allclose(last[name], wanted, rtol=0.01, atol=0.01),
            "On XOR the training does not end where gradient descent from its own start ends: are the weights stored "
            "ones, or does anything else than -lr times the gradient move them?",
            pointer=SECTION,
        )


@question("q6", points=0.5)
def test_losses_are_means_over_all_entries(student, reference, rng):
    """losses[i] is the mean over batch and outputs of the squared error before update i."""
    data = rng.standard_normal((5, 2)), rng.uniform(size=(5, 3))
    seed = int(rng.integers(2**31))
    fairly(lambda parts: check_losses(student, reference, data, seed, parts), LIBRARY)


def check_losses(student, reference, data, seed, parts):
    """The losses are those of the parameters before each update."""
    (X, y), means = data, []
    for epochs in range(6):
        params, losses = trained(student, data, epochs, 0.6, seed, parts, n_hidden=7)
        y_hat, _ = reference.call("forward", params, X, keep=(1,))
        means.append(np.mean((y_hat - y) ** 2))
    means = np.array(means)
    assert_matches(
        losses,
        means[:-1],
        what="the loss curve",
        candidates=loss_mistakes(means, y),
        pointer=SECTION,
    )


@question("q6", points=0.25)
def test_training_starts_from_the_generator(student, rng):
    """The start comes from the generator given: equal seeds train alike, different seeds do not."""
    data = rng.standard_normal((6, 3)), rng.uniform(size=(6, 2))
    seeds = rng.integers(2**31, size=2).tolist()
    fairly(lambda parts: check_generator(student, data, seeds, parts), LIBRARY)


def check_generator(student, data, seeds, parts):
    """Equal seeds train alike, different ones do not."""
    seed, other = seeds
    (one, _), (same, _), (another, _) = (trained(student, data, 2, 0.3, s, parts) for s in (seed, seed, other))
    expect(
        all(np.array_equal(one[name], same[name]) for name in NAMES),
        "Two trainings with the same seed differ: all random numbers must come from rng.",
        pointer=SECTION,
    )
    expect(
        not np.array_equal(one["W1"], another["W1"]),
        "Two trainings with different seeds are the same: hand the given rng to init_params.",
        pointer=SECTION,
    )
    expect(
        not np.allclose(one["W1"], one["W1"][:, :1]),
        "All hidden neurons are the same after training: start from random weights.",
        pointer=SECTION,
    )
