"""Question 3, hidden: initial parameters and the forward pass."""

from __future__ import annotations

import numpy as np
from scipy.special import expit
from scipy.stats import kstest

from deepmarks.checks import assert_matches, expect, fairly, question

SECTION = "section 3"
LIBRARY = {"sigmoid": "probes.library_sigmoid", "sigmoid_grad_from_output": "probes.library_slope"}


@question("q3", points=0.5)
def test_weights_are_standard_normal(student, rng):
    """The weights are standard normal and independent; the biases are zero."""
    params = student.probe("initialise", 60, 70, 50, int(rng.integers(2**31)))
    for name in ("b1", "b2"):
        expect(not np.any(params[name]), "The biases must start at zero.", pointer=SECTION)
    for name in ("W1", "W2"):
        weights = params[name].ravel()
        # Mean and deviation of n standard normal numbers scatter by 1/sqrt(n) and 1/sqrt(2 n). Six such deviations,
        # and p-values below 1e-7, happen by chance about once in a million submissions.
        scatter = 1 / np.sqrt(weights.size)
        expect(
            abs(weights.mean()) < 6 * scatter,
            "The weights do not scatter around zero: the standard normal distribution has the mean 0.",
            pointer=SECTION,
        )
        expect(
            weights.std() < 1 + 6 * scatter / np.sqrt(2),
            "The weights are too large: the standard normal distribution has the deviation 1.",
            pointer=SECTION,
        )
        expect(
            weights.std() > 1 - 6 * scatter / np.sqrt(2),
            "The weights are too small: the standard normal distribution has the deviation 1, without any scaling.",
            pointer=SECTION,
        )
        expect(
            kstest(weights, "norm").pvalue > 1e-7,
            "The weights have the right mean and deviation but not the bell shape of a normal distribution.",
            pointer=SECTION,
        )
    shared = np.intersect1d(params["W1"], params["W2"]).size
    expect(shared == 0, "W1 and W2 hold the same random numbers: draw them one after the other.", pointer=SECTION)


@question("q3", points=0.25)
def test_only_the_given_generator_is_used(student, rng):
    """Numbers come from the generator given: it moves on, and NumPy's global one plays no part."""
    seed, *global_seeds = rng.integers(2**31, size=3).tolist()
    first, second = student.probe("initialise_again", 5, 4, 3, seed)
    expect(
        not np.array_equal(first["W1"], second["W1"]),
        "Called twice with one generator, init_params gives the same weights twice: do not make or seed a "
        "generator of your own.",
        pointer=SECTION,
    )
    (one, moved), (two, _) = (student.probe("initialise_after", 5, 4, 3, seed, other) for other in global_seeds)
    expect(
        not moved and all(np.array_equal(one[name], two[name]) for name in ("W1", "W2")),
        "init_params uses NumPy's global random numbers: draw from rng instead.",
        pointer=SECTION,
    )
    expect(
        np.array_equal(one["W1"], first["W1"]),
        "Two generators with the same seed give different weights: draw from rng and from nothing else.",
        pointer=SECTION,
    )


@question("q3", points=1.25)
def test_outputs_of_random_networks(student, reference, rng):
    """The outputs agree with two sigmoid layers for batches, widths and biases of any size."""
    for n, n_in, n_hidden, n_out in ((5, 3, 4, 2), (7, 2, 6, 1), (1, 4, 3, 5)):
        params = {
            "W1": rng.standard_normal((n_in, n_hidden)),
            "b1": rng.standard_normal((1, n_hidden)),
            "W2": rng.standard_normal((n_hidden, n_out)),
            "b2": rng.standard_normal((1, n_out)),
        }
        X = rng.standard_normal((n, n_in))
        wanted, _ = reference.call("forward", params, X, keep=(1,))
        W1, b1, W2, b2 = params.values()
        a1 = X @ W1 + b1
        h = expit(a1)

        def check(parts, params=params, X=X, wanted=wanted, W1=W1, b1=b1, W2=W2, b2=b2, a1=a1, h=h, n=n):
            y_hat, _ = student.call("forward", params, X, keep=(1,), stand_in=parts)
            assert_matches(
                y_hat,
                wanted,
                what="y_hat",
                candidates={
                    "the output layer without its sigmoid": h @ W2 + b2,
                    "the network without the sigmoid of its hidden layer": expit(a1 @ W2 + b2),
                    "the network without any sigmoid": a1 @ W2 + b2,
                    "the network without its biases": expit(expit(X @ W1) @ W2),
                    "the network without the hidden biases b1": expit(expit(X @ W1) @ W2 + b2),
                    "the network without the output biases b2": expit(h @ W2),
                    "the network with its biases subtracted": expit(expit(X @ W1 - b1) @ W2 - b2),
                    "the network with tanh in its hidden layer": expit(np.tanh(a1) @ W2 + b2),
                    "the network with a rectifier in its hidden layer": expit(np.maximum(a1, 0) @ W2 + b2),
                    "the network with a softmax over its outputs": lambda a2=h @ W2 + b2: (
                        np.exp(a2) / np.exp(a2).sum(axis=1, keepdims=True)
                    ),
                    "the network with the sigmoid applied twice to its outputs": expit(wanted),
                    "the network with the sigmoid applied twice to its hidden layer": expit(expit(h) @ W2 + b2),
                    "the hidden activations: the output layer is missing": h,
                },
                axes=("batch", "output"),
                batch=n,
                pointer=SECTION,
            )

        fairly(check, LIBRARY)
