"""Splitting and scaling, as the grader checks it."""

from __future__ import annotations

import numpy as np
import pytest

from deepmarks.checks import expect, question
from public.test_q1 import SECTION, rows_of


def parts_of(result, X):
    """The six parts as arrays."""
    A, B, a, b, mean, std = result
    mean, std = (np.asarray(part, dtype=np.float64).ravel() for part in (mean, std))
    fits = A.ndim == B.ndim == 2 and A.shape[1] == B.shape[1] == mean.size == std.size == X.shape[1]
    expect(
        fits and len(A) == len(a) and len(B) == len(b),
        "The shapes of the six parts do not fit together, or their order is not that of the contract.",
        kind="shape",
        pointer=SECTION,
    )
    return A, B, a, b, mean, std


def blobs(rng, counts, columns):
    """Classes of different sizes around different centres, in random order; columns of different sizes."""
    y = rng.permutation(np.repeat(np.arange(len(counts)), counts))
    X = rng.standard_normal((len(y), columns)) + 3 * rng.standard_normal((len(counts), columns))[y]
    return X * np.geomspace(0.5, 40.0, columns) + np.linspace(-5.0, 90.0, columns), y


@pytest.mark.parametrize(
    ("counts", "columns", "test_size"), [((160, 40, 80), 4, 0.25), ((30, 120, 60, 90, 30), 7, 0.4)]
)
@question("q1", points=0.75)
def test_classes_of_different_sizes(student, rng, counts, columns, test_size):
    """Classes of different sizes are split in proportion; rows, labels, mean, std and scaling agree."""
    X, y = blobs(rng, counts, columns)
    wanted = test_size * np.array(counts)
    for seed in rng.integers(1000, 10**6, size=2).tolist():
        A, B, a, b, mean, std = parts_of(student.split_and_scale(X, y, test_size, seed), X)
        shares = np.bincount(b.astype(int), minlength=len(counts))
        expect(
            len(A) + len(B) == len(X) and (np.abs(shares - wanted) < 1.5).all(),
            "The split is not stratified: the test part must hold the share test_size of each class.",
            kind="not-stratified",
            pointer=SECTION,
        )
        train, test = rows_of(A, X, mean, std), rows_of(B, X, mean, std)
        expect(
            (train >= 0).all() and (test >= 0).all(),
            "X_train * std + mean (and the same for X_test) does not give back rows of X: scale with (x - mean) / std.",
            kind="scaling",
            pointer=SECTION,
        )
        expect(
            sorted(train.tolist() + test.tolist()) == list(range(len(X))),
            "Some rows are in both parts, or twice in one.",
            kind="overlap",
            pointer=SECTION,
        )
        expect(
            (y[train] == a).all() and (y[test] == b).all(),
            "The labels do not belong to their rows: X and y must be split alike.",
            kind="labels",
            pointer=SECTION,
        )
        rows = X[train]
        expect(
            np.allclose(mean, rows.mean(axis=0), rtol=1e-5, atol=1e-5),
            "The mean is not the mean of each column over the training part.",
            kind="mean",
            pointer=SECTION,
        )
        expect(
            np.allclose(std, rows.std(axis=0), rtol=1e-5),
            "The std is not the standard deviation (divisor n) of each column over the training part.",
            kind="std",
            pointer=SECTION,
        )


@question("q1", points=0.5)
def test_columns_that_never_change(student, rng):
    """A column that never changes gets the standard deviation 1 and becomes 0."""
    X, y = blobs(rng, (40, 40, 40), 5)
    X[:, 1], X[:, 3] = 2.5, 0.0  # numbers whose mean has no rounding error
    X[:, 4] = 5e-4 * rng.standard_normal(len(X))  # small, as in other units, but not zero
    A, B, _, _, mean, std = parts_of(student.split_and_scale(X, y, 0.25, int(rng.integers(10**6))), X)
    expect(
        bool(np.isfinite(A).all() and np.isfinite(B).all()),
        "A column that never changes becomes NaN or infinite: a standard deviation of zero must become 1.",
        kind="nan",
        pointer=SECTION,
    )
    expect(
        np.allclose(std[[1, 3]], 1.0),
        "The standard deviation of a column that never changes must be given as 1.",
        kind="zero-std",
        pointer=SECTION,
    )
    expect(
        np.allclose(A[:, [1, 3]], 0.0, atol=1e-5) and np.allclose(mean[[1, 3]], [2.5, 0.0]),
        "A column that never changes must become zero.",
        kind="constant-column",
        pointer=SECTION,
    )
    raw = A[:, [0, 2, 4]] * std[[0, 2, 4]] + mean[[0, 2, 4]]
    expect(
        np.allclose(std[[0, 2, 4]], raw.std(axis=0), rtol=1e-4),
        "A column that changes, if only a little, must still be divided by its own standard deviation (divisor n), "
        "nothing added.",
        kind="std",
        pointer=SECTION,
    )


@question("q1", points=0.25)
def test_seeds_differ(student, rng):
    """Ten seeds give at least nine different test parts; random numbers drawn elsewhere change nothing."""
    X, y = blobs(rng, (30, 30, 30), 3)
    seeds = rng.choice(10**6, size=10, replace=False).tolist()
    drawn = []
    for index, seed in enumerate(seeds):
        _, B, _, _, mean, std = parts_of(student.call("split_and_scale", X, y, 0.2, seed, seed=index), X)
        drawn.append(tuple(sorted(np.round(((B * std + mean)[:, 0]), 3).tolist())))
    expect(len(set(drawn)) >= 9, "Different seeds give the same split.", kind="seed-constant", pointer=SECTION)
    again, twice = (student.call("split_and_scale", X, y, 0.2, seeds[0], seed=s) for s in (77, 78))
    expect(
        np.array_equal(again[0], twice[0]) and np.array_equal(again[1], twice[1]),
        "The same seed gives different splits: draw everything from `seed`.",
        kind="seed-ignored",
        pointer=SECTION,
    )
