"""What the author of a check writes with."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from dataclasses import dataclass
from typing import TypeVar

from deepmarks.checks.errors import Broken, NotAttempted, StudentError
from deepmarks.compare import Mismatch

_MARK = "__deepmarks__"
_Check = TypeVar("_Check", bound=Callable[..., object])


@dataclass(frozen=True, slots=True)
class CheckInfo:
    """What `question` says of a check."""

    question: str
    points: float
    device: str
    title: str


def question(name: str, *, points: float, device: str = "any") -> Callable[[_Check], _Check]:
    """Make a test function a check of the question `name`, worth `points`.

    The first line of the function's docstring is the name that students see. `device="cpu"` keeps a check off the GPU.
    """

    def mark(function: _Check) -> _Check:
        title = (function.__doc__ or "").strip().split("\n")[0]
        setattr(function, _MARK, CheckInfo(name, float(points), device, title))
        return function

    return mark


def check_info(function: object) -> CheckInfo | None:
    """What `question` said of `function`, or None."""
    info = getattr(function, _MARK, None)
    return info if isinstance(info, CheckInfo) else None


def expect(
    condition: object, sentence: str, *, detail: str = "", kind: str = "unmet-expectation", pointer: str = ""
) -> None:
    """Fail the check with `sentence` unless `condition` holds.

    The sentence is shown for hidden checks too, so it must hold no values; `detail` is for those.
    """
    if not bool(condition):
        raise Mismatch(sentence, kind=kind, detail=detail, pointer=pointer)


def fairly(
    check: Callable[[Mapping[str, str] | None], object], stand_ins: Mapping[str, str]
) -> Mapping[str, str] | None:
    """Run `check(None)`, on the student's own earlier answers, and if that fails, `check(stand_ins)`.

    So a mistake in an earlier question costs nothing in a later one, nor does slowness or a forbidden function there.
    Returns the stand-ins with which the check passed. Where the student's code gives no result with stand-ins either,
    the first failure counts. Where the same stand-ins helped before, they come first: each change between the two costs
    a fresh process.
    """
    known, key = _HELPED.get(set()), frozenset(stand_ins.items())
    if key in known:
        with suppress(Mismatch, StudentError, NotAttempted, Broken):
            check(stand_ins)
            return stand_ins
    try:
        check(None)
    except (Mismatch, StudentError, NotAttempted, Broken) as own:
        try:
            check(stand_ins)
        except (StudentError, NotAttempted, Broken):
            raise own from None
        known.add(key)
        return stand_ins
    return None


_HELPED: ContextVar[set[frozenset[tuple[str, str]]]] = ContextVar("stand-ins with which a check passed")


@contextmanager
def one_submission() -> Iterator[None]:
    """What `fairly` learns about a submission is forgotten after the block."""
    token = _HELPED.set(set())
    try:
        yield
    finally:
        _HELPED.reset(token)


@contextmanager
def student_raises(expected: type[Exception], sentence: str, *, pointer: str = "") -> Iterator[None]:
    """Fail the check with `sentence` unless the student's code raises `expected` inside the block."""
    try:
        yield
    except StudentError as error:
        if not error.is_a(expected):
            raise
        return
    raise Mismatch(sentence, kind="no-exception", detail=f"{expected.__name__} was expected", pointer=pointer)
