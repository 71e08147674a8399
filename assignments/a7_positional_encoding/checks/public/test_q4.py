"""Learned positions and dropout, as students receive the checks."""

from __future__ import annotations

import torch

from deepmarks.checks import assert_matches, expect, question

SECTION = "section 4"


def near(a, b):
    return (a - b).abs() < 1e-4


def with_weight(student, weight):
    """The module's state_dict with `weight` in the place of its own."""
    module = student.module("LearnedPositionalEncoding", *weight.shape, run=False)
    expect(
        "weight" in module.state,
        "LearnedPositionalEncoding has no parameter called weight.",
        detail=f"its state_dict has {sorted(module.state)}",
        kind="no-parameter",
        pointer=SECTION,
    )
    own = tuple(module.state["weight"].shape)
    expect(
        own == tuple(weight.shape),
        "The parameter weight does not have the shape (max_len, d_model).",
        detail=f"expected {tuple(weight.shape)}, received {own}",
        kind="parameter-shape",
        pointer=SECTION,
    )
    return {**module.state, "weight": weight}


@question("q4", points=0.5)
def test_learned_positions_of_a_batch(student, torch_rng):
    """LearnedPositionalEncoding(5, 4) adds weight[:3] to x (2, 3, 4), and weight is a parameter."""
    weight = torch.randn(5, 4, generator=torch_rng)
    x, g = torch.randn(2, 2, 3, 4, generator=torch_rng)
    state = with_weight(student, weight)
    run = student.module("LearnedPositionalEncoding", 5, 4, state=state, inputs=(x,), cotangent=g)
    assert_matches(
        run.output,
        x + weight[:3],
        what="the output",
        candidates={
            "x plus the first row at every position": x + weight[0],
            "x plus the last rows of weight": x + weight[-3:],
            "the rows of weight without x": weight[:3].expand(2, 3, 4),
            "x plus a row for each sequence of the batch, not for each position": x + weight[:2, None],
            "x times the rows of weight": x * weight[:3],
            "x times the square root of d_model, plus the rows of weight": 2 * x + weight[:3],
        },
        axes=("batch", "position", "feature"),
        pointer=SECTION,
    )
    expect(
        "weight" in run.param_grads,
        "weight is no parameter: an optimiser would not find it. Is it an nn.Parameter?",
        detail=f"the parameters are {sorted(run.param_grads)}",
        kind="no-parameter",
        pointer=SECTION,
    )


@question("q4", points=0.25)
def test_add_positions_outside_training(student, torch_rng):
    """Outside training, and for p = 0, add_positions(x, pe, p, training) is x + pe[:n]."""
    x = torch.randn(2, 3, 4, generator=torch_rng)
    pe = torch.randn(6, 4, generator=torch_rng)
    for p, training in ((0.5, False), (0.0, True)):
        got = student.add_positions(x, pe, p, training)
        expect(
            training or (torch.as_tensor(got) == 0).sum() == 0,
            "add_positions drops entries although training is False.",
            kind="dropout-in-eval",
            pointer=SECTION,
        )
        assert_matches(
            got,
            x + pe[:3],
            what="x + pe[:n]",
            candidates={
                "the sum divided by 1 - p: outside training nothing is scaled": (x + pe[:3]) * 2,
                "the sum times 1 - p: inverted dropout scales in training only": (x + pe[:3]) * 0.5,
                "the sum with the last rows of pe": x + pe[-3:],
                "the sum with row 0 of pe at every position": x + pe[0],
                "x without the positions": x,
            },
            axes=("batch", "position", "feature"),
            pointer=SECTION,
        )


@question("q4", points=0.5)
def test_add_positions_in_training(student, torch_rng):
    """In training a quarter of the entries of x + pe[:n] becomes zero (p = 0.25), and the rest is divided by 0.75."""
    x = torch.randn(50, 6, 20, generator=torch_rng)
    pe = torch.randn(9, 20, generator=torch_rng)
    total = x + pe[:6]
    got = torch.as_tensor(student.add_positions(x, pe, 0.25, True))
    assert_matches(list(got.shape), list(x.shape), what="the shape", pointer=SECTION)
    kept = got != 0
    share = 1 - kept.double().mean().item()
    expect(
        not (share < 0.01 and near(got, total).all()),
        "In training add_positions drops nothing.",
        kind="dropout-missing",
        pointer=SECTION,
    )
    wrong = {
        "the dropped sum without the factor 1/(1-p)": torch.where(kept, total, 0.0),
        "the dropped sum with the factor 1/p": torch.where(kept, total / 0.25, 0.0),
        "the dropped sum with the factor 1 - p": torch.where(kept, total * 0.75, 0.0),
        "the sum times 1 - p, with nothing dropped": total * 0.75,
        "the sum divided by 1 - p, with nothing dropped": total / 0.75,
    }
    expected = torch.where(kept, total / 0.75, 0.0)
    on_pe = near(got, x) | near(got, x + pe[:6] / 0.75) | near(got, total)
    on_x = near(got, pe[:6].expand_as(x)) | near(got, x / 0.75 + pe[:6]) | near(got, total)
    expect(
        share > 0.01 or not (on_pe.all() or on_x.all()),
        "Dropout acts on x or on the positions alone: it belongs to their sum.",
        kind="dropout-place",
        pointer=SECTION,
    )
    assert_matches(got, expected, what="the result", candidates=wrong, pointer=SECTION)
    # 6,000 entries: the share has a standard deviation of 0.0056, so 0.05 is nine of them.
    expect(
        not abs(share - 0.75) < 0.05,
        "add_positions drops with probability 1 - p: p is the share that becomes zero.",
        detail=f"a share of {share:.3f} is zero for p = 0.25",
        kind="dropout-rate",
        pointer=SECTION,
    )
    expect(
        abs(share - 0.25) < 0.05,
        "add_positions drops another share of the entries than p.",
        detail=f"a share of {share:.3f} is zero for p = 0.25",
        kind="dropout-rate",
        pointer=SECTION,
    )
