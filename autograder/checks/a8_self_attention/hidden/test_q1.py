"""Softmax and its backward pass, as the grader checks them."""

from __future__ import annotations

import math

import pytest
import torch

from deepmarks.checks import assert_matches, expect, numerical_vjp, question

SECTION = "section 1"
AXES = ("first", "second", "third")


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
@pytest.mark.parametrize("dim", [0, 1, 2, -1, -2, -3])
@question("q1", points=0.5)
def test_softmax_along_every_axis(student, reference, torch_rng, dim, dtype):
    """Softmax works along every axis, counted from either end, and keeps the dtype."""
    x = 3 * torch.randn(3, 5, 2, generator=torch_rng, dtype=dtype)
    axis = dim % 3
    assert_matches(
        student.softmax(x, dim),
        reference.softmax(x, dim),
        what="the softmax",
        axes=AXES,
        candidates={
            "the softmax over the last axis, whatever dim says": lambda: torch.softmax(x, -1) if axis != 2 else None,
            "the softmax over the first axis, whatever dim says": lambda: torch.softmax(x, 0) if axis else None,
            "the softmax over axis 1, whatever dim says": lambda: torch.softmax(x, 1) if axis != 1 else None,
            "the exponentials, not divided by their sum": x.exp(),
        },
        pointer=SECTION,
    )


@question("q1", points=0.5)
def test_softmax_of_extreme_numbers(student, reference, torch_rng):
    """Softmax survives numbers of size 1e4 and entries of -inf in any mixture, along any axis, in float32 too."""
    x = 1e4 * torch.randn(4, 6, 3, generator=torch_rng, dtype=torch.float64)
    x[1, 2, 1] = x[0, 0, 0] = -math.inf
    x[:, 4, 2] = -math.inf  # empty along axis 0
    x[2, :, 0] = -math.inf  # empty along axis 1
    for dim in (0, -2):
        got = student.softmax(x, dim)
        expect(
            not torch.as_tensor(got).isnan().any(),
            "softmax gives NaN for large numbers or for entries of -inf.",
            kind="softmax-nan",
            pointer=SECTION,
        )
        assert_matches(got, reference.softmax(x, dim), what="the softmax of extreme numbers", pointer=SECTION)
    single = x.float().nan_to_num(neginf=-1e4)
    # float32 has steps of 2e-3 at 3e4, so exp(x - logsumexp(x)) is good to a few of them only; that is right too.
    assert_matches(
        student.softmax(single, 1),
        reference.softmax(single, 1),
        what="the softmax of extreme numbers",
        atol=1e-2,
        pointer=SECTION,
    )


@pytest.mark.parametrize("dim", [0, 1, -1])
@question("q1", points=0.5)
def test_softmax_vjp_along_every_axis(student, reference, torch_rng, dim):
    """softmax_vjp agrees with the reference and with finite differences along every axis; empty rows give zeros."""
    x = torch.randn(3, 4, 2, generator=torch_rng, dtype=torch.float64)
    g = torch.randn(3, 4, 2, generator=torch_rng, dtype=torch.float64)
    s = reference.softmax(x, dim)
    other = (dim + 1) % 3
    candidates = {
        "the product with the Jacobian's diagonal only: g * s * (1 - s)": g * s * (1 - s),
        "g * s, without the part of the sum in the denominator": g * s,
        "the gradient with the sum taken along another axis": s * (g - (g * s).sum(other, keepdim=True)),
        "the gradient with the sum taken over all entries": s * (g - (g * s).sum()),
        "s times g minus the plain sum of g, not weighted with s": s * (g - g.sum(dim, keepdim=True)),
        "g minus the sum, not multiplied by s": g - (g * s).sum(dim, keepdim=True),
        "the gradient with a mean where the sum is due": s * (g - (g * s).mean(dim, keepdim=True)),
        "the gradient with the sum always along the last axis": s * (g - (g * s).sum(-1, keepdim=True)),
    }
    got = student.softmax_vjp(s, g, dim)
    expected = reference.softmax_vjp(s, g, dim)
    assert_matches(got, expected, what="the gradient", axes=AXES, candidates=candidates, pointer=SECTION)
    numerical = numerical_vjp(lambda x: reference.softmax(x, dim), (x,), g)
    assert_matches(got, numerical, what="the gradient", rtol=1e-6, atol=1e-8, pointer=SECTION)
    expect(
        not isinstance(student.probe("by_hand", "softmax_vjp", s, g, dim), str),
        "softmax_vjp uses automatic differentiation: write it by hand, from s and g.",
        kind="by-hand",
        pointer=SECTION,
    )
    s = s.clone()
    s.select((dim + 1) % 3, 1).zero_()  # what softmax gives for rows of -inf
    expected = reference.softmax_vjp(s, g, dim)
    assert_matches(student.softmax_vjp(s, g, dim), expected, what="the gradient with empty rows", pointer=SECTION)
    single = student.softmax_vjp(s.float(), g.float(), dim)
    assert_matches(single, expected.float(), what="the gradient in float32", pointer=SECTION)
