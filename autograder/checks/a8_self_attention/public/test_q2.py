"""Scaled dot-product attention, as students receive the checks."""

from __future__ import annotations

import math

import torch

from deepmarks.checks import assert_matches, expect, fairly, question

SECTION = "section 2"
LIBRARY = {"softmax": "probes.library_softmax"}


def parts(got):
    """The two parts of attention's result by name."""
    expect(
        isinstance(got, tuple | list) and len(got) == 2,
        "attention must return two tensors: the output and the weights.",
        kind="structure",
        pointer=SECTION,
    )
    return {"out": got[0], "weights": got[1]}


def draw(generator, *shapes):
    return [torch.randn(*shape, generator=generator, dtype=torch.float64) for shape in shapes]


def formula(q, k, v, mask=None, scale=None, dim=-1):
    """The formula of section 2 with the library's softmax; no query may be masked out entirely."""
    scores = q @ k.transpose(-2, -1) * (1 / math.sqrt(q.shape[-1]) if scale is None else scale)
    if mask is not None:
        scores = scores.masked_fill(~mask, -math.inf)
    weights = torch.softmax(scores, dim)
    return named(weights, v)


def named(weights, v):
    return {"out": weights @ v, "weights": weights}


def candidates(q, k, v):
    d, m, e = q.shape[-1], k.shape[-2], v.shape[-1]
    return {
        "attention without the scale 1/sqrt(d)": formula(q, k, v, scale=1.0),
        "attention with the scale 1/d, not 1/sqrt(d)": formula(q, k, v, scale=1 / d),
        "attention with scores multiplied by sqrt(d), not divided": formula(q, k, v, scale=math.sqrt(d)),
        "attention scaled with the number of keys, not their width": formula(q, k, v, scale=m**-0.5),
        "attention scaled with the width of the values, not of the keys": formula(q, k, v, scale=e**-0.5),
        "attention with the softmax over the queries, not over the keys": formula(q, k, v, dim=-2),
        "attention with the scale applied after the softmax": {
            name: x / d**0.5 for name, x in formula(q, k, v, scale=1.0).items()
        },
    }


@question("q2", points=0.5)
def test_attention_of_three_queries(student, torch_rng):
    """Attention gives out (3, 2) and weights (3, 5) for three queries and five keys, without a mask."""
    q, k, v = draw(torch_rng, (3, 4), (5, 4), (5, 2))

    def check(stand_in):
        got = parts(student.call("attention", q, k, v, stand_in=stand_in))
        expected, wrong = formula(q, k, v), candidates(q, k, v)
        assert_matches(got, expected, what="the result", candidates=wrong, pointer=SECTION)

    fairly(check, LIBRARY)


@question("q2", points=0.5)
def test_attention_with_a_mask(student, torch_rng):
    """A key whose mask is False gets weight exactly 0, and the other weights of the row sum to one."""
    q, k, v = draw(torch_rng, (3, 4), (5, 4), (5, 2))
    mask = torch.tensor([[1, 1, 0, 1, 0], [0, 0, 1, 1, 0], [1, 0, 1, 1, 1]], dtype=torch.bool)

    def check(stand_in):
        got = parts(student.call("attention", q, k, v, mask, stand_in=stand_in))
        plain = formula(q, k, v)
        late = plain["weights"] * mask
        zero = torch.softmax((q @ k.T / 2).masked_fill(~mask, 0.0), -1)
        wrong = {
            "attention with a mask that blocks where it is True": formula(q, k, v, ~mask),
            "attention without the mask": plain,
            "attention with the mask applied after the softmax, so that the rows do not sum to one": named(late, v),
            "attention with masked scores set to 0, which still have the weight exp(0)": named(zero, v),
            **masked_candidates(q, k, v, mask),
        }
        expected = formula(q, k, v, mask)
        assert_matches(got, expected, what="the result", candidates=wrong, pointer=SECTION)
        expect(
            bool((torch.as_tensor(got["weights"])[~mask] == 0).all()),
            "Masked keys have small weights where exactly 0 is asked for: put -inf in their scores.",
            kind="mask-not-exact",
            pointer=SECTION,
        )

    fairly(check, LIBRARY)


def masked_candidates(q, k, v, mask):
    d = q.shape[-1]
    return {
        "attention without the scale 1/sqrt(d)": formula(q, k, v, mask, scale=1.0),
        "attention with the scale 1/d, not 1/sqrt(d)": formula(q, k, v, mask, scale=1 / d),
        "attention with scores multiplied by sqrt(d), not divided": formula(q, k, v, mask, scale=math.sqrt(d)),
    }


@question("q2", points=0.25)
def test_attention_of_a_query_that_may_see_nothing(student, torch_rng):
    """A query whose mask is False everywhere gets weights and output zero, not NaN."""
    q, k, v = draw(torch_rng, (2, 4), (5, 4), (5, 3))
    mask = torch.tensor([[1, 1, 0, 1, 1], [0, 0, 0, 0, 0]], dtype=torch.bool)

    def check(stand_in):
        got = parts(student.call("attention", q, k, v, mask, stand_in=stand_in))
        expect(
            not any(torch.as_tensor(part).isnan().any() for part in got.values()),
            "attention gives NaN for a query that may attend to nothing: zeros are asked for.",
            kind="masked-row-nan",
            pointer=SECTION,
        )
        some = mask.any(-1, keepdim=True)
        weights = formula(q, k, v, mask | ~some)["weights"]
        even = torch.where(some, weights, 1 / weights.shape[-1])
        wrong = {
            "attention that spreads a fully masked row evenly over the keys": named(even, v),
            "attention that ignores the mask in fully masked rows": named(weights, v),
        }
        for text, value in masked_candidates(q, k, v, mask | ~some).items():
            wrong[text] = named(value["weights"] * some, v)
        assert_matches(got, named(weights * some, v), what="the result", candidates=wrong, pointer=SECTION)

    fairly(check, LIBRARY)
