"""The gradients of attention by hand, and two masks, as students receive the checks."""

from __future__ import annotations

import math

import torch

from deepmarks.checks import Mismatch, NotAttempted, StudentError, assert_matches, expect, question

SECTION = "section 3"
LIBRARY = {"softmax": "probes.library_softmax", "attention": "probes.library_attention"}
NAMES = ("dq", "dk", "dv")


def fairly(check):
    """Run `check` with the student's earlier answers, then with the library's: no mistake counts twice."""
    try:
        check(None)
    except (Mismatch, StudentError, NotAttempted) as own:
        try:
            check(LIBRARY)
        except (StudentError, NotAttempted):
            raise own from None


def by_hand(student, *data, stand_in):
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


@question("q3", points=0.75)
def test_attention_vjp_without_a_mask(student, torch_rng):
    """The gradients dq (4, 3), dk (5, 3) and dv (5, 2) of four queries and five keys agree with autograd."""
    q, k, v, g = (torch.randn(*s, generator=torch_rng, dtype=torch.float64) for s in ((4, 3), (5, 3), (5, 2), (4, 2)))
    right = by_autograd(q, k, v, g)
    unscaled = {**right, "dq": right["dq"] * math.sqrt(3), "dk": right["dk"] * math.sqrt(3)}
    twice = {**right, "dq": right["dq"] / math.sqrt(3), "dk": right["dk"] / math.sqrt(3)}

    def check(stand_in):
        got = by_hand(student, q, k, v, None, g, stand_in=stand_in)
        for name in ("dv", "dq", "dk"):
            wrong = {
                "the gradient without the scale 1/sqrt(d)": unscaled[name],
                "the gradient with the scale 1/sqrt(d) applied twice": twice[name],
            }
            candidates = wrong if name != "dv" else None
            assert_matches(got[name], right[name], what=name, candidates=candidates, pointer=SECTION)

    fairly(check)


@question("q3", points=0.25, device="cpu")
def test_causal_mask_of_four(student):
    """causal_mask(4) is True on and below the diagonal: a position may see itself and what lies before it."""
    expected = torch.tensor([[1, 0, 0, 0], [1, 1, 0, 0], [1, 1, 1, 0], [1, 1, 1, 1]], dtype=torch.bool)
    wrong = {
        "the mask with True meaning blocked": ~expected,
        "a mask in which a position may not see itself": expected & ~torch.eye(4, dtype=torch.bool),
        "a mask that lets each position see the future, not the past": expected.T,
    }
    assert_matches(student.causal_mask(4), expected, what="causal_mask(4)", candidates=wrong, pointer=SECTION)


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
    assert_matches(got, expected, what="the padding mask", candidates=wrong, pointer=SECTION)
