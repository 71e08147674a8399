"""The zip that a student hands in."""

from __future__ import annotations

import time
import zipfile
from dataclasses import dataclass
from pathlib import Path

from deepmarks.submission import Kind, Submission, definitions, read_path
from deepmarks.workbench.errors import HandInError
from deepmarks.workbench.folders import Place


@dataclass(frozen=True, slots=True)
class HandIn:
    """What was packed."""

    path: Path
    files: tuple[str, ...]
    saved: str
    """When the student's file was saved last, by the clock."""
    missing: tuple[str, ...]
    """Names that the assignment asks for and the file does not define, each with its question."""
    notices: tuple[str, ...]

    def text(self, again: str) -> str:
        """What the student should know; `again` is the command that packs once more."""
        lines = [
            f"Hand in this file: {self.path}",
            f"It holds {' and '.join(self.files)}, as saved at {self.saved}. "
            f"If you have changed it since, save it and call {again} again.",
        ]
        if self.missing:
            lines.append(f"Not defined in it: {', '.join(self.missing)}.")
        return "\n".join([*lines, *self.notices])


def hand_in(place: Place, file: Path | None = None) -> HandIn:
    """Write `<slug>-submission.zip` into the assignment's folder, with the student's file and weights if present.

    Raises HandInError if the file cannot be read as a submission: the grader could not read it either.
    """
    source = file or place.submission_file()
    submission = read_path(source)
    if submission.kind is Kind.UNREADABLE:
        raise HandInError(f"{source.name} cannot be handed in. {submission.cause}")
    weights = place.folder / f"{place.slug}.safetensors"
    files = [source, *([weights] if weights.is_file() else [])]
    target = place.folder / f"{place.slug}-submission.zip"
    unfinished = target.with_name(target.name + ".part")
    try:
        with zipfile.ZipFile(unfinished, "w", zipfile.ZIP_DEFLATED) as archive:
            for item in files:
                archive.write(item, item.name)
        unfinished.replace(target)
    except OSError as error:
        raise HandInError(f"{target} cannot be written: {error.strerror}.") from error
    saved = time.strftime("%H:%M:%S", time.localtime(source.stat().st_mtime))
    names = tuple(item.name for item in files)
    return HandIn(target, names, saved, _missing(place, submission), submission.notices)


def _missing(place: Place, submission: Submission) -> tuple[str, ...]:
    defined = definitions(submission)
    return tuple(
        f"{name} ({question.name})"
        for question in place.assignment.questions
        for name in question.names
        if name not in defined
    )
