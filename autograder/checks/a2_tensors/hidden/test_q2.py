"""Picking, changing and joining, as the grader checks them."""

from __future__ import annotations

import pytest
import torch

from deepmarks.checks import assert_matches, expect, question

SECTION = "section 2"
NAMES = ("first_row", "last_column", "every_other_row", "positive")


def wrong_picks(t):
    """What typical mistakes give, for each part of pick."""
    return {
        "first_row": {
            "the first column": t[:, 0],
            "the last row": t[-1],
            "the first row as a matrix with one row": t[:1],
        },
        "last_column": {
            "the last row": t[-1],
            "the first column": t[:, 0],
            "column number 2, whatever the width": t[:, 2] if t.shape[1] > 2 else None,
            "the last column as a matrix with one column": t[:, -1:],
        },
        "every_other_row": {
            "the rows 1, 3, 5 instead of 0, 2, 4": t[1::2],
            "every other column": t[:, ::2],
            "the first half of the rows": t[: len(t) // 2],
            "rows 0 and 2 only, however many there are": t[:3:2],
            "rows 0, 2 and 4 only, however many there are": t[:5:2],
        },
        "positive": {
            "the entries >= 0, not > 0": t[t >= 0],
            "a tensor of truth values, not the entries": t > 0,
            "the whole table with zeros where nothing is positive": t.clamp(min=0),
            "the positive entries column by column": t.T[t.T > 0],
            "the entries that are not 0": t[t != 0],
        },
    }


@pytest.mark.parametrize("dtype", [torch.float64, torch.int64, torch.float32], ids=str)
@pytest.mark.parametrize(("n", "m"), [(7, 4), (1, 5), (6, 1), (1, 1), (2, 3)])
@pytest.mark.parametrize("sign", ["mixed", "negative", "positive"])
@question("q2", points=0.5)
def test_pick_from_other_tables(student, torch_rng, n, m, dtype, sign):
    """The parts of pick are right for one row, one column, whole numbers, and no or only positive entries."""
    t = torch.randint(-9, 10, (n, m), generator=torch_rng).to(dtype)
    t = {"mixed": t, "negative": -t.abs(), "positive": t.abs() + 1}[sign]
    got = student.pick(t)
    expect(
        isinstance(got, tuple | list) and len(got) == 4,
        "pick must return four tensors: first_row, last_column, every_other_row, positive.",
        kind="structure",
        pointer=SECTION,
    )
    expected = (t[0], t[:, -1], t[::2], t[t > 0])
    wrong = wrong_picks(t)
    for name, part, right in zip(NAMES, got, expected, strict=True):
        assert_matches(part, right, what=name, candidates=wrong[name], pointer=SECTION)


@question("q2", points=0.25)
def test_views_as_arguments(student, torch_rng):
    """Both pick and zero_column work on a tensor that is not contiguous, and leave all of its memory alone."""
    t = torch.randn(5, 4, generator=torch_rng, dtype=torch.float64)
    got, kept = student.probe("on_strided", "pick", t)
    expect(kept, "pick changes the memory of the tensor that it is given.", kind="input-changed", pointer=SECTION)
    expected = (t[0], t[:, -1], t[::2], t[t > 0])
    expect(
        isinstance(got, tuple | list) and len(got) == 4,
        "pick must return four tensors: first_row, last_column, every_other_row, positive.",
        kind="structure",
        pointer=SECTION,
    )
    for name, part, right in zip(NAMES, got, expected, strict=True):
        what = f"{name} of a strided tensor"
        assert_matches(part, right, what=what, candidates=wrong_picks(t)[name], pointer=SECTION)
    got, kept = student.probe("on_strided", "zero_column", t, 2)
    expect(
        kept,
        "zero_column changes the memory of the tensor that it is given.",
        kind="input-changed",
        pointer=SECTION,
    )
    expected = t.clone()
    expected[:, 2] = 0
    assert_matches(got, expected, what="zero_column of a strided tensor", pointer=SECTION)


@pytest.mark.parametrize("dtype", [torch.float64, torch.int64], ids=str)
@question("q2", points=0.25)
def test_zero_column_of_every_column(student, torch_rng, dtype):
    """zero_column works for every column of a table, also of whole numbers, and never shares memory with t."""
    t = torch.randint(1, 1000, (3, 5), generator=torch_rng).to(dtype)
    for j in range(5):
        kept, after_call, after_writing = student.probe("write_into_result", t, j)
        expect(
            torch.equal(after_call, t),
            "zero_column changes t itself: work on a copy.",
            kind="input-changed",
            pointer=SECTION,
        )
        expected = t.clone()
        expected[:, j] = 0
        others = {
            "t with another column of zeros": [t * (torch.arange(5) != k) for k in range(5) if k != j],
            "t with a row of zeros, not a column": [torch.cat([t[:j], 0 * t[j : j + 1], t[j + 1 :]])],
        }
        hit = next((text for text, tables in others.items() for table in tables if torch.equal(kept, table)), None)
        wrong = {hit: kept} if hit else None
        assert_matches(kept, expected, what="zero_column(t, j)", candidates=wrong, pointer=SECTION)
        expect(
            torch.equal(after_writing, t),
            "The result of zero_column shares memory with t: it must be a new tensor.",
            kind="shared",
            pointer=SECTION,
        )


@pytest.mark.parametrize("dim", [0, 1, 2, -1, -2, -3])
@question("q2", points=0.5)
def test_join_along_every_axis(student, torch_rng, dim):
    """Tensors are joined along every axis of three, counted from either end, and for vectors and whole numbers."""
    shape = [3, 4, 2]
    a = torch.randn(shape, generator=torch_rng, dtype=torch.float64)
    shape[dim] += 3
    b = torch.randn(shape, generator=torch_rng, dtype=torch.float64)
    wrong = {"b followed by a": torch.cat([b, a], dim)}
    assert_matches(
        student.join(a, b, dim), torch.cat([a, b], dim), what="join(a, b, dim)", candidates=wrong, pointer=SECTION
    )
    same = torch.randn(a.shape, generator=torch_rng, dtype=torch.float64)
    wrong = {
        f"the two joined along axis {axis}, whatever dim says": torch.cat([a, same], axis)
        for axis in range(3)
        if axis != dim % 3
    }
    wrong["the two stacked along a new axis"] = torch.stack([a, same], dim)
    wrong["b followed by a"] = torch.cat([same, a], dim)
    assert_matches(
        student.join(a, same, dim), torch.cat([a, same], dim), what="join(a, b, dim)", candidates=wrong, pointer=SECTION
    )
    if dim in (0, -1):
        flat = torch.arange(4), torch.arange(10, 17)
        wrong = {"b followed by a": torch.cat(flat[::-1])}
        assert_matches(
            student.join(*flat, dim), torch.cat(flat), what="join of two vectors", candidates=wrong, pointer=SECTION
        )
