"""Multi-head attention, as the grader checks it."""

from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from deepmarks.checks import assert_matches, expect, fairly, question

SECTION = "section 4"
LIBRARY = {"softmax": "probes.library_softmax", "attention": "probes.library_attention"}
AXES = ("batch", "position", "feature")


def random_state(generator, d_model, dtype=torch.float64):
    """A state_dict of torch.nn.MultiheadAttention with all biases different from zero."""
    shapes = nn.MultiheadAttention(d_model, 1).state_dict()
    return {name: 0.5 * torch.randn(value.shape, generator=generator, dtype=dtype) for name, value in shapes.items()}


def split(x, h):
    return x.unflatten(-1, (h, -1)).transpose(1, 2)


def variant(state, h, x, mask=None, *, order="qkv", scale=None, split=split, merge=None, project=True, per_head=False):
    """Multi-head attention with one thing wrong."""
    batch, n, d_model = x.shape
    projected = F.linear(x, state["in_proj_weight"], state["in_proj_bias"])
    if per_head:  # each head's q, k and v lie side by side
        q, k, v = projected.view(batch, n, h, 3, d_model // h).permute(3, 0, 2, 1, 4)
    else:
        parts = dict(zip(order, projected.chunk(3, -1), strict=True))
        q, k, v = (split(parts[name], h) for name in "qkv")
    scores = q @ k.transpose(-2, -1) * (scale or 1 / math.sqrt(d_model // h))
    if mask is not None:
        scores = scores.masked_fill(~mask, -math.inf)
    out = torch.softmax(scores, -1).nan_to_num() @ v
    out = out.transpose(1, 2).flatten(2) if merge is None else merge(out)
    return F.linear(out, state["out_proj.weight"], state["out_proj.bias"]) if project else out


ORDERS = {
    "attention with the queries and keys of in_proj_weight exchanged": "kqv",
    "attention with the blocks of in_proj_weight read as v, k, q": "vkq",
    "attention with the blocks of in_proj_weight read as q, v, k": "qvk",
    "attention with the blocks of in_proj_weight read as k, v, q": "kvq",
    "attention with the blocks of in_proj_weight read as v, q, k": "vqk",
}


def candidates(state, h, x, mask=None):
    batch, n, d_model = x.shape
    pages = None if mask is None else mask if mask.ndim == 2 else mask[:, None]
    found = {
        "attention without the scale": lambda: variant(state, h, x, pages, scale=1.0),
        "attention scaled with d_model, not with the width of a head": lambda: variant(
            state, h, x, pages, scale=d_model**-0.5
        ),
        "attention with a single head": lambda: variant(state, 1, x, mask if mask is None else pages),
        "attention with heads made by a view without the transpose": lambda: variant(
            state, h, x, pages, split=lambda part, h: part.reshape(batch, h, n, -1)
        ),
        "attention with the heads merged without the transpose": lambda: variant(
            state, h, x, pages, merge=lambda out: out.reshape(batch, n, d_model)
        ),
        "attention with every h-th column in a head, where neighbouring columns make a head": lambda: variant(
            state,
            h,
            x,
            pages,
            split=lambda part, h: part.unflatten(-1, (-1, h)).permute(0, 3, 1, 2),
            merge=lambda out: out.permute(0, 2, 3, 1).flatten(2),
        ),
        "attention with heads that interleave when they are merged": lambda: variant(
            state, h, x, pages, merge=lambda out: out.permute(0, 2, 3, 1).flatten(2)
        ),
        "attention with q, k and v of each head side by side in in_proj_weight": lambda: variant(
            state, h, x, pages, per_head=True
        ),
        "the heads' result without out_proj": lambda: variant(state, h, x, pages, project=False),
        "attention without in_proj_bias": lambda: variant(
            {**state, "in_proj_bias": torch.zeros_like(state["in_proj_bias"])}, h, x, pages
        ),
        "attention without the bias of out_proj": lambda: variant(
            {**state, "out_proj.bias": torch.zeros_like(state["out_proj.bias"])}, h, x, pages
        ),
    }
    for text, order in ORDERS.items():
        found[text] = lambda order=order: variant(state, h, x, pages, order=order)
    if mask is not None:
        found |= {
            "attention without the mask": lambda: variant(state, h, x),
            "attention with a mask that blocks where it is True": lambda: variant(state, h, x, ~pages),
        }
    return found


@pytest.mark.parametrize(("batch", "heads"), [(3, 3), (2, 3), (3, 1)])
@question("q4", points=0.75)
def test_multi_head_attention_with_a_mask_for_each_sequence(student, reference, torch_rng, batch, heads):
    """A mask (batch, n, n) belongs to the sequences, not to the heads, also when there are as many of both."""
    state = random_state(torch_rng, 12)
    x = torch.randn(batch, 5, 12, generator=torch_rng, dtype=torch.float64)
    mask = torch.rand(batch, 5, 5, generator=torch_rng) < 0.6
    mask |= torch.eye(5, dtype=torch.bool)

    def check(stand_in):
        given = {"state": state, "inputs": (x, mask), "dtype": "float64"}
        got = student.module("MultiHeadAttention", 12, heads, **given, stand_in=stand_in).output
        right = reference.module("MultiHeadAttention", 12, heads, **given).output
        wrong = candidates(state, heads, x, mask)
        if batch == heads:
            wrong["attention that gives the mask's page b to head b, not to sequence b"] = variant(
                state, heads, x, mask
            )
        assert_matches(got, right, what="the output", axes=AXES, candidates=wrong, pointer=SECTION)

    fairly(check, LIBRARY)


@question("q4", points=0.25)
def test_multi_head_attention_of_masked_positions(student, reference, torch_rng):
    """A position that may attend to nothing gets the bias of out_proj, not NaN."""
    state = random_state(torch_rng, 12)
    x = torch.randn(2, 5, 12, generator=torch_rng, dtype=torch.float64)
    mask = torch.rand(2, 5, 5, generator=torch_rng) < 0.7
    mask[0, 3] = mask[1, 0] = mask[1, 4] = False

    def check(stand_in):
        given = {"state": state, "inputs": (x, mask), "dtype": "float64"}
        got = student.module("MultiHeadAttention", 12, 4, **given, stand_in=stand_in).output
        expect(
            not torch.as_tensor(got).isnan().any(),
            "MultiHeadAttention gives NaN for a position that may attend to nothing.",
            kind="masked-row-nan",
            pointer=SECTION,
        )
        right = reference.module("MultiHeadAttention", 12, 4, **given).output
        wrong = candidates(state, 4, x, mask)
        assert_matches(got, right, what="the output", axes=AXES, candidates=wrong, pointer=SECTION)

    fairly(check, LIBRARY)


@pytest.mark.parametrize("masked", [False, True])
@question("q4", points=0.5)
def test_gradients_of_multi_head_attention(student, reference, torch_rng, masked):
    """The gradients of the input and of all four parameters agree with the reference's."""
    state = random_state(torch_rng, 8)
    x, g = torch.randn(2, 3, 6, 8, generator=torch_rng, dtype=torch.float64)
    mask = torch.ones(6, 6, dtype=torch.bool).tril() if masked else None

    def check(stand_in):
        inputs = (x,) if mask is None else (x, mask)
        given = {"state": state, "inputs": inputs, "dtype": "float64", "cotangent": g}
        got = student.module("MultiHeadAttention", 8, 2, **given, stand_in=stand_in)
        right = reference.module("MultiHeadAttention", 8, 2, **given)
        wrong = candidates(state, 2, x, mask)
        assert_matches(got.output, right.output, what="the output", axes=AXES, candidates=wrong, pointer=SECTION)
        assert_matches(got.input_grads[0], right.input_grads[0], what="the gradient of x", pointer=SECTION)
        assert_matches(got.param_grads, right.param_grads, what="the parameters' gradients", pointer=SECTION)

    fairly(check, LIBRARY)


@question("q4", points=0.75)
def test_dropout_of_multi_head_attention(student, torch_rng):
    """Dropout acts on the attention weights, in training mode only, and scales what is left by 1/(1-p)."""
    state = random_state(torch_rng, 12)
    x = torch.randn(2, 5, 12, generator=torch_rng, dtype=torch.float64)

    def run(p, train, seed, stand_in):
        given = {"state": state, "inputs": (x,), "dtype": "float64", "train": train, "seed": seed}
        init = {"init_kwargs": {"dropout": p}, "stand_in": stand_in}
        return student.module("MultiHeadAttention", 12, 3, **given, **init).output

    def check(stand_in):
        plain = student.module(
            "MultiHeadAttention", 12, 3, state=state, inputs=(x,), dtype="float64", stand_in=stand_in
        ).output
        first, second = (run(0.5, False, seed, stand_in) for seed in (1, 2))
        expect(
            torch.equal(first, second),
            "With dropout, the output in eval mode changes from pass to pass: dropout belongs to training mode only.",
            kind="dropout-in-eval",
            pointer=SECTION,
        )
        assert_matches(first, plain, what="the output in eval mode with dropout", pointer=SECTION)
        got = run(0.0, True, 1, stand_in)
        assert_matches(got, plain, what="the output in training mode with dropout 0", pointer=SECTION)
        weights_are_dropped(student, 0.25, stand_in)

    fairly(check, LIBRARY)


def weights_are_dropped(student, p, stand_in):
    """All queries and keys are equal, so all weights are 1/n; the values show the weights, each of them twice."""
    n = 20
    d_model = 2 * n
    twice = torch.cat([torch.eye(n), torch.eye(n)], 1)  # value j has ones in the columns j and n + j
    weight = torch.zeros(3 * d_model, d_model)
    weight[2 * d_model :] = torch.eye(d_model)
    state = {
        "in_proj_weight": weight,
        "in_proj_bias": torch.cat([torch.full((2 * d_model,), 0.3), torch.zeros(d_model)]),
        "out_proj.weight": torch.eye(d_model),
        "out_proj.bias": torch.zeros(d_model),
    }
    x = twice.expand(6, n, d_model)
    init = {"init_kwargs": {"dropout": p}, "train": True, "state": state, "inputs": (x,), "stand_in": stand_in}
    first, second = (student.module("MultiHeadAttention", d_model, 1, **init, seed=seed).output for seed in (1, 2))
    expect(
        not torch.equal(first, second),
        "Two passes in training mode with dropout give the same output: nothing is dropped.",
        kind="dropout-missing",
        pointer=SECTION,
    )
    left, right = first[..., :n], first[..., n:]
    expect(
        torch.allclose(left, right),
        "Dropout does not act on the attention weights: features with equal values differ after it.",
        kind="dropout-place",
        pointer=SECTION,
    )
    row_sums = left.sum(-1, keepdim=True)
    expect(
        not torch.allclose(row_sums, torch.ones_like(row_sums)),
        "The attention weights sum to one after dropout: it belongs after the softmax, not before it.",
        kind="dropout-before-softmax",
        pointer=SECTION,
    )
    kept = left != 0
    share = 1 - kept.double().mean().item()
    # 2,400 weights: the dropped share has a standard deviation of 0.009, so 0.07 is eight of them.
    expect(
        abs(share - p) < 0.07,
        "Dropout drops another share of the attention weights than asked for.",
        kind="dropout-rate",
        pointer=SECTION,
    )
    scaled = torch.where(kept, 1 / n / (1 - p), 0.0).float()
    wrong = {"the weights without the factor 1/(1-p)": torch.where(kept, 1 / n, 0.0).float()}
    assert_matches(left, scaled, what="the attention weights after dropout", candidates=wrong, pointer=SECTION)
