"""Decoding with a cache and the Transformer block, as the grader checks them."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from deepmarks.checks import assert_matches, expect, fairly, question
from public.test_q5 import AXES, EARLIER, SECTION, branch, fairly_or_consistently, own_pass


def random_state(generator, module):
    """A state_dict for the module with no parameter zero or one."""
    return {
        name: 0.4 * torch.randn(value.shape, generator=generator) + (1.0 if "norm" in name and "weight" in name else 0)
        for name, value in module.state_dict().items()
    }


def causal(n):
    return torch.ones(n, n, dtype=torch.bool).tril()


def full_pass(state, heads, x, mask):
    module = nn.MultiheadAttention(x.shape[-1], heads, batch_first=True).eval()
    module.load_state_dict(state)
    with torch.no_grad():
        return module(x, x, x, attn_mask=~mask, need_weights=False)[0]


def no_out_proj(d_model):
    return {"out_proj.weight": torch.eye(d_model), "out_proj.bias": torch.zeros(d_model)}


def decoding_mistakes(state, heads, x):
    n = x.shape[1]
    see, eye = causal(n), torch.eye(n, dtype=torch.bool)
    return {
        "attention of each position to itself only, as if the cache were not used": full_pass(state, heads, x, eye),
        "attention to the old positions without the new one": full_pass(state, heads, x, see & ~eye | eye[:1]),
        "attention to the last two positions only, as if the cache did not grow": full_pass(
            state, heads, x, see & ~see.tril(-2)
        ),
        "attention to the first position and the new one only, as if the cache did not grow": full_pass(
            state, heads, x, see & (eye | eye[:1])
        ),
        **{
            f"attention to the latest {window} positions only: the cache must keep all": full_pass(
                state, heads, x, see & ~see.tril(-window)
            )
            for window in (8, 16, 32)
        },
        "attention with a single head": full_pass(state, 1, x, see),
        "attention without out_proj": full_pass({**state, **no_out_proj(x.shape[-1])}, heads, x, see),
    }


@pytest.mark.parametrize(("batch", "n", "heads"), [(1, 9, 1), (4, 7, 5), (3, 1, 2), (2, 40, 4)])
@question("q5", points=0.5)
def test_decoding_of_other_sizes(student, reference, torch_rng, batch, n, heads):
    """decode_step equals the full causal pass for other batches, lengths and numbers of heads, and from a new start."""
    state = random_state(torch_rng, nn.MultiheadAttention(20, 1))
    x = torch.randn(batch, n, 20, generator=torch_rng)
    right = reference.module("MultiHeadAttention", 20, heads, state=state, inputs=(x, causal(n))).output

    def check(stand_in):
        first, again = student.probe("decoding", state, heads, x, stand_in=stand_in)
        wrong = decoding_mistakes(state, heads, x)
        assert_matches(first, right, what="the decoded output", axes=AXES, candidates=wrong, pointer=SECTION)
        expect(
            torch.allclose(again, first, atol=1e-5),
            "A second run that starts with None is not like the first: something is kept outside the cache.",
            kind="cache-kept",
            pointer=SECTION,
        )

    def consistent():
        own = own_pass(student, state, heads, x)
        runs = student.probe("decoding", state, heads, x)
        return all(torch.allclose(run, own, atol=1e-5) for run in runs)

    fairly_or_consistently(check, consistent)


@question("q5", points=0.5)
def test_decoding_two_sequences_in_turn(student, reference, torch_rng):
    """Two batches decoded in turn with one module, each with its own cache, do not disturb each other."""
    state = random_state(torch_rng, nn.MultiheadAttention(12, 1))
    x = torch.randn(2, 6, 12, generator=torch_rng), torch.randn(2, 4, 12, generator=torch_rng)
    right = [
        reference.module("MultiHeadAttention", 12, 3, state=state, inputs=(part, causal(part.shape[1]))).output
        for part in x
    ]

    def check(stand_in):
        got = student.probe("decoding_in_turn", state, 3, *x, stand_in=stand_in)
        for in_turn, part, expected in zip(got, x, right, strict=True):
            alone, _ = student.probe("decoding", state, 3, part, stand_in=stand_in)
            wrong = decoding_mistakes(state, 3, part)
            assert_matches(alone, expected, what="the decoded output", axes=AXES, candidates=wrong, pointer=SECTION)
            expect(
                torch.allclose(in_turn, alone, atol=1e-5),
                "Two sequences decoded in turn, each with its own cache, disturb each other: something is kept "
                "outside the cache.",
                kind="cache-shared",
                pointer=SECTION,
            )

    def consistent():
        runs = student.probe("decoding_in_turn", state, 3, *x)
        own = [own_pass(student, state, 3, part) for part in x]
        return all(torch.allclose(run, full, atol=1e-5) for run, full in zip(runs, own, strict=True))

    fairly_or_consistently(check, consistent)


def blocks(state, x, mask):
    """Wrong Transformer blocks."""
    m = nn.TransformerEncoderLayer(12, 4, 20, dropout=0.0, batch_first=True, norm_first=True).to(x.dtype).eval()
    m.load_state_dict(state)

    def attend(part, seen=mask):
        blocked = None if seen is None else (~seen).repeat_interleave(4, 0) if seen.ndim == 3 else ~seen
        return m.self_attn(part, part, part, attn_mask=blocked, need_weights=False)[0]

    def finish(part):
        return part + branch(m, m.norm2(part))

    with torch.no_grad():
        right = x + attend(m.norm1(x))
        after = m.norm1(x + attend(x))
        bare = attend(m.norm1(x))
        found = {
            "a post-norm block, where pre-norm is asked for": m.norm2(after + branch(m, after)),
            "a block without the sum around the attention": finish(bare),
            "a block without the sum around the feed-forward branch": branch(m, m.norm2(right)),
            "a block that adds the normalised input, not the input": finish(m.norm1(x) + bare),
            "a block without the ReLU": right + m.linear2(m.linear1(m.norm2(right))),
            "a block with GELU in place of ReLU": right + m.linear2(F.gelu(m.linear1(m.norm2(right)))),
            "a block without norm2": right + branch(m, right),
            "a block without norm1": finish(x + attend(x)),
            "a block with norm1 and norm2 exchanged": (x + attend(m.norm2(x)))
            + branch(m, m.norm1(x + attend(m.norm2(x)))),
            "a block with its branches side by side, not one after the other": right + branch(m, m.norm2(x)),
            "a block that uses norm1 in both branches": right + branch(m, m.norm1(right)),
        }
        if mask is not None:
            found["a block that does not pass the mask on"] = finish(x + attend(m.norm1(x), None))
    return found


def draw_block(generator):
    layer = nn.TransformerEncoderLayer(12, 4, 20)
    state = {name: value.double() for name, value in random_state(generator, layer).items()}
    mask = torch.rand(3, 6, 6, generator=generator) < 0.6
    return state, {"none": None, "shared": causal(6), "for each sequence": mask | torch.eye(6, dtype=torch.bool)}


@pytest.mark.parametrize("kind", ["shared", "for each sequence"])
@question("q5", points=0.75)
def test_transformer_block_with_masks(student, reference, torch_rng, kind):
    """The block passes masks (n, n) and (batch, n, n) on to its attention."""
    state, masks = draw_block(torch_rng)
    x = torch.randn(3, 6, 12, generator=torch_rng, dtype=torch.float64)
    given = {"state": state, "inputs": (x, masks[kind]), "dtype": "float64"}
    right = reference.module("TransformerBlock", 12, 4, 20, **given).output

    def check(stand_in):
        got = student.module("TransformerBlock", 12, 4, 20, **given, stand_in=stand_in).output
        wrong = blocks(state, x, masks[kind])
        assert_matches(got, right, what="the output", axes=AXES, candidates=wrong, pointer=SECTION)

    fairly(check, EARLIER)


@question("q5", points=0.75)
def test_gradients_of_the_transformer_block(student, reference, torch_rng):
    """The gradients of the input and of every parameter of the block agree with the reference's."""
    state, masks = draw_block(torch_rng)
    x, g = torch.randn(2, 3, 6, 12, generator=torch_rng, dtype=torch.float64)
    given = {"state": state, "inputs": (x, masks["shared"]), "dtype": "float64", "cotangent": g}
    right = reference.module("TransformerBlock", 12, 4, 20, **given)

    def check(stand_in):
        got = student.module("TransformerBlock", 12, 4, 20, **given, stand_in=stand_in)
        wrong = blocks(state, x, masks["shared"])
        assert_matches(got.output, right.output, what="the output", axes=AXES, candidates=wrong, pointer=SECTION)
        assert_matches(got.input_grads[0], right.input_grads[0], what="the gradient of x", pointer=SECTION)
        assert_matches(got.param_grads, right.param_grads, what="the parameters' gradients", pointer=SECTION)

    fairly(check, EARLIER)
