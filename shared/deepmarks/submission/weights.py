"""Checkpoints that lie beside a submission instead of inside its zip."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path

from deepmarks.submission.archive import ATTACHMENT_SUFFIXES, read_path, read_regular_file
from deepmarks.submission.members import RefusedError
from deepmarks.submission.records import Attachment, Kind, Submission, printable


def read_with_weights(path: Path, slug: str) -> Submission:
    """The submission at `path`, with the checkpoint `<slug>.safetensors` beside it unless its zip holds one.

    Never raises. The digest then covers both, as it does for a folder.
    """
    submission = read_path(path)
    if submission.kind is Kind.UNREADABLE or submission.attachments:
        return submission
    found = checkpoints_beside(path.parent, slug)
    if not found:
        return submission
    digest = hashlib.sha256(bytes.fromhex(submission.digest))
    for attachment in found:
        digest.update(hashlib.sha256(attachment.data).digest())
    return replace(submission, attachments=found, digest=digest.hexdigest())


def checkpoints_beside(folder: Path, slug: str) -> tuple[Attachment, ...]:
    """The checkpoint of the assignment `slug` in `folder`, if there is one that can be read; links are not followed."""
    for suffix in ATTACHMENT_SUFFIXES:
        path = folder / f"{slug}{suffix}"
        try:
            if path.is_file():
                data = read_regular_file(path)
                return (Attachment(printable(path.name), len(data), data),)
        except (OSError, RefusedError):
            continue
    return ()
