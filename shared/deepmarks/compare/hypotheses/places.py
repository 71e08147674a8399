"""Mistakes in some places only: padding, the last step, one row, the diagonal, NaN and infinities."""

from __future__ import annotations

import math

import numpy as np

from deepmarks.compare.arrays import ENOUGH_BITS, Mask
from deepmarks.compare.case import Case, Hypothesis, Words, fits


def _confined(case: Case, region: Mask, ways: int = 1, at_least: float = 0.0) -> bool:
    """Tell whether all differences lie in the region, cover `at_least` this share of it, and not by accident.

    Either numbers with digits agree outside, or so many differences would not all have fallen in there.
    """
    outside = ~region
    hits = int(case.wrong.sum())
    if not region.any() or not outside.any() or (case.wrong & outside).any():
        return False
    if hits < at_least * int(region.sum()):
        return False
    if not case.whole and case.bits(case.expected[outside], continuous_only=True) >= ENOUGH_BITS:
        return True
    chance = float(region.mean())
    return hits >= 2 and -hits * math.log2(chance) - math.log2(ways) >= ENOUGH_BITS


def _slice(case: Case, axis: int, index: int) -> Mask:
    region = np.zeros(case.expected.shape, dtype=bool)
    np.moveaxis(region, axis, 0)[index] = True
    return region


def _end(case: Case, index: int) -> Words | None:
    ndim = case.expected.ndim
    for axis in range(ndim):
        if case.expected.shape[axis] < 3:
            continue
        if _confined(case, _slice(case, axis, index), ways=4 * ndim, at_least=0.5):
            return {"along": case.along(axis, ndim)}
    return None


def _one_slice(case: Case) -> Words | None:
    ndim = case.expected.ndim
    if ndim < 2:
        return None
    for axis in range(ndim):
        hit = np.flatnonzero(case.wrong.any(axis=tuple(k for k in range(ndim) if k != axis)))
        length = case.expected.shape[axis]
        if hit.size != 1 or length < 3 or case.wrong.sum() < 2:
            continue
        if _confined(case, _slice(case, axis, int(hit[0])), ways=length * ndim, at_least=0.5):
            return {"along": case.along(axis, ndim), "detail": f"it is number {hit[0]} (counted from 0)"}
    return None


def _one_entry(case: Case) -> Words | None:
    return fits(case.wrong.sum() == 1 and case.expected.size >= 4 and _confined(case, case.wrong.copy()))


def _triangle(case: Case, which: str) -> Words | None:
    shape = case.expected.shape
    if len(shape) < 2 or shape[-1] < 3 or shape[-2] < 3:
        return None
    rows, columns = np.arange(shape[-2])[:, None], np.arange(shape[-1])[None, :]
    region = {"diagonal": rows == columns, "above": columns > rows, "below": columns < rows}[which]
    return fits(_confined(case, np.broadcast_to(region, shape).copy(), ways=4, at_least=0.5))


def _masked_only(case: Case) -> Words | None:
    return fits(case.mask is not None and _confined(case, case.mask))


def _zeros_missing(case: Case) -> Words | None:
    return fits(case.wrong.sum() >= 2 and not case.whole and _confined(case, case.expected == 0, at_least=0.5))


def _zeroed(case: Case) -> Words | None:
    if case.whole or case.wrong.sum() < 2 or np.any(case.actual[case.wrong] != 0):
        return None
    return fits(_confined(case, case.wrong.copy()))


def _clipped(case: Case) -> Words | None:
    if not case.real or case.wrong.sum() < 3 or case.whole:
        return None
    received, wanted = case.actual[case.wrong], case.expected[case.wrong]
    if not np.isfinite(received).all() or np.ptp(received) != 0:
        return None
    bound = received[0]
    beyond, others = wanted - bound, case.actual[~case.wrong]
    for side in (1.0, -1.0):
        if (side * beyond > 0).all() and (side * others <= side * bound).all():
            return fits(_confined(case, case.wrong.copy()))
    return None


def _nan_made(case: Case) -> Mask:
    made: Mask = np.isnan(case.actual) & ~np.isnan(case.expected)
    return made


def _nan_masked(case: Case) -> Words | None:
    made = _nan_made(case)
    return fits(case.mask is not None and made.any() and not (made & ~case.mask).any())


def _nan_rows(case: Case) -> Words | None:
    made = _nan_made(case)
    if case.actual.ndim < 2 or case.actual.shape[-1] < 2:
        return None
    full = made.all(axis=-1)
    return fits(full.any() and not full.all() and made.sum() == full.sum() * made.shape[-1])


def _nan(case: Case) -> Words | None:
    return fits(_nan_made(case).any())


def _infinity(case: Case) -> Words | None:
    return fits((np.isinf(case.actual) & np.isfinite(case.expected)).any())


def _infinity_missing(case: Case) -> Words | None:
    return fits((np.isinf(case.expected) & np.isfinite(case.actual)).any())


def _infinity_sign(case: Case) -> Words | None:
    both = np.isinf(case.expected) & np.isinf(case.actual)
    return fits((case.actual[both] != case.expected[both]).any())


def _nan_missing(case: Case) -> Words | None:
    return fits((np.isnan(case.expected) & ~np.isnan(case.actual)).any())


NOT_FINITE = (
    Hypothesis("nan-masked", "{what} contains NaN, but only where the mask applies.", _nan_masked),
    Hypothesis(
        "nan-rows",
        "{what} has rows full of NaN: look at rows that are masked out entirely or divided by zero.",
        _nan_rows,
    ),
    Hypothesis("nan", "{what} contains NaN where a number was expected.", _nan),
)

INFINITE = (
    Hypothesis(
        "infinity",
        "{what} contains infinity where a finite number was expected: look for an overflow, "
        "a division by zero or a logarithm of zero.",
        _infinity,
    ),
    Hypothesis("infinity-missing", "{what} is finite where infinity was expected.", _infinity_missing),
    Hypothesis("infinity-sign", "{what} has an infinity of the wrong sign.", _infinity_sign),
    Hypothesis("nan-missing", "{what} is a number where NaN was expected.", _nan_missing),
)

MASKED = (
    Hypothesis(
        "masked-only",
        "{what} differs only where the mask or the padding applies; the rest is right.",
        _masked_only,
    ),
)

TABLE = (
    Hypothesis("last-step", "{what} differs only in the last step{along}.", lambda case: _end(case, -1)),
    Hypothesis("first-step", "{what} differs only in the first step{along}.", lambda case: _end(case, 0)),
    Hypothesis("one-slice", "{what} differs in one place{along} only; all others are right.", _one_slice),
    Hypothesis("one-entry", "{what} differs in a single entry; all others are right.", _one_entry),
    Hypothesis("diagonal", "{what} differs only on the diagonal.", lambda case: _triangle(case, "diagonal")),
    Hypothesis("above-diagonal", "{what} differs only above the diagonal.", lambda case: _triangle(case, "above")),
    Hypothesis("below-diagonal", "{what} differs only below the diagonal.", lambda case: _triangle(case, "below")),
    Hypothesis("zeros-missing", "{what} differs only in places where zero was expected.", _zeros_missing),
    Hypothesis("zeroed", "{what} is zero in some places where it should not be; the rest is right.", _zeroed),
    Hypothesis("clipped", "{what} is cut off at a bound; the rest is right.", _clipped),
)
