"""Learned positions and dropout, as the grader checks them."""

from __future__ import annotations

import pytest
import torch

from deepmarks.checks import StudentError, assert_matches, expect, question
from public.test_q4 import SECTION, near, with_weight


def mistakes(x, weight):
    n, d = x.shape[-2:]
    found = {
        "x plus the first row at every position": x + weight[0],
        "x plus the last rows of weight": x + weight[len(weight) - n :],
        "the rows of weight without x": weight[:n].expand_as(x),
        "x times the rows of weight": x * weight[:n],
        "x times the square root of d_model, plus the rows of weight": x * d**0.5 + weight[:n],
        "x plus the rows of weight shifted by one position": x + weight.roll(-1, 0)[:n],
    }
    if x.ndim > 2 and x.shape[-3] <= len(weight):
        found["x plus a row for each sequence of the batch, not for each position"] = x + weight[: x.shape[-3], None]
    return found


@pytest.mark.parametrize("lead", [(), (2,), (3, 2), (8, 1, 3)], ids=str)
@question("q4", points=0.5)
def test_learned_positions_with_any_leading_axes(student, reference, torch_rng, lead):
    """Inputs (n, d), (batch, n, d), (a, b, n, d), ... in float64, in both modes, and the gradients of x and weight."""
    weight = torch.randn(7, 5, generator=torch_rng, dtype=torch.float64)
    for n in (1, 4):
        x, g = torch.randn(2, *lead, n, 5, generator=torch_rng, dtype=torch.float64)
        given = {"inputs": (x,), "cotangent": g, "dtype": "float64"}
        got = student.module("LearnedPositionalEncoding", 7, 5, state=with_weight(student, weight), **given)
        right = reference.module("LearnedPositionalEncoding", 7, 5, state={"weight": weight}, **given)
        wrong = mistakes(x, weight)
        assert_matches(got.output, right.output, what="the output", candidates=wrong, pointer=SECTION)
        expect(
            "weight" in got.param_grads,
            "weight is no parameter: an optimiser would not find it. Is it an nn.Parameter?",
            kind="no-parameter",
            pointer=SECTION,
        )
        assert_matches(got.input_grads[0], right.input_grads[0], what="the gradient of x", pointer=SECTION)
        gradient = right.param_grads["weight"]
        assert_matches(
            got.param_grads["weight"], gradient, what="the gradient of weight", axes=("position", "feature"),
            pointer=SECTION,
        )  # fmt: skip
        state = with_weight(student, weight)
        trained = student.module("LearnedPositionalEncoding", 7, 5, state=state, train=True, **given).output
        dropped = torch.as_tensor(trained) == 0
        expect(
            not dropped.any(),
            "In training mode LearnedPositionalEncoding drops entries: dropout belongs into add_positions alone.",
            kind="dropout-inside",
            pointer=SECTION,
        )
        assert_matches(trained, right.output, what="the output in training mode", pointer=SECTION)


@pytest.mark.parametrize("lead", [(), (2, 3)], ids=str)
@question("q4", points=0.25)
def test_sequences_of_the_greatest_length_and_beyond(student, torch_rng, lead):
    """A sequence of max_len positions is allowed, a longer one raises ValueError."""
    weight = torch.randn(6, 3, generator=torch_rng)
    state = with_weight(student, weight)
    x = torch.randn(*lead, 6, 3, generator=torch_rng)
    try:
        got = student.module("LearnedPositionalEncoding", 6, 3, state=state, inputs=(x,)).output
    except StudentError as error:
        expect(
            not error.is_a(ValueError),
            "A sequence of exactly max_len positions raises ValueError: there is a row for each of them.",
            kind="too-early",
            pointer=SECTION,
        )
        raise
    assert_matches(got, x + weight, what="the output at the greatest length", pointer=SECTION)
    for n in (7, 12):
        x = torch.randn(*lead, n, 3, generator=torch_rng)
        try:
            student.module("LearnedPositionalEncoding", 6, 3, state=state, inputs=(x,))
        except StudentError as error:
            expect(
                error.is_a(ValueError),
                "A sequence that is longer than max_len raises another error than ValueError.",
                kind="other-exception",
                pointer=SECTION,
            )
        else:
            expect(
                False,
                "A sequence that is longer than max_len is accepted without a ValueError.",
                kind="no-exception",
                pointer=SECTION,
            )


@question("q4", points=0.5)
def test_dropout_of_single_entries(student, torch_rng):
    """Dropout zeroes single entries with probability p, another set in every call, and scales the rest by 1/(1-p)."""
    p = 0.3
    x = torch.randn(30, 8, 25, generator=torch_rng)
    pe = torch.randn(11, 25, generator=torch_rng)
    total = x + pe[:8]
    first, second = (torch.as_tensor(student.add_positions(x, pe, p, True, seed=seed)) for seed in (1, 2))
    assert_matches(list(first.shape), list(x.shape), what="the shape", pointer=SECTION)
    kept = first != 0
    share = 1 - kept.double().mean().item()
    expect(
        not (share < 0.01 and near(first, total).all()),
        "In training add_positions drops nothing.",
        kind="dropout-missing",
        pointer=SECTION,
    )
    on_pe = near(first, x) | near(first, x + pe[:8] / (1 - p)) | near(first, total)
    on_x = near(first, pe[:8].expand_as(x)) | near(first, x / (1 - p) + pe[:8]) | near(first, total)
    expect(
        share > 0.01 or not (on_pe.all() or on_x.all()),
        "Dropout acts on x or on the positions alone: it belongs to their sum.",
        kind="dropout-place",
        pointer=SECTION,
    )
    wrong = {
        "the dropped sum without the factor 1/(1-p)": torch.where(kept, total, 0.0),
        "the dropped sum with the factor 1/p": torch.where(kept, total / p, 0.0),
        "the dropped sum with the factor 1 - p": torch.where(kept, total * (1 - p), 0.0),
    }
    expected = torch.where(kept, total / (1 - p), 0.0)
    assert_matches(first, expected, what="the result", candidates=wrong, pointer=SECTION)
    # Groups of 8 entries or more that are all alike, hundreds of times over, are no accident.
    expect(
        not any((kept.all(axis) | ~kept.any(axis)).all() for axis in range(3)),
        "Dropout drops whole sequences, positions or features together: every entry is to be drawn by itself.",
        kind="dropout-together",
        pointer=SECTION,
    )
    # 6,000 entries: the share has a standard deviation of 0.006, so 0.05 is eight of them.
    expect(
        not abs(share - (1 - p)) < 0.05,
        "add_positions drops with probability 1 - p: p is the share that becomes zero.",
        kind="dropout-rate",
        pointer=SECTION,
    )
    expect(
        abs(share - p) < 0.05,
        "add_positions drops another share of the entries than p.",
        kind="dropout-rate",
        pointer=SECTION,
    )
    expect(
        not torch.equal(kept, second != 0),
        "add_positions drops the same entries in every call: is a seed set inside?",
        kind="dropout-frozen",
        pointer=SECTION,
    )


@question("q4", points=0.5)
def test_gradients_of_add_positions(student, reference, torch_rng):
    """Gradients pass the kept entries, scaled by 1/(1-p), to x and, summed, to the first n rows of pe (float64)."""
    p = 0.4
    for lead in ((), (3,), (2, 3)):
        x, g = torch.randn(2, *lead, 5, 4, generator=torch_rng, dtype=torch.float64)
        pe = torch.randn(8, 4, generator=torch_rng, dtype=torch.float64)
        right = reference.vjp("add_positions", x, pe, p, False, cotangent=g)
        got = student.vjp("add_positions", x, pe, p, False, cotangent=g)
        wrong = mistakes(x, pe)
        assert_matches(got.output, right.output, what="the sum outside training", candidates=wrong, pointer=SECTION)
        names = ("the gradient of x outside training", "the gradient of pe outside training")
        for what, actual, expected in zip(names, got.grads, right.grads, strict=True):
            assert_matches(actual, expected, what=what, pointer=SECTION)
        got = student.vjp("add_positions", x, pe, p, True, cotangent=g)
        kept = torch.as_tensor(got.output) != 0
        total = x + pe[:5]
        expected = torch.where(kept, total / (1 - p), 0.0)
        assert_matches(got.output, expected, what="the result in training", pointer=SECTION)
        passed = torch.where(kept, g / (1 - p), 0.0)
        assert_matches(got.grads[0], passed, what="the gradient of x in training", pointer=SECTION)
        rows = torch.zeros_like(pe)
        rows[:5] = passed.reshape(-1, 5, 4).sum(0)
        assert_matches(got.grads[1], rows, what="the gradient of pe in training", pointer=SECTION)
    expect(
        student.probe("stays_on_device", "add_positions", x, pe, p, True),
        "The result of add_positions lies on another device than x.",
        kind="other-device",
        pointer=SECTION,
    )
