"""Mistakes made entry by entry: a function too much or too few, digits lost."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from deepmarks.compare.arrays import SIMPLE_BITS, Array
from deepmarks.compare.case import Case, Hypothesis, Words, fits

_ENTRIES = 3


def _all_zeros(case: Case) -> Words | None:
    return fits(case.actual.size > 1 and not np.any(case.actual != 0) and not case.truth)


def _inverted(case: Case) -> Words | None:
    if not case.real or case.expected.size < 2 or (case.whole and not case.truth):
        return None
    return fits(case.proves(case.actual, 1 - case.expected, SIMPLE_BITS))


def _conjugated(case: Case) -> Words | None:
    return fits(not case.real and case.proves(case.actual, np.conj(case.expected)))


def _is(function: Callable[[Array], Array], case: Case) -> Words | None:
    """Tell whether the received array is this function of the expected one."""
    if not case.real or case.truth or case.expected.size < _ENTRIES:
        return None
    with np.errstate(all="ignore"):
        predicted = np.asarray(function(case.expected))
    return fits(case.proves(case.actual, predicted))


def _absolute(case: Case) -> Words | None:
    return _is(np.abs, case) if _signs_are_wrong(case) else None


def _signs(case: Case) -> Words | None:
    if not case.real or case.truth or case.expected.size < _ENTRIES:
        return None
    finite = np.isfinite(case.expected[case.wrong]).any()  # a wrong sign of infinity has its own name
    return fits(finite and _signs_are_wrong(case) and case.proves(np.abs(case.actual), np.abs(case.expected)))


def _signs_are_wrong(case: Case) -> bool:
    """Whether every wrong entry has the other sign; small errors of rounding look like any of these otherwise."""
    return bool((np.sign(case.actual[case.wrong]) * np.sign(case.expected[case.wrong]) < 0).all())


def _one_signed(case: Case) -> Words | None:
    return _is(lambda expected: np.maximum(expected, 0.0), case)


def _rounded(case: Case) -> Words | None:
    expected = case.expected[np.isfinite(case.expected)]
    if not case.real or int((expected != np.rint(expected)).sum()) < _ENTRIES:
        return None
    for function, words in ((np.floor, "down"), (np.trunc, "towards zero"), (np.rint, "")):
        if _is(function, case) is not None:
            return {"direction": f" {words}" if words else ""}
    return None


def _single_precision(case: Case) -> Words | None:
    if case.single or case.whole or not case.real:
        return None
    with np.errstate(all="ignore"):
        telling = case.expected != case.expected.astype(np.float32)
        kept = case.actual == case.actual.astype(np.float32)
    both = np.isfinite(case.expected) & telling
    if int(both.sum()) < _ENTRIES or not kept[np.isfinite(case.actual)].all():
        return None
    return fits(_relative_error(case) < 1e-5)


def _imprecise(case: Case) -> Words | None:
    if case.whole or case.expected.size < _ENTRIES or not np.ptp(np.abs(case.expected[np.isfinite(case.expected)])):
        return None
    return fits(_relative_error(case) < (1e-3 if case.single else 1e-4) and float(case.wrong.mean()) > 0.5)


def _relative_error(case: Case) -> float:
    finite = np.isfinite(case.expected)
    if not np.array_equal(finite, np.isfinite(case.actual)) or not finite.any():
        return np.inf
    wanted = case.expected[finite]
    centre = wanted.mean()  # of the spread, not of the size: 1000.1 and 1000.2 are not nearly the same
    spread = float(np.linalg.norm(wanted - centre))
    return float(np.linalg.norm(case.actual[finite] - wanted)) / spread if spread else np.inf


FACTS = (Hypothesis("all-zeros", "{what} is zero everywhere: was it created and never filled?", _all_zeros),)

TABLE = (
    Hypothesis("inverted", "{what} is inverted: it is one minus what was expected.", _inverted),
    Hypothesis("conjugated", "{what} is the complex conjugate of what was expected.", _conjugated),
    Hypothesis("absolute", "{what} has lost its signs: it is the absolute value of the right one.", _absolute),
    Hypothesis("rectified", "{what} is cut off at zero: the negative entries are missing.", _one_signed),
    Hypothesis("signs", "{what} has the wrong sign in some entries; the absolute values are right.", _signs),
    Hypothesis("squared", "{what} is the square of what was expected.", lambda case: _is(np.square, case)),
    Hypothesis("square-root", "{what} is the square root of what was expected.", lambda case: _is(np.sqrt, case)),
    Hypothesis(
        "log-for-linear",
        "{what} is the logarithm of what was expected: linear space is asked for, not log space.",
        lambda case: _is(np.log, case),
    ),
    Hypothesis(
        "linear-for-log",
        "{what} is the exponential of what was expected: log space is asked for, not linear space.",
        lambda case: _is(np.exp, case),
    ),
    Hypothesis("reciprocal", "{what} is one divided by what was expected.", lambda case: _is(np.reciprocal, case)),
    Hypothesis(
        "rounded",
        "{what} is rounded{direction} to whole numbers: look for an integer division or an integer dtype.",
        _rounded,
    ),
)

NEARLY = (
    Hypothesis(
        "single-precision",
        "{what} is right to float32's precision only: somewhere float64 numbers became float32.",
        _single_precision,
    ),
    # So near, any transformation that is almost the identity would fit as well.
    Hypothesis(
        "nearly",
        "{what} is nearly right: its errors are small, but larger than rounding explains. Look for lost precision.",
        lambda case: fits(case.meets(case.actual, case.expected)),
    ),
)

LOOSE = (
    Hypothesis(
        "imprecise",
        "{what} is right to a few digits only: look for an epsilon, a coarse constant or lost precision.",
        _imprecise,
    ),
)
