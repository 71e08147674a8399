"""No loops, as the grader checks them."""

from __future__ import annotations

import pytest
import torch

from deepmarks.checks import assert_matches, expect, numerical_vjp, question

SECTION = "section 3"


@pytest.mark.parametrize(("n", "d"), [(4, 3), (1, 5), (5, 1), (2, 3)])
@question("q3", points=0.25)
def test_gram_of_other_sizes(student, reference, torch_rng, n, d):
    """The Gram matrix is right for wide, tall, single-row and single-column matrices, and passes gradients through."""
    t = torch.randn(n, d, generator=torch_rng, dtype=torch.float64)
    wrong = {"t.T @ t, the products of the columns": t.T @ t} if n != d else None
    assert_matches(student.gram(t), reference.gram(t), what="the Gram matrix", candidates=wrong, pointer=SECTION)
    g = torch.randn(n, n, generator=torch_rng, dtype=torch.float64)
    got, right = student.vjp("gram", t, cotangent=g), reference.vjp("gram", t, cotangent=g)
    assert_matches(got.grads[0], right.grads[0], what="the gradient of gram", pointer=SECTION)
    numerical = numerical_vjp(reference.gram, (t,), g)
    assert_matches(got.grads[0], numerical, what="the gradient of gram", rtol=1e-6, atol=1e-8, pointer=SECTION)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32], ids=str)
@pytest.mark.parametrize(("n", "m", "d"), [(5, 7, 3), (1, 4, 2), (6, 1, 3), (3, 5, 1), (40, 30, 9)])
@question("q3", points=0.5)
def test_distances_of_other_sizes(student, reference, torch_rng, n, m, d, dtype):
    """The squared distances are right for other numbers of points and features, for one point and for one feature."""
    a = torch.randn(n, d, generator=torch_rng, dtype=torch.float64).to(dtype)
    b = torch.randn(m, d, generator=torch_rng, dtype=torch.float64).to(dtype)
    right = reference.pairwise_sq_dists(a.double(), b.double())
    norms = (a * a).sum(1)[:, None] + (b * b).sum(1)
    wrong = {
        "the distances, not squared": right.sqrt(),
        "the distances from b to a: rows belong to a": right.T if n != m else None,
        "the sum of the squared norms, without the products": norms,
        "the formula with + where the product has a minus": norms + 2 * a @ b.T,
        "the formula without the factor 2 of the product": norms - a @ b.T,
        "the sum of absolute differences": (a[:, None] - b).abs().sum(-1) if d > 1 else None,
        "the mean over the features, not the sum": right / d if d > 1 else None,
    }
    got = student.pairwise_sq_dists(a, b)
    # torch.cdist takes roots first, and the expanded formula cancels: both lose a few digits more than a sum does.
    limits = {"rtol": 1e-7, "atol": 1e-8} if dtype is torch.float64 else {"rtol": 1e-4, "atol": 1e-4}
    what = "the matrix of squared distances"
    assert_matches(got, right.to(dtype), what=what, candidates=wrong, pointer=SECTION, **limits)


@pytest.mark.parametrize("scale", [0.0, 1.0, 100.0, 3000.0])
@question("q3", points=0.25)
def test_distances_of_nearly_equal_points(student, torch_rng, scale):
    """Nearly equal points, also far from the origin and in float32, have squared distances >= 0 and no NaN."""
    a = torch.randn(30, 4, generator=torch_rng) + scale
    b = a + 1e-4 * torch.randn(30, 4, generator=torch_rng)
    for other in (a, b):
        got = torch.as_tensor(student.pairwise_sq_dists(a, other))
        expect(
            not got.isnan().any(),
            "pairwise_sq_dists gives NaN for points that lie close together.",
            kind="nan",
            pointer=SECTION,
        )
        expect(
            got.shape == (30, 30) and not (got < 0).any(),
            "pairwise_sq_dists gives negative numbers for points that lie close together: rounding must be cut off.",
            detail=f"the smallest entry is {float(got.min()):.3g}" if got.numel() else "",
            kind="negative",
            pointer=SECTION,
        )
        right = ((a.double()[:, None] - other.double()) ** 2).sum(-1)
        # Cancellation of numbers of the size of the squared norms costs some of their last digits.
        limit = 64 * torch.finfo(torch.float32).eps * float((a * a).sum(1).max())
        expect(
            bool(((got.double() - right).abs() <= limit).all()),
            "pairwise_sq_dists is wrong for points that lie close together, by more than rounding explains.",
            kind="inaccurate",
            pointer=SECTION,
        )


@question("q3", points=0.25)
def test_distances_without_loops(student, torch_rng):
    """The work of pairwise_sq_dists is a fixed number of operations, however many points and features there are."""

    def points(n, d):
        return torch.randn(n, d, generator=torch_rng, dtype=torch.float64)

    small = student.probe("effort", "pairwise_sq_dists", points(3, 2), points(4, 2))
    for n, m, d in ((60, 4, 2), (3, 70, 2), (3, 4, 50)):
        large = student.probe("effort", "pairwise_sq_dists", points(n, d), points(m, d))
        # A library function may choose another way for large inputs; a loop adds a step for each of 46 more.
        expect(
            large[0] <= small[0] + 30 and large[1] <= small[1] + 30,
            "pairwise_sq_dists works in a loop: it takes more steps for more points or features.",
            detail=f"operators and lines: {small} for (3, 4, 2), {large} for {(n, m, d)}",
            kind="loop",
            pointer=SECTION,
        )


@pytest.mark.parametrize("shape", [(2, 3, 4, 5, 6), (1, 2, 1, 7, 3), (3, 1, 6, 1, 2), (2, 2, 3, 4, 1)])
@question("q3", points=0.25)
def test_scores_of_other_sizes(student, reference, torch_rng, shape):
    """batched_scores is right for one query, one key, one head and one feature, and passes gradients through."""
    b, h, n, m, d = shape
    q = torch.randn(b, h, n, d, generator=torch_rng, dtype=torch.float64)
    k = torch.randn(b, h, m, d, generator=torch_rng, dtype=torch.float64)
    g = torch.randn(b, h, n, m, generator=torch_rng, dtype=torch.float64)
    right = reference.vjp("batched_scores", q, k, cotangent=g)
    wrong = {
        "the scores divided by sqrt(d): they are asked for unscaled": right.output / d**0.5 if d > 1 else None,
        "the scores summed over the heads": right.output.sum(1),
        "the scores with keys as rows and queries as columns": right.output.transpose(-2, -1),
    }
    axes = ("batch", "head", "query", "key")
    got = student.batched_scores(q, k)
    assert_matches(got, right.output, what="the tensor of scores", axes=axes, candidates=wrong, pointer=SECTION)
    grads = student.vjp("batched_scores", q, k, cotangent=g).grads
    assert_matches(grads, right.grads, what="the gradients of batched_scores", pointer=SECTION)
    single = student.batched_scores(q.float(), k.float())
    assert_matches(single, right.output.float(), what="the tensor of scores in float32", pointer=SECTION)
