"""The sinusoidal table, as students receive the checks."""

from __future__ import annotations

import math

import torch

from deepmarks.checks import assert_matches, expect, question

SECTION = "section 2"
EXACT = {"rtol": 0, "atol": 1e-6}  # what the question asks for; every entry is at most 1
NEAR = {"rtol": 0, "atol": 5e-5}  # near position 0, so that angles in float32 lose points for far positions only


def columns(times, *parts):
    """A table with one column for each (function, frequency)."""
    rows = [[function(t * frequency) for function, frequency in parts] for t in times]
    return torch.tensor(rows, dtype=torch.float64).float()


@question("q2", points=1)
def test_table_with_two_pairs(student):
    """sinusoidal(6, 4) has the columns sin t, cos t, sin t/100, cos t/100."""
    sin, cos, times = math.sin, math.cos, range(6)
    right = columns(times, (sin, 1), (cos, 1), (sin, 0.01), (cos, 0.01))
    assert_matches(
        student.sinusoidal(6, 4),
        right,
        what="sinusoidal(6, 4)",
        candidates={
            "the table with all sines first and all cosines after them": right[:, [0, 2, 1, 3]],
            "the table with sine and cosine exchanged": right[:, [1, 0, 3, 2]],
            "the table of the positions 1, 2, 3, ...: the first position is 0": columns(
                range(1, 7), (sin, 1), (cos, 1), (sin, 0.01), (cos, 0.01)
            ),
            "the table with the exponent i/d_model in pair i, where 2i/d_model is asked for": columns(
                times, (sin, 1), (cos, 1), (sin, 0.1), (cos, 0.1)
            ),
            "the table with another frequency in each column: both of a pair have the same": columns(
                times, (sin, 1), (cos, 0.1), (sin, 0.01), (cos, 0.001)
            ),
            "the table with twice the column number in the exponent: 2i is the column number already": columns(
                times, (sin, 1), (cos, 1), (sin, 1e-4), (cos, 1e-4)
            ),
            "the table with twice the column number in the exponent, in each column another frequency": columns(
                times, (sin, 1), (cos, 0.01), (sin, 1e-4), (cos, 1e-6)
            ),
            "the table with the position times base^(+2i/d_model): the exponent is negative": columns(
                times, (sin, 1), (cos, 1), (sin, 100), (cos, 100)
            ),
        },
        axes=("position", "column"),
        **NEAR,
        pointer=SECTION,
    )


@question("q2", points=0.5)
def test_table_with_an_odd_number_of_columns(student):
    """sinusoidal(5, 3, base=1000.0) has the columns sin t, cos t, sin t/100."""
    right = columns(range(5), (math.sin, 1), (math.cos, 1), (math.sin, 0.01))
    default = 10000 ** (-2 / 3)
    assert_matches(
        student.sinusoidal(5, 3, base=1000.0),
        right,
        what="sinusoidal(5, 3, base=1000.0)",
        candidates={
            "the table for base 10000, whatever base says": columns(
                range(5), (math.sin, 1), (math.cos, 1), (math.sin, default)
            ),
            "the table whose last column is a cosine: for odd d_model it is a sine": columns(
                range(5), (math.sin, 1), (math.cos, 1), (math.cos, 0.01)
            ),
            "the table whose last column stays zero: for odd d_model it is a sine": right * torch.tensor([1, 1, 0]),
            "the frequencies of d_model + 1 columns: the exponent is divided by d_model, odd or not": columns(
                range(5), (math.sin, 1), (math.cos, 1), (math.sin, 1000**-0.5)
            ),
            "the frequencies of d_model - 1 columns: the exponent is divided by d_model, odd or not": columns(
                range(5), (math.sin, 1), (math.cos, 1), (math.sin, 0.001)
            ),
        },
        axes=("position", "column"),
        **NEAR,
        pointer=SECTION,
    )


@question("q2", points=0.5)
def test_table_at_position_100000(student):
    """sinusoidal(100001, 4, base=100.0) is exact to 1e-6 at its last positions."""
    rows = [1, 2, 3, 99_998, 99_999, 100_000]
    shape, dtype, got = student.probe("table_rows", 100_001, 4, 100.0, rows)
    expect(
        shape == [100_001, 4],
        "The table of 100,001 positions and 4 columns has another shape.",
        detail=f"its shape is {shape}",
        kind="different-shape",
        pointer=SECTION,
    )
    right = columns(rows, (math.sin, 1), (math.cos, 1), (math.sin, 0.1), (math.cos, 0.1))
    error = (torch.as_tensor(got) - right).abs().amax(1)
    expect(
        not (error[:3].max() < 1e-4 and 1e-6 < error[3:].max() < 0.2),
        "The table is right at small positions but not exact to 1e-6 at position 100,000: the angles are not "
        "computed in float64.",
        detail=f"the largest error is {error[3:].max():.2g}",
        kind="precision",
        pointer=SECTION,
    )
    # Another formula is told in the check of the small table; here its digits at far positions say nothing more.
    assert_matches(got, right, what="the end of the long table", **EXACT, dtype=False, pointer=SECTION)
    expect(dtype == "torch.float32", "The table is not float32.", detail=f"it is {dtype}", pointer=SECTION)
