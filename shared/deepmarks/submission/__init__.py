"""Reads what a student handed in: bytes to statements. Nothing of it is imported, run or followed."""

from __future__ import annotations

from deepmarks.submission.archive import read_path
from deepmarks.submission.folder import read_folder
from deepmarks.submission.names import definitions
from deepmarks.submission.reading import append, read_submission
from deepmarks.submission.records import Attachment, Kind, Submission, Unit, compile_unit

__all__ = [
    "Attachment",
    "Kind",
    "Submission",
    "Unit",
    "append",
    "compile_unit",
    "definitions",
    "read_folder",
    "read_path",
    "read_submission",
]
