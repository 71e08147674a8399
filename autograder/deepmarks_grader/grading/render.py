"""What students and staff read about a grade, as Markdown: values appear for public checks only."""

from __future__ import annotations

import re

from deepmarks.checks.outcomes import CheckRecord, Outcome, QuestionRecord
from deepmarks_grader.grading.grade import Grade

_SIGNS = {Outcome.PASSED: "✓", Outcome.FAILED: "✗", Outcome.NOT_ATTEMPTED: "–", Outcome.BROKEN: "!"}
_OUTPUT_SHOWN = 2000


def question_markdown(question: QuestionRecord) -> str:
    """The checks of one question, each with what went wrong."""
    parts = [_check_markdown(record) for record in question.records]
    if question.outcome is not Outcome.PASSED:
        parts.append(f"Stuck? `deepmarks hint` shows three staged hints for {question.name}.")
    return "\n\n".join(parts)


def _check_markdown(record: CheckRecord) -> str:
    where = " (hidden check)" if record.hidden else ""
    lines = [f"{_SIGNS[record.outcome]} **{plain(record.title)}**{where}: {record.outcome}"]
    if record.sentence:
        lines.append(plain(record.sentence))
    if record.pointer:
        lines.append(f"See {plain(record.pointer)}.")
    if record.detail and not record.hidden:
        lines.append(_fenced(record.detail))
    if record.output.strip() and not record.hidden and record.outcome is not Outcome.PASSED:
        lines.append("Your code printed:\n" + _fenced(record.output[:_OUTPUT_SHOWN]))
    return "\n\n".join(lines)


def overview_markdown(grade: Grade) -> str:
    """The lines above all questions."""
    lines = []
    if grade.cause:
        lines.append(f"**{_literal(grade.cause)}**")
    lines += [f"- {_literal(notice)}" for notice in grade.notices]
    return "\n".join(lines)


def staff_markdown(grade: Grade) -> str:
    """What only staff may read."""
    lines = [f"isolation: {grade.isolation or 'not recorded'}"]
    lines.append(
        f"{grade.seconds:.2f} s in all, {grade.check_seconds:.2f} s in checks, {grade.cpu_seconds:.2f} s of processor "
        f"time and {grade.peak_mb:.0f} MiB at the peak in the worker"
    )
    if grade.withheld:
        lines.append(_fenced(grade.withheld))
    for question in grade.questions:
        lines += [f"{record.check}:\n{_fenced(record.staff)}" for record in question.records if record.staff]
    return "\n\n".join(lines)


def plain(text: str) -> str:
    """`text` without control codes, on one line."""
    return " ".join("".join(char if char.isprintable() else " " for char in text).split())


def _literal(text: str) -> str:
    """`text` on one line, with nothing in it that Markdown or HTML would obey."""
    return re.sub(r"([\\`*_\[\]<>#|~!&])", r"\\\1", plain(text))


def _fenced(text: str) -> str:
    """`text` as a code block that cannot be closed from inside."""
    kept = "".join(char if char.isprintable() or char == "\n" else "\N{REPLACEMENT CHARACTER}" for char in text)
    return "```text\n" + kept.replace("```", "'''").strip("\n") + "\n```"
