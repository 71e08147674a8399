"""Question 3, public: initial parameters and the forward pass."""

from __future__ import annotations

import numpy as np

from deepmarks.checks import assert_matches, expect, fairly, question

SECTION = "section 3"
SHAPES = {"W1": "(n_in, n_hidden)", "b1": "(1, n_hidden)", "W2": "(n_hidden, n_out)", "b2": "(1, n_out)"}
LIBRARY = {"sigmoid": "probes.library_sigmoid", "sigmoid_grad_from_output": "probes.library_slope"}


@question("q3", points=0.5)
def test_initial_parameters_have_the_right_shapes(student):
    """init_params gives W1, b1, W2, b2 of the right shapes; the biases are zero, the weights are not."""
    params = student.probe("initialise", 3, 5, 2, 11)
    expect(isinstance(params, dict), "init_params must return a dict.", pointer=SECTION)
    for name, shape in zip(SHAPES, ((3, 5), (1, 5), (5, 2), (1, 2)), strict=True):
        expect(name in params, "init_params must return a dict with the keys W1, b1, W2 and b2.", pointer=SECTION)
        expect(
            np.shape(params[name]) == shape,
            f"{name} must have the shape {SHAPES[name]}.",
            detail=f"for 3 inputs, 5 hidden neurons and 2 outputs it has the shape {np.shape(params[name])}",
            kind="different-shape",
            pointer=SECTION,
        )
        if name.startswith("b"):
            expect(not np.any(params[name]), "The biases must start at zero.", pointer=SECTION)
        else:
            expect(
                len(np.unique(params[name])) == params[name].size,
                "The weights must all be different random numbers: equal neurons stay equal for ever.",
                pointer=SECTION,
            )


@question("q3", points=0.5)
def test_the_seed_decides_the_weights(student):
    """Generators with equal seeds give equal weights, with different seeds different ones."""
    first, same, other = (student.probe("initialise", 4, 3, 2, seed) for seed in (1, 1, 2))
    for name in ("W1", "W2"):
        expect(
            np.array_equal(first[name], same[name]),
            "Two generators with the same seed give different weights: draw from rng and from nothing else.",
            pointer=SECTION,
        )
        expect(
            not np.array_equal(first[name], other[name]),
            "Two generators with different seeds give the same weights: draw from the rng that you are given.",
            pointer=SECTION,
        )


@question("q3", points=0.5)
def test_worked_example_of_the_forward_pass(student):
    """The worked example gives the outputs 0.751365 and 0.772928."""
    params = {
        "W1": np.array([[0.15, 0.25], [0.20, 0.30]]),
        "b1": np.array([[0.35, 0.35]]),
        "W2": np.array([[0.40, 0.50], [0.45, 0.55]]),
        "b2": np.array([[0.60, 0.60]]),
    }
    X = np.array([[0.05, 0.10]])

    def check(parts):
        y_hat, _ = student.call("forward", params, X, keep=(1,), stand_in=parts)
        wanted = np.array([[0.751365069552316, 0.772928465321463]])
        assert_matches(
            y_hat,
            wanted,
            what="y_hat",
            candidates={
                "the output layer without its sigmoid": np.log(wanted / (1 - wanted)),
                "the hidden activations: the output layer is missing": np.array(
                    [[0.593269992107187, 0.596884378259767]]
                ),
            },
            pointer=SECTION,
        )

    fairly(check, LIBRARY)


@question("q3", points=0.5)
def test_each_row_is_an_example_of_its_own(student, rng):
    """The forward pass maps (N, n_in) to (N, n_out), and a batch gives what its rows give one by one."""
    params = {
        "W1": rng.standard_normal((3, 4)),
        "b1": rng.standard_normal((1, 4)),
        "W2": rng.standard_normal((4, 2)),
        "b2": rng.standard_normal((1, 2)),
    }
    X = rng.standard_normal((5, 3))

    def check(parts):
        y_hat, _ = student.call("forward", params, X, keep=(1,), stand_in=parts)
        expect(
            np.shape(y_hat) == (5, 2),
            "y_hat must have the shape (N, n_out).",
            detail=f"for 5 examples and 2 outputs it has the shape {np.shape(y_hat)}",
            kind="different-shape",
            pointer=SECTION,
        )
        rows = [student.call("forward", params, X[i : i + 1], keep=(1,), stand_in=parts)[0] for i in range(5)]
        assert_matches(
            y_hat, np.concatenate(rows), what="y_hat of a batch", axes=("batch", "output"), batch=5, pointer=SECTION
        )

    fairly(check, LIBRARY)
