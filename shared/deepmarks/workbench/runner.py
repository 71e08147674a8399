"""Checks a student's file in a process of its own, so that nothing in it can hang or end the command line.

The child keeps the time itself; the parent's deadlines are for code that does not let itself be interrupted.
"""

from __future__ import annotations

import ast
import json
import queue
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from deepmarks.checks.outcomes import Cause, CheckRecord, Outcome, QuestionRecord
from deepmarks.submission import Kind, read_path
from deepmarks.workbench.errors import WorkbenchError
from deepmarks.workbench.folders import Place

_GRACE_SECONDS = 10.0
"""For what is not the student's code: comparisons, and the machine being busy."""
_START_SECONDS = 120.0
"""Importing torch for the first time from a slow disk takes a minute."""
_MOST_STARTS = 20


class ChecksUnavailableError(WorkbenchError):
    """The checks themselves could not run."""


@dataclass(frozen=True, slots=True)
class Report:
    """What came of checking one file."""

    questions: tuple[QuestionRecord, ...]
    notices: tuple[str, ...]
    """What happened while the file was read and executed, one line each."""


@dataclass(slots=True)
class _Progress:
    """What the children have done so far."""

    waiting: list[str]
    done: dict[str, QuestionRecord] = field(default_factory=dict)
    notices: list[str] = field(default_factory=list)
    skipped: set[int] = field(default_factory=set)
    unit: int | None = None
    question: str | None = None
    ended: bool = False


def check_file(
    place: Place, file: Path, questions: Sequence[str], hear: Callable[[str], None] = lambda question: None
) -> Report:
    """Execute `file` and run the public checks of `questions`; `hear` is told each question before it is checked.

    Raises WorkbenchError if the file cannot be read, ChecksUnavailableError if the checks cannot run.
    """
    submission = read_path(file)
    if submission.kind is Kind.UNREADABLE:
        raise WorkbenchError(f"{file} cannot be checked. {submission.cause}")
    progress = _Progress(list(questions), notices=list(submission.notices))
    for _ in range(_MOST_STARTS):
        why = _run_child(place, file, progress, hear)
        if progress.ended:
            break
        if progress.question is not None:
            broken = _broken_question(place, progress.question, why)
            progress.done[broken.name] = broken
            progress.waiting.remove(broken.name)
        elif progress.unit is not None:
            unit = submission.units[progress.unit]
            progress.skipped.add(progress.unit)
            progress.notices.append(f"{unit.label}: {why.sentence} It was left out.")
        else:
            raise ChecksUnavailableError(f"The file could not be run. {why.sentence}\n{why.detail}".strip())
        if not progress.waiting:
            break
    ordered = [progress.done[name] for name in questions if name in progress.done]
    return Report(tuple(ordered), tuple(dict.fromkeys(progress.notices)))


@dataclass(frozen=True, slots=True)
class _End:
    """Why a child ended before its work was done."""

    cause: Cause
    sentence: str
    detail: str = ""


def _run_child(place: Place, file: Path, progress: _Progress, hear: Callable[[str], None]) -> _End:
    """Start a child on what is still to do and follow its events; says why it ended too early."""
    progress.unit = progress.question = None
    limits = place.assignment.limits
    job = {
        "folder": str(place.folder.resolve()),
        "file": str(file.resolve()),
        "questions": progress.waiting,
        "skipped": sorted(progress.skipped),
    }
    seconds = _START_SECONDS
    with tempfile.TemporaryFile() as errors, _child(json.dumps(job), errors) as (process, events):
        while True:
            try:
                line = events.get(timeout=seconds)
            except queue.Empty:
                return _End(Cause.TIMEOUT, f"Your code did not finish within {seconds - _GRACE_SECONDS:g} seconds.")
            if line is None:
                break
            match json.loads(line):
                case {"event": "unit", "index": int(index)}:
                    progress.unit, seconds = index, limits.cell_seconds + _GRACE_SECONDS
                case {"event": "notice", "text": str(text)}:
                    progress.notices.append(text)
                case {"event": "question", "name": str(name)}:
                    progress.question, seconds = name, limits.question_seconds + _GRACE_SECONDS
                    hear(name)
                case {"event": "record", "question": dict(data)}:
                    record = _question(data)
                    progress.done[record.name] = record
                    progress.waiting.remove(record.name)
                    progress.question = None
                case {"event": "unavailable", "text": str(text)}:
                    raise ChecksUnavailableError(
                        f"The checks of {place.slug} cannot run: {text}.\n"
                        "Unpack its zip once more into a new folder and put your notebook there."
                    )
                case {"event": "end"}:
                    progress.ended = True
        code = process.wait()
        errors.seek(0)
        words = errors.read().decode("utf-8", "replace").strip()
        last = words.splitlines()[-1] if words else ""
        if code < 0:
            return _End(
                Cause.CRASH, "The process of your code died; perhaps it used too much memory.", f"signal {-code}"
            )
        return _End(Cause.CRASH, "Your code ended the Python process (os._exit or the like).", last)


@contextmanager
def _child(job: str, errors: Any) -> Iterator[tuple[subprocess.Popen[str], queue.Queue[str | None]]]:
    """A child at work, and its lines; it is dead when the block ends."""
    process = subprocess.Popen(
        [sys.executable, "-m", "deepmarks.workbench.child"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=errors,
        text=True,
        encoding="utf-8",
        start_new_session=True,  # Ctrl-C is for the parent, which then ends the child
    )
    lines: queue.Queue[str | None] = queue.Queue()
    assert process.stdin is not None
    assert process.stdout is not None
    stream = process.stdout

    def read() -> None:
        for line in stream:
            lines.put(line)
        lines.put(None)

    reader = threading.Thread(target=read, daemon=True)
    try:
        process.stdin.write(job)
        process.stdin.close()
        reader.start()
        yield process, lines
    finally:
        process.kill()
        process.wait()


def _question(data: Mapping[str, Any]) -> QuestionRecord:
    """The record in the child's JSON."""
    records = []
    for item in data["records"]:
        cause = Cause(item["cause"]) if item["cause"] else None
        records.append(CheckRecord(**{**item, "outcome": Outcome(item["outcome"]), "cause": cause}))
    return QuestionRecord(data["name"], data["title"], tuple(records))


def _broken_question(place: Place, name: str, why: _End) -> QuestionRecord:
    """The record of a question during whose checks the child ended."""
    records = [
        CheckRecord(
            check,
            name,
            title,
            points,
            hidden=False,
            outcome=Outcome.BROKEN,
            cause=why.cause,
            sentence=why.sentence,
            kind=str(why.cause),
            detail=why.detail,
        )
        for check, title, points in _checks_of(place, name)
    ]
    return QuestionRecord(name, place.question(name).title, tuple(records))


def _checks_of(place: Place, name: str) -> Iterator[tuple[str, str, float]]:
    """Identifier, title and points of each public check of a question, read from the source without running it."""
    for file in sorted((place.folder / "checks" / "public").glob("test_*.py")):
        for node in ast.parse(file.read_text("utf-8")).body:
            match node:
                case ast.FunctionDef(
                    decorator_list=[
                        *_,
                        ast.Call(
                            func=ast.Name(id="question"),
                            args=[ast.Constant(value=asked)],
                            keywords=[ast.keyword(arg="points", value=ast.Constant(value=points)), *_],
                        ),
                    ]
                ) if asked == name and isinstance(points, int | float):
                    title = (ast.get_docstring(node) or "").split("\n")[0]
                    yield f"public/{file.name}::{node.name}", title, float(points)
