"""assert_matches: compare two results, and say what the likely mistake is."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from deepmarks.compare.arrays import is_tensor
from deepmarks.compare.doctor import UNEXPLAINED, describe, examine, say
from deepmarks.compare.faults import Fault, Options, Path, agree, differences
from deepmarks.compare.swaps import exchanged
from deepmarks.compare.verdict import Diagnosis, Mismatch

_MISSING = object()


def assert_matches(
    actual: Any,
    expected: Any,
    *,
    what: str = "the result",
    candidates: Mapping[str, Any] | None = None,
    rtol: float | None = None,
    atol: float | None = None,
    dtype: bool = True,
    pointer: str = "",
    axes: Sequence[str] | None = None,
    mask: Any = None,
    batch: int | None = None,
    nan: bool = False,
) -> None:
    """Raise Mismatch, with a sentence that names the mistake, unless the two results agree.

    Results are numbers, truth values, strings, None, NumPy arrays, torch tensors, dtypes, sets, and dicts,
    lists and tuples of them. Values, shapes and dtypes are compared, and NumPy is told from torch; a tensor's
    device is not looked at. Plain numbers are taken generously: float, np.float64 and a 0-d array or tensor
    stand for each other, an int for a float, and a list for a tuple. NaN agrees only with NaN in the same
    place, an infinity with the same infinity.

    `what`: the name of the result in sentences; parts of it are called "gradients['dW1']".
    `candidates`: wrong results, or functions without arguments that give them, by a noun phrase for the
    mistake, such as "the gradient without the factor 2". They are tried before everything else.
    `rtol`, `atol`: instead of the table in `deepmarks.devices`. `dtype`: False leaves dtypes out.
    `pointer`: where in the notebook to look. `axes`: names of the axes, such as ("batch", "feature").
    `mask`: bool, broadcasts to the expected shape, True where padding or masking applies. `batch`: its size.
    `nan`: whether the expected value may hold NaN. Otherwise NaN in it can only come from the student's own numbers,
    from which a check computed it, and is a mistake.

    Raises Mismatch (an AssertionError); TypeError if the expected value is no data.
    """
    if not nan and _holds_nan(expected):
        raise Mismatch("Your results hold NaN, so nothing can be computed from them.", "nan", pointer=pointer)
    found = diagnose(
        actual,
        expected,
        what=what,
        candidates=candidates,
        rtol=rtol,
        atol=atol,
        dtype=dtype,
        axes=axes,
        mask=mask,
        batch=batch,
    )
    if found is not None:
        raise Mismatch(found.sentence, found.kind, found.detail, pointer)


def diagnose(
    actual: Any,
    expected: Any,
    *,
    what: str = "the result",
    candidates: Mapping[str, Any] | None = None,
    rtol: float | None = None,
    atol: float | None = None,
    dtype: bool = True,
    axes: Sequence[str] | None = None,
    mask: Any = None,
    batch: int | None = None,
) -> Diagnosis | None:
    """Return what `assert_matches` would raise, or None if the two results agree."""
    options = Options(rtol, atol, dtype, tuple(axes or ()), mask, batch)
    faults = list(differences(actual, expected, what, options))
    if not faults:
        return None
    detail = _detail(faults)
    fragment = _fitting_candidate(actual, expected, faults, candidates or {}, options)
    if fragment is not None:
        name, text = fragment
        return Diagnosis("candidate", say("{what} looks like {text}.", name or what, text=text), detail)
    swap = exchanged(actual, expected, faults, what, options)
    if swap is not None:
        return Diagnosis(swap.kind, swap.sentence, detail)
    return _best(faults)


def _holds_nan(value: Any) -> bool:
    if isinstance(value, Mapping):
        return any(map(_holds_nan, value.values()))
    if isinstance(value, list | tuple):
        return any(map(_holds_nan, value))
    if isinstance(value, float):
        return value != value
    floating = is_tensor(value) or (isinstance(value, np.ndarray | np.generic) and value.dtype.kind in "fc")
    return floating and bool((value != value).any())


def _best(faults: Sequence[Fault]) -> Diagnosis:
    """Name the first fault that can be named; what is missing or of another type comes before values."""
    verdicts = [_verdict(fault) for fault in faults]
    chosen = next((verdict for verdict in verdicts if verdict.kind not in UNEXPLAINED), verdicts[0])
    others = len(verdicts) - 1
    more = f"; {others} more {'part differs' if others == 1 else 'parts differ'}" if others else ""
    return Diagnosis(chosen.kind, chosen.sentence, chosen.detail + more)


def _verdict(fault: Fault) -> Diagnosis:
    if fault.case is None:
        assert fault.named is not None  # a fault has one of the two
        return fault.named
    found = examine(fault.case)
    if fault.named is None or found.kind not in UNEXPLAINED:
        return found
    return Diagnosis(fault.named.kind, fault.named.sentence, f"{fault.named.detail}; {found.detail}")


def _detail(faults: Sequence[Fault]) -> str:
    first = faults[0]
    return describe(first.case) if first.case is not None else first.named.detail if first.named else ""


def _fitting_candidate(
    actual: Any, expected: Any, faults: Sequence[Fault], candidates: Mapping[str, Any], options: Options
) -> tuple[str, str] | None:
    """Find the author's candidate that equals the whole result, or the part of it that is wrong."""
    plain = Options(options.rtol, options.atol, dtype=False)
    for text, given in candidates.items():
        wrong = given() if callable(given) else given
        if _agrees(actual, wrong, plain) and not _agrees(expected, wrong, plain):  # else the dtype alone is wrong
            return "", text
        for fault in faults:
            received = _at(actual, fault.path)
            for part in _parts(wrong, fault.path):
                if fault.case is not None and _agrees(received, part, plain):
                    return fault.case.what, text
    return None


def _parts(wrong: Any, path: Path) -> Iterator[Any]:
    """The candidate may have the form of the whole result, or be the wrong part alone."""
    if path:
        inner = _at(wrong, path)
        yield from () if inner is _MISSING else (inner,)
        yield from () if isinstance(wrong, dict | list | tuple) else (wrong,)


def _at(value: Any, path: Path) -> Any:
    for key in path:
        try:
            value = value[key]
        except (KeyError, IndexError, TypeError):
            return _MISSING
    return value


def _agrees(actual: Any, wrong: Any, options: Options) -> bool:
    return actual is not _MISSING and wrong is not None and agree(actual, wrong, options)
