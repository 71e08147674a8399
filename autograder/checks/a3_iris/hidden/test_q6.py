"""PCA and matched clusters, as the grader checks it."""

from __future__ import annotations

import numpy as np
import pytest

from deepmarks.checks import assert_matches, question
from public.test_q6 import SECTION, agreements, check_pca


@pytest.mark.parametrize(("rows", "columns", "n"), [(23, 6, 3), (5, 9, 2), (40, 3, 1), (8, 8, 8)])
@question("q6", points=0.75)
def test_pca_of_other_shapes(student, rng, rows, columns, n):
    """More rows than columns and the other way round, one component and several: all parts and the signs agree."""
    X = rng.standard_normal((rows, columns)) * rng.permutation(np.geomspace(0.3, 8.0, columns))
    X = X @ np.linalg.qr(rng.standard_normal((columns, columns)))[0] + 5 * rng.standard_normal(columns)
    n = min(n, rows - 1)  # the last direction of N = D centred points has no variance, and may be any
    check_pca(student.pca(X, n), X, n)


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
