"""The bridge from Otter's test files to checks."""

from __future__ import annotations

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


class CheckFailed(AssertionError):  # noqa: N818
    """A check did not pass; the text is for the student."""


def otter_case(env: Mapping[str, Any], question: str, check: str) -> None:
    """Be one test case of an Otter test file: raise `CheckFailed` unless the check `check` of `question` passes.

    Where the grader has run the checks already, `env` holds their ends. Elsewhere the public checks in `./checks` run
    against the names in `env`, once for all cases of the question.
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
    global last_question
    from deepmarks.checks.local import check_namespace

    namespace = env if isinstance(env, dict) else dict(env)
    (last_question,) = check_namespace(Path.cwd(), namespace, [question], _source(namespace))
    _pending.clear()
    _pending.update({record.check: record for record in last_question.records})


def _source(namespace: Mapping[str, Any]) -> str:
    """The text of the cells run so far in a notebook, as far as each parses; empty elsewhere."""
    import ast

    cells = []
    for cell in namespace.get("In") or ():
        try:
            ast.parse(cell)
        except (SyntaxError, ValueError, TypeError):
            continue
        cells.append(cell)
    return "\n".join(cells)
