"""The vocabulary of what can go wrong between a check and a student's code."""

from __future__ import annotations

import builtins

from deepmarks.checks.outcomes import Cause


class StudentError(Exception):
    """The student's code raised an exception.

    `type_name` is the class's name if it is one of Python's own, else "Exception"; `message` and `where` may hold
    anything and are shown for public checks only.
    """

    def __init__(self, name: str, type_name: str, message: str = "", where: str = "") -> None:
        super().__init__(f"{name} raised {type_name}")
        self.name = name
        self.type_name = type_name
        self.message = message
        self.where = where

    def is_a(self, expected: type[BaseException]) -> bool:
        """Whether `except expected` would catch it."""
        kind = getattr(builtins, self.type_name, None)
        return isinstance(kind, type) and issubclass(kind, expected)

    @property
    def sentence(self) -> str:
        """What the student may read in every check."""
        return f"{self.name} raised {self.type_name}."

    @property
    def detail(self) -> str:
        """Message and place, for public checks."""
        place = f"{self.where}: " if self.where else ""
        return f"{place}{self.type_name}: {self.message}" if self.message else f"{place}{self.type_name}"


class NotAttempted(Exception):  # noqa: N818 - an outcome, not an error
    """The name that a check needs is missing, or says NotImplementedError."""

    def __init__(self, sentence: str) -> None:
        super().__init__(sentence)
        self.sentence = sentence


class Broken(Exception):  # noqa: N818
    """A limit fired, the process died, or something forbidden was used; what follows is unaffected."""

    def __init__(self, cause: Cause, sentence: str, detail: str = "") -> None:
        super().__init__(sentence)
        self.cause = cause
        self.sentence = sentence
        self.detail = detail


class CheckError(Exception):
    """The check itself, the probes or the reference are at fault; the student is not."""


class UnsureError(CheckError):
    """Either the check is at fault, or what the student's code returned and the check passed on.

    The plugin finds out: a check in which the reference stands for the student is right, or nothing is.
    """
