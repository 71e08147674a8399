"""Linear biases, as students receive the checks."""

from __future__ import annotations

import math

import torch

from deepmarks.checks import assert_matches, question

SECTION = "section 6"
AXES = ("head", "query", "key")
INF = math.inf


def pages(slopes, shape):
    """One page of `shape`, a matrix of distances, for each slope."""
    return torch.stack([slope * shape for slope in slopes])


@question("q6", points=0.5)
def test_causal_biases_of_two_heads(student):
    """alibi_bias(2, 3) has the slopes 1/16 and 1/256, and -inf for keys after the query."""
    lower = torch.tensor([[0.0, 0.0, 0.0], [-1.0, 0.0, 0.0], [-2.0, -1.0, 0.0]])
    future = torch.tensor([[0.0, INF, INF], [0.0, 0.0, INF], [0.0, 0.0, 0.0]])
    slopes = [1 / 16, 1 / 256]
    right = pages(slopes, lower) - future
    assert_matches(
        student.alibi_bias(2, 3),
        right,
        what="alibi_bias(2, 3)",
        candidates={
            "the biases without -inf for the future": pages(slopes, lower + lower.T),
            "the biases with zeros for the future; -inf is asked for": pages(slopes, lower),
            "the biases that forbid the past, not the future": right.transpose(1, 2),
            "the biases with a plus: what is far is to be punished": pages(slopes, -lower) - future,
            "the slopes of the heads 0, 1, ...: the first exponent is -8/n_heads, not 0": pages([1, 1 / 16], lower)
            - future,
            "the slopes 1/2, 1/4, ...: those are for 8 heads": pages([1 / 2, 1 / 4], lower) - future,
            "the biases without slopes": pages([1, 1], lower) - future,
            "the slopes with the last head first": right.flip(0),
            "the biases that forbid the query's own position too": right.masked_fill(torch.eye(3).bool(), -INF),
            "the biases with a very small number where -inf is asked for": right.masked_fill(right == -INF, -1e9),
            "slope times j alone: the softmax would forgive it, but -slope * (i - j) is asked for": pages(
                slopes, torch.arange(3.0).expand(3, 3)
            )
            - future,
        },
        axes=AXES,
        pointer=SECTION,
    )


@question("q6", points=0.5)
def test_biases_of_eight_heads_in_both_directions(student):
    """alibi_bias(8, 4, causal=False) is -|i - j| times 1/2, 1/4, ..., 1/256."""
    distance = torch.tensor([[0.0, 1, 2, 3], [1, 0, 1, 2], [2, 1, 0, 1], [3, 2, 1, 0]])
    signed = torch.tensor([[0.0, -1, -2, -3], [1, 0, -1, -2], [2, 1, 0, -1], [3, 2, 1, 0]])
    slopes = [2.0**-h for h in range(1, 9)]
    right = pages(slopes, -distance)
    assert_matches(
        student.alibi_bias(8, 4, causal=False),
        right,
        what="alibi_bias(8, 4, causal=False)",
        candidates={
            "the causal biases, whatever causal says": right.masked_fill(signed < 0, -INF),
            "-slope * (i - j) without the absolute value: the future would be rewarded": pages(slopes, -signed),
            "slope * (i - j) without the absolute value": pages(slopes, signed),
            "the biases with zeros for the future: both directions count": pages(slopes, -signed.clamp(min=0)),
            "the biases with a plus: what is far is to be punished": -right,
            "the slopes of the heads 0, 1, ...: the first exponent is -8/n_heads, not 0": 2 * right,
            "the slopes with the last head first": right.flip(0),
        },
        axes=AXES,
        pointer=SECTION,
    )


@question("q6", points=0.5)
def test_slopes_of_twelve_heads(student):
    """12 heads: the slopes for 8 heads, then the 1st, 3rd, 5th and 7th slope for 16 heads, in this order."""
    first = [2.0**-h for h in range(1, 9)]
    between = [2.0**-0.5, 2.0**-1.5, 2.0**-2.5, 2.0**-3.5]
    got = student.alibi_bias(12, 2, causal=False)

    def slopes(values):
        return pages(values, -torch.tensor([[0.0, 1.0], [1.0, 0.0]]))

    assert_matches(
        got,
        slopes(first + between),
        what="alibi_bias(12, 2, causal=False)",
        candidates={
            "the slopes 2^(-8h/12): twelve is no power of two, so the interleaving rule applies": slopes(
                [2 ** (-8 * h / 12) for h in range(1, 13)]
            ),
            "the slopes for 8 heads and then the first ones for 16; only every other one is taken": slopes(
                first + [2.0 ** (-h / 2) for h in range(1, 5)]
            ),
            "the slopes for 8 heads and then the 2nd, 4th, ... for 16, which are taken already": slopes(
                first + first[:4]
            ),
            "the first twelve slopes for 16 heads": slopes([2.0 ** (-h / 2) for h in range(1, 13)]),
            "the right slopes sorted by size: the additional ones come last": slopes(
                sorted(first + between, reverse=True)
            ),
            "the right slopes with the additional ones in front": slopes(between + first),
            "the slopes 1/2, 1/4, ..., 1/4096": slopes([2.0**-h for h in range(1, 13)]),
        },
        axes=AXES,
        pointer=SECTION,
    )
