"""Which of the files that came with a submission is its checkpoint."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import PurePosixPath

from deepmarks.checkpoints import SUFFIXES
from deepmarks.checks.errors import NotAttempted
from deepmarks.submission.records import Attachment, printable


def chosen_checkpoint(attachments: Sequence[Attachment], slug: str) -> Attachment:
    """The attachment called `<slug>.safetensors` (else `.pt`, `.pth`), in the outermost folder that has one.

    Raises NotAttempted if there is none; the sentence names what came instead.
    """
    for suffix in SUFFIXES:
        named = [item for item in attachments if PurePosixPath(item.name).name == slug + suffix]
        if named:
            return min(named, key=lambda item: item.name.count("/"))
    wanted = f"{slug}.safetensors"
    if attachments:
        came = printable(PurePosixPath(attachments[0].name).name, 80)
        raise NotAttempted(f"No checkpoint called {wanted} was handed in; {came} has another name.")
    raise NotAttempted(f"No checkpoint was handed in: put {wanted} beside your file or into the zip.")
