"""Decoding with a cache and the Transformer block, as students receive the checks."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import nn

from deepmarks.checks import Broken, Mismatch, NotAttempted, StudentError, assert_matches, expect, fairly, question

SECTION = "section 5"
AXES = ("batch", "position", "feature")
EARLIER = {
    "softmax": "probes.library_softmax",
    "attention": "probes.library_attention",
    "causal_mask": "probes.library_causal_mask",
    "MultiHeadAttention": "probes.LibraryMultiHeadAttention",
}


def fairly_or_consistently(check, consistent):
    """Run `check` fairly; what agrees with the student's own module of question 4 (`consistent`) will do as well."""
    try:
        fairly(check, EARLIER)
    except (Mismatch, StudentError, NotAttempted, Broken):
        if not agrees(consistent):
            raise


def agrees(consistent):
    try:
        return consistent()
    except (Mismatch, StudentError, NotAttempted, Broken, RuntimeError, TypeError, ValueError):
        return False  # of other shapes, or no tensors at all


def own_pass(student, state, heads, x):
    """The student's own full causal pass; NaN if it is none: what comes first matters, what comes last does not."""
    n = x.shape[1]
    mask = torch.ones(n, n, dtype=torch.bool).tril()
    first, last = x.clone(), x.clone()
    first[:, 0] += 1.0
    last[:, -1] += 1.0
    out, other_first, other_last = (
        student.module("MultiHeadAttention", x.shape[-1], heads, state=state, inputs=(part, mask)).output
        for part in (x, first, last)
    )
    uses_all = not torch.allclose(out[:, -1], other_first[:, -1], atol=1e-4)
    causal = torch.allclose(out[:, :-1], other_last[:, :-1], atol=1e-5)
    return out if uses_all and causal else torch.full_like(out, torch.nan)


def with_random_weights(module, seed):
    """The module in eval mode, with no parameter zero or one."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        for name, parameter in module.named_parameters():
            nn.init.normal_(parameter, mean=1.0 if name.startswith("norm") and "weight" in name else 0.0, std=0.4)
    return module.eval()


def run_attention(module, x, mask):
    with torch.no_grad():
        return module(x, x, x, attn_mask=~mask, need_weights=False)[0]


def without_out_proj(module, x, mask):
    plain = nn.MultiheadAttention(12, 4, batch_first=True).eval()
    plain.load_state_dict({**module.state_dict(), "out_proj.weight": torch.eye(12), "out_proj.bias": torch.zeros(12)})
    return run_attention(plain, x, mask)


def with_one_head(module, x, mask):
    single = nn.MultiheadAttention(12, 1, batch_first=True).eval()
    single.load_state_dict(module.state_dict())
    return run_attention(single, x, mask)


@question("q5", points=0.75)
def test_decoding_equals_the_causal_pass(student, torch_rng):
    """Six steps of decode_step give what the full causal pass gives (batch of 3, 4 heads); again from a new start."""
    module = with_random_weights(nn.MultiheadAttention(12, 4, batch_first=True), 3)
    x = torch.randn(3, 6, 12, generator=torch_rng)
    causal = torch.ones(6, 6, dtype=torch.bool).tril()
    right = run_attention(module, x, causal)
    eye = torch.eye(6, dtype=torch.bool)
    wrong = {
        "attention of each position to itself only, as if the cache were not used": run_attention(module, x, eye),
        "attention to the old positions without the new one": run_attention(module, x, causal & ~eye | eye[:1]),
        "attention to the last two positions only, as if the cache did not grow": run_attention(
            module, x, causal & ~causal.tril(-2)
        ),
        "attention to the first position and the new one only, as if the cache did not grow": run_attention(
            module, x, causal & (eye | eye[:1])
        ),
        "attention without out_proj": without_out_proj(module, x, causal),
        "attention with a single head": with_one_head(module, x, causal),
    }

    def check(stand_in):
        first, again = student.probe("decoding", module.state_dict(), 4, x, stand_in=stand_in)
        assert_matches(first, right, what="the decoded output", axes=AXES, candidates=wrong, pointer=SECTION)
        expect(
            torch.allclose(again, first, atol=1e-5),
            "A second run that starts with None is not like the first: something is kept outside the cache.",
            kind="cache-kept",
            pointer=SECTION,
        )

    def consistent():
        own = own_pass(student, module.state_dict(), 4, x)
        runs = student.probe("decoding", module.state_dict(), 4, x)
        return all(torch.allclose(run, own, atol=1e-5) for run in runs)

    fairly_or_consistently(check, consistent)


def branch(module, x):
    return module.linear2(F.relu(module.linear1(x)))


def attend(module, x):
    return module.self_attn(x, x, x, need_weights=False)[0]


def blocks(m, x):
    """Wrong Transformer blocks with the weights of the library's module m."""
    with torch.no_grad():
        right = x + attend(m, m.norm1(x))
        after = m.norm1(x + attend(m, x))
        bare = attend(m, m.norm1(x))
        normed = m.norm1(x) + bare
        exchanged = x + attend(m, m.norm2(x))
        return {
            "a post-norm block, where pre-norm is asked for": m.norm2(after + branch(m, after)),
            "a block without the sum around the attention": bare + branch(m, m.norm2(bare)),
            "a block without the sum around the feed-forward branch": branch(m, m.norm2(right)),
            "a block that adds the normalised input, not the input": normed + branch(m, m.norm2(normed)),
            "a block without the ReLU": right + m.linear2(m.linear1(m.norm2(right))),
            "a block with GELU in place of ReLU": right + m.linear2(F.gelu(m.linear1(m.norm2(right)))),
            "a block without norm2": right + branch(m, right),
            "a block without norm1": (x + attend(m, x)) + branch(m, m.norm2(x + attend(m, x))),
            "a block with norm1 and norm2 exchanged": exchanged + branch(m, m.norm1(exchanged)),
            "a block with its branches side by side, not one after the other": right + branch(m, m.norm2(x)),
        }


@question("q5", points=0.75)
def test_transformer_block_without_a_mask(student, torch_rng):
    """TransformerBlock(12, 3, 20) loads the library's pre-norm layer and gives its output."""
    layer = nn.TransformerEncoderLayer(12, 3, 20, dropout=0.0, batch_first=True, norm_first=True)
    layer = with_random_weights(layer, 4)
    x = torch.randn(2, 5, 12, generator=torch_rng)
    with torch.no_grad():
        right = layer(x)

    def check(stand_in):
        state = layer.state_dict()
        got = student.module("TransformerBlock", 12, 3, 20, state=state, inputs=(x,), stand_in=stand_in).output
        wrong = blocks(layer, x)
        assert_matches(got, right, what="the output", axes=AXES, candidates=wrong, pointer=SECTION)

    fairly(check, EARLIER)
