"""The words that every form of the feedback shares."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from deepmarks.checks.outcomes import CheckRecord, Outcome, QuestionRecord

SIGNS = {Outcome.PASSED: "✓", Outcome.FAILED: "✗", Outcome.NOT_ATTEMPTED: "–", Outcome.BROKEN: "!"}
HIDDEN_CHECKS = "These are the public checks. Hidden checks look for the same things with other inputs; they count too."
PRINTED = "What your code printed"
_OUTPUT_SHOWN = 4000


@dataclass(frozen=True, slots=True)
class Setting:
    """Where the student reads the words; it decides which command they name."""

    slug: str = ""
    """The assignment's slug in a terminal; empty in its notebook."""

    def hint(self, question: str) -> str:
        """The command that gives a hint."""
        return f"deepmarks hint {self.slug} {question}" if self.slug else f'grader.hint("{question}")'

    @property
    def undefined(self) -> str:
        """What to ask where a name is not defined."""
        return "Is it spelt as in the assignment?" if self.slug else "Have you run its cell?"


NOTEBOOK = Setting()


def sentence(record: CheckRecord, setting: Setting) -> str:
    """What went wrong, in one or two sentences; empty for a check that passed."""
    if record.outcome is Outcome.NOT_ATTEMPTED and record.sentence.endswith("is not defined."):
        return f"{record.sentence} {setting.undefined}"
    return record.sentence


def pointer(record: CheckRecord) -> str:
    """Where to look, as a sentence; empty if the check does not say."""
    return f"See {record.pointer.rstrip('.')}." if record.pointer else ""


def output(record: CheckRecord) -> str:
    """What the student's code printed, cut to what somebody reads."""
    text = record.output.strip("\n")
    return text if len(text) <= _OUTPUT_SHOWN else text[:_OUTPUT_SHOWN] + "\n(more output was cut off)"


def trace(record: CheckRecord, wanted: bool) -> str:
    """The traceback of the student's own code, if it is wanted and known."""
    shown = wanted and not record.hidden and record.outcome is not Outcome.PASSED
    return record.staff.strip("\n") if shown else ""


def points(value: float) -> str:
    """A number of points: `1 point`, `2.5 points`."""
    return f"{value:g} point" if value == 1 else f"{value:g} points"


def verdict(question: QuestionRecord) -> str:
    """How many checks of a question pass and what they are worth."""
    passed = sum(record.outcome is Outcome.PASSED for record in question.records)
    count = len(question.records)
    if not count:
        return "no public checks"
    if question.outcome is Outcome.NOT_ATTEMPTED:
        return f"not attempted yet, {points(question.max_score)}"
    checks = "1 public check" if count == 1 else f"{count} public checks"
    if passed == count:
        checks = checks if count == 1 else f"all {checks}"
        return f"{checks} passed, {points(question.max_score)}"
    return f"{passed} of {checks} passed, {question.score:g} of {points(question.max_score)}"


def closing(question: QuestionRecord, setting: Setting) -> tuple[str, str]:
    """The last line under a question: words, and a command that ends them (or nothing)."""
    if not question.records:
        return "This question has hidden checks only: it is marked after you hand in.", ""
    if question.outcome is Outcome.PASSED:
        return "Hidden checks look for the same things with other inputs; they count too.", ""
    return "Stuck?", setting.hint(question.name)


def total(questions: Sequence[QuestionRecord]) -> str:
    """The points of the public checks of several questions."""
    score, best = sum(q.score for q in questions), sum(q.max_score for q in questions)
    passed = sum(q.outcome is Outcome.PASSED or not q.records for q in questions)
    return f"Public checks: {score:g} of {points(best)}; {passed} of {len(questions)} questions without a fault."


def printable(text: str) -> str:
    """`text` without characters that a terminal would obey."""
    return "".join(char if char.isprintable() or char in "\n\t" else "\N{REPLACEMENT CHARACTER}" for char in text)
