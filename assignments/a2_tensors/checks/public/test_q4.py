"""Scatter, standardise, share: as students receive the checks."""

from __future__ import annotations

import torch

from deepmarks.checks import assert_matches, expect, question

SECTION = "section 4"


@question("q4", points=0.25)
def test_one_hot_of_five_labels(student):
    """The labels 2, 0, 3, 3, 1 give five float32 rows with a single 1 each, also where a class does not occur."""
    labels = torch.tensor([2, 0, 3, 3, 1])
    expected = torch.eye(5)[labels]
    wrong = {
        "one-hot columns: each row belongs to a label": expected.T,
        "rows with the labels themselves in place of the ones": expected * labels[:, None],
        "rows with the 1 one place too far to the left": torch.roll(expected, -1, 1),
    }
    got = student.one_hot(labels, 5)
    assert_matches(got, expected, what="the one-hot matrix", candidates=wrong, pointer=SECTION)


@question("q4", points=0.25)
def test_one_hot_uses_scatter(student):
    """one_hot uses a scatter operation, as the question asks (eye or F.one_hot give the numbers, but not this mark)."""
    got, names = student.probe("torch_functions", "one_hot", torch.tensor([1, 0, 2, 1]), 3)
    expect(
        isinstance(got, torch.Tensor) and got.numel() > 0,
        "one_hot must return a tensor.",
        kind="structure",
        pointer=SECTION,
    )
    expect(
        any("scatter" in name for name in names),
        "one_hot does not use a scatter operation: start from zeros and scatter the ones into them.",
        detail=f"it calls {names}",
        kind="no-scatter",
        pointer=SECTION,
    )


@question("q4", points=0.5)
def test_standardize_both_axes(student, torch_rng):
    """The columns (dim 0) or the rows (dim 1) of a (6, 4) matrix get mean 0 and unbiased standard deviation 1."""
    x = 3 * torch.randn(6, 4, generator=torch_rng, dtype=torch.float64) + 10
    for dim in (0, 1):
        mean, spread = x.mean(dim, keepdim=True), x.std(dim, keepdim=True)
        expected = (x - mean) / spread
        other = (x - x.mean(1 - dim, keepdim=True)) / x.std(1 - dim, keepdim=True)
        wrong = {
            "the one with the biased deviation (divided by n, not n - 1)": (x - mean)
            / x.std(dim, keepdim=True, correction=0),
            "the one standardised along the other axis": other,
            "the one standardised over all entries at once": (x - x.mean()) / x.std(),
            "the one divided by the variance, not its square root": (x - mean) / spread**2,
            "the one with the mean taken out, but not divided by the deviation": x - mean,
            "the one divided by the deviation without taking out the mean": x / spread,
        }
        # Adding something like 1e-8 to the deviation is a harmless habit.
        got = student.standardize(x, dim)
        what = "the standardised matrix"
        assert_matches(got, expected, what=what, rtol=1e-6, atol=1e-6, candidates=wrong, pointer=SECTION)


@question("q4", points=0.5)
def test_is_view_of_simple_pairs(student, torch_rng):
    """is_view tells a transpose, a row and another slice of the same tensor from a clone and from an equal tensor."""
    values = torch.randn(4, 6, generator=torch_rng, dtype=torch.float64)
    right = {
        "a tensor and itself": True,
        "a tensor and its transpose": True,
        "a tensor and a row in its middle": True,
        "two different slices of one tensor": True,
        "a tensor and its clone": False,
        "two equal tensors made separately": False,
        "a tensor and rows picked by a list": False,
    }
    check_pairs(student, values, right)


def check_pairs(student, values, right):
    """Compare is_view with `right`; recognise answers that come from a wrong idea."""
    got = student.probe("storage_sharing", values, list(right))
    answers = {name: bool(answer) for name, answer in got.items()}
    same_start = ("a tensor and itself", "a tensor and its transpose")
    flat = [answers[name] for name in right]
    expect(
        all(isinstance(answer, bool) or getattr(answer, "ndim", 1) == 0 for answer in got.values()),
        "is_view must return True or False.",
        kind="structure",
        pointer=SECTION,
    )
    expect(
        flat != [name in same_start for name in right],
        "is_view compares where the tensors themselves start: views may start at another place of the same storage.",
        kind="data-ptr",
        pointer=SECTION,
    )
    expect(
        flat != [name != "two different slices of one tensor" and right[name] for name in right],
        "is_view says False for two slices of one tensor that do not overlap: they share their storage.",
        kind="overlap",
        pointer=SECTION,
    )
    expect(
        not (answers["two equal tensors made separately"] and answers["a tensor and its clone"]),
        "is_view says True for tensors that are equal, but lie in different places: compare memory, not values.",
        kind="values",
        pointer=SECTION,
    )
    for name, expected in right.items():
        expect(
            answers[name] == expected,
            f"is_view says {answers[name]} for {name}.",
            kind="wrong-truth",
            pointer=SECTION,
        )
        expect(
            answers[name + ", exchanged"] == expected,
            f"is_view says {expected} for {name}, but not when the two are exchanged.",
            kind="asymmetric",
            pointer=SECTION,
        )
