"""The forward recursion, as the grader checks it."""

from __future__ import annotations

import math

import pytest
import torch

from deepmarks.checks import assert_matches, expect, fairly, question
from public.test_q3 import AXES, EARLIER, SECTION, zero_is_minus_infinity

LONG = 1e-4
"""500 roundings of float32 at numbers near 1000: the error of a right answer is about 1e-5 of them."""


def add(values, maximum):
    """The log of a sum of exponentials."""
    top = max(values)
    if top == -math.inf or maximum:
        return top
    return top + math.log(sum(math.exp(value - top) for value in values))


def variant(log_probs, labels, blank, *, skip="right", start=2, maximum=False, shifted=False, prune=False):
    """The recursion with one thing wrong."""
    states = [k for label in labels for k in (blank, label)] + [blank]
    logs, count = log_probs.double().tolist(), 2 * len(labels) + 1
    rows = [[logs[0][k] if s < start else -math.inf for s, k in enumerate(states)]]
    for t in range(1, len(logs)):
        row = []
        for s, k in enumerate(states):
            allowed = {
                "right": k != blank and s > 1 and k != states[s - 2],
                "always": s > 1,
                "labels": k != blank and s > 1,
                "never": False,
                "blanks": k == blank and s > 1,
                "between equal ones": k != blank and s > 1 and k == states[s - 2],
            }[skip]
            before = [rows[-1][s]] + ([rows[-1][s - 1]] if s else []) + ([rows[-1][s - 2]] if allowed else [])
            row.append(add(before, maximum) + logs[t - shifted][k])
        rows.append(row)
    if prune:
        for t, row in enumerate(rows):
            for s in range(count - 2 * (len(logs) - t)):
                row[s] = -math.inf
    return torch.tensor(rows, dtype=log_probs.dtype)


def wrong_tables(log_probs, labels, blank, right):
    """Known mistakes by name."""
    found = {
        "alpha with the skip of a blank between equal labels, too": variant(log_probs, labels, blank, skip="labels"),
        "alpha with skips from blank to blank, too": variant(log_probs, labels, blank, skip="always"),
        "alpha without skips: a blank between different labels may be left out": variant(
            log_probs, labels, blank, skip="never"
        ),
        "alpha with skips into blanks instead of labels": variant(log_probs, labels, blank, skip="blanks"),
        "alpha with skips between equal labels only: it is the other way round": variant(
            log_probs, labels, blank, skip="between equal ones"
        ),
        "alpha that starts in the first blank only: the first label is a start, too": variant(
            log_probs, labels, blank, start=1
        ),
        "alpha that may start in any state": variant(log_probs, labels, blank, start=len(right[0])),
        "alpha with the maximum where the sum is due (that is the Viterbi algorithm)": variant(
            log_probs, labels, blank, maximum=True
        ),
        "alpha with the emission of the step before": variant(log_probs, labels, blank, shifted=True),
        "alpha with -inf where the end cannot be reached: those states keep their value": variant(
            log_probs, labels, blank, prune=True
        ),
        "alpha without the logarithm": right.exp(),
        "alpha without the emission at its own step": right
        - log_probs[:, [k for label in labels for k in (blank, label)] + [blank]],
        "alpha, divided by its sum at each step": right - right.logsumexp(1, keepdim=True),
    }
    if blank and 0 not in labels:
        found["alpha with the blank 0, whatever blank says"] = variant(log_probs, labels, 0)
    return {text: table for text, table in found.items() if not torch.equal(table.exp(), right.exp())}


def compare(got, expected, log_probs, labels, blank, what, rtol=None):
    expect(
        not (isinstance(got, torch.Tensor) and got.isnan().any()),
        "ctc_alpha gives NaN: where all predecessors are -inf, the maximum is -inf too, and -inf - (-inf) is NaN.",
        kind="alpha-nan",
        pointer=SECTION,
    )
    assert_matches(
        zero_is_minus_infinity(got),
        expected,
        what=what,
        axes=AXES,
        rtol=rtol,
        candidates=wrong_tables(log_probs, labels, blank, expected),
        pointer=SECTION,
    )


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32], ids=str)
@pytest.mark.parametrize(("labels", "blank"), [([1, 3, 3, 2], 0), ([0, 2, 4, 4, 0], 3), ([4, 1, 1, 1], 5)])
@question("q3", points=0.5)
def test_alpha_of_random_log_probs(student, reference, torch_rng, labels, blank, dtype):
    """Ten steps, six classes, labels with equal neighbours, blanks 0, 3 and 5, float64 and float32."""
    log_probs = torch.randn(10, 6, generator=torch_rng, dtype=dtype).mul(2).log_softmax(1)
    expected = reference.ctc_alpha(log_probs, labels, blank)

    def check(stand_in):
        got = student.call("ctc_alpha", log_probs, labels, blank=blank, stand_in=stand_in)
        compare(got, expected, log_probs, labels, blank, "the table alpha")

    fairly(check, EARLIER)


@pytest.mark.parametrize(
    ("steps", "labels"),
    [(1, []), (1, [2]), (1, [2, 1]), (2, [1, 1]), (6, []), (3, [1, 2, 2, 1, 3]), (7, [3])],
    ids=["one-empty", "one-one", "one-two", "no-blank-left", "empty", "too-long", "one-label"],
)
@question("q3", points=0.5)
def test_alpha_of_extreme_sizes(student, reference, torch_rng, steps, labels):
    """One step, no labels, and labels that need more steps than there are."""
    log_probs = torch.randn(steps, 4, generator=torch_rng, dtype=torch.float64).log_softmax(1)
    expected = reference.ctc_alpha(log_probs, labels)

    def check(stand_in):
        got = student.call("ctc_alpha", log_probs, labels, stand_in=stand_in)
        compare(got, expected, log_probs, labels, 0, "the table alpha of an extreme size")

    fairly(check, EARLIER)


@question("q3", points=0.5)
def test_alpha_of_many_steps(student, reference, torch_rng):
    """500 steps in float32, and probabilities of zero: no underflow, no NaN."""
    log_probs = torch.randn(500, 5, generator=torch_rng).mul(3).log_softmax(1)
    labels = torch.randint(1, 5, (12,), generator=torch_rng).tolist()
    expected = reference.ctc_alpha(log_probs.double(), labels).float()
    hard = torch.randn(6, 4, generator=torch_rng, dtype=torch.float64)
    hard[2, 1] = hard[3, 0] = hard[4, 2:] = -math.inf
    hard = hard.log_softmax(1)
    expected_hard = reference.ctc_alpha(hard, [1, 2, 2])

    def check(stand_in):
        got = zero_is_minus_infinity(student.call("ctc_alpha", log_probs, labels, stand_in=stand_in))
        lost = isinstance(got, torch.Tensor) and got.shape == expected.shape and got[-1].isinf().all()
        expect(
            not lost,
            "alpha underflows: after 500 steps all of it is the logarithm of zero. Work with logarithms throughout.",
            kind="alpha-underflow",
            pointer=SECTION,
        )
        expect(
            not (isinstance(got, torch.Tensor) and got.isnan().any()),
            "ctc_alpha gives NaN for 500 steps.",
            kind="alpha-nan",
            pointer=SECTION,
        )
        assert_matches(got, expected, what="the table alpha of 500 steps", axes=AXES, rtol=LONG, pointer=SECTION)
        got = student.call("ctc_alpha", hard, [1, 2, 2], stand_in=stand_in)
        compare(got, expected_hard, hard, [1, 2, 2], 0, "the table alpha with probabilities of zero")

    fairly(check, EARLIER)
