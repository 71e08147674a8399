"""Making tensors, as students receive the checks."""

from __future__ import annotations

import numpy as np
import torch

from deepmarks.checks import assert_matches, expect, question

SECTION = "section 1"
NAMES = ("from_list", "shared", "copied", "ones_like", "zeros")


def five(got):
    """The five results by name."""
    expect(
        isinstance(got, tuple | list) and len(got) == 5,
        "make_tensors must return five tensors: from_list, shared, copied, ones_like, zeros.",
        kind="structure",
        pointer=SECTION,
    )
    for part in got:
        expect(
            isinstance(part, torch.Tensor),
            "All five results of make_tensors must be torch tensors.",
            detail=f"received {[type(item).__name__ for item in got]}",
            kind="structure",
            pointer=SECTION,
        )
    return dict(zip(NAMES, got, strict=True))


@question("q1", points=0.5)
def test_five_tensors_of_whole_numbers(student):
    """From [[1, 2, 3], [4, 5, 6]] and a float64 array come five tensors with the right values, shapes and dtypes."""
    data = [[1, 2, 3], [4, 5, 6]]
    array = np.array([[0.5, -1.25], [2.75, 3.0], [7.5, -8.0]])
    got = five(student.make_tensors(data, array))
    numbers = torch.tensor(data)
    expect(
        not got["from_list"].is_floating_point(),
        "from_list turns whole numbers into floats: torch.tensor takes the dtype from the data.",
        detail=f"received {got['from_list'].dtype}",
        kind="from-list-float",
        pointer=SECTION,
    )
    expected = {
        "from_list": numbers,
        "shared": torch.from_numpy(array),
        "copied": torch.from_numpy(array),
        "ones_like": torch.ones(2, 3, dtype=torch.int64),
        "zeros": torch.zeros(2, 3),
    }
    for name in NAMES:
        wrong = {}
        if name == "zeros":
            wrong = {"a tensor with the shape of the array, not of from_list": torch.zeros(3, 2)}
        if name == "ones_like":
            wrong = {"a tensor with the shape of the array, not of from_list": torch.ones(3, 2)}
        assert_matches(got[name], expected[name], what=name, candidates=wrong, pointer=SECTION)


@question("q1", points=0.5)
def test_a_change_of_the_array(student):
    """After a change of the array, `shared` shows it and `copied` does not."""
    array = np.array([[0.5, -1.25, 2.0], [2.75, 3.0, 4.5]])
    found = student.probe("memory", [[1, 2]], array)
    expect(
        np.array_equal(found["array"], array),
        "make_tensors changes the array that it is given.",
        kind="array-changed",
        pointer=SECTION,
    )
    expect(
        torch.equal(found["shared after the array changed"], torch.from_numpy(array + 1)),
        "`shared` does not follow the array when it changes: it is a copy.",
        kind="not-shared",
        pointer=SECTION,
    )
    expect(
        torch.equal(found["copied after the array changed"], torch.from_numpy(array)),
        "`copied` follows the array when it changes: it shares its memory.",
        kind="not-copied",
        pointer=SECTION,
    )
