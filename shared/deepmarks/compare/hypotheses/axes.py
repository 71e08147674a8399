"""Mistakes of axis in results of the right shape: normalised along the wrong one, or not at all."""

from __future__ import annotations

from itertools import permutations

import numpy as np

from deepmarks.compare.arrays import ENOUGH_BITS, Array
from deepmarks.compare.case import Case, Hypothesis, Words

_AXES_AT_MOST = 4
_COARSEST = 1e-4  # half precision cannot tell a sum of one or a mean of zero from noise


def _measurable(case: Case) -> bool:
    precise = case.limits.rtol <= _COARSEST
    return case.real and precise and not case.whole and 2 <= case.expected.ndim <= _AXES_AT_MOST


def _ones(case: Case, sums: Array) -> bool:
    return bool(np.all(np.abs(sums - 1) <= max(20 * case.limits.rtol, 20 * case.limits.atol)))


def _separable(case: Case, difference: Array, a: int, b: int) -> bool:
    """Tell whether the difference is a function without axis a plus a function without axis b.

    Then its mixed second difference over both axes is zero.
    """
    mixed = np.diff(np.diff(difference, axis=a), axis=b)
    telling = np.abs(np.diff(np.diff(difference * 0 + case.expected, axis=a), axis=b))
    limit = 100 * (case.limits.atol + case.limits.rtol * (1 + np.abs(difference).max()))
    return mixed.size >= 2 and bool(np.all(np.abs(mixed) <= limit)) and float(telling.max()) > 10 * limit


def _softmax_axis(case: Case) -> Words | None:
    """softmax(x) over a and over b differ in logs by logsumexp_b(x) - logsumexp_a(x)."""
    if not _measurable(case):
        return None
    for log in (False, True):
        with np.errstate(all="ignore"):
            wanted, received = (np.exp(x) if log else x for x in (case.expected, case.actual))
            if not (np.isfinite(wanted).all() and np.isfinite(received).all()):
                continue
            if (wanted <= 0).any() or (received <= 0).any():
                continue
            difference = np.log(received) - np.log(wanted)
        for right, used in permutations(range(wanted.ndim), 2):
            normalised = _ones(case, wanted.sum(right)) and _ones(case, received.sum(used))
            if normalised and not _ones(case, received.sum(right)) and _separable(case, difference, right, used):
                return _both(case, right, used)
    return None


def _centred(case: Case, array: Array, axis: int) -> bool:
    size = float(np.sqrt(np.mean(array**2)))
    return size > 0 and bool(np.all(np.abs(array.mean(axis)) <= 100 * (case.limits.rtol + 1e-12) * size))


def _mean_axis(case: Case) -> Words | None:
    """Centred over the wrong axis: (x - m_b) / s_b has zero mean along b where it should have it along a."""
    if not _measurable(case) or min(case.expected.shape) < 2:
        return None
    if not (np.isfinite(case.expected).all() and np.isfinite(case.actual).all()):
        return None
    if case.expected.size < 6 or case.bits(case.expected) < ENOUGH_BITS or case.bits(case.actual) < ENOUGH_BITS:
        return None
    for right, used in permutations(range(case.expected.ndim), 2):
        wanted = _centred(case, case.expected, right) and not _centred(case, case.expected, used)
        if wanted and _centred(case, case.actual, used) and not _centred(case, case.actual, right):
            return _both(case, right, used)
    return None


def _both(case: Case, right: int, used: int) -> Words:
    ndim = case.expected.ndim
    return {"right": case.axis_name(right, ndim), "used": case.axis_name(used, ndim)}


def _constant_along(case: Case, *, ratio: bool) -> Words | None:
    """Right up to a factor (or offset) of each slice's own: the normalisation is off."""
    ndim = case.expected.ndim
    if not case.real or case.whole or not 2 <= ndim <= _AXES_AT_MOST:
        return None
    if not (np.isfinite(case.expected).all() and np.isfinite(case.actual).all()):
        return None
    for axis in range(ndim):
        length = case.expected.shape[axis]
        if length < 3 or case.expected.size < 3 * length // 2:
            continue
        received, wanted = case.actual, case.expected
        if ratio:
            norm = (wanted**2).sum(axis, keepdims=True)
            if (norm == 0).any():
                continue
            found = (received * wanted).sum(axis, keepdims=True) / norm
            predicted = found * wanted
            telling = (np.abs(predicted) > case.slack(predicted).atol).sum(axis)
            if (telling < 3).any() or np.ptp(found) <= 1e-3 * np.abs(found).max():
                continue
        else:
            found = (received - wanted).mean(axis, keepdims=True)
            predicted = wanted + found
            if np.ptp(found) <= case.slack(predicted).atol:
                continue
        within = predicted - predicted.mean(axis, keepdims=True)  # what is left when the slices' levels are free
        share = (length - 2) / length
        if case.meets(received, predicted) and share * case.bits(within) >= ENOUGH_BITS:
            return {"axis": case.axis_name(axis, ndim)}
    return None


WRONG_AXIS = (
    Hypothesis(
        "softmax-axis",
        "{what} is the softmax over the {used}, but the one over the {right} is asked for.",
        _softmax_axis,
    ),
    Hypothesis(
        "mean-axis",
        "{what} has the mean taken out along the {used}, but the one along the {right} is asked for.",
        _mean_axis,
    ),
)

NORMALISATION = (
    Hypothesis(
        "slice-factor",
        "{what} is right up to a factor that is constant along the {axis}: look at what you divide by there.",
        lambda case: _constant_along(case, ratio=True),
    ),
    Hypothesis(
        "slice-offset",
        "{what} is right up to an offset that is constant along the {axis}: look at what you add there.",
        lambda case: _constant_along(case, ratio=False),
    ),
)
