"""What is wrong with an assignment's sources: every problem at once, each with its place."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that the author has to mend."""

    file: Path
    line: int
    """Counted from 1."""
    message: str
    """One plain sentence."""

    def __str__(self) -> str:
        file = self.file
        if file.is_absolute() and file.is_relative_to(Path.cwd()):
            file = file.relative_to(Path.cwd())
        return f"{file}:{self.line}: {self.message}"


class AuthoringError(Exception):
    """The sources of an assignment do not fit together; `problems` says where and why."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(
            sorted(set(problems), key=lambda problem: (str(problem.file), problem.line, problem.message))
        )
        super().__init__("\n".join(str(problem) for problem in self.problems))


class Report:
    """Collects the problems of one file."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self.problems: list[Problem] = []

    def add(self, line: int, message: str) -> None:
        """Note a problem at `line`."""
        self.problems.append(Problem(self.file, line, message))

    def raise_if_any(self) -> None:
        """Raise AuthoringError if there is a problem."""
        if self.problems:
            raise AuthoringError(self.problems)


@contextmanager
def gathering(problems: list[Problem]) -> Iterator[None]:
    """Add the problems of an AuthoringError in the block to `problems`, so that others are found too."""
    try:
        yield
    except AuthoringError as error:
        problems.extend(error.problems)


def unknown(what: str, word: str, known: Iterable[str]) -> str:
    """The sentence for a word that nobody knows, with the nearest known one."""
    choices = sorted(known)
    near = difflib.get_close_matches(word, choices, n=1)
    hint = f"did you mean `{near[0]}`?" if near else f"known are {', '.join(choices)}."
    return f"unknown {what} `{word}`; {hint}"
