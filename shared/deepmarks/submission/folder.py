"""A folder of handed-in files to a `Submission`, as Gradescope leaves an unpacked upload."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from deepmarks.submission import limits
from deepmarks.submission.archive import ATTACHMENT_SUFFIXES, read_path, read_regular_file
from deepmarks.submission.members import RefusedError, choose, is_hidden
from deepmarks.submission.reading import read_submission
from deepmarks.submission.records import Attachment, Kind, Submission, printable


def read_folder(folder: Path) -> Submission:
    """The submission in `folder`: its one gradable file, or the one zip in it. Never raises.

    Links, devices and pipes are not opened. `digest` covers the chosen file and the checkpoints.
    """
    try:
        names = sorted(_regular_files(folder))
        visible = [name for name in names if not is_hidden(name)]
        if len(visible) == 1 and visible[0].lower().endswith(".zip"):
            return read_path(folder / visible[0])
        chosen = choose(names)
        data = read_regular_file(folder / chosen)
        attachments = list(_checkpoints(folder, visible))
    except RefusedError as error:
        return Submission(
            printable(folder.name), Kind.UNREADABLE, cause=str(error).replace("The zip", "The submission")
        )
    digest = hashlib.sha256(data)
    for attachment in attachments:
        digest.update(hashlib.sha256(attachment.data).digest())
    taken = {chosen, *(attachment.name for attachment in attachments)}
    return replace(
        read_submission(data, Path(chosen).name),
        digest=digest.hexdigest() if attachments else hashlib.sha256(data).hexdigest(),
        attachments=tuple(attachments),
        ignored=tuple(printable(name) for name in names if name not in taken),
    )


def _checkpoints(folder: Path, names: list[str]) -> Iterator[Attachment]:
    """The checkpoints among the files `names`, as many as a zip may hold."""
    total = 0
    for name in names:
        if name.lower().endswith(ATTACHMENT_SUFFIXES):
            data = read_regular_file(folder / name)
            total += len(data)
            if len(data) > limits.ATTACHMENT_BYTES or total > limits.ZIP_TOTAL:
                raise RefusedError("The submission's checkpoints are too large.")
            yield Attachment(printable(name), len(data), data)


def _regular_files(folder: Path, prefix: str = "", depth: int = 0, count: int = 0) -> Iterator[str]:
    """Names, relative to `folder`, of the regular files in it; links are neither listed nor followed."""
    try:
        entries = sorted(os.scandir(folder / prefix), key=lambda entry: entry.name)
    except OSError as error:
        raise RefusedError("The submission's folder cannot be read.") from error
    for entry in entries:
        count += 1
        if count > limits.ZIP_MEMBERS or depth > limits.ZIP_DEPTH:
            raise RefusedError("The submission holds too many files or folders.")
        if entry.is_dir(follow_symlinks=False):
            yield from _regular_files(folder, f"{prefix}{entry.name}/", depth + 1, count)
        elif entry.is_file(follow_symlinks=False):
            yield prefix + entry.name
