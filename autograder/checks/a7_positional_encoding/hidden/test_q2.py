"""The sinusoidal table, as the grader checks it."""

from __future__ import annotations

import math

import pytest
import torch

from deepmarks.checks import assert_matches, expect, question

SECTION = "section 2"
AXES = ("position", "column")
EXACT = {"rtol": 0, "atol": 1e-6}  # what the contract asks for; every entry is at most 1
NEAR = {"rtol": 0, "atol": 5e-5}  # near position 0, so that angles in float32 lose points for far positions only


def variant(n, d, base, *, first=0, exponent=lambda i, d: 2 * i / d, sign=-1):
    """The table with one thing changed, columns in pairs; `exponent` is given the numbers of the pairs."""
    i = torch.arange(math.ceil(d / 2), dtype=torch.float64)
    angle = torch.arange(first, first + n, dtype=torch.float64)[:, None] * base ** (sign * exponent(i, d))
    return torch.stack((angle.sin(), angle.cos()), -1).flatten(1)[:, :d]


def by_column(n, d, base, factor):
    """The table with a frequency of its own in each column."""
    j = torch.arange(d, dtype=torch.float64)
    angle = torch.arange(n, dtype=torch.float64)[:, None] * base ** (-factor * j / d)
    return torch.where(j % 2 == 0, angle.sin(), angle.cos())


def halves(n, d, base):
    table = variant(n, d, base)
    return torch.cat([table[:, 0::2], table[:, 1::2]], 1)


def exchanged(n, d, base):
    table = variant(n, d + d % 2, base)
    return table.unflatten(1, (-1, 2)).flip(2).flatten(1)[:, :d]


def mistakes(n, d, base):
    found = {
        "the table with all sines first and all cosines after them": lambda: halves(n, d, base),
        "the table with sine and cosine exchanged": lambda: exchanged(n, d, base),
        "the table of the positions 1, 2, 3, ...: the first position is 0": lambda: variant(n, d, base, first=1),
        "the table with the exponent i/d_model in pair i, where 2i/d_model is asked for": lambda: variant(
            n, d, base, exponent=lambda i, d: i / d
        ),
        "the table with another frequency in each column: both of a pair have the same": lambda: by_column(
            n, d, base, 1
        ),
        "the table with twice the column number in the exponent: 2i is the column number already": lambda: variant(
            n, d, base, exponent=lambda i, d: 4 * i / d
        ),
        "the table with twice the column number in the exponent, in each column another frequency": lambda: by_column(
            n, d, base, 2
        ),
        "the table with the position times base^(+2i/d_model): the exponent is negative": lambda: variant(
            n, d, base, sign=1
        ),
        "the table with the pair's number divided by one pair less, so that the last frequency is 1/base": lambda: (
            variant(n, d, base, exponent=lambda i, d: i / max(1, math.ceil(d / 2) - 1))
        ),
        "the table for base 10000, whatever base says": lambda: variant(n, d, 10000.0) if base != 10000.0 else None,
        "the frequencies without the base: 1, 2, 3, ...": lambda: variant(n, d, math.e, exponent=lambda i, d: i),
    }
    if d % 2:
        found |= {
            "the table whose last column is a cosine: for odd d_model it is a sine": lambda: torch.cat(
                [variant(n, d, base)[:, :-1], variant(n, d + 1, base, exponent=lambda i, _: 2 * i / d)[:, -1:]], 1
            ),
            "the table whose last column stays zero: for odd d_model it is a sine": lambda: torch.cat(
                [variant(n, d, base)[:, :-1], torch.zeros(n, 1)], 1
            ),
            "the frequencies of d_model + 1 columns: the exponent is divided by d_model, odd or not": lambda: variant(
                n, d, base, exponent=lambda i, d: 2 * i / (d + 1)
            ),
            "the frequencies of d_model - 1 columns: the exponent is divided by d_model, odd or not": lambda: variant(
                n, d, base, exponent=lambda i, d: 2 * i / max(1, d - 1)
            ),
        }
    return found


def compare(student, reference, n, d, base):
    got, expected = student.sinusoidal(n, d, base), reference.sinusoidal(n, d, base)
    wrong = mistakes(n, d, base)
    assert_matches(got, expected, what="the table", axes=AXES, candidates=wrong, **NEAR, pointer=SECTION)


@pytest.mark.parametrize(("n", "d"), [(23, 14), (8, 32), (12, 12), (3, 512)])
@question("q2", points=0.5)
def test_tables_with_an_even_number_of_columns(student, reference, rng, n, d):
    """Tables with more rows than columns, more columns than rows, as many of both, and 512 columns; a random base."""
    compare(student, reference, n, d, float(rng.uniform(50, 5000)))
    compare(student, reference, n, d, 10000.0)


@pytest.mark.parametrize(("n", "d"), [(19, 7), (4, 13), (11, 1)])
@question("q2", points=0.5)
def test_tables_with_an_odd_number_of_columns(student, reference, rng, n, d):
    """Tables with an odd number of columns, down to a single one, end with a sine."""
    compare(student, reference, n, d, float(rng.uniform(50, 5000)))
    compare(student, reference, n, d, 10000.0)


@question("q2", points=0.5)
def test_far_positions_of_a_table(student, reference, rng):
    """Five columns and a random base: exact to 1e-6 at position 10^5."""
    base = float(rng.uniform(5, 20))
    rows = [1, 2, 3, 5, *(int(row) for row in rng.integers(90_000, 100_000, 20)), 100_000]
    shape, dtype, got = student.probe("table_rows", 100_001, 5, base, rows)
    expect(shape == [100_001, 5], "A table of 100,001 positions has another shape than expected.", pointer=SECTION)
    right = reference.probe("table_rows", 100_001, 5, base, rows)[2]
    error = (torch.as_tensor(got) - right).abs().amax(1)
    expect(
        not (error[:4].max() < 1e-4 and 1e-6 < error[4:].max() < 0.2),
        "The table is right at small positions but not exact to 1e-6 at position 100,000: the angles are not "
        "computed in float64.",
        kind="precision",
        pointer=SECTION,
    )
    assert_matches(got, right, what="the end of the long table", **EXACT, dtype=False, pointer=SECTION)
    expect(dtype == "torch.float32", "The table is not float32.", kind="different-dtype", pointer=SECTION)


@question("q2", points=0.5)
def test_short_tables_are_the_beginning_of_long_ones(student, reference, rng):
    """A table of one position is (0, 1, 0, 1, ...), short tables begin long ones, and pairs lie on the unit circle."""
    for d in (2, 5, 8):
        base = float(rng.uniform(10, 1000))
        compare(student, reference, 1, d, base)
        long, short = student.sinusoidal(40, d, base), student.sinusoidal(17, d, base)
        assert_matches(
            short, torch.as_tensor(long)[:17], what="the beginning of a longer table", **NEAR, pointer=SECTION
        )
        pairs = torch.as_tensor(long).double()[:, : d - d % 2].unflatten(1, (-1, 2))
        circle = torch.ones(40, d // 2, dtype=torch.float64)
        radii = pairs.square().sum(-1)
        assert_matches(radii, circle, what="the sum of squares of each pair", **NEAR, pointer=SECTION)
    compare(student, reference, 31, 10, 2.0)
    compare(student, reference, 31, 10, 1e6)
