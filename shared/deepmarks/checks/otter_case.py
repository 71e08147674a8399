"""The bridge from Otter's test files to checks."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from deepmarks.checks.outcomes import CheckRecord, Outcome, QuestionRecord

OUTCOMES_NAME = "__deepmarks_outcomes__"
"""In grading, the variable of the fresh notebook that holds what the isolated run found."""

_pending: dict[str, CheckRecord] = {}
"""Records of a question whose other cases Otter has yet to ask for."""
last_question: QuestionRecord | None = None
"""The question that was checked last; what `deepmarks.Notebook` shows."""
last_error: Exception | None = None
"""Why the checks of the last question could not run at all."""
_folder: Path | None = None
"""The assignment's folder; None for the current one."""


class CheckFailed(AssertionError):  # noqa: N818
    """A check did not pass; the text is for the student."""


def prepare(folder: Path | None) -> None:
    """Take the checks from `folder` (None: the current one) from now on, and forget all earlier results."""
    global _folder, last_question, last_error
    _folder, last_question, last_error = folder, None, None
    _pending.clear()


def last_checked() -> QuestionRecord:
    """The question that was checked last; raises what kept its checks from running."""
    if last_question is None:
        raise last_error or LookupError("no question has been checked")
    return last_question


def otter_case(env: Mapping[str, Any], question: str, check: str) -> None:
    """Be one test case of an Otter test file: raise `CheckFailed` unless the check `check` of `question` passes.

    Where the grader has run the checks already, `env` holds their ends. Elsewhere the public checks in `./checks` run
    against the names in `env`, once for all cases of the question; `prepare` names another folder.
    """
    if OUTCOMES_NAME in env:
        passed, text = env[OUTCOMES_NAME].get(check, (False, "This check did not run."))
        if not passed:
            raise CheckFailed(text)
        return
    if check not in _pending:
        _run(env, question)
    record = _pending.pop(check, None)
    if record is None:
        raise CheckFailed("This check is not among the checks in the folder 'checks'.")
    if record.outcome is not Outcome.PASSED:
        raise CheckFailed(f"{record.title} {record.sentence}")


def _run(env: Mapping[str, Any], question: str) -> None:
    global last_question, last_error
    from deepmarks.checks.local import check_namespace

    namespace = env if isinstance(env, dict) else dict(env)
    last_question = None
    try:
        (last_question,) = check_namespace(_folder or Path.cwd(), namespace, [question], _source(namespace.get("In")))
    except Exception as error:
        last_error = error  # Otter keeps the text only
        raise
    _pending.clear()
    _pending.update({record.check: record for record in last_question.records})


def _source(cells: Any) -> str:
    """The text of the cells run so far in a notebook, read as the grader reads it; empty elsewhere."""
    from deepmarks.submission import read_submission

    if not isinstance(cells, list):
        return ""
    code = [{"cell_type": "code", "metadata": {}, "source": cell} for cell in cells if isinstance(cell, str)]
    submission = read_submission(json.dumps({"cells": code, "nbformat": 4}).encode(), "session.ipynb")
    return "\n".join(unit.source for unit in submission.units if unit.error is None)
