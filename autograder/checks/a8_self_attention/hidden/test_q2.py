"""Scaled dot-product attention, as the grader checks it."""

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
from public.test_q2 import LIBRARY, SECTION, parts


def draw(generator, *shapes, dtype=torch.float64):
    return [torch.randn(*shape, generator=generator, dtype=dtype) for shape in shapes]


def variant(q, k, v, mask=None, *, scale=None, dim=-1, fill=-math.inf):
    """Attention with one thing wrong; rows without any key get zeros."""
    scores = q @ k.transpose(-2, -1) * (1 / math.sqrt(q.shape[-1]) if scale is None else scale)
    if mask is not None:
        scores = scores.masked_fill(~mask, fill)
    weights = torch.softmax(scores, dim).nan_to_num()
    return {"out": weights @ v, "weights": weights}


def candidates(q, k, v, mask=None):
    d, m, e = q.shape[-1], k.shape[-2], v.shape[-1]
    found = {
        "attention without the scale 1/sqrt(d)": lambda: variant(q, k, v, mask, scale=1.0),
        "attention with the scale 1/d, not 1/sqrt(d)": lambda: variant(q, k, v, mask, scale=1 / d),
        "attention with scores multiplied by sqrt(d), not divided": lambda: variant(q, k, v, mask, scale=d**0.5),
        "attention scaled with the number of keys, not their width": lambda: variant(q, k, v, mask, scale=m**-0.5),
        "attention scaled with the number of queries, not the width of the keys": lambda: variant(
            q, k, v, mask, scale=q.shape[-2] ** -0.5
        ),
        "attention scaled with the width of the values, not of the keys": lambda: variant(q, k, v, mask, scale=e**-0.5),
        "attention with the softmax over the queries, not over the keys": lambda: variant(q, k, v, mask, dim=-2),
    }
    if mask is not None:
        found |= {
            "attention with a mask that blocks where it is True": lambda: variant(q, k, v, ~mask),
            "attention without the mask": lambda: variant(q, k, v),
            "attention with the mask applied after the softmax, so that the rows do not sum to one": lambda: late(
                q, k, v, mask
            ),
            "attention with masked scores set to 0, which still have the weight exp(0)": lambda: variant(
                q, k, v, mask, fill=0.0
            ),
            "attention that spreads a fully masked row evenly over the keys": lambda: variant(q, k, v, mask, fill=-1e9),
        }
    return found


def late(q, k, v, mask):
    weights = variant(q, k, v)["weights"] * mask
    return {"out": weights @ v, "weights": weights}


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
@pytest.mark.parametrize("lead", [(), (3,), (2, 3)], ids=str)
@question("q2", points=0.5)
def test_attention_with_leading_axes(student, reference, torch_rng, lead, dtype):
    """Attention works with any leading axes and n, m, d, e all different, and keeps the dtype."""
    q, k, v = draw(torch_rng, (*lead, 4, 6), (*lead, 5, 6), (*lead, 5, 7), dtype=dtype)

    def check(stand_in):
        got = parts(student.call("attention", q, k, v, stand_in=stand_in))
        expected, wrong = parts(reference.attention(q, k, v)), candidates(q, k, v)
        assert_matches(got, expected, what="the result", candidates=wrong, pointer=SECTION)

    fairly(check, LIBRARY)


SHAPES_OF_MASKS = {
    "(n, m)": (4, 5),
    "(m,)": (5,),
    "(n, 1)": (4, 1),
    "(batch, 1, n, m)": (2, 1, 4, 5),
    "(batch, 1, 1, m)": (2, 1, 1, 5),
    "(heads, n, m)": (3, 4, 5),
    "(batch, heads, n, m)": (2, 3, 4, 5),
}


@pytest.mark.parametrize("shape", SHAPES_OF_MASKS.values(), ids=SHAPES_OF_MASKS)
@question("q2", points=0.5)
def test_attention_with_every_shape_of_mask(student, reference, torch_rng, shape):
    """The mask broadcasts to the scores, from (m,) to (batch, heads, n, m); masked keys get weight exactly 0."""
    q, k, v = draw(torch_rng, (2, 3, 4, 6), (2, 3, 5, 6), (2, 3, 5, 7))
    mask = torch.rand(*shape, generator=torch_rng) < 0.6
    mask[..., 0] = True
    if mask.ndim > 1 and mask.shape[-2] > 1:
        mask[..., 1, :] = False

    def check(stand_in):
        got = parts(student.call("attention", q, k, v, mask, stand_in=stand_in))
        expected, wrong = parts(reference.attention(q, k, v, mask)), candidates(q, k, v, mask)
        expect(
            not any(torch.as_tensor(part).isnan().any() for part in got.values()),
            "attention gives NaN for a query that may attend to nothing: zeros are asked for.",
            kind="masked-row-nan",
            pointer=SECTION,
        )
        assert_matches(got, expected, what="the result", candidates=wrong, pointer=SECTION)
        weights = torch.as_tensor(got["weights"])
        expect(
            bool((weights[~mask.expand(weights.shape)] == 0).all()),
            "Masked keys have small weights where exactly 0 is asked for: put -inf in their scores.",
            kind="mask-not-exact",
            pointer=SECTION,
        )

    fairly(check, LIBRARY)


@question("q2", points=0.5)
def test_gradients_beside_queries_that_see_nothing(student, reference, torch_rng):
    """Autograd through attention is finite and right when some queries may attend to nothing."""
    q, k, v = draw(torch_rng, (2, 4, 3), (2, 5, 3), (2, 5, 6))
    mask = torch.rand(2, 4, 5, generator=torch_rng) < 0.6
    mask[:, 0] = True
    mask[0, 2] = mask[1, 3] = False
    (g,) = draw(torch_rng, (2, 4, 6))

    def check(stand_in):
        run = student.vjp("attention", q, k, v, mask, cotangent=g, output=0, stand_in=stand_in)
        expected = reference.vjp("attention", q, k, v, mask, cotangent=g, output=0)
        assert_matches(
            run.output[0],
            expected.output[0],
            what="the output",
            candidates={text: wrong()["out"] for text, wrong in candidates(q, k, v, mask).items()},
            pointer=SECTION,
        )
        expect(
            all(bool(grad.isfinite().all()) for grad in run.grads),
            "The gradients of attention contain NaN when a query may attend to nothing, although its output is zero.",
            kind="masked-row-gradient-nan",
            pointer=SECTION,
        )
        assert_matches(run.grads, expected.grads, what="the gradients for q, k, v", pointer=SECTION)
        for index in range(3):
            moved = numerical_vjp(lambda *parts: reference.attention(*parts, mask)[0], (q, k, v), g, wrt=index)
            assert_matches(run.grads[index], moved, what="the gradient", rtol=1e-6, atol=1e-8, pointer=SECTION)

    fairly(check, LIBRARY)


@question("q2", points=0.25)
def test_attention_with_large_scores(student, reference, torch_rng):
    """Scores of size 1e4 give one weight near 1 in a row, never NaN."""
    q, k, v = draw(torch_rng, (4, 8), (6, 8), (6, 3))

    def check(stand_in):
        got = parts(student.call("attention", 100 * q, 100 * k, v, stand_in=stand_in))
        expect(
            not any(torch.as_tensor(part).isnan().any() for part in got.values()),
            "attention gives NaN for large scores: use a softmax that subtracts the maximum.",
            kind="attention-overflow",
            pointer=SECTION,
        )
        expected, wrong = parts(reference.attention(100 * q, 100 * k, v)), candidates(100 * q, 100 * k, v)
        assert_matches(got, expected, what="the result", candidates=wrong, pointer=SECTION)

    fairly(check, LIBRARY)
