"""Mistakes of order: the right numbers in the wrong places."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations, permutations

import numpy as np

from deepmarks.compare.arrays import ENOUGH_BITS, SIMPLE_BITS, Array, bits_of_order
from deepmarks.compare.case import Case, Hypothesis, Words, fits

_AXES_AT_MOST = 4  # 4! orders of axes; beyond that the search takes longer than it helps


def _transposed(case: Case) -> Words | None:
    return fits(case.expected.ndim == 2 and case.proves(case.actual, case.expected.T, SIMPLE_BITS))


def _axes_swapped(case: Case) -> Words | None:
    ndim = case.expected.ndim
    if not 3 <= ndim <= _AXES_AT_MOST:
        return None
    for a, b in combinations(range(ndim), 2):
        if case.proves(case.actual, case.expected.swapaxes(a, b)):
            return {"first": case.axis_name(a, ndim), "second": case.axis_name(b, ndim)}
    return None


def _axes_permuted(case: Case) -> Words | None:
    if not 3 <= case.expected.ndim <= _AXES_AT_MOST:
        return None
    return fits(any(case.proves(case.actual, turned) for turned in _turned(case.expected)))


def _reshaped_for_transposed(case: Case) -> Words | None:
    """The student reshaped where axes must be exchanged: the entries lie in the order of another layout."""
    if not 2 <= case.expected.ndim <= _AXES_AT_MOST or case.actual.size != case.expected.size:
        return None
    received = case.actual.ravel()
    forwards = any(case.proves(received, turned.ravel()) for turned in _turned(case.expected))
    return fits(forwards)


def _turned(array: Array) -> Iterator[Array]:
    for order in permutations(range(array.ndim)):
        if list(order) != sorted(order):
            yield array.transpose(order)


def _reversed(case: Case) -> Words | None:
    ndim = case.expected.ndim
    for axis in range(min(ndim, _AXES_AT_MOST)):
        if case.proves(case.actual, np.flip(case.expected, axis), SIMPLE_BITS):
            return {"along": case.along(axis, ndim)}
    return None


def _shifted(case: Case, late: bool) -> Words | None:
    if case.actual.shape != case.expected.shape:
        return None
    ndim = case.expected.ndim
    for axis in range(min(ndim, _AXES_AT_MOST)):
        if case.expected.shape[axis] < 3:
            continue
        received, wanted = np.moveaxis(case.actual, axis, 0), np.moveaxis(case.expected, axis, 0)
        pair = (received[1:], wanted[:-1]) if late else (received[:-1], wanted[1:])
        if case.proves(*pair):
            return {"along": case.along(axis, ndim)}
    return None


def _slices_permuted(case: Case) -> Words | None:
    """Whole slices along one axis stand in another order: compare them sorted by a fixed projection."""
    ndim = case.expected.ndim
    if not case.real or not 2 <= ndim <= _AXES_AT_MOST or case.actual.shape != case.expected.shape:
        return None
    for axis in range(ndim):
        if case.expected.shape[axis] < 3:
            continue
        received, wanted = (
            np.moveaxis(array, axis, 0).reshape(array.shape[axis], -1) for array in (case.actual, case.expected)
        )
        if not np.isfinite(received).all() or not np.isfinite(wanted).all():
            continue
        weights = np.cos(np.arange(1, wanted.shape[1] + 1) ** 2)  # fixed and irregular: ties are real ties
        order, right_order = np.argsort(received @ weights), np.argsort(wanted @ weights)
        if np.array_equal(order, right_order):
            continue  # nothing moved: the values themselves are slightly off
        received, wanted = received[order], wanted[right_order]
        lost = bits_of_order(len(wanted))
        if case.meets(received, wanted) and case.bits(wanted) - lost >= ENOUGH_BITS:
            return {"axis": case.axis_name(axis, ndim)}
    return None


def _entries_permuted(case: Case) -> Words | None:
    if not case.real or case.actual.shape != case.expected.shape or case.expected.size < 3:
        return None
    if np.array_equal(np.argsort(case.actual, axis=None), np.argsort(case.expected, axis=None)):
        return None
    received, wanted = np.sort(case.actual, axis=None), np.sort(case.expected, axis=None)
    return fits(case.meets(received, wanted) and case.bits(wanted) - bits_of_order(wanted.size) >= ENOUGH_BITS)


TABLE = (
    Hypothesis("transposed", "{what} is the right one transposed.", _transposed),
    Hypothesis("axes-swapped", "{what} has its {first} and its {second} swapped.", _axes_swapped),
    Hypothesis("axes-permuted", "{what} is right, but its axes are in another order.", _axes_permuted),
    Hypothesis("reversed", "{what} is in reverse order{along}.", _reversed),
    Hypothesis("shifted-late", "{what} comes one step too late{along}.", lambda case: _shifted(case, late=True)),
    Hypothesis("shifted-early", "{what} comes one step too early{along}.", lambda case: _shifted(case, late=False)),
    Hypothesis(
        "reshaped-for-transposed",
        "{what} holds the right numbers in the order of another layout: "
        "it looks as if you reshaped where axes must be swapped.",
        _reshaped_for_transposed,
    ),
    Hypothesis("slices-permuted", "{what} is right, but in another order along its {axis}.", _slices_permuted),
    Hypothesis("entries-permuted", "{what} holds the right numbers in another order.", _entries_permuted),
)
