"""Multi-head attention, as students receive the checks."""

from __future__ import annotations

import torch
from torch import nn

from deepmarks.checks import Mismatch, NotAttempted, StudentError, assert_matches, expect, question

SECTION = "section 4"
LIBRARY = {"softmax": "probes.library_softmax", "attention": "probes.library_attention"}


def fairly(check):
    """Run `check` with the student's earlier answers, then with the library's: no mistake counts twice."""
    try:
        check(None)
    except (Mismatch, StudentError, NotAttempted) as own:
        try:
            check(LIBRARY)
        except (StudentError, NotAttempted):
            raise own from None


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
            "attention with keys, queries and values in another order in in_proj_weight": lambda: reordered(module, x),
        }
        assert_matches(
            run.output,
            run_library(module, x),
            what="the output",
            axes=("batch", "position", "feature"),
            candidates=wrong,
            pointer=SECTION,
        )

    fairly(check)


def one_head(module, x):
    single = nn.MultiheadAttention(12, 1, batch_first=True).eval()
    single.load_state_dict(module.state_dict())
    return run_library(single, x)


def before_out_proj(module, x):
    state = {**module.state_dict(), "out_proj.weight": torch.eye(12), "out_proj.bias": torch.zeros(12)}
    plain = nn.MultiheadAttention(12, 3, batch_first=True).eval()
    plain.load_state_dict(state)
    return run_library(plain, x)


def reordered(module, x):
    state = dict(module.state_dict())
    for name in ("in_proj_weight", "in_proj_bias"):
        q, k, v = state[name].chunk(3)
        state[name] = torch.cat([k, q, v])
    other = nn.MultiheadAttention(12, 3, batch_first=True).eval()
    other.load_state_dict(state)
    return run_library(other, x)


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

    fairly(check)
