"""What a check can end in, and the record of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum


class Outcome(StrEnum):
    """The four ends of a check."""

    PASSED = "passed"
    FAILED = "failed"
    NOT_ATTEMPTED = "not attempted"
    BROKEN = "broken"


class Cause(StrEnum):
    """Why a check did not pass."""

    MISMATCH = "mismatch"
    """Another value than expected."""
    RAISED = "raised"
    """The student's code raised an exception."""
    STRUCTURE = "structure"
    """The result has not the parts that the question asks for."""
    MUTATED = "mutated"
    """The student's code changed its inputs."""
    MISSING = "missing"
    """The name is not defined, or its stub is untouched."""
    TIMEOUT = "timeout"
    CRASH = "crash"
    MEMORY = "memory"
    FORBIDDEN = "forbidden"
    PROTOCOL = "protocol"
    """The grading channel was disturbed."""
    INTERNAL = "internal"
    """The grader's own fault; staff must look."""


@dataclass(frozen=True, slots=True)
class CheckRecord:
    """The end of one check. Everything but `detail` and `output` may be shown for a hidden check."""

    check: str
    """`public/test_q1.py::test_name`."""
    question: str
    title: str
    """The first line of the check's docstring."""
    points: float
    hidden: bool
    outcome: Outcome
    cause: Cause | None = None
    sentence: str = ""
    """What went wrong, free of values."""
    kind: str = ""
    """The doctor's name for the mistake."""
    detail: str = ""
    """Values, messages and places; empty for a hidden check."""
    pointer: str = ""
    """Where in the notebook to look."""
    output: str = ""
    """What the student's code printed; empty for a hidden check."""
    seconds: float = 0.0
    staff: str = ""
    """For staff only: what a hidden check may not show."""

    @property
    def score(self) -> float:
        """The points earned."""
        return self.points if self.outcome is Outcome.PASSED else 0.0


@dataclass(frozen=True, slots=True)
class QuestionRecord:
    """All checks of one question."""

    name: str
    title: str
    records: tuple[CheckRecord, ...]

    @property
    def score(self) -> float:
        """The points earned."""
        return sum(record.score for record in self.records)

    @property
    def max_score(self) -> float:
        """The points that could be earned."""
        return sum(record.points for record in self.records)

    @property
    def outcome(self) -> Outcome:
        """Passed if every check passed; else the gravest of what happened."""
        return worst([record.outcome for record in self.records])


def worst(outcomes: Sequence[Outcome]) -> Outcome:
    """One outcome for several: broken outweighs failed, and "not attempted" needs all of them."""
    if all(outcome is Outcome.PASSED for outcome in outcomes) and outcomes:
        return Outcome.PASSED
    if all(outcome is Outcome.NOT_ATTEMPTED for outcome in outcomes):
        return Outcome.NOT_ATTEMPTED
    return Outcome.BROKEN if Outcome.BROKEN in outcomes else Outcome.FAILED
