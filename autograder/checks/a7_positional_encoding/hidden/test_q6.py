"""Linear biases, as the grader checks them."""

from __future__ import annotations

import math

import pytest
import torch

from deepmarks.checks import assert_matches, expect, question

SECTION = "section 6"
AXES = ("head", "query", "key")
INF = math.inf


def geometric(heads, first=1, step=1):
    """The slopes for a number of heads, from the `first` on."""
    return [2 ** (-8 * h / heads) for h in range(first, heads + first, step)]


def slopes_of(heads):
    m = 2 ** int(math.log2(heads))
    return geometric(m) + geometric(2 * m, step=2)[: heads - m]


def biases(slopes, n, causal, *, distance=None, future=-INF):
    """The biases for these slopes, or for another notion of distance."""
    position = torch.arange(n, dtype=torch.float64)
    signed = position[:, None] - position
    distance = signed.abs() if distance is None else distance
    result = -torch.tensor(slopes, dtype=torch.float64)[:, None, None] * distance
    return result.masked_fill(signed < 0, future) if causal else result


def mistakes(heads, n, causal):
    right = slopes_of(heads)
    m = 2 ** int(math.log2(heads))
    position = torch.arange(n, dtype=torch.float64)
    signed = position[:, None] - position
    other_slopes = {
        "the slopes of the heads 0, 1, ...: the first exponent is not 0": slopes_of_zero_based(heads),
        "the slopes 1/2, 1/4, ..., whatever the number of heads": [2.0**-h for h in range(1, heads + 1)],
        "the biases without slopes": [1.0] * heads,
        "the slope of the first head in every head": right[:1] * heads,
        "the slopes with the last head first": right[::-1],
        "the slopes h/n_heads: they are geometric": [h / heads for h in range(1, heads + 1)],
    }
    if m != heads:
        other_slopes |= {
            "the slopes 2^(-8h/n_heads): for no power of two the interleaving rule applies": geometric(heads),
            "the slopes for m heads and then the first ones for 2m; only every other one is taken": (
                geometric(m) + geometric(2 * m)[: heads - m]
            ),
            "the slopes for m heads and then the 2nd, 4th, ... for 2m, which are taken already": (
                geometric(m) + geometric(m)[: heads - m]
            ),
            "the first slopes for 2m heads": geometric(2 * m)[:heads],
            "the right slopes sorted by size: the additional ones come last": sorted(right, reverse=True),
            "the right slopes with the additional ones in front": right[m:] + right[:m],
        }
    found = {text: biases(slopes, n, causal) for text, slopes in other_slopes.items()}
    if n > 1:
        found |= {
            "the biases with a plus: what is far is to be punished": biases([-s for s in right], n, causal),
            "slope times j alone: the softmax would forgive it, but -slope * (i - j) is asked for": biases(
                right, n, causal, distance=-position.expand(n, n)
            ),
            "the biases with squared distances": biases(right, n, causal, distance=signed**2),
            "the biases divided by n": biases(right, n, causal, distance=signed.abs() / n),
        }
        if causal:
            found |= {
                "the biases without -inf for the future": biases(right, n, False),
                "the biases with zeros for the future; -inf is asked for": biases(right, n, True, future=0.0),
                "the biases that forbid the past, not the future": biases(right, n, True).transpose(1, 2),
                "-slope * (i - j) for the future too, where -inf is asked for": biases(
                    right, n, False, distance=signed
                ),
            }
        else:
            found |= {
                "the causal biases, whatever causal says": biases(right, n, True),
                "-slope * (i - j) without the absolute value: the future would be rewarded": biases(
                    right, n, False, distance=signed
                ),
                "slope * (i - j) without the absolute value": biases(right, n, False, distance=-signed),
                "the biases with zeros for the future: both directions count": biases(
                    right, n, False, distance=signed.clamp(min=0)
                ),
            }
    return found


def slopes_of_zero_based(heads):
    m = 2 ** int(math.log2(heads))
    return geometric(m, 0) + geometric(2 * m, 0, 2)[: heads - m]


def compare(student, reference, heads, n, causal):
    got = student.alibi_bias(heads, n, causal)
    expect(
        not torch.as_tensor(got).isnan().any(),
        "The biases contain NaN: 0 times infinity is NaN, so choose entries instead of multiplying by a mask.",
        kind="nan",
        pointer=SECTION,
    )
    expected = reference.alibi_bias(heads, n, causal)
    wrong = mistakes(heads, n, causal)
    assert_matches(got, expected, what="the bias tensor", axes=AXES, candidates=wrong, pointer=SECTION)


@pytest.mark.parametrize("causal", [True, False], ids=["causal", "both"])
@question("q6", points=0.5)
def test_biases_for_a_power_of_two(student, reference, rng, causal):
    """1, 2, 4, 8, 16 and 32 heads, any number of positions."""
    for heads in (1, 2, 4, 8, 16, 32):
        compare(student, reference, heads, int(rng.integers(3, 9)), causal)


@pytest.mark.parametrize("causal", [True, False], ids=["causal", "both"])
@question("q6", points=0.75)
def test_biases_for_no_power_of_two(student, reference, rng, causal):
    """3, 5, 6, 7, 11, 12, 20, 31 and 40 heads: the interleaving rule of the paper's code."""
    for heads in (3, 5, 6, 7, 11, 12, 20, 31, 40):
        compare(student, reference, heads, int(rng.integers(3, 9)), causal)


@question("q6", points=0.25)
def test_biases_of_few_and_of_many_positions(student, reference, rng):
    """A single position has bias zero; 200 positions and the default of causal."""
    for heads in (1, 3, 8):
        for causal in (True, False):
            compare(student, reference, heads, 1, causal)
    heads = int(rng.integers(2, 7))
    compare(student, reference, heads, 200, False)
    assert_matches(
        student.alibi_bias(heads, 200),
        reference.alibi_bias(heads, 200),
        what="the bias tensor with causal left out",
        axes=AXES,
        candidates=mistakes(heads, 200, True),
        pointer=SECTION,
    )
