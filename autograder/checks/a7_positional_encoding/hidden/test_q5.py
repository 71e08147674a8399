"""Rotary positions, as the grader checks them."""

from __future__ import annotations

import pytest
import torch

from deepmarks.checks import StudentError, assert_matches, expect, numerical_vjp, question

SECTION = "section 5"
# The contract leaves open whether angles are float32 or float64. At position 150 a frequency rounded to float32 costs
# 5e-5 in the angle, which features up to 4 multiply; every mistake that the checks know costs a hundred times as much.
ANGLES = {"rtol": 0, "atol": 5e-4}


def variant(x, positions, base, *, exponent=2.0, sign=1, split=False, join=False, plus=False, in_place=False, first=0):
    """The result with one thing wrong; `split` pairs i with i + d/2, `join` leaves the results in halves."""
    d = x.shape[-1]
    i = torch.arange(d // 2, dtype=torch.float64)
    angle = sign * (positions.double() + first)[:, None] * base ** (-exponent * i / d)
    a, b = x.double().chunk(2, -1) if split else (x.double()[..., 0::2], x.double()[..., 1::2])
    new_a = a * angle.cos() + (1 if plus else -1) * b * angle.sin()
    new_b = (new_a if in_place else a) * angle.sin() + b * angle.cos()
    return torch.cat((new_a, new_b), -1) if split or join else torch.stack((new_a, new_b), -1).flatten(-2)


def mistakes(x, positions, base):
    n = x.shape[-2]
    found = {
        "the features turned in the wrong direction": lambda: variant(x, positions, base, sign=-1),
        "the features paired with those d/2 further on; neighbours make a pair": lambda: variant(
            x, positions, base, split=True
        ),
        "the features paired with those d/2 further on, and turned in the wrong direction": lambda: variant(
            x, positions, base, split=True, sign=-1
        ),
        "the rotated pairs with all first features in front: they are to alternate again": lambda: variant(
            x, positions, base, join=True
        ),
        "the features turned by base^(-i/d), where 2i/d is asked for": lambda: variant(
            x, positions, base, exponent=1.0
        ),
        "the features turned by base^(-4i/d): 2i is the column number already": lambda: variant(
            x, positions, base, exponent=4.0
        ),
        "the features turned by the row number: the positions are given": lambda: variant(x, torch.arange(n), base),
        "the features turned by one position too many": lambda: variant(x, positions, base, first=1),
        "the features turned from the first position on: positions are absolute": lambda: variant(
            x, positions - positions[0], base
        ),
        "the features turned with a plus at both sines: a rotation has one minus": lambda: variant(
            x, positions, base, plus=True
        ),
        "the features with the new first of each pair used for the second: keep the old one": lambda: variant(
            x, positions, base, in_place=True
        ),
        "the features turned for base 10000, whatever base says": lambda: (
            variant(x, positions, 10000.0) if base != 10000.0 else None
        ),
        "the features with the same speed in every pair": lambda: variant(x, positions, 1.0),
        "the features that are not turned at all": x,
    }
    if x.ndim > 2 and x.shape[-3] == n:
        found["the features with the positions along the axis before the last but one"] = lambda: variant(
            x.transpose(-2, -3), positions, base
        ).transpose(-2, -3)
    return found


@pytest.mark.parametrize("shape", [(5, 8), (3, 5, 6), (2, 3, 4, 10), (4, 4, 4), (2, 1, 2, 3, 6)], ids=str)
@question("q5", points=0.75)
def test_rope_with_any_leading_axes(student, reference, rng, torch_rng, shape):
    """Inputs (n, d), (batch, n, d), (batch, heads, n, d), ... at positions with gaps, in any order, for two bases."""
    x = torch.randn(*shape, generator=torch_rng, dtype=torch.float64)
    for base in (10000.0, float(rng.uniform(5, 500))):
        positions = torch.as_tensor(rng.choice(150, shape[-2], replace=False))
        got, expected = student.rope(x, positions, base), reference.rope(x, positions, base)
        wrong = mistakes(x, positions, base)
        assert_matches(got, expected, what="the result", candidates=wrong, **ANGLES, pointer=SECTION)
    positions = 2000 + 500 * torch.arange(shape[-2])  # beyond tables of 512, 1024, 2048; float32 angles: 2e-3
    got, expected = student.rope(x, positions, 10000.0), reference.rope(x, positions, 10000.0)
    wrong = mistakes(x, positions, 10000.0)
    what = "the result far out"
    assert_matches(got, expected, what=what, candidates=wrong, rtol=0, atol=1e-2, pointer=SECTION)
    heads = x.reshape(-1, shape[-2], 1, shape[-1]).expand(-1, -1, 3, -1).contiguous()  # (batch, n, heads, d)
    got = student.probe("rope_of_heads", heads, positions, base)
    expected = reference.rope(heads.transpose(1, 2), positions, base)
    assert_matches(got, expected, what="the result for a view", **ANGLES, pointer=SECTION)


@pytest.mark.parametrize(("n", "d"), [(5, 6), (1, 8), (4, 2)])
@question("q5", points=0.5)
def test_gradients_of_rope(student, reference, rng, torch_rng, n, d):
    """The gradient of x is the cotangent turned back; it agrees with finite differences (float64)."""
    x, g = torch.randn(2, 3, n, d, generator=torch_rng, dtype=torch.float64)
    positions = torch.as_tensor(rng.choice(60, n, replace=False))
    got = student.vjp("rope", x, positions, 40.0, cotangent=g, wrt=(0,))
    right = reference.vjp("rope", x, positions, 40.0, cotangent=g, wrt=(0,))
    wrong = mistakes(x, positions, 40.0)
    assert_matches(got.output, right.output, what="the result", candidates=wrong, **ANGLES, pointer=SECTION)
    wrong = {"the cotangent turned on; it is to be turned back": reference.rope(g, positions, 40.0)}
    assert_matches(got.grads[0], right.grads[0], what="the gradient of x", candidates=wrong, **ANGLES, pointer=SECTION)
    numerical = numerical_vjp(lambda x: reference.rope(x, positions, 40.0), (x,), g)
    assert_matches(got.grads[0], numerical, what="the gradient of x", **ANGLES, pointer=SECTION)


@question("q5", points=0.5)
def test_relative_scores_and_dtypes(student, reference, rng, torch_rng):
    """Scores depend on relative positions, float32 stays float32, float64 stays float64, the device stays."""
    for _ in range(6):
        d = 2 * int(rng.integers(1, 6))
        q, k = torch.randn(2, 1, d, generator=torch_rng, dtype=torch.float64)
        m, n, shift = (int(value) for value in rng.integers(0, 40, 3))
        base = float(rng.uniform(5, 5000))

        def score(m, n, q=q, k=k, base=base):
            left = student.rope(q, torch.tensor([m]), base)
            return (left * student.rope(k, torch.tensor([n]), base)).sum(-1)

        far, near = torch.tensor([m - n + 100]), torch.tensor([100])
        right = (reference.rope(q, far, base) * reference.rope(k, near, base)).sum(-1)
        assert_matches(score(m, n), right, what="the score", **ANGLES, pointer=SECTION)
        assert_matches(score(m + shift, n + shift), right, what="the shifted score", **ANGLES, pointer=SECTION)
    for dtype in (torch.float32, torch.float64):
        x = torch.randn(2, 3, 4, generator=torch_rng, dtype=dtype)
        positions = torch.tensor([11, 0, 5])
        got, expected = student.rope(x, positions), reference.rope(x, positions)
        wrong = mistakes(x, positions, 10000.0)
        assert_matches(got, expected, what="the result", candidates=wrong, **ANGLES, pointer=SECTION)
    expect(
        student.probe("stays_on_device", "rope", x, positions),
        "The result of rope lies on another device than x.",
        kind="other-device",
        pointer=SECTION,
    )


@pytest.mark.parametrize("shape", [(4, 7), (2, 3, 1)], ids=str)
@question("q5", points=0.25)
def test_rope_of_odd_features(student, torch_rng, shape):
    """An odd number of features raises ValueError."""
    try:
        student.rope(torch.randn(*shape, generator=torch_rng), torch.arange(shape[-2]), 100.0)
    except StudentError as error:
        expect(
            error.is_a(ValueError),
            "For an odd number of features rope raises another error than ValueError.",
            kind="other-exception",
            pointer=SECTION,
        )
    else:
        expect(
            False,
            "rope accepts an odd number of features without a ValueError.",
            kind="no-exception",
            pointer=SECTION,
        )
