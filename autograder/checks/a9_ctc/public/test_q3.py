"""The forward recursion, as students receive the checks."""

from __future__ import annotations

import itertools
import math

import pytest
import torch

from deepmarks.checks import assert_matches, expect, fairly, question

SECTION = "section 3"
AXES = ("step", "state")
EARLIER = {"collapse": "probes.library_collapse", "extend": "probes.library_extend"}


def by_enumeration(log_probs, labels, blank):
    """The forward variables from their definition: list all beginnings of paths, sort them by state."""
    steps, classes = log_probs.shape
    table = torch.zeros(steps, 2 * len(labels) + 1, dtype=torch.float64)
    for t in range(steps):
        for beginning in itertools.product(range(classes), repeat=t + 1):
            read = [k for k, _ in itertools.groupby(beginning) if k != blank]
            if read == labels[: len(read)]:
                state = 2 * len(read) - (beginning[-1] != blank)
                table[t, state] += math.exp(sum(float(log_probs[i, k]) for i, k in enumerate(beginning)))
    return table.log()


def zero_is_minus_infinity(alpha):
    """Some use a huge negative number for the logarithm of zero: that is good enough here."""
    if isinstance(alpha, torch.Tensor) and alpha.is_floating_point():
        return alpha.masked_fill(alpha < -1e8, -math.inf)
    return alpha


def compare(got, expected, log_probs, labels, blank, what):
    """Compare two tables; a few mistakes of one line are recognised."""
    expect(
        not (isinstance(got, torch.Tensor) and got.isnan().any()),
        "ctc_alpha gives NaN: where all predecessors are -inf, the maximum is -inf too, and -inf - (-inf) is NaN.",
        detail=f"ctc_alpha gave {got}",
        kind="alpha-nan",
        pointer=SECTION,
    )
    emission = log_probs[:, [k for label in labels for k in (blank, label)] + [blank]]
    got = zero_is_minus_infinity(got)
    if isinstance(got, torch.Tensor) and got.shape == expected.shape and (got < 0).any():
        expect(
            not (got.isfinite() & expected.isinf()).any(),
            "alpha is finite for states that no path can have reached yet: where may paths start, and which skips are "
            "allowed?",
            detail=f"ctc_alpha gave {got}, expected {expected}",
            kind="alpha-unreachable",
            pointer=SECTION,
        )
        expect(
            not (got.isinf() & expected.isfinite()).any(),
            "alpha is -inf for states that a path can have reached: where may it start, and which skips are allowed?",
            detail=f"ctc_alpha gave {got}, expected {expected}",
            kind="alpha-reachable",
            pointer=SECTION,
        )
    assert_matches(
        got,
        expected,
        what=what,
        axes=AXES,
        candidates={
            "alpha without the logarithm": expected.exp(),
            "alpha without the emission at its own step": expected - emission,
            "a table over the labels only, without the blanks between them": expected[:, 1::2] if labels else None,
            "the emissions alone, without the recursion": emission,
        },
        pointer=SECTION,
    )


@pytest.mark.parametrize(("labels", "blank"), [([1, 2], 0), ([2], 0), ([1, 0], 2)])
@question("q3", points=0.75)
def test_alpha_of_small_lattices(student, torch_rng, labels, blank):
    """The forward variables equal the sums over all beginnings of paths (four steps, three classes)."""
    log_probs = torch.randn(4, 3, generator=torch_rng, dtype=torch.float64).log_softmax(1)
    expected = by_enumeration(log_probs, labels, blank)

    def check(stand_in):
        got = student.call("ctc_alpha", log_probs, labels, blank, stand_in=stand_in)
        compare(got, expected, log_probs, labels, blank, "the table alpha")

    fairly(check, EARLIER)


@pytest.mark.parametrize("labels", [[1, 1], [2, 2, 1], []])
@question("q3", points=0.75)
def test_alpha_with_repeats_and_without_labels(student, torch_rng, labels):
    """Between equal labels no blank can be skipped; without labels there is one state, the blank."""
    log_probs = torch.randn(5, 3, generator=torch_rng, dtype=torch.float64).log_softmax(1)
    expected = by_enumeration(log_probs, labels, 0)
    what = "the table alpha with equal neighbours" if labels else "the table alpha without labels"

    def check(stand_in):
        got = student.call("ctc_alpha", log_probs, labels, stand_in=stand_in)
        compare(got, expected, log_probs, labels, 0, what)

    fairly(check, EARLIER)
