"""The bytes of one file to a `Submission`."""

from __future__ import annotations

import hashlib
import warnings
from collections.abc import Iterable
from dataclasses import replace
from pathlib import PurePosixPath

from deepmarks.submission import limits
from deepmarks.submission.notebooks import (
    NotANotebookError,
    is_percent,
    load_notebook,
    notebook_cells,
    percent_cells,
)
from deepmarks.submission.records import Kind, Submission, clean_text, printable
from deepmarks.submission.text import decode, looks_like
from deepmarks.submission.units import Cell, Reader


def read_submission(data: bytes, name: str) -> Submission:
    """What the file called `name` with the content `data` holds. Never raises, never runs any of it."""
    shown = printable(name)
    digest = hashlib.sha256(data).hexdigest()
    notices: list[str] = []
    try:
        kind, cells = _cells(data, PurePosixPath(shown).suffix.lower(), notices)
        units = _read(cells, notices)
    except UnreadableError as error:
        return Submission(shown, Kind.UNREADABLE, (), _trimmed(notices), str(error), digest)
    if not units.units:
        notices.append("The file holds no code.")
    return Submission(shown, kind, tuple(units.units), _trimmed(notices), None, digest)


def append(submission: Submission, source: str, label: str) -> Submission:
    """`submission` with the statements of `source` after its own, each labelled `label`; the digest stays."""
    number = max((unit.cell for unit in submission.units), default=0) + 1
    notices = list(submission.notices)
    flags = submission.units[-1].flags if submission.units else 0
    reader = _read([Cell(clean_text(source), number, 1, f"<{label}>", label)], notices, flags)
    return replace(submission, units=(*submission.units, *reader.units), notices=_trimmed(notices))


class UnreadableError(ValueError):
    """Nothing can be read; the message is a sentence."""


def _read(cells: Iterable[Cell], notices: list[str], flags: int = 0) -> Reader:
    reader = Reader(notices=notices, flags=flags)
    size = 0
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the student's `\d` is no message of ours
        for cell in cells:
            size += len(cell.source)
            if size > limits.CODE_CHARS:
                raise UnreadableError(f"The file holds more than {limits.CODE_CHARS:,} characters of code.")
            reader.read(cell)
    return reader


def _cells(data: bytes, suffix: str, notices: list[str]) -> tuple[Kind, Iterable[Cell]]:
    """The kind and the code cells, by content first and by name second."""
    if not data:
        raise UnreadableError("The file is empty (0 bytes).")
    if len(data) > limits.FILE_BYTES:
        raise UnreadableError(f"The file is larger than {limits.FILE_BYTES >> 20} MiB.")
    what = looks_like(data)
    if what is not None:
        raise UnreadableError(f"The file is neither a notebook nor Python text: it looks like {what}.")
    text, guesses = decode(data)
    notices += guesses
    if not text.strip():
        raise UnreadableError("The file is empty: it holds only blank lines.")
    named = suffix == ".ipynb"
    try:
        notebook = load_notebook(text)
    except NotANotebookError as error:
        refusal = (
            f"The file ends in .ipynb but is not a notebook: {error}."
            if named
            else f"The file is a notebook that cannot be read: {error}."
            if text.lstrip("\ufeff \t\n").startswith("{")
            else f"The file is not Python: {error}."
        )
        if error.damaged:
            raise UnreadableError(refusal) from error
    else:
        if suffix == ".py":
            notices.append("The file ends in .py but holds a notebook; it was read as one.")
        return Kind.NOTEBOOK, notebook_cells(notebook, notices)
    if len(text) > limits.CODE_CHARS:
        raise UnreadableError(f"The file holds more than {limits.CODE_CHARS:,} characters of code.")
    percent = is_percent(text)
    # The trial's notices would come twice.
    cells = list(percent_cells(text, notices)) if percent else [Cell(text, 0)]
    if named:
        if text.lstrip().startswith(("{", "[")) or all(unit.error for unit in _read(cells, []).units):
            raise UnreadableError(refusal)
        notices.append("The file ends in .ipynb but holds Python text; it was read as that.")
    return (Kind.PERCENT if percent else Kind.SCRIPT), cells


def _trimmed(notices: list[str]) -> tuple[str, ...]:
    """Each notice once, and not too many of them."""
    unique = list(dict.fromkeys(notices))
    if len(unique) <= limits.NOTICES:
        return tuple(unique)
    more = len(unique) - limits.NOTICES
    return (*unique[: limits.NOTICES], f"There are {more:,} more notices of this kind.")
