"""Picking, changing and joining, as students receive the checks."""

from __future__ import annotations

import torch

from deepmarks.checks import assert_matches, expect, question

SECTION = "section 2"
NAMES = ("first_row", "last_column", "every_other_row", "positive")
TABLE = torch.tensor([[1.5, -2.0, 3.0], [-4.0, 5.0, -6.5], [7.0, -8.0, 9.0], [-1.0, 2.5, -3.0], [0.0, 4.0, 6.0]])


def four(got):
    """The four results by name."""
    expect(
        isinstance(got, tuple | list) and len(got) == 4,
        "pick must return four tensors: first_row, last_column, every_other_row, positive.",
        kind="structure",
        pointer=SECTION,
    )
    return dict(zip(NAMES, got, strict=True))


@question("q2", points=0.5)
def test_pick_from_a_small_table(student):
    """From a (5, 3) table, pick takes the first row, the last column, rows 0, 2 and 4, and what is > 0."""
    t = TABLE
    expected = {
        "first_row": torch.tensor([1.5, -2.0, 3.0]),
        "last_column": torch.tensor([3.0, -6.5, 9.0, -3.0, 6.0]),
        "every_other_row": torch.tensor([[1.5, -2.0, 3.0], [7.0, -8.0, 9.0], [0.0, 4.0, 6.0]]),
        "positive": torch.tensor([1.5, 3.0, 5.0, 7.0, 9.0, 2.5, 4.0, 6.0]),
    }
    wrong = {
        "first_row": {"the first column": t[:, 0], "the last row": t[-1], "the second row": t[1]},
        "last_column": {"the last row": t[-1], "the first column": t[:, 0]},
        "every_other_row": {
            "the rows 1, 3, 5 instead of 0, 2, 4": t[1::2],
            "every other column": t[:, ::2],
            "the first half of the rows": t[: len(t) // 2],
            "the two first rows": t[:2],
        },
        "positive": {
            "the entries >= 0, not > 0": t[t >= 0],
            "a tensor of truth values, not the entries": t > 0,
            "the whole table with zeros where nothing is positive": t.clamp(min=0),
            "the positive entries column by column": t.T[t.T > 0],
            "the places of the positive entries, not the entries": (t > 0).nonzero(),
            "the absolute values of all entries": t.abs().flatten(),
        },
    }
    got = four(student.pick(t))
    for name in NAMES:
        assert_matches(got[name], expected[name], what=name, candidates=wrong[name], pointer=SECTION)


@question("q2", points=0.5)
def test_zero_column_is_a_new_tensor(student):
    """zero_column(t, 1) has zeros in column 1; t itself is unmodified, and shares nothing with the result."""
    kept, after_call, after_writing = student.probe("write_into_result", TABLE, 1)
    expect(
        torch.equal(after_call, TABLE),
        "zero_column changes t itself: work on a copy.",
        kind="input-changed",
        pointer=SECTION,
    )
    expected = TABLE * torch.tensor([1.0, 0.0, 1.0])
    row = TABLE.clone()
    row[1] = 0
    wrong = {
        "t with a row of zeros, not a column": row,
        "t without the column": TABLE[:, [0, 2]],
        "zeros everywhere but in the column": TABLE - expected,
        "t, unchanged": TABLE,
    }
    assert_matches(kept, expected, what="zero_column(t, 1)", candidates=wrong, pointer=SECTION)
    expect(
        torch.equal(after_writing, TABLE),
        "The result of zero_column shares memory with t: it must be a new tensor.",
        kind="shared",
        pointer=SECTION,
    )


@question("q2", points=0.5)
def test_join_two_tables(student):
    """Joining puts (2, 3) and (4, 3) below each other with dim 0, and (2, 3) and (2, 5) side by side with dim 1."""
    a = torch.tensor([[1.5, 2.0, 3.0], [4.0, 5.0, 6.5]])
    below = 10 * torch.arange(12.0).view(4, 3)
    beside = -torch.arange(1.0, 11.0).view(2, 5)
    wrong = {"b followed by a": torch.cat([below, a])}
    assert_matches(
        student.join(a, below, 0), torch.cat([a, below]), what="join(a, b, 0)", candidates=wrong, pointer=SECTION
    )
    wrong = {"b followed by a": torch.cat([beside, a], 1)}
    expected = torch.cat([a, beside], 1)
    assert_matches(student.join(a, beside, 1), expected, what="join(a, b, 1)", candidates=wrong, pointer=SECTION)
    got = student.join(a, -a, 0)
    wrong = {
        "the two tensors stacked along a new axis, not joined along one that exists": torch.stack([a, -a]),
        "b followed by a": torch.cat([-a, a]),
    }
    assert_matches(got, torch.cat([a, -a]), what="join(a, b, 0)", candidates=wrong, pointer=SECTION)
