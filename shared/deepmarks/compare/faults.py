"""Walk two nested results side by side and collect where they differ."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from deepmarks.compare.arrays import (
    Mask,
    limits_for,
    natural,
    scaled_tolerance,
    wide,
)
from deepmarks.compare.case import Case
from deepmarks.compare.doctor import say, with_wrong
from deepmarks.compare.kinds import Kind, kind_of, name_of_object, named
from deepmarks.compare.numeric import as_vector, category, dtype_fault, dtype_name_of
from deepmarks.compare.verdict import Diagnosis
from deepmarks.devices import Tolerance

Path = tuple[object, ...]

_TEXT_IN_DETAIL = 200


@dataclass(frozen=True, slots=True)
class Options:
    """What the author of the check asked for."""

    rtol: float | None = None
    atol: float | None = None
    dtype: bool = True
    axes: tuple[str, ...] = ()
    mask: Any = None
    batch: int | None = None


@dataclass(frozen=True, slots=True)
class Fault:
    """One difference: either already named, or a case for the doctor; a wrong dtype may come on top."""

    path: Path
    named: Diagnosis | None = None
    case: Case | None = None


def differences(actual: Any, expected: Any, what: str, options: Options, path: Path = ()) -> Iterator[Fault]:
    """Yield every difference between two results, outermost first. `what` is the name of this part.

    Raises TypeError if the expected value is no data.
    """
    wanted, got = kind_of(expected), kind_of(actual)
    if wanted in (Kind.OPAQUE, Kind.OTHER):
        raise TypeError(f"the expected value of {what} is no data but {type(expected).__name__}")
    if not _comparable(got, wanted, actual, expected):
        yield Fault(path, _other_kind(actual, got, expected, wanted, what))
    elif wanted in (Kind.NUMBER, Kind.NUMPY, Kind.TORCH) or (wanted is Kind.TRUTH and got is not Kind.TRUTH):
        yield from _numbers(actual, expected, what, options, path)
    elif wanted is Kind.MAPPING:
        yield from _mapping(actual, expected, what, options, path)
    elif wanted in (Kind.LIST, Kind.TUPLE):
        yield from _sequence(actual, expected, what, options, path)
    elif wanted is Kind.SET:
        yield from _set(actual, expected, what, path)
    elif wanted is Kind.TEXT:
        yield from _text(actual, expected, what, path)
    elif actual != expected:
        kind, sentence = ("wrong-truth", "{what} is the wrong truth value.") if wanted is Kind.TRUTH else _OTHER
        yield Fault(path, Diagnosis(kind, say(sentence, what), _expected_received(expected, actual)))


_OTHER = ("different-values", "{what} has another value than expected.")


def _comparable(got: Kind, wanted: Kind, actual: Any, expected: Any) -> bool:
    if got is wanted or {got, wanted} == {Kind.LIST, Kind.TUPLE}:
        return True
    numeric = (Kind.NUMBER, Kind.NUMPY, Kind.TORCH)
    if got is Kind.TRUTH or wanted is Kind.TRUTH:  # a 0-d array of bool is a truth value in another container
        other = actual if wanted is Kind.TRUTH else expected
        return kind_of(other) in (Kind.NUMPY, Kind.TORCH) and dtype_name_of(other) == "bool"
    # A plain number stands for an array of one number; whether its shape is right is a question for later.
    return got in numeric and wanted in numeric and {got, wanted} != {Kind.NUMPY, Kind.TORCH}


def _other_kind(actual: Any, got: Kind, expected: Any, wanted: Kind, what: str) -> Diagnosis:
    asked = named(wanted)
    if got is Kind.NONE:
        sentence = "{what} is None where {asked} was expected: is a return statement missing?"
        return Diagnosis("none", say(sentence, what, asked=asked))
    if got in (Kind.OPAQUE, Kind.OTHER):
        name, detail = name_of_object(actual)
        return Diagnosis(
            "not-data",
            say("{what} is {name} where {asked} was expected.", what, name=name, asked=asked),
            detail,
        )
    sentence = "{what} is {got} where {asked} was expected."
    return Diagnosis("different-type", say(sentence, what, got=named(got), asked=asked))


def _numbers(actual: Any, expected: Any, what: str, options: Options, path: Path) -> Iterator[Fault]:
    dtype = dtype_fault(actual, expected, what) if options.dtype else None
    case = _case(actual, expected, what, options)
    if case is None:
        yield Fault(path, Diagnosis("different-type", say("{what} is an array that holds no numbers.", what)))
    elif case.actual.shape != case.expected.shape or case.wrong.any():
        yield Fault(path, dtype, case)
    elif _exact_integers_differ(actual, expected):
        yield Fault(path, Diagnosis(_OTHER[0], say("{what} has other values than expected.", what)))
    elif dtype is not None:
        yield Fault(path, dtype)


def _exact_integers_differ(actual: Any, expected: Any) -> bool:
    """Compare integers beyond 2**53, which float64 cannot tell apart, in their own dtype."""
    if category(actual) != "int" or category(expected) != "int":
        return False
    if isinstance(actual, int) and isinstance(expected, int):
        return actual != expected
    return not np.array_equal(natural(actual), natural(expected))


def _case(actual: Any, expected: Any, what: str, options: Options) -> Case | None:
    wanted = wide(expected)
    try:
        received = wide(actual)
    except (TypeError, RuntimeError):  # text, or a tensor without memory
        return None
    limits = limits_for(actual, expected)
    limits = limits if options.atol is not None else scaled_tolerance(limits, wanted)
    limits = Tolerance(
        limits.rtol if options.rtol is None else options.rtol,
        limits.atol if options.atol is None else options.atol,
    )
    larger = wanted if wanted.ndim >= received.ndim else received
    names = {category(actual), category(expected)}
    case = Case(
        what=what,
        actual=received,
        expected=wanted,
        limits=limits,
        axes=options.axes if len(options.axes) == larger.ndim else (),
        mask=_mask(options.mask, wanted.shape),
        batch=options.batch,
        whole=names <= {"int", "bool"},
        truth=names == {"bool"},
        single=limits.rtol > 1e-6,
    )
    return with_wrong(case)


def _mask(mask: Any, shape: tuple[int, ...]) -> Mask | None:
    if mask is None:
        return None
    try:
        return np.broadcast_to(natural(mask).astype(bool), shape)
    except ValueError:
        return None  # the mask belongs to another part of the result


def _mapping(actual: Any, expected: Mapping[Any, Any], what: str, options: Options, path: Path) -> Iterator[Fault]:
    missing = [key for key in expected if key not in actual]
    unknown = [key for key in actual if key not in expected]
    detail = f"missing: {_short(missing)}; not asked for: {_short(unknown)}"
    if missing:
        first = missing[0]
        named_key = isinstance(first, str) and all(part.isidentifier() or part.isdigit() for part in first.split("."))
        entry = f"the entry {first!r}" if named_key else "an entry"
        yield Fault(path, Diagnosis("missing-entry", say("{what} lacks {entry}.", what, entry=entry), detail))
    elif unknown:
        yield Fault(path, Diagnosis("unknown-entry", say("{what} has an entry that is not asked for.", what), detail))
    for key, value in expected.items():
        if key in actual:
            yield from differences(actual[key], value, f"{what}[{key!r}]", options, (*path, key))


def _sequence(
    actual: Sequence[Any], expected: Sequence[Any], what: str, options: Options, path: Path
) -> Iterator[Fault]:
    if isinstance(expected, list):  # a list of numbers is a vector to the doctor, a tuple is a record
        received, wanted = as_vector(actual), as_vector(expected)
        if received is not None and wanted is not None:
            faults = list(_numbers(received, wanted, what, replace(options, dtype=False), path))
            if faults:
                yield from faults
                return  # without faults the elements' types are still to be looked at
    if len(actual) != len(expected):
        detail = f"expected {len(expected)} elements, received {len(actual)}"
        more = "more" if len(actual) > len(expected) else "fewer"
        sentence = say("{what} has {more} elements than expected.", what, more=more)
        yield Fault(path, Diagnosis("different-length", sentence, detail))
        return
    for k, (received_item, wanted_item) in enumerate(zip(actual, expected, strict=True)):
        yield from differences(received_item, wanted_item, f"{what}[{k}]", options, (*path, k))


def _set(actual: Any, expected: Any, what: str, path: Path) -> Iterator[Fault]:
    missing, unknown = expected - actual, actual - expected
    if not missing and not unknown:
        return
    which = "lacks elements and has others" if missing and unknown else "lacks elements" if missing else "has elements"
    sentence = say("{what} {which} that are not asked for." if unknown else "{what} {which}.", what, which=which)
    detail = f"missing: {_short(sorted(missing, key=repr))}; not asked for: {_short(sorted(unknown, key=repr))}"
    yield Fault(path, Diagnosis("different-elements", sentence, detail))


def _text(actual: Any, expected: Any, what: str, path: Path) -> Iterator[Fault]:
    if actual == expected:
        return
    kind, sentence = "different-text", "{what} is another text than expected."
    if actual == expected[::-1] and len(expected) > 3:
        kind, sentence = "reversed", "{what} is in reverse order."
    elif actual.strip() == expected.strip():
        kind, sentence = "white-space", "{what} differs only in white space at its ends."
    elif actual.lower() == expected.lower():
        kind, sentence = "letter-case", "{what} differs only in upper and lower case."
    yield Fault(path, Diagnosis(kind, say(sentence, what), _expected_received(expected, actual)))


def _expected_received(expected: Any, actual: Any) -> str:
    return f"expected {_short(expected)}, received {_short(actual)}"


def _short(value: Any) -> str:
    if isinstance(value, str | bytes):
        value = value[: _TEXT_IN_DETAIL + 1]
    try:
        text = repr(value)
    except ValueError:  # an integer of more than 4300 digits
        return "a very long number"
    return text if len(text) <= _TEXT_IN_DETAIL else text[:_TEXT_IN_DETAIL] + "..."


def agree(actual: Any, expected: Any, options: Options) -> bool:
    """Tell whether two results agree, dtypes aside."""
    return next(differences(actual, expected, "", options), None) is None
