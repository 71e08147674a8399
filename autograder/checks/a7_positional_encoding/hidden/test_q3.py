"""Steps as rotations and relative dot products, as the grader checks them."""

from __future__ import annotations

import pytest
import torch

from deepmarks.checks import StudentError, assert_matches, expect, question
from public.test_q3 import SECTION, fairly

AXES = ("new", "old")
# A step of 30 times a frequency that is rounded to float32 is wrong by some 5e-6, and products of matrices double it.
ANGLES = {"rtol": 0, "atol": 3e-5}


def variant(k, d, base, *, exponent=2.0, minus="below", order=None):
    """The matrix with one thing changed; `order` puts the columns elsewhere."""
    i = torch.arange(d // 2, dtype=torch.float64)
    angle = k * base ** (-exponent * i / d)
    sin, cos = angle.sin(), angle.cos()
    above, below = {"below": (sin, -sin), "above": (-sin, sin), "none": (sin, sin)}[minus]
    matrix = torch.zeros(d, d, dtype=torch.float64)
    even = 2 * torch.arange(d // 2)
    matrix[even, even] = matrix[even + 1, even + 1] = cos
    matrix[even, even + 1], matrix[even + 1, even] = above, below
    return matrix if order is None else matrix[order][:, order]


def mistakes(k, d, base):
    split = torch.cat([torch.arange(0, d, 2), torch.arange(1, d, 2)])
    return {
        "the matrix that goes back: its minus signs belong to the other sines": lambda: variant(
            k, d, base, minus="above"
        ),
        "the matrix without the minus signs": lambda: variant(k, d, base, minus="none"),
        "the matrix for a table with all sines first; here sine and cosine alternate": lambda: variant(
            k, d, base, order=split
        ),
        "the matrix that goes back, for a table with all sines first": lambda: variant(
            k, d, base, order=split, minus="above"
        ),
        "the matrix for one step, whatever k says": lambda: variant(1, d, base),
        "the matrix for the exponent i/d_model in pair i, where 2i/d_model is asked for": lambda: variant(
            k, d, base, exponent=1.0
        ),
        "the matrix for the exponent 4i/d_model in pair i: 2i is the column number already": lambda: variant(
            k, d, base, exponent=4.0
        ),
        "the matrix for base 10000, whatever base says": lambda: variant(k, d, 10000.0) if base != 10000.0 else None,
        "the matrix with the same angle in every pair": lambda: variant(k, d, 1.0),
        "the matrix with one step too many": lambda: variant(k + 1, d, base),
    }


@pytest.mark.parametrize("d", [2, 6, 10])
@question("q3", points=0.75)
def test_shift_matrices(student, reference, rng, d):
    """The matrices of steps forwards, backwards and of no step at all, for several sizes and bases."""
    steps = (0, 1, -1, int(rng.integers(2, 30)), -int(rng.integers(2, 30)))
    for k, base in zip(steps, (7.0, *rng.uniform(5, 60, 4)), strict=True):
        base = float(base)

        def check(k=k, base=base):
            got, expected = student.shift_matrix(k, d, base), reference.shift_matrix(k, d, base)
            wrong = mistakes(k, d, base)
            assert_matches(got, expected, what="the matrix", axes=AXES, candidates=wrong, **ANGLES, pointer=SECTION)

        fairly(check, student, k, d, base)


@question("q3", points=0.25)
def test_shift_matrices_are_rotations(student, reference, rng):
    """Steps add up, M(k) M(l) = M(k + l), going back is the transpose, and the default base is 10000."""
    k, m = int(rng.integers(2, 12)), int(rng.integers(2, 12))

    def check():
        first, second, both, back = (
            torch.as_tensor(student.shift_matrix(step, 6, 20.0)).double() for step in (k, m, k + m, -k)
        )
        assert_matches(first @ second, both, what="the product of two steps", **ANGLES, pointer=SECTION)
        assert_matches(back, first.T, what="the step back", **ANGLES, pointer=SECTION)
        eye = torch.eye(6, dtype=torch.float64)
        assert_matches(first @ back, eye, what="a step and the step back", **ANGLES, pointer=SECTION)

    fairly(check, student, k, 6, 20.0)

    def check_the_default():
        got, expected = student.shift_matrix(k, 4), reference.shift_matrix(k, 4)
        wrong = mistakes(k, 4, 10000.0)
        assert_matches(got, expected, what="the matrix", axes=AXES, candidates=wrong, **ANGLES, pointer=SECTION)

    fairly(check_the_default, student, k, 4, 10000.0)


@pytest.mark.parametrize("d", [1, 7])
@question("q3", points=0.25)
def test_odd_shift_matrices(student, d):
    """An odd d_model raises ValueError."""
    try:
        student.shift_matrix(3, d, 50.0)
    except StudentError as error:
        expect(
            error.is_a(ValueError),
            "For odd d_model shift_matrix raises another error than ValueError.",
            kind="other-exception",
            pointer=SECTION,
        )
    else:
        expect(False, "shift_matrix accepts an odd d_model without a ValueError.", kind="no-exception", pointer=SECTION)


def wrong_dots(pe):
    first = pe[0]
    return {
        "the cosines of the angles between the rows: nothing is to be divided by lengths": torch.cosine_similarity(
            pe, pe[:1]
        ),
        "the dot products of each row with itself": (pe * pe).sum(1),
        "the dot products of neighbouring rows": torch.cat([first @ first[:, None], (pe[:-1] * pe[1:]).sum(1)]),
        "the dot products with the last row": pe @ pe[-1],
        "the dot products divided by the square root of d": pe @ first / pe.shape[1] ** 0.5,
        "the dot products divided by d": pe @ first / pe.shape[1],
        "all dot products of all rows; row 0 with each row is asked for": pe @ pe.T,
        "the dot products without the one of row 0 with itself": (pe @ first)[1:],
        "the dot products averaged over all pairs of rows with the same distance": torch.stack(
            [(pe[: len(pe) - k] * pe[k:]).sum(1).mean() for k in range(len(pe))]
        ),
    }


@pytest.mark.parametrize(("n", "d"), [(9, 5), (4, 16), (1, 3), (7, 7)])
@question("q3", points=0.5)
def test_relative_dot_of_random_tables(student, reference, torch_rng, n, d):
    """Random tables, also with a single row: entry k is PE[0] . PE[k], not what holds for sinusoidal tables only."""
    pe = torch.randn(n, d, generator=torch_rng)
    got, expected = student.relative_dot(pe), reference.relative_dot(pe)
    wrong = wrong_dots(pe) if n > 1 else {}
    assert_matches(got, expected, what="relative_dot", candidates=wrong, axes=("distance",), pointer=SECTION)
    double = torch.randn(n, d, generator=torch_rng, dtype=torch.float64)
    got, expected = student.relative_dot(double), reference.relative_dot(double)
    assert_matches(got, expected, what="relative_dot of a float64 table", axes=("distance",), pointer=SECTION)


@question("q3", points=0.25)
def test_relative_dot_of_sinusoidal_tables(student, reference, rng):
    """For a sinusoidal table relative_dot equals PE[t] . PE[t + k], wherever t is."""
    pe = reference.sinusoidal(60, 12, float(rng.uniform(20, 400)))
    t = int(rng.integers(5, 30))
    got = student.relative_dot(pe)
    assert_matches(got, reference.relative_dot(pe), what="relative_dot", candidates=wrong_dots(pe), pointer=SECTION)
    assert_matches(got[:30], pe[t : t + 30] @ pe[t], what="the dot product at another place", pointer=SECTION)
