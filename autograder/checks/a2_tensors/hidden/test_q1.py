"""Making tensors, as the grader checks them."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from deepmarks.checks import assert_matches, expect, question

SECTION = "section 1"
NAMES = ("from_list", "shared", "copied", "ones_like", "zeros")

DATA = {
    "large whole numbers": [[2**24 + 1, 2**53 + 1], [-7, 0], [3, -(2**31)]],
    "floats": [[[0.5, -1.25], [2.0, 3.75]], [[-8.5, 1.0], [0.0, 7.25]], [[4.5, 4.0], [3.5, 1.5]]],
    "truth values": [[True, False, False], [False, True, True]],
    "a flat list": [4.5, -2.0, 8.25],
}


@pytest.mark.parametrize("kind", list(DATA))
@pytest.mark.parametrize("dtype", ["float32", "int64", "uint8"])
@question("q1", points=0.5)
def test_other_data_and_arrays(student, rng, kind, dtype):
    """Floats, truth values, large whole numbers, deeper and flat lists, and arrays of other dtypes come out right."""
    data = DATA[kind]
    array = rng.integers(0, 100, (4, 3)).astype(dtype)
    got = student.make_tensors(data, array)
    expect(
        isinstance(got, tuple | list) and len(got) == 5 and all(isinstance(part, torch.Tensor) for part in got),
        "make_tensors must return five tensors: from_list, shared, copied, ones_like, zeros.",
        kind="structure",
        pointer=SECTION,
    )
    got = dict(zip(NAMES, got, strict=True))
    first, numbers = got["from_list"], torch.tensor(data)
    # float64 is as good as float32 for a list of floats: the contract leaves it open.
    same_kind = first.is_floating_point() if numbers.is_floating_point() else first.dtype == numbers.dtype
    expect(
        same_kind,
        "from_list has another kind of dtype than its data: whole numbers, floats and truth values stay what they are.",
        detail=f"received {first.dtype} for {kind}",
        kind="from-list-dtype",
        pointer=SECTION,
    )
    assert_matches(first, numbers, what="from_list", dtype=False, pointer=SECTION)
    expected = {
        "shared": torch.from_numpy(array),
        "copied": torch.from_numpy(array),
        "ones_like": torch.ones(numbers.shape, dtype=first.dtype),
        "zeros": torch.zeros(numbers.shape, dtype=torch.float32),
    }
    for name, right in expected.items():
        assert_matches(got[name], right, what=name, pointer=SECTION)


@pytest.mark.parametrize("layout", ["plain", "transposed", "every other"])
@question("q1", points=0.5)
def test_memory_in_both_directions(student, rng, layout):
    """Writing into `shared` changes the array, writing into `copied` changes nothing; for strided arrays, too."""
    array = rng.integers(-50, 50, (3, 5)).astype("float32")
    found = student.probe("memory", [[1.5]], array, layout)
    values = torch.from_numpy(array)
    for name in ("shared", "copied"):
        assert_matches(found[name], values, what=name, pointer=SECTION)
    expect(
        torch.equal(found["shared after the array changed"], values + 1),
        "`shared` does not follow the array when it changes: it is a copy.",
        kind="not-shared",
        pointer=SECTION,
    )
    expect(
        np.array_equal(found["array after shared changed"], 3 * (array + 1)),
        "The array does not follow `shared` when that changes.",
        kind="not-shared",
        pointer=SECTION,
    )
    expect(
        torch.equal(found["copied after the array changed"], values)
        and torch.equal(found["copied after shared changed"], values),
        "`copied` follows the array or `shared`: it has no memory of its own.",
        kind="not-copied",
        pointer=SECTION,
    )
    expect(
        np.array_equal(found["array after copied changed"], 3 * (array + 1)),
        "Writing into `copied` changes the array.",
        kind="not-copied",
        pointer=SECTION,
    )
