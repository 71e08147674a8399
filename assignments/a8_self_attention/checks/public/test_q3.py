"""The gradients of attention by hand, and two masks, as students receive the checks."""

from __future__ import annotations

import math

import torch

from deepmarks.checks import assert_matches, expect, fairly, question

SECTION = "section 3"
LIBRARY = {
    "softmax": "probes.library_softmax",
    "softmax_vjp": "probes.library_softmax_vjp",
    "attention": "probes.library_attention",
}
NAMES = ("dq", "dk", "dv")


def is_boolean(mask):
    return getattr(mask, "dtype", None) == torch.bool


def by_hand(student, *data, stand_in=None):
    """What attention_vjp returns; it must not need automatic differentiation."""
    got = student.probe("by_hand", "attention_vjp", *data, stand_in=stand_in)
    expect(
        not isinstance(got, str),
        "attention_vjp uses automatic differentiation: this question asks for the three steps by hand.",
        kind="by-hand",
        pointer=SECTION,
    )
    expect(
        isinstance(got, tuple | list) and len(got) == 3,
        "attention_vjp must return three gradients: dq, dk and dv.",
        kind="structure",
        pointer=SECTION,
    )
    return dict(zip(NAMES, got, strict=True))


def by_autograd(q, k, v, g):
    """The right gradients, by the library."""
    leaves = [x.clone().requires_grad_(True) for x in (q, k, v)]
    weights = torch.softmax(leaves[0] @ leaves[1].transpose(-2, -1) / math.sqrt(q.shape[-1]), -1)
    return dict(zip(NAMES, torch.autograd.grad(weights @ leaves[2], leaves, g), strict=True))


def mistakes(q, k, v, g):
    """Wrong gradients by name of the gradient and of the mistake."""
    scale = 1 / math.sqrt(q.shape[-1])
    w = torch.softmax(q @ k.T * scale, -1)
    dw = g @ v.T
    ds = w * (dw - (w * dw).sum(-1, keepdim=True))
    wrong = {
        "the gradient without the scale 1/sqrt(d)": ds,
        "the gradient with the scale 1/sqrt(d) applied twice": ds * scale**2,
        "the gradient with the diagonal of the softmax's Jacobian only: w * (1 - w)": w * (1 - w) * dw * scale,
        "the gradient without the softmax's backward pass": dw * scale,
        "the gradient with w * dw for the softmax, without the sum subtracted": w * dw * scale,
        "the gradient with the softmax's sum over the queries, not over the keys": w
        * (dw - (w * dw).sum(-2, keepdim=True))
        * scale,
    }
    dq, dk = ({text: x @ k for text, x in wrong.items()}, {text: x.T @ q for text, x in wrong.items()})
    return {"dq": dq, "dk": dk, "dv": {"the gradient with the scores in place of the weights": (q @ k.T * scale).T @ g}}


@question("q3", points=0.75)
def test_attention_vjp_without_a_mask(student, torch_rng):
    """The gradients dq (4, 3), dk (5, 3) and dv (5, 2) of four queries and five keys agree with autograd."""
    q, k, v, g = (torch.randn(*s, generator=torch_rng, dtype=torch.float64) for s in ((4, 3), (5, 3), (5, 2), (4, 2)))
    right = by_autograd(q, k, v, g)
    wrong = mistakes(q, k, v, g)

    def check(stand_in):
        got = by_hand(student, q, k, v, None, g, stand_in=stand_in)
        for name in ("dv", "dq", "dk"):
            assert_matches(got[name], right[name], what=name, candidates=wrong[name], pointer=SECTION)

    fairly(check, LIBRARY)


@question("q3", points=0.25, device="cpu")
def test_causal_mask_of_four(student):
    """causal_mask(4) is True on and below the diagonal: a position may see itself and what lies before it."""
    expected = torch.tensor([[1, 0, 0, 0], [1, 1, 0, 0], [1, 1, 1, 0], [1, 1, 1, 1]], dtype=torch.bool)
    wrong = {
        "the mask with True meaning blocked": ~expected,
        "a mask in which a position may not see itself": expected & ~torch.eye(4, dtype=torch.bool),
        "a mask that lets each position see the future, not the past": expected.T,
    }
    got = student.causal_mask(4)
    expect(
        is_boolean(got),
        "causal_mask must return a boolean tensor, in which True means may attend.",
        kind="mask-dtype",
        pointer=SECTION,
    )
    assert_matches(got, expected, what="causal_mask(4)", candidates=wrong, pointer=SECTION)


@question("q3", points=0.25, device="cpu")
def test_padding_mask_of_three_sequences(student):
    """padding_mask for lengths 2, 5 and 1 is True at the first 2, 5 and 1 of 5 positions."""
    lengths = torch.tensor([2, 5, 1])
    expected = torch.tensor([[1, 1, 0, 0, 0], [1, 1, 1, 1, 1], [1, 0, 0, 0, 0]], dtype=torch.bool)
    inclusive = torch.tensor([[1, 1, 1, 0, 0], [1, 1, 1, 1, 1], [1, 1, 0, 0, 0]], dtype=torch.bool)
    wrong = {
        "the mask with True meaning blocked": ~expected,
        "a mask with one position too many in each row (<= where < is due)": inclusive,
        "a mask with the padding in front": expected.flip(1),
    }
    got = student.padding_mask(lengths, 5)
    expect(
        is_boolean(got),
        "padding_mask must return a boolean tensor, in which True means may attend.",
        kind="mask-dtype",
        pointer=SECTION,
    )
    assert_matches(got, expected, what="the padding mask", candidates=wrong, pointer=SECTION)
