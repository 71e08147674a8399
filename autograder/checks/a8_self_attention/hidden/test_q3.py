"""The gradients of attention by hand, and two masks, as the grader checks them."""

from __future__ import annotations

import math

import pytest
import torch

from deepmarks.checks import (
    assert_matches,
    expect,
    fairly,
    numerical_vjp,
    question,
)
from public.test_q3 import LIBRARY, NAMES, SECTION, by_hand, is_boolean


def draw(generator, *shapes, dtype=torch.float64):
    return [torch.randn(*shape, generator=generator, dtype=dtype) for shape in shapes]


def transposed(x):
    return x.transpose(-2, -1)


def mistakes(q, k, v, mask, g):
    """Wrong gradients by name of the gradient and of the mistake."""
    scale = 1 / math.sqrt(q.shape[-1])
    scores = q @ transposed(k) * scale
    if mask is not None:
        scores = scores.masked_fill(~mask, -math.inf)
    w = torch.softmax(scores, -1).nan_to_num()
    open_w = torch.softmax(q @ transposed(k) * scale, -1)
    dw = g @ transposed(v)
    ds = w * (dw - (w * dw).sum(-1, keepdim=True)) * scale
    open_ds = open_w * (dw - (open_w * dw).sum(-1, keepdim=True)) * scale
    wrong_ds = {
        "the gradient without the scale 1/sqrt(d)": ds / scale,
        "the gradient with the scale 1/sqrt(d) applied twice": ds * scale,
        "the gradient with the diagonal of the softmax's Jacobian only: w * (1 - w)": w * (1 - w) * dw * scale,
        "the gradient without the softmax's backward pass": dw * scale,
        "the gradient with w * dw for the softmax, without the sum subtracted": w * dw * scale,
        "the gradient with the softmax's sum over the queries, not over the keys": w
        * (dw - (w * dw).sum(-2, keepdim=True))
        * scale,
        "the gradient of attention without the mask": open_ds,
    }
    square = q.shape == k.shape == v.shape
    found = {
        "dq": {text: wrong @ k for text, wrong in wrong_ds.items()},
        "dk": {text: transposed(wrong) @ q for text, wrong in wrong_ds.items()},
        "dv": {
            "the gradient of attention without the mask": transposed(open_w) @ g,
            "the gradient with the transposed scores in place of the weights": transposed(scores) @ g,
        },
    }
    if square:
        found["dq"]["the gradient with the scores' gradient transposed"] = transposed(ds) @ k
        found["dq"]["the gradient that belongs to k"] = transposed(ds) @ q
        found["dk"]["the gradient without the transpose of the scores' gradient"] = ds @ q
        found["dk"]["the gradient that belongs to q"] = ds @ k
        found["dv"]["the weights times the cotangent, without the transpose"] = w @ g
    return found


def compare(student, reference, data, stand_in):
    got = by_hand(student, *data, stand_in=stand_in)
    right = dict(zip(NAMES, reference.attention_vjp(*data), strict=True))
    expect(
        not any(torch.as_tensor(part).isnan().any() for part in got.values()),
        "attention_vjp gives NaN where a query may attend to nothing: its gradients are zero.",
        kind="masked-row-nan",
        pointer=SECTION,
    )
    wrong = mistakes(*data)
    for name in ("dv", "dq", "dk"):
        assert_matches(got[name], right[name], what=name, candidates=wrong[name], pointer=SECTION)
    return got


@pytest.mark.parametrize("shape", [(4, 5), (5,), (2, 1, 4, 5), (2, 1, 1, 5)], ids=str)
@question("q3", points=0.75)
def test_attention_vjp_with_masks(student, reference, torch_rng, shape):
    """attention_vjp is right under masks of every shape, with leading axes and with fully masked rows."""
    q, k, v, g = draw(torch_rng, (2, 3, 4, 6), (2, 3, 5, 6), (2, 3, 5, 7), (2, 3, 4, 7))
    mask = torch.rand(*shape, generator=torch_rng) < 0.6
    mask[..., 0] = True
    if len(shape) > 1:
        mask[..., -1, :] = False
    fairly(lambda stand_in: compare(student, reference, (q, k, v, mask, g), stand_in), LIBRARY)


@pytest.mark.parametrize("masked", [False, True])
@question("q3", points=0.75)
def test_attention_vjp_of_square_inputs(student, reference, torch_rng, masked):
    """attention_vjp is right where q, k and v have one square shape, so that a missing transpose does not crash."""
    q, k, v, g = draw(torch_rng, (2, 5, 5), (2, 5, 5), (2, 5, 5), (2, 5, 5))
    mask = torch.ones(5, 5, dtype=torch.bool).tril() if masked else None
    fairly(lambda stand_in: compare(student, reference, (q, k, v, mask, g), stand_in), LIBRARY)


@question("q3", points=0.75)
def test_attention_vjp_by_finite_differences(student, reference, torch_rng):
    """attention_vjp agrees with finite differences, and works in float32."""
    q, k, v, g = draw(torch_rng, (4, 3), (6, 3), (6, 2), (4, 2))
    mask = torch.rand(4, 6, generator=torch_rng) < 0.7
    mask[:, 1] = True

    def check(stand_in):
        got = compare(student, reference, (q, k, v, mask, g), stand_in)
        for index, name in enumerate(NAMES):
            moved = numerical_vjp(lambda *parts: reference.attention(*parts, mask)[0], (q, k, v), g, wrt=index)
            assert_matches(got[name], moved, what=name, rtol=1e-6, atol=1e-8, pointer=SECTION)
        compare(student, reference, (q.float(), k.float(), v.float(), mask, g.float()), stand_in)

    fairly(check, LIBRARY)


@question("q3", points=0.5, device="cpu")
def test_masks_of_other_sizes(student, reference, torch_rng):
    """causal_mask and padding_mask are right for other sizes, for a single position, and for empty sequences."""
    for n in (7, 1):
        right = reference.causal_mask(n)
        wrong = {
            "the mask with True meaning blocked": ~right,
            "a mask in which a position may not see itself": right & ~torch.eye(n, dtype=torch.bool),
            "a mask that lets each position see the future, not the past": right.T,
        }
        got = student.causal_mask(n)
        expect(
            is_boolean(got),
            "causal_mask must return a boolean tensor, in which True means may attend.",
            kind="mask-dtype",
            pointer=SECTION,
        )
        assert_matches(got, right, what="the causal mask", candidates=wrong, pointer=SECTION)
    for n in (6, 3):
        lengths = torch.randint(1, n, (5,), generator=torch_rng)
        lengths[1], lengths[3] = 0, n
        right = reference.padding_mask(lengths, n)
        wrong = {
            "the mask with True meaning blocked": ~right,
            "a mask with one position too many in each row (<= where < is due)": reference.padding_mask(lengths + 1, n),
            "a mask with one position too few in each row": reference.padding_mask(lengths - 1, n),
            "a mask with the padding in front": right.flip(1),
        }
        got = student.padding_mask(lengths, n)
        expect(
            is_boolean(got),
            "padding_mask must return a boolean tensor, in which True means may attend.",
            kind="mask-dtype",
            pointer=SECTION,
        )
        assert_matches(got, right, what="the padding mask", candidates=wrong, pointer=SECTION)
