"""Kinds of results, and what they are called in a sentence."""

from __future__ import annotations

from enum import StrEnum
from typing import Any

import numpy as np

from deepmarks.compare.arrays import is_number, is_tensor, is_truth


class Kind(StrEnum):
    """What a value is, as far as a comparison cares."""

    NONE = "None"
    TRUTH = "a truth value"
    NUMBER = "a number"
    TEXT = "a string"
    BYTES = "bytes"
    NUMPY = "a NumPy array"
    TORCH = "a torch tensor"
    MAPPING = "a dict"
    LIST = "a list"
    TUPLE = "a tuple"
    SET = "a set"
    DTYPE = "a dtype"
    OPAQUE = "an object"
    OTHER = "an object of another type"


_SIMPLE: tuple[tuple[type | tuple[type, ...], Kind], ...] = (
    (str, Kind.TEXT),
    (bytes, Kind.BYTES),
    (np.ndarray, Kind.NUMPY),
    (dict, Kind.MAPPING),
    (list, Kind.LIST),
    (tuple, Kind.TUPLE),
    ((set, frozenset), Kind.SET),
    (np.dtype, Kind.DTYPE),
)

# Names that a sentence may show. Any other comes from the submission, which could write values into it.
_KNOWN_OBJECTS = {
    "generator": "a generator (is it waiting to be turned into a list?)",
    "function": "a function (was it returned without being called?)",
    "method": "a method (was it returned without being called?)",
    "builtin_function_or_method": "a function (was it returned without being called?)",
    "map": "a map object",
    "zip": "a zip object",
    "range": "a range",
    "filter": "a filter object",
    "dict_keys": "a view of a dict's keys",
    "dict_values": "a view of a dict's values",
    "type": "a class",
    "module": "a module",
    "Tensor": "a torch tensor of a special kind",
    "Linear": "a torch module",
    "Sequential": "a torch module",
    "Generator": "a random generator",
    "Image": "a PIL image",
    "DataLoader": "a DataLoader",
    "ellipsis": "an ellipsis (...)",
}


def kind_of(value: Any) -> Kind:
    """Return the kind of a value."""
    if value is None:
        return Kind.NONE
    if is_truth(value):
        return Kind.TRUTH
    if is_number(value):
        return Kind.NUMBER
    if is_tensor(value):
        return Kind.TORCH
    for types, kind in _SIMPLE:
        if isinstance(value, types):
            return kind
    if type(value).__module__ == "torch" and type(value).__name__ == "dtype":
        return Kind.DTYPE
    if hasattr(value, "handle") and hasattr(value, "type_name"):
        return Kind.OPAQUE
    return Kind.OTHER


def named(kind: Kind) -> str:
    """Return what a kind is called, with its article."""
    return kind.value


def name_of_object(value: Any) -> tuple[str, str]:
    """Return how a sentence calls what is no data, and the detail with its type's own name."""
    full = str(getattr(value, "type_name", type(value).__name__))[:100]
    known = _KNOWN_OBJECTS.get(full.rsplit(".", 1)[-1])
    return known or "an object of a class that is no data", f"its type is {full}"
