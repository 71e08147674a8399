"""Requests and replies between a check and the place where the student's code runs."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Protocol


class Operation(StrEnum):
    """What the student's side can be asked to do."""

    RUN_UNIT = "run_unit"
    """Execute one top-level statement of the submission."""
    CALL = "call"
    VJP = "vjp"
    MODULE = "module"
    PROBE = "probe"
    VALUE = "value"


@dataclass(frozen=True, slots=True)
class Request:
    """One question to the student's side; `fields` depends on the operation and is data."""

    operation: Operation
    name: str
    args: tuple[Any, ...] = ()
    kwargs: dict[str, Any] = field(default_factory=dict)
    options: dict[str, Any] = field(default_factory=dict)

    @property
    def called(self) -> tuple[str, ...]:
        """What runs: the name of a function or probe, and the names for which others stand in meanwhile."""
        return (self.name, *sorted(self.options.get("stand_in") or ()))

    def to_data(self) -> dict[str, Any]:
        """The request as data."""
        return {
            "operation": str(self.operation),
            "name": self.name,
            "args": self.args,
            "kwargs": self.kwargs,
            "options": self.options,
        }


@dataclass(frozen=True, slots=True)
class Failure:
    """An exception on the student's side, in words. None of it is trusted: it is shown, never obeyed."""

    kind: str
    """One of `_FAILURE_KINDS`."""
    type_name: str = ""
    message: str = ""
    where: str = ""
    function: str = ""


@dataclass(frozen=True, slots=True)
class Reply:
    """The answer to one request."""

    value: Any = None
    failure: Failure | None = None
    mutated: tuple[int, ...] = ()
    """Positions of the arguments that are not what they were."""
    operators: tuple[str, ...] = ()
    """Forbidden torch operators that ran during the request."""


_FAILURE_KINDS = frozenset(
    [
        "raised",
        "missing",
        "not-implemented",
        "not-a-module",
        "state-mismatch",
        "detached",
        "output-mismatch",
        "too-large",
        "checkpoint",
    ]
)
_TEXT_LIMIT = 2000


class ReplyError(ValueError):
    """A reply has not the form that the protocol asks for."""


def reply_to_data(reply: Reply) -> dict[str, Any]:
    """The reply as data."""
    failure = reply.failure
    return {
        "value": reply.value,
        "failure": None
        if failure is None
        else [
            failure.kind,
            failure.type_name,
            failure.message[:_TEXT_LIMIT],
            failure.where,
            failure.function,
        ],
        "mutated": list(reply.mutated),
        "operators": list(reply.operators),
    }


def reply_from_data(data: Any) -> Reply:
    """The reply in `data`, checked field by field; ReplyError if it has another form."""
    if type(data) is not dict or set(data) != {"value", "failure", "mutated", "operators"}:
        raise ReplyError("the reply has other fields than asked for")
    failure, mutated, operators = data["failure"], data["mutated"], data["operators"]
    if failure is not None:
        if type(failure) is not list or len(failure) != 5 or not all(type(part) is str for part in failure):
            raise ReplyError("the reply's failure is malformed")
        if failure[0] not in _FAILURE_KINDS or any(len(part) > _TEXT_LIMIT for part in failure):
            raise ReplyError("the reply's failure is malformed")
    if type(mutated) is not list or not all(type(index) is int for index in mutated) or len(mutated) > 64:
        raise ReplyError("the reply's list of changed inputs is malformed")
    if type(operators) is not list or not all(type(name) is str for name in operators) or len(operators) > 64:
        raise ReplyError("the reply's list of operators is malformed")
    return Reply(data["value"], None if failure is None else Failure(*failure), tuple(mutated), tuple(operators))


class Channel(Protocol):
    """The way to the student's code: in the same kernel, or in a worker."""

    def request(self, request: Request) -> Reply:
        """Send `request` and wait for the reply.

        Raises `Broken` if a limit fires, the process dies or the reply breaks the protocol.
        """
        ...

    def renew(self) -> None:
        """Answer the next request in a fresh process, where the submission has processes of its own."""
        ...
