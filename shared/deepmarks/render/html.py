"""Feedback as HTML for notebooks: inline styles only, readable in light and dark themes, every text escaped.

Colours repeat what signs and words say. Where JupyterLab's theme variables do not exist, the page's own colours stay.
"""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from deepmarks.checks.outcomes import CheckRecord, Outcome, QuestionRecord
from deepmarks.render import words
from deepmarks.render.words import NOTEBOOK, SIGNS, Setting

_ACCENTS = {
    Outcome.PASSED: "#1a7f37",
    Outcome.FAILED: "#c6362b",
    Outcome.NOT_ATTEMPTED: "#6b7280",
    Outcome.BROKEN: "#a85a00",
}
"""White text on each has a contrast of 4.5 or more, and each stands out from white and from black paper."""

_BOX = (
    "font-family:var(--jp-content-font-family,system-ui,sans-serif);font-size:14px;line-height:1.5;color:inherit;"
    "border:1px solid var(--jp-border-color2,rgba(128,128,128,.4));border-left:5px solid {accent};border-radius:6px;"
    "padding:10px 14px;margin:4px 0;max-width:60em"
)
_CODE = (
    "font-family:var(--jp-code-font-family,ui-monospace,monospace);font-size:12.5px;line-height:1.45;color:inherit;"
    "background:rgba(128,128,128,.13);border-radius:4px"
)
_PRE = _CODE + ";padding:7px 10px;margin:6px 0;white-space:pre-wrap;word-break:normal;overflow-wrap:anywhere"
_CHIP = (
    "display:inline-block;background:{accent};color:#fff;border-radius:10px;padding:0 9px;margin-right:8px;"
    "font-size:12.5px;line-height:20px;font-weight:600;white-space:nowrap"
)
_QUIET = "opacity:.78"
_CELL = "padding:3px 14px 3px 0;text-align:left;vertical-align:top;border:0;background:none;color:inherit"


def question_html(question: QuestionRecord, setting: Setting = NOTEBOOK, *, traceback: bool = False) -> str:
    """One question as a box with a block for each check; tracebacks only if asked for."""
    accent = _accent(question)
    heading = (
        f'<div style="margin-bottom:2px"><strong style="font-size:15px">{escape(question.name)} · '
        f'{escape(question.title)}</strong> <span style="{_QUIET}">— {escape(words.verdict(question))}</span></div>'
    )
    checks = "".join(_check(record, setting, traceback) for record in question.records)
    text, command = words.closing(question, setting)
    shown = f' <code style="{_CODE};padding:1px 5px">{escape(command)}</code>' if command else ""
    label = escape(f"{question.name}: {words.verdict(question)}", quote=True)
    return (
        f'<section aria-label="{label}" style="{_BOX.format(accent=accent)}">{heading}{checks}'
        f'<div style="margin-top:8px;{_QUIET if not command else ""}">{escape(text)}{shown}</div></section>'
    )


def summary_html(questions: Sequence[QuestionRecord]) -> str:
    """A table with a row for each question, and the total."""
    rows = "".join(
        f'<tr style="background:none"><td style="{_CELL}">{_chip(q.outcome)}</td>'
        f'<td style="{_CELL}"><strong>{escape(q.name)}</strong> · {escape(q.title)}</td>'
        f'<td style="{_CELL}">{escape(words.verdict(q))}</td></tr>'
        for q in questions
    )
    fine = all(q.outcome is Outcome.PASSED or not q.records for q in questions)
    accent = _ACCENTS[Outcome.PASSED if fine else Outcome.FAILED]
    return (
        f'<section aria-label="All questions" style="{_BOX.format(accent=accent)}">'
        f'<table style="border-collapse:collapse;border:0;margin:0;font-size:14px">{rows}</table>'
        f'<div style="margin-top:8px"><strong>{escape(words.total(questions))}</strong></div>'
        f'<div style="{_QUIET}">{escape(words.HIDDEN_CHECKS)}</div></section>'
    )


def note_html(title: str, text: str) -> str:
    """A short message in a box; `text` in backquotes becomes code."""
    return (
        f'<section aria-label="{escape(title, quote=True)}" style="{_BOX.format(accent="#0b6bcb")}">'
        f'<strong>{escape(title)}</strong><div style="white-space:pre-wrap;margin-top:4px">{_with_code(text)}</div>'
        "</section>"
    )


def _check(record: CheckRecord, setting: Setting, traceback: bool) -> str:
    worth = f'<span style="{_QUIET}">({escape(words.points(record.points))})</span>'
    parts = [f"<div>{_chip(record.outcome)}{escape(record.title)} {worth}</div>"]
    if record.outcome is not Outcome.PASSED:
        parts.append(
            f'<div style="margin:5px 0 0;font-size:15px;font-weight:600">'
            f"{escape(words.sentence(record, setting))}</div>"
        )
        if record.detail:
            parts.append(f'<pre style="{_PRE}">{escape(record.detail)}</pre>')
        if record.pointer:
            parts.append(f"<div>{escape(words.pointer(record))}</div>")
    if words.trace(record, traceback):
        parts.append(_folded("Traceback", words.trace(record, traceback), is_open=True))
    if words.output(record):
        parts.append(_folded(words.PRINTED, words.output(record)))
    return f'<div style="margin-top:9px">{"".join(parts)}</div>'


def _folded(title: str, text: str, *, is_open: bool = False) -> str:
    return (
        f'<details{" open" if is_open else ""} style="margin-top:4px"><summary style="cursor:pointer">'
        f'{escape(title)}</summary><pre style="{_PRE}">{escape(text)}</pre></details>'
    )


def _chip(outcome: Outcome) -> str:
    return f'<span style="{_CHIP.format(accent=_ACCENTS[outcome])}">{SIGNS[outcome]} {escape(outcome)}</span>'


def _accent(question: QuestionRecord) -> str:
    return _ACCENTS[question.outcome if question.records else Outcome.NOT_ATTEMPTED]


def _with_code(text: str) -> str:
    pieces = text.split("`")
    if len(pieces) % 2 == 0:
        return escape(text)
    return "".join(
        f'<code style="{_CODE};padding:1px 4px">{escape(piece)}</code>' if index % 2 else escape(piece)
        for index, piece in enumerate(pieces)
    )
