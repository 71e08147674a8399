"""No loops, as students receive the checks."""

from __future__ import annotations

import torch

from deepmarks.checks import assert_matches, expect, question

SECTION = "section 3"


@question("q3", points=0.5)
def test_gram_of_two_rows(student):
    """gram([[0, 1, 2], [3, 4, 5]]) is [[5, 14], [14, 50]]."""
    t = torch.tensor([[0.0, 1.0, 2.0], [3.0, 4.0, 5.0]])
    wrong = {
        "t.T @ t, the products of the columns": t.T @ t,
        "the elementwise square of t": t * t,
        "the squared norms of the rows only": (t * t).sum(1),
    }
    expected = torch.tensor([[5.0, 14.0], [14.0, 50.0]])
    assert_matches(student.gram(t), expected, what="the Gram matrix", candidates=wrong, pointer=SECTION)


@question("q3", points=0.5)
def test_distances_of_a_few_points(student):
    """The squared distances of 2 points to 3 points in the plane are [[25, 0, 2], [0, 25, 13]]."""
    a = torch.tensor([[0.0, 0.0], [3.0, 4.0]])
    b = torch.tensor([[3.0, 4.0], [0.0, 0.0], [1.0, 1.0]])
    expected = torch.tensor([[25.0, 0.0, 2.0], [0.0, 25.0, 13.0]])
    norms = (a * a).sum(1)[:, None] + (b * b).sum(1)
    wrong = {
        "the distances, not squared": expected.sqrt(),
        "the distances from b to a: rows belong to a": expected.T,
        "the sum of the squared norms, without the products": norms,
        "the formula with + where the product has a minus": norms + 2 * a @ b.T,
        "the formula without the factor 2 of the product": norms - a @ b.T,
        "the sum of absolute differences": (a[:, None] - b).abs().sum(-1),
        "the mean over the features, not the sum": expected / 2,
    }
    got = student.pairwise_sq_dists(a, b)
    assert_matches(got, expected, what="the matrix of squared distances", candidates=wrong, pointer=SECTION)


def scores_by_loops(q, k):
    """The right scores, one dot product at a time."""
    (b, h, n, _), m = q.shape, k.shape[2]
    out = torch.empty(b, h, n, m, dtype=q.dtype)
    for i in range(b):
        for j in range(h):
            for r in range(n):
                for s in range(m):
                    out[i, j, r, s] = (q[i, j, r] * k[i, j, s]).sum()
    return out


@question("q3", points=0.25)
def test_scores_one_by_one(student, torch_rng):
    """batched_scores agrees with a loop over 2 batch entries, 3 heads, 4 queries and 5 keys of width 6."""
    q = torch.randn(2, 3, 4, 6, generator=torch_rng, dtype=torch.float64)
    k = torch.randn(2, 3, 5, 6, generator=torch_rng, dtype=torch.float64)
    expected = scores_by_loops(q, k)
    wrong = {
        "the scores divided by sqrt(d): they are asked for unscaled": expected / 6**0.5,
        "the scores summed over the heads": expected.sum(1),
        "the scores with keys as rows and queries as columns": expected.transpose(-2, -1),
        "the softmax of the scores": expected.softmax(-1),
    }
    axes = ("batch", "head", "query", "key")
    got = student.batched_scores(q, k)
    assert_matches(got, expected, what="the tensor of scores", axes=axes, candidates=wrong, pointer=SECTION)


@question("q3", points=0.25)
def test_scores_are_written_with_einsum(student, torch_rng):
    """batched_scores uses torch.einsum, as the question asks (matmul gives the same numbers, but not this mark)."""
    q, k = (torch.randn(2, 3, n, 6, generator=torch_rng, dtype=torch.float64) for n in (4, 5))
    got, names = student.probe("torch_functions", "batched_scores", q, k)
    expect(
        isinstance(got, torch.Tensor) and got.numel() > 0,
        "batched_scores must return a tensor.",
        kind="structure",
        pointer=SECTION,
    )
    expect(
        "einsum" in names,
        "batched_scores does not use torch.einsum: name the axes with letters and let it do the sum.",
        detail=f"it calls {names}",
        kind="no-einsum",
        pointer=SECTION,
    )
