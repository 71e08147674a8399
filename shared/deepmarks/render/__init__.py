"""Outcome records as students read them: in a notebook, as plain text, and in a terminal."""

from __future__ import annotations

from deepmarks.render.html import question_html, summary_html
from deepmarks.render.text import question_text, summary_text
from deepmarks.render.words import NOTEBOOK, SIGNS, Setting

__all__ = [
    "NOTEBOOK",
    "SIGNS",
    "Setting",
    "question_html",
    "question_text",
    "summary_html",
    "summary_text",
]
