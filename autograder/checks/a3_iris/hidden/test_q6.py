"""PCA and matched clusters, as the grader checks it."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from deepmarks.checks import assert_matches, expect, question

SECTION = "section 6"


def decompose(X, n, centre=True, scale=False, ratio="all", signs=True, order=1):
    """Scores, components and ratios by the eigenvectors of X.T @ X; or what a mistake makes of them."""
    Xc = X - X.mean(axis=0) if centre else X
    Xc = Xc / X.std(axis=0) if scale else Xc
    values, vectors = np.linalg.eigh(Xc.T @ Xc)
    values, vectors = np.clip(values, 0, None)[::-order], vectors[:, ::-order]
    V = vectors[:, :n].T
    if signs:
        V = V * np.sign(V[np.arange(len(V)), np.abs(V).argmax(axis=1)])[:, None]
    total = {"all": values.sum(), "kept": values[:n].sum(), "none": len(X), "none ddof 1": len(X) - 1}
    shares = np.sqrt(values) / np.sqrt(values).sum() if ratio == "roots" else values / total[ratio]
    return Xc @ V.T, V, shares[:n]


def check_pca(result, X, n):
    """Fail unless the three parts agree, with what was done instead."""
    expect(
        isinstance(result, tuple | list) and len(result) == 3,
        "pca must return scores, components and explained_variance_ratio: three parts.",
        kind="structure",
        pointer=SECTION,
    )
    scores, components, ratio = (np.asarray(part) for part in result)
    right = dict(zip(("scores", "components", "ratio"), decompose(X, n), strict=True))
    expect(
        components.shape != (X.shape[1], n) or n == X.shape[1],
        "The components are columns: they must be the rows of an array (n_components, D).",
        kind="transposed",
        pointer=SECTION,
    )
    raw, scaled, rising = (decompose(X, n, **o) for o in ({"centre": False}, {"scale": True}, {"order": -1}))
    assert_matches(
        ratio, right["ratio"], what="explained_variance_ratio", dtype=False, pointer=SECTION,
        candidates={
            "the shares without centring: subtract the mean of each column": raw[2],
            "the shares of scaled columns: centre only": scaled[2],
            "shares in the variance of the chosen components: divide by that of all": decompose(X, n, ratio="kept")[2],
            "shares of the singular values: square them": decompose(X, n, ratio="roots")[2],
            "variances (divisor N), not shares": decompose(X, n, ratio="none")[2],
            "variances (divisor N - 1), not shares": decompose(X, n, ratio="none ddof 1")[2],
            "the shares of the smallest components: sort by falling variance": rising[2],
            "sums of the shares up to each component": np.cumsum(right["ratio"]),
        },
    )  # fmt: skip
    aligned = components.shape == (n, X.shape[1]) and np.allclose(
        np.abs((components * right["components"]).sum(axis=1)), 1.0, atol=1e-6
    )
    if aligned:
        flipped = (components * right["components"]).sum(axis=1) < 0
        first = np.sign(right["components"][:, :1]) * right["components"]
        expect(
            not flipped.any() or not np.allclose(components, first),
            "The signs make the first entry of each component positive: it must be the entry with the largest "
            "absolute value.",
            kind="sign",
            pointer=SECTION,
        )
        expect(
            not flipped.any(),
            "Some components have the wrong sign: the entry with the largest absolute value must be positive.",
            kind="sign",
            pointer=SECTION,
        )
    assert_matches(
        components, right["components"], what="components", dtype=False, atol=1e-7, pointer=SECTION,
        candidates={
            "the directions without centring: subtract the mean of each column": raw[1],
            "the directions of scaled columns: centre only": scaled[1],
            "the directions of the smallest variance": rising[1],
            "the left singular vectors: take the right ones, of the columns": lambda: left_vectors(X, n),
        },
    )  # fmt: skip
    s = np.sqrt(((right["scores"]) ** 2).sum(axis=0))
    assert_matches(
        scores, right["scores"], what="scores", dtype=False, atol=1e-7, pointer=SECTION, axes=("sample", "component"),
        candidates={
            "projections of X without centring": X @ right["components"].T,
            "scores divided by the singular values: multiply U by S": right["scores"] / s,
            "whitened scores: do not divide by the standard deviations": right["scores"] / s * np.sqrt(len(X) - 1),
            "whitened scores (divisor N)": right["scores"] / s * np.sqrt(len(X)),
            "scores that did not get the signs of the components": lambda: unsigned(X, n, scores),
        },
    )  # fmt: skip


def left_vectors(X, n):
    """The first left singular vectors as rows."""
    return np.linalg.svd(X - X.mean(axis=0), full_matrices=False)[0].T[:n]


def unsigned(X, n, scores):
    """The right scores, with the signs that the received ones have."""
    right = decompose(X, n)[0]
    return right * np.sign((right * scores).sum(axis=0)) if scores.shape == right.shape else None


@pytest.mark.parametrize(("rows", "columns", "n"), [(23, 6, 3), (5, 9, 2), (40, 3, 1), (8, 8, 8)])
@question("q6", points=0.75)
def test_pca_of_other_shapes(student, rng, rows, columns, n):
    """More rows than columns and the other way round, one component and several: all parts and the signs agree."""
    X = rng.standard_normal((rows, columns)) * rng.permutation(np.geomspace(0.3, 8.0, columns))
    X = X @ np.linalg.qr(rng.standard_normal((columns, columns)))[0] + 5 * rng.standard_normal(columns)
    n = min(n, rows - 1)  # the last direction of N = D centred points has no variance, and may be any
    check_pca(student.pca(X, n), X, n)


def matched(table, best):
    """The share of those that agree among the points of clusters that have a partner."""
    size = len(table)
    used = np.flatnonzero(table.sum(axis=0))
    orders = itertools.permutations(range(size))
    order = next(order for order in orders if sum(table[i, j] for i, j in enumerate(order)) == best)
    return best / sum(table[i].sum() for i, j in enumerate(order) if j in used)


def agreements(labels, y):
    """The right accuracy by trying all matchings, and what typical mistakes give."""
    size = max(labels.max(), y.max()) + 1
    table = np.zeros((size, size))
    np.add.at(table, (labels, y), 1)
    n = len(y)
    best = max(sum(table[i, j] for i, j in enumerate(order)) for order in itertools.permutations(range(size)))
    rest, greedy = table.copy(), 0.0
    for _ in range(size):
        i, j = np.unravel_index(rest.argmax(), rest.shape)
        greedy, rest[i, :], rest[:, j] = greedy + rest[i, j], -1, -1
    return best / n, {
        "the share of equal numbers: clusters are numbered at random, match them first": float((labels == y).mean()),
        "a matching in which several clusters share a class: match one to one": table.max(axis=1).sum() / n,
        "a matching in which several classes share a cluster: match one to one": table.max(axis=0).sum() / n,
        "a greedy matching: the largest count first need not be the best in total": greedy / n,
        "the worst matching": min(
            sum(table[i, j] for i, j in enumerate(order)) for order in itertools.permutations(range(size))
        ) / n,
        "the share among the points of matched clusters: others count as wrong": matched(table, best),
        "a percentage": 100 * best / n,
        "the number of points that agree, not their share": best,
        "the share of points that do not agree": 1 - best / n,
    }  # fmt: skip


@pytest.mark.parametrize(("clusters", "classes"), [(3, 3), (5, 3), (2, 3), (4, 4)])
@question("q6", points=0.5)
def test_cluster_accuracy_of_other_numbers(student, rng, clusters, classes):
    """As many clusters as classes, more, and fewer: the best one-to-one matching, the rest counts as wrong."""
    for turn in range(4):
        y = np.concatenate([np.arange(classes), rng.integers(classes, size=197)])
        noise = rng.integers(clusters, size=len(y))
        labels = np.where(rng.uniform(size=len(y)) < 0.5, (y + 1) % clusters, noise)
        labels[:clusters] = np.arange(clusters)
        if turn == 3 and clusters > 2:
            labels[labels == 1] = 0  # k-means may leave a cluster empty
        right, wrong = agreements(labels, y)
        got = student.cluster_accuracy(labels, y)
        assert_matches(
            got, right, what="the result of cluster_accuracy", candidates=wrong, dtype=False, pointer=SECTION
        )
