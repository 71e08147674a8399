"""Splitting and scaling, as students receive the checks."""

from __future__ import annotations

import numpy as np

from deepmarks.checks import expect, question
from deepmarks.datasets import load_iris

SECTION = "section 1"
CLOSE = 1e-4
"""Rows are known by their values, which differ by far more; a detour through float32 loses 1e-6 of them."""


def parts_of(result, X):
    """The six parts as arrays, of shapes that fit together."""
    expect(
        isinstance(result, tuple | list) and len(result) == 6,
        "split_and_scale must return X_train, X_test, y_train, y_test, mean and std: six parts.",
        kind="structure",
        pointer=SECTION,
    )
    expect(
        all(isinstance(part, np.ndarray) for part in result[:4]),
        "X_train, X_test, y_train and y_test must be NumPy arrays.",
        detail=f"received {[type(part).__name__ for part in result]}",
        kind="type",
        pointer=SECTION,
    )
    A, B, a, b = (np.asarray(part) for part in result[:4])
    mean, std = (np.asarray(part, dtype=np.float64).ravel() for part in result[4:])
    expect(
        not (A.ndim == 2 and B.ndim == 1),
        "The order of the parts is X_train, X_test, y_train, y_test, mean, std.",
        kind="order",
        pointer=SECTION,
    )
    columns = X.shape[1]
    expect(
        A.ndim == 2 and B.ndim == 2 and A.shape[1] == B.shape[1] == columns and a.ndim == b.ndim == 1,
        "X_train and X_test must have the columns of X, y_train and y_test one entry per row.",
        detail=f"received the shapes {[np.shape(part) for part in result]}",
        kind="shape",
        pointer=SECTION,
    )
    expect(
        len(A) == len(a) and len(B) == len(b),
        "X_train and y_train, or X_test and y_test, differ in length.",
        kind="shape",
        pointer=SECTION,
    )
    expect(
        mean.size == std.size == columns,
        "mean and std must hold one number per column.",
        detail=f"received the shapes {np.shape(result[4])} and {np.shape(result[5])}",
        kind="shape",
        pointer=SECTION,
    )
    return A, B, a, b, mean, std


def rows_of(scaled, X, mean, std):
    """For each scaled row, the number of the row of X that it was; -1 where it is none. The rows of X are unique."""
    raw = scaled * std + mean
    distances = np.abs(raw[:, None, :] - X[None, :, :]).max(axis=2)
    nearest = distances.argmin(axis=1)
    return np.where(distances.min(axis=1) < CLOSE * np.abs(X).max(), nearest, -1)


def statistics(X, y, A, B, mean, std):
    """Fail unless mean, std and the scaled parts belong to the training rows, with what was done instead."""
    train, test = rows_of(A, X, mean, std), rows_of(B, X, mean, std)
    if (train < 0).any() and (rows_of(A, X, 0.0, 1.0) >= 0).all():
        expect(False, "X_train is not scaled: it holds the rows as they were.", kind="not-scaled", pointer=SECTION)
    if (test < 0).any():
        expect(
            not (rows_of(B, X, 0.0, 1.0) >= 0).all(),
            "X_test is not scaled: scale it with the mean and std of the training part.",
            kind="test-not-scaled",
            pointer=SECTION,
        )
        expect(
            not np.allclose(B.mean(axis=0), 0, atol=1e-3),
            "X_test is scaled with its own mean and std: use those of the training part.",
            kind="test-by-itself",
            pointer=SECTION,
        )
    expect(
        (train >= 0).all() and (test >= 0).all(),
        "X_train * std + mean (and the same for X_test) does not give back rows of X: scale with (x - mean) / std.",
        kind="scaling",
        pointer=SECTION,
    )
    rows = X[train]
    expect(
        not np.allclose(mean, X.mean(axis=0), rtol=1e-6, atol=1e-9),
        "The mean is that of all rows: the test part leaks into it. Use the training part only.",
        kind="leak",
        pointer=SECTION,
    )
    expect(
        np.allclose(mean, rows.mean(axis=0), rtol=1e-5, atol=1e-5),
        "The mean is not the mean of each column over the training part.",
        detail=f"expected {rows.mean(axis=0)}, received {mean}",
        kind="mean",
        pointer=SECTION,
    )
    right = rows.std(axis=0)
    right = np.where(right == 0, 1.0, right)
    for wrong, sentence in (
        (X.std(axis=0), "The std is that of all rows: the test part leaks into it. Use the training part only."),
        (rows.std(axis=0, ddof=1), "The std divides by n - 1: this question asks for the divisor n (ddof 0)."),
        (rows.var(axis=0), "The std looks like the variance: take the square root."),
    ):
        expect(not np.allclose(std, wrong, rtol=1e-5), sentence, kind="std", pointer=SECTION)
    expect(
        np.allclose(std, right, rtol=1e-5, atol=1e-5),
        "The std is not the standard deviation of each column over the training part.",
        detail=f"expected {right}, received {std}",
        kind="std",
        pointer=SECTION,
    )
    return train, test


def fresh_rows(rng, per_class):
    """Iris rows of each class, drawn with a little noise so that no two are equal, in random order."""
    iris = load_iris()
    rows = np.concatenate([rng.choice(np.flatnonzero(iris.y == c), n) for c, n in enumerate(per_class)])
    rows = rng.permutation(rows)
    return iris.X[rows] + rng.normal(0.0, 0.05, (len(rows), 4)), iris.y[rows]


@question("q1", points=0.5)
def test_the_split_is_stratified(student, rng):
    """A fifth of each class goes to the test part, every row to exactly one part, with its own label."""
    X, y = fresh_rows(rng, (60, 60, 60))
    for seed in (0, 1, 2, 3):
        A, B, a, b, mean, std = parts_of(student.split_and_scale(X, y, 0.2, seed), X)
        expect(
            len(A) + len(B) == len(X),
            "X_train and X_test together do not have as many rows as X.",
            detail=f"{len(A)} and {len(B)} of {len(X)}",
            kind="rows",
            pointer=SECTION,
        )
        expect(
            len(A) > len(B),
            "With test_size=0.2 the test part is larger than the training part: are they exchanged?",
            kind="exchanged",
            pointer=SECTION,
        )
        shares = np.bincount(b.astype(int), minlength=3)
        expect(
            (np.abs(shares - 12) < 1.5).all(),
            "The split is not stratified: the test part must hold the share test_size of each class.",
            detail=f"of 60 flowers of each class, {shares} are in the test part",
            kind="not-stratified",
            pointer=SECTION,
        )
        # Which rows they are shows only once they are scaled as promised; the next check says what is wrong there.
        train, test = rows_of(A, X, mean, std), rows_of(B, X, mean, std)
        if (train >= 0).all() and (test >= 0).all():
            expect(
                not set(train.tolist()) & set(test.tolist()),
                "Some rows are in the training part and in the test part.",
                kind="overlap",
                pointer=SECTION,
            )
            expect(
                (y[train] == a).all() and (y[test] == b).all(),
                "The labels do not belong to their rows: X and y must be split alike.",
                kind="labels",
                pointer=SECTION,
            )


@question("q1", points=0.5)
def test_statistics_come_from_the_training_part(student, rng):
    """The mean and std (divisor n) are those of the unscaled training rows, and both parts are scaled with them."""
    X, y = fresh_rows(rng, (40, 40, 40))
    A, B, _, _, mean, std = parts_of(student.split_and_scale(X, y, 0.25, 5), X)
    statistics(X, y, A, B, mean, std)


@question("q1", points=0.5)
def test_seed_decides_the_split(student):
    """The same seed gives the same split, another seed another one; the order of y does not decide it."""
    iris = load_iris()
    runs = [student.call("split_and_scale", iris.X, iris.y, 0.2, own, seed=s) for own, s in ((3, 1), (3, 2), (4, 1))]
    first, same, other = (parts_of(run, iris.X) for run in runs)
    expect(
        all(np.array_equal(x, z) for x, z in zip(first, same, strict=True)),
        "The same seed gives different splits: draw everything from `seed`.",
        kind="seed-ignored",
        pointer=SECTION,
    )
    expect(
        not all(np.array_equal(x, z) for x, z in zip(first, other, strict=True)),
        "Different seeds give the same split.",
        kind="seed-constant",
        pointer=SECTION,
    )
