"""What a submission is once it has been read: plain records that hold text and bytes, never live objects."""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass
from enum import StrEnum
from types import CodeType

SCRIPT_FILENAME = "submission.py"


class Kind(StrEnum):
    """What the bytes turned out to be."""

    NOTEBOOK = "notebook"
    PERCENT = "percent"
    SCRIPT = "script"
    UNREADABLE = "unreadable"


@dataclass(frozen=True, slots=True)
class Unit:
    """One top-level statement, or one stretch of text that is not Python (then `error` says so)."""

    source: str
    """One complete top-level statement; it compiles on its own unless `error` is set."""
    label: str
    """`cell 3` (code cells count from 1) or `line 12`."""
    line: int
    """First line, counted from 1 within the notebook cell, or within the file for scripts of both kinds."""
    error: str | None
    """Why this unit cannot run, as a sentence; None if it can."""
    cell: int
    """Number of the code cell; 0 in a plain script."""
    filename: str = SCRIPT_FILENAME
    """What tracebacks call the file: `<cell 3>` or `submission.py`."""
    flags: int = 0
    """Compiler flags of the `from __future__` imports that come before this unit."""


@dataclass(frozen=True, slots=True)
class Attachment:
    """A checkpoint that came in the same zip: bytes that nobody has looked into."""

    name: str
    size: int
    data: bytes


@dataclass(frozen=True, slots=True)
class Submission:
    """One file of a student, read but not run."""

    name: str
    """The file's name, without characters that a terminal would obey."""
    kind: Kind
    units: tuple[Unit, ...] = ()
    notices: tuple[str, ...] = ()
    """What the student should know about the reading: lines left out, guesses made."""
    cause: str | None = None
    """Why nothing could be read, as a sentence; None if something was."""
    digest: str = ""
    """SHA-256 of the raw bytes of the file or zip, in hex; empty if it cannot be opened."""
    attachments: tuple[Attachment, ...] = ()
    ignored: tuple[str, ...] = ()
    """Names of the zip's other files."""


def compile_unit(unit: Unit) -> CodeType:
    """The unit's code, with the student's own line numbers; SyntaxError for a unit that has an `error`."""
    if unit.error is not None:
        raise SyntaxError(unit.error)
    # Through the tree, because padding with blank lines would take quadratic time for a long file.
    tree = ast.parse(unit.source, unit.filename)
    ast.increment_lineno(tree, unit.line - 1)
    code: CodeType = compile(tree, unit.filename, "exec", flags=unit.flags, dont_inherit=True)
    return code


def printable(name: str, limit: int = 200) -> str:
    """`name` on one line, without control characters and lone surrogates, cut to `limit` characters."""
    clean = "".join(character if character.isprintable() else "?" for character in name)
    return clean if len(clean) <= limit else clean[: limit - 1] + "…"


def clean_text(text: str) -> str:
    r"""`text` with \n line ends, without NUL, and with lone surrogates replaced by U+FFFD."""
    text = text.replace("\r\n", "\n").replace("\r", "\n").replace("\0", "")
    return re.sub("[\ud800-\udfff]", "\ufffd", text)
