"""Dtypes and plain numbers: what may stand for what, and what to say if it may not."""

from __future__ import annotations

from typing import Any

import numpy as np

from deepmarks.compare.arrays import Array, is_number, is_tensor, is_truth, natural
from deepmarks.compare.doctor import say
from deepmarks.compare.verdict import Diagnosis
from deepmarks.devices import dtype_name

_DEEPEST_LIST = 6
_CATEGORIES = {"f": "float", "c": "complex", "i": "int", "u": "int", "b": "bool"}
_WORDS = {
    "float": "a float",
    "complex": "a complex number",
    "int": "a whole number (int)",
    "bool": "a truth value",
}


def dtype_name_of(value: Any) -> str:
    """Return the dtype's name, or "" for a plain Python number."""
    if is_tensor(value) or isinstance(value, np.ndarray):
        return dtype_name(value.dtype)
    return ""


def category(value: Any) -> str:
    """Return "float", "complex", "int", "bool" or "other"."""
    if isinstance(value, int) and not isinstance(value, bool):
        return "int"  # of any size
    return _CATEGORIES.get(natural(value).dtype.kind, "other")


def dtype_fault(actual: Any, expected: Any, what: str) -> Diagnosis | None:
    """Compare dtypes: exactly between arrays, by category if one of them is a plain number.

    A float, np.float64 and a 0-d array or tensor stand for each other, and an int may stand for a float.
    """
    received, wanted = dtype_name_of(actual), dtype_name_of(expected)
    if received and wanted:
        if received == wanted:
            return None
        detail = f"expected the dtype {wanted}, received {received}"
        if (received, wanted) == ("float32", "float64"):
            sentence = say("{what} is float32 where float64 was expected.", what)
            return Diagnosis("float32-for-float64", sentence, detail)
        sentence = "{what} has the dtype {received} where {wanted} was expected."
        sentence = say(sentence, what, received=received, wanted=wanted)
        return Diagnosis("different-dtype", sentence, detail)
    ranks = {"int": 0, "float": 1, "complex": 2}
    got, asked = category(actual), category(expected)
    if got == asked or (got in ranks and asked in ranks and ranks[got] < ranks[asked]):
        return None
    sentence = "{what} is {got} where {asked} was expected."
    words = {"got": _WORDS.get(got, "no number"), "asked": _WORDS.get(asked, "a number")}
    return Diagnosis("different-dtype", say(sentence, what, **words))


def as_vector(value: Any, depth: int = 0) -> Array | None:
    """Return nested lists of plain numbers as one array; None for anything else, ragged or empty."""
    if not isinstance(value, list | tuple) or not value or not _plain(value, depth):
        return None
    try:
        array = np.asarray(value)
    except (ValueError, OverflowError):
        return None
    return array if array.dtype.kind in "fiubc" else None


def _plain(value: Any, depth: int) -> bool:
    if isinstance(value, list | tuple):
        return depth < _DEEPEST_LIST and bool(value) and all(_plain(item, depth + 1) for item in value)
    return is_number(value) or is_truth(value)
