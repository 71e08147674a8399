"""k-means, as students receive the checks."""

from __future__ import annotations

import numpy as np

from deepmarks.checks import expect, question
from deepmarks.datasets import load_iris

SECTION = "section 5"
CONVERGED = 1e-3
"""In units of the variance: below what anyone would call a wrong label, above what a tolerance of 1e-4 leaves."""
ALLOWED = 1.01
"""The contract: at most one per cent above scikit-learn's inertia."""


def parts_of(result, X, k):
    """Centroids (k, D), labels (N,) and inertia, of the right shapes and finite."""
    expect(
        isinstance(result, tuple | list) and len(result) == 3,
        "kmeans must return centroids, labels and inertia: three parts.",
        kind="structure",
        pointer=SECTION,
    )
    centroids, labels, inertia = np.asarray(result[0], dtype=np.float64), np.asarray(result[1]), np.asarray(result[2])
    expect(
        not (centroids.ndim == 1 and labels.ndim == 2),
        "The order of the results is centroids, labels, inertia.",
        kind="order",
        pointer=SECTION,
    )
    expect(
        centroids.shape == (k, X.shape[1]),
        "The centroids must have the shape (k, D).",
        detail=f"received {centroids.shape}, expected {(k, X.shape[1])}",
        kind="shape",
        pointer=SECTION,
    )
    expect(
        labels.shape == (len(X),) and bool(np.all(np.isin(labels, np.arange(k)))),
        "The labels must be one whole number from 0 to k - 1 per point.",
        kind="labels",
        pointer=SECTION,
    )
    expect(
        bool(np.isfinite(centroids).all()),
        "Some centroids are NaN or infinite: what is the mean of a cluster without points?",
        kind="nan",
        pointer=SECTION,
    )
    expect(inertia.size == 1 and bool(np.isfinite(inertia).all()), "The inertia must be one finite number.",
           kind="inertia", pointer=SECTION)  # fmt: skip
    return centroids, labels.astype(int), float(inertia.reshape(()))


def consistent(result, X, k):
    """The parts; fails unless labels and inertia belong to the centroids."""
    centroids, labels, inertia = parts_of(result, X, k)
    squares = ((X[:, None] - centroids[None]) ** 2).sum(axis=2)
    own = squares[np.arange(len(X)), labels]
    # What a run that stops at a small tolerance, as scikit-learn's does, may leave open.
    slack = CONVERGED * X.var(axis=0).sum() + 1e-12
    expect(
        bool((own <= squares.min(axis=1) + slack).all()),
        "Some points are not labelled with their nearest centroid: assign them once more after the last update.",
        kind="not-nearest",
        pointer=SECTION,
    )
    right = squares.min(axis=1).sum()
    for wrong, sentence in (
        (right / len(X), "The inertia looks like the mean of the squared distances: it is their sum."),
        (np.sqrt(squares.min(axis=1)).sum(), "The inertia looks like the sum of the distances: square them."),
        (np.sqrt(right), "The inertia looks like the root of the sum: leave the root out."),
        (((X - X.mean(axis=0)) ** 2).sum(), "The inertia looks like the sum of squares around the mean of all points."),
        (squares.sum(), "The inertia looks like the sum over all centroids: only a point's own centroid counts."),
    ):
        expect(np.isclose(right, wrong, rtol=1e-3) or not np.isclose(inertia, wrong, rtol=1e-6, atol=1e-12),
               sentence, kind="inertia", pointer=SECTION)  # fmt: skip
    expect(
        np.isclose(inertia, right, rtol=1e-2, atol=1e-9) or np.isclose(inertia, own.sum(), rtol=1e-2, atol=1e-9),
        "The inertia is not the sum of the squared distances of the points to their centroids.",
        detail=f"expected {right:.6g}, received {inertia:.6g}",
        kind="inertia",
        pointer=SECTION,
    )
    return centroids, labels, right


def best_inertia(X, k):
    """scikit-learn's inertia."""
    from sklearn.cluster import KMeans

    return float(KMeans(k, n_init=10, random_state=0).fit(X).inertia_)


@question("q5", points=0.5)
def test_labels_and_inertia_belong_to_the_centroids(student, rng):
    """Every point has the label of its nearest centroid, the inertia is the sum of their squared distances."""
    for X, k in ((load_iris().X, 3), (rng.standard_normal((40, 2)), 4)):
        centroids, labels, _ = consistent(student.kmeans(X, k, 1), X, k)
        for j in range(k):
            members = X[labels == j]
            expect(
                len(members) == 0 or np.abs(members.mean(axis=0) - centroids[j]).max() < 0.05 * X.std(),
                "A centroid is not the mean of its points: update until nothing moves.",
                kind="not-the-mean",
                pointer=SECTION,
            )


@question("q5", points=0.75)
def test_inertia_is_near_the_best_on_iris(student):
    """On Iris, with k = 2, 3 and 4, the inertia is at most 1 % above scikit-learn's, for several seeds."""
    X = load_iris().X
    for k in (2, 3, 4):
        best = best_inertia(X, k)
        for result in student.probe("clusterings", X, k, [0, 1, 2]):
            _, _, inertia = consistent(result, X, k)
            expect(
                inertia <= ALLOWED * best,
                "The inertia is more than 1 % above the best: run from several k-means++ starts, each until nothing "
                "moves, and keep the best.",
                detail=f"k = {k}: {inertia:.2f}, scikit-learn reaches {best:.2f}",
                kind="inertia-too-large",
                pointer=SECTION,
            )


@question("q5", points=0.25)
def test_kmeans_obeys_its_seed(student, rng):
    """The same seed gives the same clusters, whatever was drawn before."""
    X = rng.standard_normal((60, 3))
    runs = [student.call("kmeans", X, 5, 11, n_init=1, seed=s) for s in (1, 2, 3)]
    first, *others = [parts_of(run, X, 5) for run in runs]
    for other in others:
        expect(
            np.allclose(first[0], other[0]) and np.array_equal(first[1], other[1]),
            "The same seed gives different clusters: draw everything from `seed`.",
            kind="seed-ignored",
            pointer=SECTION,
        )


@question("q5", points=0.5)
def test_smallest_and_largest_k(student, rng):
    """With k = 1 comes the mean of all points; with k = N every point is a centroid."""
    X = 5 + 3 * rng.standard_normal((9, 4))
    centroids, labels, inertia = consistent(student.kmeans(X, 1, 0), X, 1)
    expect(
        np.allclose(centroids[0], X.mean(axis=0), atol=1e-6) and not labels.any(),
        "With k = 1 the centroid must be the mean of all points.",
        detail=f"expected {X.mean(axis=0)}, received {centroids[0]}",
        kind="k-is-1",
        pointer=SECTION,
    )
    _, labels, inertia = consistent(student.kmeans(X, len(X), 0), X, len(X))
    expect(
        len(set(labels.tolist())) == len(X) and inertia < 1e-9,
        "With k = N every point must have its own centroid, and the inertia must be 0.",
        detail=f"inertia {inertia:.3g}, {len(set(labels.tolist()))} clusters with points",
        kind="k-is-n",
        pointer=SECTION,
    )
