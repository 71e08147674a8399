"""Multi-head attention, as students receive the checks."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import nn

from deepmarks.checks import assert_matches, expect, fairly, question

SECTION = "section 4"
LIBRARY = {"softmax": "probes.library_softmax", "attention": "probes.library_attention"}


def library(d_model, n_heads, seed):
    """The library's module with weights and biases that are all different from zero."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        module = nn.MultiheadAttention(d_model, n_heads, batch_first=True)
        for parameter in module.parameters():
            nn.init.normal_(parameter, std=0.5)
    return module.eval()


def run_library(module, x, mask=None):
    """The library's output; its mask says True where attention is blocked."""
    with torch.no_grad():
        return module(x, x, x, attn_mask=None if mask is None else ~mask, need_weights=False)[0]


@question("q4", points=0.5)
def test_parameters_of_multi_head_attention(student):
    """MultiHeadAttention(12, 3) has the four parameters of torch.nn.MultiheadAttention and loads its state_dict."""
    state = library(12, 3, 0).state_dict()
    own = student.module("MultiHeadAttention", 12, 3, run=False).state
    shapes = {name: tuple(value.shape) for name, value in own.items()}
    for name, value in state.items():
        expect(
            name in shapes,
            f"MultiHeadAttention has no parameter called {name}.",
            detail=f"its state_dict has {sorted(shapes)}",
            kind="state-dict",
            pointer=SECTION,
        )
        expect(
            shapes[name] == tuple(value.shape),
            f"The parameter {name} has another shape than in torch.nn.MultiheadAttention.",
            detail=f"expected {tuple(value.shape)}, received {shapes[name]}",
            kind="state-dict",
            pointer=SECTION,
        )
    student.module("MultiHeadAttention", 12, 3, state=state, run=False)


@question("q4", points=0.75)
def test_multi_head_attention_without_a_mask(student, torch_rng):
    """With the weights of the library's module the output is the library's (batch 2, 5 positions, 3 heads of 4)."""
    module = library(12, 3, 1)
    x = torch.randn(2, 5, 12, generator=torch_rng)

    def check(stand_in):
        run = student.module("MultiHeadAttention", 12, 3, state=module.state_dict(), inputs=(x,), stand_in=stand_in)
        wrong = {
            "attention with a single head": lambda: one_head(module, x),
            "the heads' result without out_proj": lambda: before_out_proj(module, x),
            "attention with the queries and keys of in_proj_weight exchanged": lambda: reordered(module, x, "kqv"),
            "attention with the blocks of in_proj_weight read as v, k, q": lambda: reordered(module, x, "vkq"),
            "attention with the blocks of in_proj_weight read as q, v, k": lambda: reordered(module, x, "qvk"),
            "attention without the scale": lambda: rescaled(module, x, 2.0),
            "attention scaled with d_model, not with the width of a head": lambda: rescaled(module, x, 3**-0.5),
            "attention without in_proj_bias": lambda: changed(module, x, in_proj_bias=torch.zeros(36)),
            "attention with heads made by a view without the transpose": lambda: mixed(
                module, x, split=lambda part: part.reshape(2, 3, 5, 4)
            ),
            "attention with the heads merged without the transpose": lambda: mixed(
                module, x, merge=lambda out: out.reshape(2, 5, 12)
            ),
            "attention with every h-th column in a head, where neighbouring columns make a head": lambda: mixed(
                module,
                x,
                split=lambda part: part.view(2, 5, 4, 3).permute(0, 3, 1, 2),
                merge=lambda out: out.permute(0, 2, 3, 1).flatten(2),
            ),
        }
        assert_matches(
            run.output,
            run_library(module, x),
            what="the output",
            axes=("batch", "position", "feature"),
            candidates=wrong,
            pointer=SECTION,
        )

    fairly(check, LIBRARY)


def one_head(module, x):
    single = nn.MultiheadAttention(12, 1, batch_first=True).eval()
    single.load_state_dict(module.state_dict())
    return run_library(single, x)


def changed(module, x, **state):
    """The output with some parameters replaced; a point in a name is written as two underscores."""
    other = nn.MultiheadAttention(12, 3, batch_first=True).eval()
    other.load_state_dict({**module.state_dict(), **{name.replace("__", "."): value for name, value in state.items()}})
    return run_library(other, x)


def before_out_proj(module, x):
    return changed(module, x, out_proj__weight=torch.eye(12), out_proj__bias=torch.zeros(12))


def reordered(module, x, order):
    """The output of a student who reads the blocks of in_proj_weight in this order."""
    read = {
        name: torch.cat([module.state_dict()[name].chunk(3)[order.index(letter)] for letter in "qkv"])
        for name in ("in_proj_weight", "in_proj_bias")
    }
    return changed(module, x, **read)


def rescaled(module, x, factor):
    """The output with scores that are too large by a factor."""
    factors = torch.cat([torch.full((12,), factor), torch.ones(24)])
    state = module.state_dict()
    return changed(
        module,
        x,
        in_proj_weight=state["in_proj_weight"] * factors[:, None],
        in_proj_bias=state["in_proj_bias"] * factors,
    )


def mixed(module, x, split=None, merge=None):
    """The output with heads that are split or merged in another way."""
    split = split or (lambda part: part.unflatten(-1, (3, 4)).transpose(1, 2))
    merge = merge or (lambda out: out.transpose(1, 2).flatten(2))
    with torch.no_grad():
        q, k, v = F.linear(x, module.in_proj_weight, module.in_proj_bias).chunk(3, -1)
        return module.out_proj(merge(F.scaled_dot_product_attention(split(q), split(k), split(v))))


@question("q4", points=0.5)
def test_multi_head_attention_with_a_causal_mask(student, torch_rng):
    """A mask (n, n) is shared by the batch; True means may attend (the library's means blocked)."""
    module = library(12, 3, 2)
    x = torch.randn(2, 5, 12, generator=torch_rng)
    mask = torch.ones(5, 5, dtype=torch.bool).tril()

    def check(stand_in):
        run = student.module(
            "MultiHeadAttention", 12, 3, state=module.state_dict(), inputs=(x, mask), stand_in=stand_in
        )
        strict = ~mask | torch.eye(5, dtype=torch.bool)
        wrong = {
            "attention without the mask": run_library(module, x),
            "attention that sees the future, not the past": run_library(module, x, strict),
            "attention with a mask that blocks where it is True": run_library(module, x, ~mask).where(
                torch.arange(5)[:, None] < 4, module.out_proj.bias.detach()
            ),
        }
        expected = run_library(module, x, mask)
        assert_matches(run.output, expected, what="the output", candidates=wrong, pointer=SECTION)

    fairly(check, LIBRARY)
