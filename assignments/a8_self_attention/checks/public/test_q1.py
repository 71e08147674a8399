"""Softmax and its backward pass, as students receive the checks."""

from __future__ import annotations

import math

import torch

from deepmarks.checks import assert_matches, expect, question

SECTION = "section 1"


def without_sum(x, dim):
    return torch.exp(x - x.amax(dim, keepdim=True))


@question("q1", points=0.5)
def test_softmax_of_small_examples(student, torch_rng):
    """The softmax of (0, log 3) is (1/4, 3/4), and a (3, 5) table has rows that sum to one."""
    x = torch.tensor([0.0, math.log(3)], dtype=torch.float64)
    assert_matches(
        student.softmax(x, 0),
        torch.tensor([0.25, 0.75], dtype=torch.float64),
        what="the softmax of (0, log 3)",
        candidates={
            "the exponentials, not divided by their sum": lambda: x.exp(),
            "the exponentials after subtracting the maximum, not divided by their sum": lambda: without_sum(x, 0),
            "the numbers divided by their sum, without the exponential": lambda: x / x.sum(),
        },
        pointer=SECTION,
    )
    x = torch.randn(3, 5, generator=torch_rng, dtype=torch.float64)
    assert_matches(
        student.softmax(x, 1),
        torch.softmax(x, 1),
        what="the softmax",
        axes=("row", "column"),
        candidates={
            "the softmax over axis 0, whatever dim says": lambda: torch.softmax(x, 0),
            "the softmax over all entries": lambda: torch.softmax(x.flatten(), 0).view_as(x),
        },
        pointer=SECTION,
    )


@question("q1", points=0.5)
def test_softmax_of_large_numbers_and_empty_rows(student):
    """Softmax neither overflows at 1e4 nor gives NaN for a row of -inf (zeros are asked for)."""
    x = torch.tensor([[1e4, 1e4 - 1, 0.0], [-1e4, 1 - 1e4, -2e4]], dtype=torch.float64)
    got = student.softmax(x, 1)
    expect(
        not torch.as_tensor(got).isnan().any(),
        "softmax overflows for large numbers: subtract the maximum before the exponential.",
        detail=f"softmax of {x.tolist()} gave {got}",
        kind="softmax-overflow",
        pointer=SECTION,
    )
    assert_matches(got, torch.softmax(x, 1), what="the softmax of large numbers", pointer=SECTION)
    inf = math.inf
    x = torch.tensor([[0.0, -inf, 1.0], [-inf, -inf, -inf]], dtype=torch.float64)
    expected = torch.softmax(x, 1).nan_to_num()
    got = student.softmax(x, 1)
    expect(
        not torch.as_tensor(got).isnan().any(),
        "softmax gives NaN for a row of -inf: zeros are asked for.",
        detail=f"softmax of {x.tolist()} gave {got}",
        kind="softmax-empty-row",
        pointer=SECTION,
    )
    even = torch.where(expected.sum(1, keepdim=True) > 0, expected, torch.full_like(expected, 1 / 3))
    assert_matches(
        got,
        expected,
        what="the softmax with rows of -inf",
        candidates={"the softmax that spreads a row of -inf evenly, where zeros are asked for": even},
        pointer=SECTION,
    )


@question("q1", points=0.5)
def test_softmax_vjp_of_one_row(student, torch_rng):
    """softmax_vjp is the cotangent times the Jacobian diag(s) - s s^T (a row of 4)."""
    s = torch.softmax(torch.randn(4, generator=torch_rng, dtype=torch.float64), 0)
    g = torch.randn(4, generator=torch_rng, dtype=torch.float64)
    jacobian = torch.diag(s) - torch.outer(s, s)
    assert_matches(
        student.softmax_vjp(s, g, 0),
        g @ jacobian,
        what="the gradient",
        candidates={
            "the product with the Jacobian's diagonal only: g * s * (1 - s)": g * s * (1 - s),
            "g * s, without the part of the sum in the denominator": g * s,
            "s times the sum alone, without g": s * (g * s).sum(),
            "g minus the sum, not multiplied by s": g - (g * s).sum(),
            "s times g minus the plain sum of g, not weighted with s": s * (g - g.sum()),
        },
        pointer=SECTION,
    )
