"""Mistakes that show in the shape: axes lost, kept, reduced or broadcast."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations

import numpy as np

from deepmarks.compare.arrays import Array
from deepmarks.compare.case import Case, Hypothesis, Words, fits

_AXES_AT_MOST = 4


def _same_entries(case: Case) -> bool:
    return case.actual.size == case.expected.size and case.meets(case.actual.ravel(), case.expected.ravel())


def _long_axes(array: Array) -> tuple[int, ...]:
    return tuple(length for length in array.shape if length != 1)


def _squeezed(case: Case, missing: bool) -> Words | None:
    if _long_axes(case.actual) != _long_axes(case.expected) or not _same_entries(case):
        return None
    fewer = case.actual.ndim < case.expected.ndim
    more = case.actual.ndim > case.expected.ndim
    return fits(fewer if missing else more)


def _unit_axis_moved(case: Case) -> Words | None:
    same = _long_axes(case.actual) == _long_axes(case.expected) and case.actual.ndim == case.expected.ndim
    return fits(same and _same_entries(case))


def _flattened(case: Case) -> Words | None:
    return fits(case.actual.ndim == 1 < case.expected.ndim and _same_entries(case))


def _reshaped(case: Case) -> Words | None:
    return fits(_same_entries(case))


def _axis_sets(ndim: int) -> Iterator[tuple[int, ...]]:
    if ndim <= _AXES_AT_MOST:
        for count in range(1, ndim + 1):
            yield from combinations(range(ndim), count)


def _reductions(case: Case, larger: Array, smaller: Array, function: str) -> Words | None:
    """Find the axes over which the larger array must be summed or averaged to give the smaller one."""
    if larger.size <= smaller.size or not smaller.size:
        return None
    small = smaller.reshape(_long_axes(smaller))
    for axes in _axis_sets(larger.ndim):
        count = int(np.prod([larger.shape[axis] for axis in axes]))
        if count < 2:
            continue
        with np.errstate(all="ignore"):
            reduced = larger.sum(axes) if function == "sum" else larger.mean(axes)
        reduced = reduced.reshape(_long_axes(reduced))
        if case.proves_even_alone(reduced, small):
            return {"axes": _axes_words(case, axes, larger.ndim)}
    return None


def _axes_words(case: Case, axes: tuple[int, ...], ndim: int) -> str:
    if len(axes) == ndim:
        return "all entries"
    return " and ".join(f"the {case.axis_name(axis, ndim)}" for axis in axes)


def _not_reduced(case: Case, function: str) -> Words | None:
    return _reductions(case, case.actual, case.expected, function)


def _reduced(case: Case, function: str) -> Words | None:
    return _reductions(case, case.expected, case.actual, function)


def _batch_kept(case: Case) -> Words | None:
    """The first axis is the batch and its sum is asked for."""
    leads = case.batch is not None and case.actual.ndim > 1 and case.actual.shape[0] == case.batch
    if not leads or case.actual.size <= case.expected.size:
        return None
    reduced = case.actual.sum(0)
    small = case.expected.reshape(_long_axes(case.expected))
    return fits(case.proves_even_alone(reduced.reshape(_long_axes(reduced)), small))


def _repeated(case: Case) -> Words | None:
    if case.actual.size <= case.expected.size:
        return None
    try:
        spread = np.broadcast_to(case.expected, case.actual.shape)
    except ValueError:
        return None
    return fits(case.proves(case.actual, spread))


def _grown(case: Case) -> Words | None:
    """A column (n, 1) met a row (n,): broadcasting made (n, n), with the right entries on the diagonal."""
    n = case.expected.size
    if n < 2 or case.actual.shape != (n, n) or _long_axes(case.expected) != (n,):
        return None
    return fits(case.proves(np.diagonal(case.actual), case.expected.ravel()))


def _step(case: Case, missing: bool) -> Words | None:
    """One step too few or too many at one end of one axis."""
    received, wanted = case.actual, case.expected
    if received.ndim != wanted.ndim:
        return None
    short, long = (received, wanted) if missing else (wanted, received)
    differing = [axis for axis in range(wanted.ndim) if short.shape[axis] != long.shape[axis]]
    if len(differing) != 1 or long.shape[differing[0]] != short.shape[differing[0]] + 1:
        return None
    axis = differing[0]
    moved = np.moveaxis(long, axis, 0)
    for end, part in (("last", moved[:-1]), ("first", moved[1:])):
        if case.proves(np.moveaxis(short, axis, 0), part):
            return {"end": end, "along": case.along(axis, wanted.ndim)}
    return None


def _other_axis(case: Case) -> Words | None:
    """Sums over either axis of one matrix have the same total; so have means the same mean."""
    received, wanted = np.squeeze(case.actual), np.squeeze(case.expected)
    if received.ndim != 1 or wanted.ndim != 1 or received.size == wanted.size or min(received.size, wanted.size) < 2:
        return None
    for function, words in ((np.sum, "summed"), (np.mean, "averaged")):
        a, b = np.asarray(function(received)), np.asarray(function(wanted))
        cancelled = abs(b) < 1e-2 * float(function(np.abs(wanted)))
        if not cancelled and case.proves_even_alone(a, b):
            return {"verb": words}
    return None


TABLE = (
    Hypothesis(
        "squeezed",
        "{what} has the right values, but an axis of length one is missing: think of keepdims.",
        lambda case: _squeezed(case, missing=True),
    ),
    Hypothesis(
        "unsqueezed",
        "{what} has the right values, but an axis of length one too many.",
        lambda case: _squeezed(case, missing=False),
    ),
    Hypothesis(
        "unit-axis-moved",
        "{what} has the right values, but its axis of length one elsewhere.",
        _unit_axis_moved,
    ),
    Hypothesis("flattened", "{what} has the right values, but they are flattened into one axis.", _flattened),
)

TABLE_AFTER_ORDER = (
    Hypothesis("reshaped", "{what} has the right values in the right order, but in another shape.", _reshaped),
    Hypothesis(
        "batch-not-summed",
        "{what} still has the batch axis: it is right for each sample, but not summed over the batch.",
        _batch_kept,
    ),
    Hypothesis("repeated", "{what} is the right one, repeated along an axis that should not be there.", _repeated),
    Hypothesis(
        "not-summed",
        "{what} is right before the sum: it is not summed over {axes}.",
        lambda case: _not_reduced(case, "sum"),
    ),
    Hypothesis(
        "not-averaged",
        "{what} is right before the mean: it is not averaged over {axes}.",
        lambda case: _not_reduced(case, "mean"),
    ),
    Hypothesis(
        "summed-away",
        "{what} is summed over {axes}, which should be kept.",
        lambda case: _reduced(case, "sum"),
    ),
    Hypothesis(
        "averaged-away",
        "{what} is averaged over {axes}, which should be kept.",
        lambda case: _reduced(case, "mean"),
    ),
    Hypothesis(
        "grown",
        "{what} has grown an axis by broadcasting: it looks as if a column (n, 1) met a row (n,).",
        _grown,
    ),
    Hypothesis("step-missing", "{what} lacks its {end} step{along}.", lambda case: _step(case, missing=True)),
    Hypothesis(
        "step-too-many",
        "{what} has one step too many{along}: the {end} one.",
        lambda case: _step(case, missing=False),
    ),
    Hypothesis("other-axis", "{what} is {verb} over the wrong axis.", _other_axis),
)
