"""Mistakes of size: a sign, a factor, an offset."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from deepmarks.compare.arrays import ENOUGH_BITS, SIMPLE_BITS, Array
from deepmarks.compare.case import Case, Hypothesis, Words, fits

_NAMED_CONSTANTS = {
    "3": 3.0,
    "4": 4.0,
    "10": 10.0,
    "100": 100.0,
    "255": 255.0,
    "1000": 1000.0,
    "pi": math.pi,
    "2 pi": 2 * math.pi,
    "180 / pi": 180 / math.pi,
    "the square root of 2": math.sqrt(2),
    "the natural logarithm of 2": math.log(2),
    "the natural logarithm of 10": math.log(10),
}
_LARGEST_WHOLE_FACTOR = 100_000
_ENTRIES_FOR_A_FACTOR = 3
_FEWEST_FOR_BESSEL = 4  # below, n / (n - 1) is a factor that other mistakes make as well
_COARSEST = 1e-4  # a single number must have this many digits to prove a factor


@dataclass(frozen=True, slots=True)
class _Factor:
    value: float
    words: str


def _ratio(case: Case) -> float:
    """Return the real factor that fits actual = factor * expected best, or NaN."""
    both = np.isfinite(case.actual) & np.isfinite(case.expected)
    received, wanted = case.actual[both], case.expected[both]
    with np.errstate(all="ignore"):
        total = float(np.sum(np.abs(wanted) ** 2))
        return float(np.real(np.sum(received * np.conj(wanted)))) / total if total > 0 else math.nan


def _is_factor(case: Case, factor: float, entries: int = _ENTRIES_FOR_A_FACTOR) -> bool:
    if case.truth or factor == 1:
        return False
    ratio = _ratio(case)
    if not abs(ratio - factor) <= max(1e-3, 10 * case.limits.rtol) * abs(factor):
        return False
    predicted = factor * case.expected
    if predicted.size == 1:
        return bool(predicted.any()) and case.limits.rtol <= _COARSEST and case.meets(case.actual, predicted)
    nonzero = np.isfinite(predicted) & (np.abs(predicted) > case.slack(predicted).atol)
    if int(nonzero.sum()) < entries:
        return False
    return case.proves(case.actual, predicted, SIMPLE_BITS if entries < _ENTRIES_FOR_A_FACTOR else ENOUGH_BITS)


def _negated(case: Case) -> Words | None:
    return fits(_is_factor(case, -1.0, entries=2))


def _simple(factor: float, case: Case) -> Words | None:
    return fits(_is_factor(case, factor, entries=2))


def _sum_for_mean(case: Case) -> Words | None:
    return fits(case.batch and case.batch > 1 and _is_factor(case, float(case.batch)))


def _mean_for_sum(case: Case) -> Words | None:
    return fits(case.batch and case.batch > 1 and _is_factor(case, 1 / case.batch))


def _first(case: Case, factors: Iterator[_Factor]) -> Words | None:
    for factor in factors:
        if _is_factor(case, factor.value):
            return {"factor": factor.words}
    return None


def _lengths(case: Case) -> Iterator[tuple[int, str]]:
    shape = case.expected.shape
    for axis, length in enumerate(shape):
        if length > 2:
            yield (
                length,
                f"the length of its {case.axis_name(axis, len(shape))}" if len(shape) > 1 else "its length",
            )
    if len(shape) > 1 and case.expected.size > 2:
        yield case.expected.size, "the number of its entries"


def _axis_length(case: Case) -> Words | None:
    return _first(case, (_Factor(length, words) for length, words in _lengths(case)))


def _inverse_axis_length(case: Case) -> Words | None:
    return _first(case, (_Factor(1 / length, words) for length, words in _lengths(case)))


def _root_axis_length(case: Case) -> Words | None:
    return _first(case, (_Factor(math.sqrt(length), words) for length, words in _all_lengths(case)))


def _inverse_root_axis_length(case: Case) -> Words | None:
    return _first(case, (_Factor(1 / math.sqrt(length), words) for length, words in _all_lengths(case)))


def _all_lengths(case: Case) -> Iterator[tuple[int, str]]:
    if case.batch and case.batch > 1:
        yield case.batch, "the size of the batch"
    yield from _lengths(case)


def _bessel(case: Case) -> Words | None:
    lengths = [length for length, _ in _all_lengths(case) if length >= _FEWEST_FOR_BESSEL]
    for n in lengths:
        for value in (n / (n - 1), (n - 1) / n, math.sqrt(n / (n - 1)), math.sqrt((n - 1) / n)):
            if _is_factor(case, value):
                return fits(True)
    return None


def _constant(case: Case) -> Words | None:
    return _first(case, (_Factor(value, name) for name, value in _NAMED_CONSTANTS.items()))


def _inverse_constant(case: Case) -> Words | None:
    return _first(case, (_Factor(1 / value, name) for name, value in _NAMED_CONSTANTS.items()))


def _whole(case: Case, ratio: float, power: int) -> Words | None:
    if not math.isfinite(ratio) or ratio <= 0:
        return None
    n = round(ratio**power)
    if not 3 <= n <= _LARGEST_WHOLE_FACTOR or (power == 2 and math.isqrt(n) ** 2 == n):
        return None
    return {"n": str(n)} if abs(ratio**power - n) <= 10 * power * max(case.limits.rtol, 1e-9) * n else None


def _by_whole(case: Case, *, inverse: bool, power: int) -> Words | None:
    ratio = _ratio(case)
    if not ratio > 0:
        return None
    found = _whole(case, 1 / ratio if inverse else ratio, power)
    if found is None:
        return None
    factor = int(found["n"]) ** (1 / power)
    fitted = _is_factor(case, 1 / factor if inverse else factor)
    return {"detail": f"the factor is {'1/' if inverse else ''}{factor:.6g}"} if fitted else None


def _scaled(case: Case) -> Words | None:
    ratio = _ratio(case)
    if not math.isfinite(ratio) or abs(ratio - 1) < 1e-3 or not _is_factor(case, ratio):
        return None
    return {"detail": f"the factor is {ratio:.6g}"}


def _difference(case: Case) -> Array:
    both = np.isfinite(case.actual) & np.isfinite(case.expected)
    return np.asarray(case.actual[both] - case.expected[both])


def _off_by_one(case: Case) -> Words | None:
    if case.truth:
        return None
    for step, words in ((1.0, "large"), (-1.0, "small")):
        if case.expected.size >= _ENTRIES_FOR_A_FACTOR and case.proves(case.actual, case.expected + step):
            return {"direction": words}
    return None


def _offset(case: Case) -> Words | None:
    if case.truth or case.expected.size < _ENTRIES_FOR_A_FACTOR:
        return None
    differences = _difference(case)
    if differences.size < _ENTRIES_FOR_A_FACTOR:
        return None
    offset = np.median(differences.real) + (1j * np.median(differences.imag) if not case.real else 0)
    if not case.proves(case.actual, case.expected + offset):
        return None
    return {"detail": f"the offset is {offset:.6g}"}


CLEAN = (
    Hypothesis("negated", "{what} has the wrong sign: it is the right one negated.", _negated),
    Hypothesis(
        "sum-for-mean",
        "{what} is N times too large: it looks as if you summed over the batch where the mean is asked for.",
        _sum_for_mean,
    ),
    Hypothesis(
        "mean-for-sum",
        "{what} is N times too small: it looks as if you averaged over the batch where the sum is asked for.",
        _mean_for_sum,
    ),
    Hypothesis(
        "doubled",
        "{what} is twice as large as expected: is a factor 1/2 missing?",
        lambda case: _simple(2.0, case),
    ),
    Hypothesis(
        "halved",
        "{what} is half as large as expected: is a factor 2 missing?",
        lambda case: _simple(0.5, case),
    ),
    Hypothesis(
        "negated-doubled",
        "{what} has the wrong sign and is twice as large as expected.",
        lambda case: _simple(-2.0, case),
    ),
    Hypothesis(
        "negated-halved",
        "{what} has the wrong sign and is half as large as expected.",
        lambda case: _simple(-0.5, case),
    ),
    Hypothesis(
        "times-axis-length",
        "{what} is too large by {factor}: it looks as if you summed where the mean is asked for.",
        _axis_length,
    ),
    Hypothesis(
        "divided-by-axis-length",
        "{what} is too small by {factor}: it looks as if you averaged where the sum is asked for.",
        _inverse_axis_length,
    ),
    Hypothesis("times-root-length", "{what} is too large by the square root of {factor}.", _root_axis_length),
    Hypothesis(
        "divided-by-root-length",
        "{what} is too small by the square root of {factor}.",
        _inverse_root_axis_length,
    ),
    Hypothesis(
        "bessel",
        "{what} differs by the factor between the biased and the unbiased deviation (N and N - 1).",
        _bessel,
    ),
    Hypothesis("times-constant", "{what} is too large by the factor {factor}.", _constant),
    Hypothesis("divided-by-constant", "{what} is too small by the factor {factor}.", _inverse_constant),
    Hypothesis(
        "times-whole",
        "{what} is too large by a whole factor: it looks like a sum where the mean is asked for.",
        lambda case: _by_whole(case, inverse=False, power=1),
    ),
    Hypothesis(
        "divided-by-whole",
        "{what} is too small by a whole factor: it looks as if it was divided by a number of terms.",
        lambda case: _by_whole(case, inverse=True, power=1),
    ),
    Hypothesis(
        "times-root",
        "{what} is too large by the square root of a whole number: is the scaling by 1/sqrt(d) missing?",
        lambda case: _by_whole(case, inverse=False, power=2),
    ),
    Hypothesis(
        "divided-by-root",
        "{what} is too small by the square root of a whole number: was it divided by sqrt(d) once too often?",
        lambda case: _by_whole(case, inverse=True, power=2),
    ),
    Hypothesis("off-by-one", "{what} is too {direction} by one everywhere.", _off_by_one),
)

FREE = (
    Hypothesis("offset", "{what} is off by the same constant everywhere.", _offset),
    Hypothesis("scaled", "{what} is right up to one constant factor.", _scaled),
)

SCALAR_FACTORS = ("negated", "sum-for-mean", "mean-for-sum", "doubled", "halved")
