"""What students read about a checked question: in a notebook, as text, in a terminal."""

from __future__ import annotations

import io
from dataclasses import replace

import pytest
from rich.console import Console, RenderableType

from deepmarks.checks.outcomes import Cause, CheckRecord, Outcome, QuestionRecord
from deepmarks.render import Setting, question_html, question_text, summary_html, summary_text
from deepmarks.render.html import note_html
from deepmarks.render.terminal import question_panel, summary_table

TERMINAL = Setting("a8_self_attention")
FAILED = CheckRecord(
    "public/test_q3.py::test_a",
    "q3",
    "Rows add up to 1 & <b>no more</b>.",
    2,
    hidden=False,
    outcome=Outcome.FAILED,
    cause=Cause.MISMATCH,
    sentence="The softmax looks like the softmax over the <batch> axis.",
    kind="axis",
    detail="expected [1, 2], received <script>alert(1)</script>",
    pointer="section 4",
    output='<img src=x onerror="alert(2)">\x1b[31m\n',
    staff="Traceback (most recent call last):\n  a < b",
)
PASSED = CheckRecord(
    "public/test_q3.py::test_b", "q3", "The shape.", 1, hidden=False, outcome=Outcome.PASSED, staff="Traceback: none"
)
MISSING = replace(
    FAILED, outcome=Outcome.NOT_ATTEMPTED, sentence="softmax is not defined.", detail="", pointer="", staff=""
)


def question(*records: CheckRecord) -> QuestionRecord:
    return QuestionRecord("q3", "Attention <weights>", records)


def terminal(renderable: RenderableType, width: int = 200) -> str:
    console = Console(file=io.StringIO(), width=width, force_terminal=False)
    console.print(renderable)
    return console.file.getvalue()  # type: ignore[attr-defined]


def test_html_escapes_everything_that_comes_from_outside() -> None:
    html = question_html(question(FAILED))

    for tag in ("<script", "<img", "<b>", "<batch>", "<weights>"):
        assert tag not in html
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in html
    assert "&lt;img src=x onerror=&quot;alert(2)&quot;&gt;" in html
    assert "<script" not in note_html("<script>", "`<script>` and <script>")


def test_html_says_in_words_what_its_colours_say() -> None:
    html = question_html(question(FAILED, PASSED))

    assert "✗ failed" in html
    assert "✓ passed" in html
    assert 'aria-label="q3: 1 of 2 public checks passed, 1 of 3 points"' in html


@pytest.mark.parametrize("form", ["html", "text", "terminal"])
def test_every_form_has_sentence_detail_pointer_output_and_hint(form: str) -> None:
    asked = question(FAILED, PASSED)
    shown, hint = {
        "html": (question_html(asked), "grader.hint(&quot;q3&quot;)"),
        "text": (question_text(asked), 'grader.hint("q3")'),
        "terminal": (terminal(question_panel(asked, TERMINAL)), "deepmarks hint a8_self_attention q3"),
    }[form]

    for part in ("looks like the softmax over", "expected [1, 2]", "See section 4.", "What your code printed", hint):
        assert part in shown
    assert "1 of 2 public checks passed, 1 of 3 points" in shown


@pytest.mark.parametrize("wanted", [False, True])
def test_a_traceback_appears_only_if_asked_for(wanted: bool) -> None:
    asked = question(FAILED, PASSED)
    forms = [
        question_html(asked, traceback=wanted),
        question_text(asked, traceback=wanted),
        terminal(question_panel(asked, TERMINAL, traceback=wanted)),
    ]

    assert [("Traceback (most recent" in form) for form in forms] == [wanted] * 3
    assert not any("Traceback: none" in form for form in forms), "a check that passed has nothing to show"


def test_terminals_get_no_control_codes_from_students() -> None:
    assert "\x1b" not in question_text(question(FAILED))
    assert "\x1b" not in terminal(question_panel(question(FAILED), TERMINAL))


def test_a_name_that_is_not_there_asks_whether_its_cell_was_run() -> None:
    assert "softmax is not defined. Have you run its cell?" in question_html(question(MISSING))
    assert "Have you run its cell?" not in question_text(question(MISSING), TERMINAL)
    assert "not attempted yet, 2 points" in question_text(question(MISSING))


def test_a_question_that_passes_asks_nobody_whether_he_is_stuck() -> None:
    for shown in (question_html(question(PASSED)), question_text(question(PASSED))):
        assert "Stuck?" not in shown
        assert "Hidden checks" in shown


def test_summaries_count_points_and_mention_hidden_checks() -> None:
    questions = [question(FAILED, PASSED), QuestionRecord("q4", "All hidden", ())]

    for shown in (summary_html(questions), summary_text(questions), terminal(summary_table(questions))):
        assert "Public checks: 1 of 3 points; 1 of 2 questions without a fault." in shown
        assert "no public checks" in shown
        assert "Hidden checks" in shown


def test_long_output_is_cut() -> None:
    shown = question_text(question(replace(FAILED, output="x" * 100_000)))

    assert len(shown) < 10_000
    assert "more output was cut off" in shown
