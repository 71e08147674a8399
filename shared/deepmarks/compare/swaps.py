"""Mistakes between the parts of a result: two of them exchanged, or one in the place of another."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from deepmarks.compare.arrays import ENOUGH_BITS, evidence, is_number, round_number, wide
from deepmarks.compare.doctor import say
from deepmarks.compare.faults import Fault, Options, agree
from deepmarks.compare.kinds import Kind, kind_of
from deepmarks.compare.verdict import Diagnosis
from deepmarks.devices import Tolerance

_PARTS_AT_MOST = 64  # pairs are tried, so the time grows with the square


def exchanged(actual: Any, expected: Any, faults: Sequence[Fault], what: str, options: Options) -> Diagnosis | None:
    """Say which two entries of a dict or tuple are exchanged, or which one holds another's value."""
    keys = _wrong_keys(actual, expected, faults)
    if not keys or len(keys) > _PARTS_AT_MOST:
        return None
    plain = Options(options.rtol, options.atol, dtype=False)

    def holds(place: Any, other: Any) -> bool:
        return _telling(expected[other]) and agree(actual[place], expected[other], plain)

    for k, first in enumerate(keys):
        for second in keys[k + 1 :]:
            if holds(first, second) and holds(second, first):
                names = {"first": f"{what}[{first!r}]", "second": f"{what}[{second!r}]"}
                return Diagnosis("exchanged", say("{first} and {second} are exchanged.", what, **names))
    for place in keys:
        for other in _keys(expected):
            if other != place and holds(place, other):
                names = {"first": f"{what}[{place!r}]", "second": f"{what}[{other!r}]"}
                return Diagnosis("wrong-entry", say("{first} holds what belongs in {second}.", what, **names))
    return None


def _wrong_keys(actual: Any, expected: Any, faults: Sequence[Fault]) -> list[Any]:
    same = isinstance(actual, dict) and isinstance(expected, dict)
    same = same or (isinstance(actual, list | tuple) and isinstance(expected, list | tuple))
    if not same or any(not fault.path for fault in faults):
        return []
    return list(dict.fromkeys(fault.path[0] for fault in faults))


def _keys(value: Any) -> Iterable[Any]:
    return value if isinstance(value, dict) else range(len(value))


def _telling(value: Any) -> bool:
    """Tell whether meeting this value by accident is out of the question."""
    kind = kind_of(value)
    if kind in (Kind.LIST, Kind.TUPLE):
        return any(_telling(item) for item in value)
    if kind is Kind.MAPPING:
        return any(_telling(item) for item in value.values())
    if kind is Kind.TEXT:
        return len(value) > 3
    if kind not in (Kind.NUMBER, Kind.NUMPY, Kind.TORCH):
        return False
    array = wide(value)
    if array.size == 1:
        number = array.reshape(-1)[0]
        return bool(np.isfinite(number) and not round_number(number)) and (is_number(value) or array.ndim <= 2)
    return evidence(array, Tolerance(1e-5, 1e-8)) >= ENOUGH_BITS
