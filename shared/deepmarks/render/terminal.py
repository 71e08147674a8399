"""Feedback as Rich renderables for the terminal."""

from __future__ import annotations

from collections.abc import Sequence

from rich import box
from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from deepmarks.checks.outcomes import CheckRecord, Outcome, QuestionRecord
from deepmarks.render import words
from deepmarks.render.words import SIGNS, Setting

_STYLES = {
    Outcome.PASSED: "green",
    Outcome.FAILED: "red",
    Outcome.NOT_ATTEMPTED: "bright_black",
    Outcome.BROKEN: "yellow",
}


def question_panel(question: QuestionRecord, setting: Setting, *, traceback: bool = False) -> RenderableType:
    """One question in a frame; tracebacks only if asked for."""
    text, command = words.closing(question, setting)
    foot = Text.assemble((text, "dim"), " ", (command, "cyan"))
    title = Text.assemble((question.name, "bold"), f" {words.printable(question.title)}")
    return Panel(
        Group(*(_check(record, setting, traceback) for record in question.records), foot),
        title=title,
        subtitle=Text(words.verdict(question)),
        title_align="left",
        subtitle_align="right",
        border_style=_STYLES[question.outcome] if question.records else "bright_black",
        box=box.ROUNDED,
    )


def summary_table(questions: Sequence[QuestionRecord]) -> RenderableType:
    """A row for each question, and the total."""
    table = Table(box=None, padding=(0, 2, 0, 0), show_header=False)
    for q in questions:
        sign = Text(f"{SIGNS[q.outcome]} {q.outcome}", _STYLES[q.outcome])
        table.add_row(sign, Text(q.name, "bold"), Text(words.printable(q.title)), Text(words.verdict(q), "dim"))
    return Group(table, Text(words.total(questions), "bold"), Text(words.HIDDEN_CHECKS, "dim"))


def _check(record: CheckRecord, setting: Setting, traceback: bool) -> RenderableType:
    style = _STYLES[record.outcome]
    head = Text.assemble(
        (f"{SIGNS[record.outcome]} {record.outcome}", f"bold {style}"),
        f"  {words.printable(record.title)} ",
        (f"({words.points(record.points)})", "dim"),
    )
    below: list[Text] = []
    if record.outcome is not Outcome.PASSED:
        below.append(Text(words.printable(words.sentence(record, setting)), "bold"))
        if record.detail:
            below.append(Text(words.printable(record.detail)))
        if record.pointer:
            below.append(Text(words.pointer(record), "cyan"))
    if words.trace(record, traceback):
        below.append(Text(words.printable(words.trace(record, traceback)), "dim"))
    if words.output(record) and record.outcome is not Outcome.PASSED:
        below.append(Text(f"{words.PRINTED}:\n{words.printable(words.output(record))}", "dim"))
    return Padding(Group(head, *(Padding(text, (0, 0, 0, 4)) for text in below)), (0, 0, 1, 0))
