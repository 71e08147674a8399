"""Steps as rotations and relative dot products, as students receive the checks."""

from __future__ import annotations

import math

import torch

from deepmarks.checks import Mismatch, NotAttempted, StudentError, assert_matches, expect, question

SECTION = "section 3"
FAR = 400  # positions; enough for the hands of the checks to go round at least half


def fairly(check, student, k, d, base):
    """Run `check`; accept a matrix that moves the student's own table, so that question 2 is not marked twice."""
    try:
        check()
    except Mismatch:
        if not moves_own_table(student, k, d, base):
            raise


def moves_own_table(student, k, d, base):
    """Whether the student's matrix takes their own table k positions on, where a table leaves no choice."""
    try:
        matrix = torch.as_tensor(student.shift_matrix(k, d, base))
        table = torch.as_tensor(student.sinusoidal(FAR, d, base)).double()
    except (Mismatch, NotAttempted, StudentError):
        return False
    if (
        matrix.dtype != torch.float32
        or matrix.shape != (d, d)
        or table.shape != (FAR, d)
        or torch.linalg.svdvals(table).min() < 1
    ):
        return False  # a table that lacks a direction would be moved by many matrices
    before, after = (table[: FAR - k], table[k:]) if k >= 0 else (table[-k:], table[:k])
    return bool((before @ matrix.double().T - after).abs().max() < 1e-4)


@question("q3", points=0.5)
def test_shift_of_one_pair(student):
    """shift_matrix(1, 2) has the rows (cos 1, sin 1) and (-sin 1, cos 1)."""
    c, s = math.cos(1), math.sin(1)

    def check():
        assert_matches(
            student.shift_matrix(1, 2),
            torch.tensor([[c, s], [-s, c]]),
            what="shift_matrix(1, 2)",
            candidates={
                "the matrix that goes back: its minus sign belongs to the other sine": torch.tensor([[c, -s], [s, c]]),
                "the matrix without the minus sign": torch.tensor([[c, s], [s, c]]),
                "the matrix with sines on the diagonal and cosines beside it": torch.tensor([[s, c], [c, -s]]),
            },
            pointer=SECTION,
        )

    fairly(check, student, 1, 2, 10000.0)


@question("q3", points=0.5)
def test_shift_moves_a_table_of_two_pairs(student):
    """shift_matrix(3, 4, base=100.0) takes (sin t, cos t, sin t/10, cos t/10) to the row of t + 3, for every t."""

    def table(first):
        rows = [[math.sin(t), math.cos(t), math.sin(t / 10), math.cos(t / 10)] for t in range(first, first + 9)]
        return torch.tensor(rows)

    def check():
        matrix = torch.as_tensor(student.shift_matrix(3, 4, base=100.0))
        expect(
            matrix.shape == (4, 4),
            "shift_matrix(3, 4) is not a matrix of shape (4, 4).",
            detail=f"its shape is {tuple(matrix.shape)}",
            kind="different-shape",
            pointer=SECTION,
        )
        expect(
            matrix.dtype == torch.float32,
            "shift_matrix(3, 4) is not float32, like the table that it moves.",
            detail=f"it is {matrix.dtype}",
            kind="different-dtype",
            pointer=SECTION,
        )
        assert_matches(
            table(0) @ matrix.T,
            table(3),
            what="the table, moved on by 3",
            candidates={
                "the table moved back by 3: its matrix is the right one transposed": table(-3),
                "the table moved on by one position, whatever k says": table(1),
                "the table that has not moved at all": table(0),
            },
            axes=("position", "column"),
            pointer=SECTION,
        )

    fairly(check, student, 3, 4, 100.0)


@question("q3", points=0.25)
def test_shift_of_an_odd_number_of_columns(student):
    """shift_matrix(2, 5) raises ValueError: the last sine has no cosine to turn with."""
    try:
        student.shift_matrix(2, 5)
    except StudentError as error:
        expect(
            error.is_a(ValueError),
            "For odd d_model shift_matrix raises another error than ValueError.",
            detail=error.detail,
            kind="other-exception",
            pointer=SECTION,
        )
    else:
        expect(False, "shift_matrix accepts an odd d_model without a ValueError.", kind="no-exception", pointer=SECTION)


@question("q3", points=0.75)
def test_relative_dot_of_a_small_table(student):
    """Entry k is PE[0] . PE[k], in a table of 4 rows that is not sinusoidal."""
    table = torch.tensor([[1.0, 2.0, -1.0], [0.5, 3.0, 2.0], [-2.0, 1.5, 4.0], [3.0, -1.0, 0.25]])
    assert_matches(
        student.relative_dot(table),
        torch.tensor([6.0, 4.5, -3.0, 0.75]),
        what="relative_dot",
        candidates={
            "the cosines of the angles between the rows: nothing is to be divided by lengths": torch.cosine_similarity(
                table, table[:1]
            ),
            "the dot products of each row with itself": (table * table).sum(1),
            "the dot products of neighbouring rows": (table[:-1] * table[1:]).sum(1),
            "the dot products with the last row": table @ table[-1],
            "the dot products divided by the square root of d": table @ table[0] / math.sqrt(3),
            "the dot products divided by d": table @ table[0] / 3,
            "all dot products of all rows; row 0 with each row is asked for": table @ table.T,
            "the dot products without the one of row 0 with itself": (table @ table[0])[1:],
            "the products of the entries, not added up": table * table[0],
        },
        pointer=SECTION,
    )
