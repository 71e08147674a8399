"""The doctor: given two arrays that differ, find the hypothesis that explains it."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np

from deepmarks.compare.arrays import close
from deepmarks.compare.case import Case, Hypothesis
from deepmarks.compare.hypotheses import OTHER_SHAPE, SAME_SHAPE, SINGLE_NUMBER
from deepmarks.compare.verdict import Diagnosis

UNEXPLAINED = ("different-values", "different-shape")

_PROSE = re.compile(r"(the|a|an|your|its|this|each|every) ")


def say(sentence: str, what: str, **words: str) -> str:
    """Fill a sentence; a name that begins like prose ("the result") gets its capital."""
    if _PROSE.match(what) and sentence.startswith("{what}"):
        what = what[0].upper() + what[1:]
    return sentence.format(what=what, **words)


def with_wrong(case: Case) -> Case:
    """Return the case with the entries marked that differ."""
    if case.actual.shape != case.expected.shape:
        return case
    return replace(case, wrong=~close(case.actual, case.expected, case.limits))


def examine(case: Case) -> Diagnosis:
    """Return the first hypothesis that fits, or "different-values" or "different-shape".

    The sentence holds no values. The detail holds the largest error and the numbers there.
    """
    with np.errstate(all="ignore"):
        for hypothesis in _table(case):
            words = hypothesis.test(case)
            if words is not None:
                sentence = say(hypothesis.sentence, case.what, **words)
                return Diagnosis(hypothesis.kind, sentence, _join(words.get("detail", ""), describe(case)))
    if case.actual.shape != case.expected.shape:
        return Diagnosis("different-shape", _other_shape(case), describe(case))
    return Diagnosis("different-values", say("{what} has other values than expected.", case.what), describe(case))


def describe(case: Case) -> str:
    """Say where the arrays differ most, and by how much; or what their shapes are."""
    if case.actual.shape != case.expected.shape:
        return f"expected the shape {case.expected.shape}, received {case.actual.shape}"
    with np.errstate(all="ignore"):
        error = np.abs(case.actual - case.expected)
        error = np.where(np.isnan(error), np.inf, error)
        error = np.where(case.wrong, error, 0.0)
        relative = error / np.abs(case.expected)
    index = np.unravel_index(int(np.argmax(error)), error.shape)
    expected, received = case.expected[index], case.actual[index]
    if not error.ndim:
        return f"expected {_number(case, expected)}, received {_number(case, received)}"
    place = ", ".join(str(int(k)) for k in index)
    finite = relative[np.isfinite(relative)]
    return (
        f"{int(case.wrong.sum())} of {case.wrong.size} entries differ; "
        f"largest absolute error {error[index]:.6g} at [{place}]: "
        f"expected {_number(case, expected)}, received {_number(case, received)}; "
        f"largest relative error {finite.max() if finite.size else np.inf:.6g}"
    )


def _number(case: Case, value: np.generic) -> str:
    if case.truth:
        return str(bool(value))
    return f"{value:.0f}" if case.whole and np.isfinite(value) else f"{value:.9g}"


def _table(case: Case) -> tuple[Hypothesis, ...]:
    if case.actual.shape != case.expected.shape:
        return OTHER_SHAPE
    if case.expected.size > 1:
        return SAME_SHAPE
    return SINGLE_NUMBER if not case.whole else ()


def _other_shape(case: Case) -> str:
    received, wanted = case.actual.ndim, case.expected.ndim
    if wanted == 0:
        return say("{what} is an array where a single number was expected.", case.what)
    if received == 0:
        return say("{what} is a single number where an array was expected.", case.what)
    if received != wanted:
        axes = f"{received} {'axis' if received == 1 else 'axes'}"
        return say("{what} has {axes} where {n} {was} expected.", case.what, axes=axes, **_count(wanted))
    differing = [k for k in range(wanted) if case.actual.shape[k] != case.expected.shape[k]]
    if wanted == 1:
        return say("{what} has another length than expected.", case.what)
    if len(differing) == 1:
        axis = case.axis_name(differing[0], wanted)
        return say("{what} has another shape than expected: the length of its {axis} is wrong.", case.what, axis=axis)
    return say("{what} has another shape than expected.", case.what)


def _count(n: int) -> dict[str, str]:
    return {"n": str(n), "was": "was" if n == 1 else "were"}


def _join(*parts: str) -> str:
    return "; ".join(part for part in parts if part)
