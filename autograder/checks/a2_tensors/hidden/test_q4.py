"""Scatter, standardise, share: as the grader checks them."""

from __future__ import annotations

import pytest
import torch

from deepmarks.checks import assert_matches, expect, numerical_vjp, question

SECTION = "section 4"


@pytest.mark.parametrize(("n", "classes"), [(9, 4), (1, 6), (5, 1), (0, 3), (200, 17)])
@question("q4", points=0.5)
def test_one_hot_of_other_sizes(student, reference, torch_rng, n, classes):
    """one_hot is right for one label, one class, no labels at all, many labels, and classes that never occur."""
    labels = torch.randint(0, max(1, classes - 1), (n,), generator=torch_rng)
    expected = reference.one_hot(labels, classes)
    highest = int(labels.max()) + 1 if n else classes
    wrong = {
        "one-hot columns: each row belongs to a label": expected.T,
        "rows with the labels themselves in place of the ones": expected * labels[:, None] if classes > 2 else None,
        "a matrix as wide as the largest label needs, whatever num_classes says": expected[:, :highest],
        "a single row that all labels share": expected.amax(0) if n else None,
    }
    got = student.one_hot(labels, classes)
    assert_matches(got, expected, what="the one-hot matrix", candidates=wrong, pointer=SECTION)


def wrong_standards(x, dim):
    """What typical mistakes give."""
    mean, spread = x.mean(dim, keepdim=True), x.std(dim, keepdim=True)
    centred = x - mean
    found = {
        "the one with the biased deviation (divided by n, not n - 1)": centred / x.std(dim, keepdim=True, correction=0),
        "the one standardised over all entries at once": (x - x.mean()) / x.std() if x.ndim > 1 else None,
        "the one divided by the variance, not its square root": centred / spread**2,
        "the one with the mean taken out, but not divided by the deviation": centred,
        "the one divided by the deviation without taking out the mean": x / spread,
        "the one divided by the sum of squares, not the deviation": centred / centred.norm(dim=dim, keepdim=True),
    }
    for axis in range(x.ndim):
        if axis != dim % x.ndim:
            other = (x - x.mean(axis, keepdim=True)) / x.std(axis, keepdim=True)
            found[f"the one standardised along axis {axis}, whatever dim says"] = other
    return found


@pytest.mark.parametrize(
    ("shape", "dim"),
    [
        ((5, 4, 3), 0),
        ((5, 4, 3), 1),
        ((5, 4, 3), 2),
        ((5, 4, 3), -1),
        ((5, 4, 3), -3),
        ((7,), 0),
        ((4, 4), -2),
        ((2, 9), 0),
    ],
)
@question("q4", points=0.5)
def test_standardize_every_axis(student, reference, torch_rng, shape, dim):
    """Every axis can be standardised, counted from either end; vectors and squares, too, and float32."""
    # No two entries of a slice come close to each other: two that nearly agree lose their digits in float32.
    steps = 4.0 * torch.randperm(shape[dim], generator=torch_rng)
    x = 3 * torch.rand(shape, generator=torch_rng, dtype=torch.float64) + 8
    x = (x.movedim(dim, -1) + steps).movedim(-1, dim).contiguous()
    expected = reference.standardize(x, dim)
    what = "the standardised tensor"
    wrong = wrong_standards(x, dim)
    got = student.standardize(x, dim)
    assert_matches(got, expected, what=what, rtol=1e-6, atol=1e-6, candidates=wrong, pointer=SECTION)
    single = student.standardize(x.float(), dim)
    assert_matches(single, expected.float(), what=what, rtol=1e-4, atol=1e-4, pointer=SECTION)
    far = (x.abs() + 1000).float()  # the mean of squares minus the squared mean loses all digits here
    single, expected = student.standardize(far, dim), reference.standardize(far.double(), dim)
    assert_matches(single, expected.float(), what=what + " far from 0", rtol=0, atol=1e-2, pointer=SECTION)
    if shape == (5, 4, 3):
        g = torch.randn(shape, generator=torch_rng, dtype=torch.float64)
        grad = student.vjp("standardize", x, cotangent=g, wrt=(0,), dim=dim).grads[0]
        right = reference.vjp("standardize", x, cotangent=g, wrt=(0,), dim=dim).grads[0]
        numerical = numerical_vjp(lambda x: reference.standardize(x, dim), (x,), g)
        what = "the gradient of standardize"
        assert_matches(grad, right, what=what, rtol=1e-6, atol=1e-6, pointer=SECTION)
        assert_matches(grad, numerical, what=what, rtol=1e-6, atol=1e-6, pointer=SECTION)


RIGHT = {
    "the two ends of a large tensor": True,
    "a view of a view and a view": True,
    "a tensor and its reshape": True,
    "a tensor and the reshape of its transpose": False,
    "a detached tensor and the original": True,
    "an expanded row and the tensor": True,
    "a slice of a tensor and the same slice of its copy": False,
    "a tensor that requires gradients and a view of it": True,
    "two columns of one tensor": True,
    "two pieces from split": True,
    "a view with another dtype": True,
    "a tensor and a sum that equals it": False,
    "a contiguous version of a transpose": False,
    "a contiguous version of what is contiguous": True,
}


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32], ids=str)
@question("q4", points=0.5)
def test_is_view_of_harder_pairs(student, torch_rng, dtype):
    """is_view is right for views of views, reshapes, detached and expanded tensors, other dtypes and split pieces."""
    values = torch.randn(4, 6, generator=torch_rng, dtype=torch.float64).to(dtype)
    got = student.probe("storage_sharing", values, list(RIGHT))
    answers = {name: bool(answer) for name, answer in got.items()}
    wrong = [name for name in answers if answers[name] != RIGHT[name.removesuffix(", exchanged")]]
    detail = "; ".join(wrong)
    expect(
        not {"two columns of one tensor", "two pieces from split"} & set(wrong)
        or "a detached tensor and the original" not in wrong,
        "is_view compares where the tensors themselves start: views may start at another place of the same storage.",
        detail=detail,
        kind="data-ptr",
        pointer=SECTION,
    )
    expect(
        not ({"a tensor and a sum that equals it", "a slice of a tensor and the same slice of its copy"} <= set(wrong)),
        "is_view says True for tensors that are equal, but lie in different places: compare memory, not values.",
        detail=detail,
        kind="values",
        pointer=SECTION,
    )
    expect(
        "a detached tensor and the original" not in wrong and "a contiguous version of what is contiguous" not in wrong,
        "is_view says False for a detached tensor, which still lies in the same memory: compare storages, not graphs.",
        detail=detail,
        kind="base",
        pointer=SECTION,
    )
    expect(
        not {"two columns of one tensor", "two pieces from split"} & set(wrong),
        "is_view says False for two views of one storage that have no entry in common.",
        detail=detail,
        kind="overlap",
        pointer=SECTION,
    )
    expect(
        not any(RIGHT[name.removesuffix(", exchanged")] for name in wrong),
        "is_view says False for two tensors that share their storage.",
        detail=detail,
        kind="false-negative",
        pointer=SECTION,
    )
    expect(
        not wrong,
        "is_view says True for two tensors that share nothing.",
        detail=detail,
        kind="false-positive",
        pointer=SECTION,
    )
