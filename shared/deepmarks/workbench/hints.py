"""The staged hints of a question."""

from __future__ import annotations

from deepmarks.manifest import Question
from deepmarks.workbench.errors import UnknownQuestionError


def hint_text(question: Question, number: int) -> str:
    """Hint `number` (from 1) of `question`; UnknownQuestionError if there is no such hint."""
    count = len(question.hints)
    if not count:
        raise UnknownQuestionError(f"There are no hints for {question.name}.")
    if not 1 <= number <= count:
        raise UnknownQuestionError(f"There is no hint {number} for {question.name}; it has {count}.")
    return " ".join(question.hints[number - 1].split())


def hint_title(question: Question, number: int) -> str:
    """What stands above a hint."""
    return f"Hint {number} of {len(question.hints)} for {question.name}"
