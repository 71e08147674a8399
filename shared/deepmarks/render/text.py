"""Feedback as plain text."""

from __future__ import annotations

from collections.abc import Sequence
from textwrap import indent

from deepmarks.checks.outcomes import CheckRecord, Outcome, QuestionRecord
from deepmarks.render import words
from deepmarks.render.words import NOTEBOOK, SIGNS, Setting


def question_text(question: QuestionRecord, setting: Setting = NOTEBOOK, *, traceback: bool = False) -> str:
    """One question, a block of lines for each check; tracebacks only if asked for."""
    heading = f"{question.name}  {question.title}: {words.verdict(question)}"
    checks = [_check(record, setting, traceback) for record in question.records]
    return words.printable("\n".join([heading, *checks, " ".join(filter(None, words.closing(question, setting)))]))


def summary_text(questions: Sequence[QuestionRecord]) -> str:
    """A line for each question, and the total."""
    lines = [f"{SIGNS[q.outcome]} {q.name}  {q.title}: {words.verdict(q)}" for q in questions]
    return words.printable("\n".join([*lines, words.total(questions), words.HIDDEN_CHECKS]))


def _check(record: CheckRecord, setting: Setting, traceback: bool) -> str:
    lines = [f"{SIGNS[record.outcome]} {record.outcome}: {record.title} ({words.points(record.points)})"]
    if record.outcome is not Outcome.PASSED:
        parts = [words.sentence(record, setting), record.detail, words.pointer(record)]
        lines += [indent(part, "    ") for part in parts if part]
    if words.trace(record, traceback):
        lines.append(indent(words.trace(record, traceback), "    "))
    if words.output(record) and record.outcome is not Outcome.PASSED:
        lines.append(indent(f"{words.PRINTED}:\n{indent(words.output(record), '  ')}", "    "))
    return "\n".join(lines)
