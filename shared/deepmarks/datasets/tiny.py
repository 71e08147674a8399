"""Tiny ImageNet: the official zip, the course's subset of it, or rendered textures in its layout."""

from __future__ import annotations

import os
from pathlib import Path

from deepmarks.datasets.download import RemoteFile
from deepmarks.datasets.errors import DataError
from deepmarks.datasets.places import work_folder
from deepmarks.datasets.textures import OFFLINE, TEXTURE_CLASSES, rendered_textures
from deepmarks.datasets.tiny_layout import write_layout
from deepmarks.datasets.unpack import made_once, unpack

ARCHIVE = RemoteFile("tiny-imagenet-200.zip", "90528d7ca1a48142e341f4ef8d21d0de", ("http://cs231n.stanford.edu/",))
FOLDER = "tiny-imagenet-200"
SUBSET = Path("tiny-imagenet", "tiny-imagenet-200-subset.zip")
OFFICIAL = "official Tiny ImageNet"
SUBSET_SOURCE = "Tiny ImageNet subset"
SOURCE_NAME = "SOURCE.txt"
"""Says, inside the folder, where the pictures come from."""
_RENDERED = "tiny-imagenet-rendered-1"
"""The number counts the versions of the rendering."""
_TRAIN, _VAL, _TEST = 40, 10, 2
"""Pictures of each class."""


def find_official(root: Path) -> Path | None:
    """The unpacked folder, the zip or the subset's zip below `root`, in this order; None if there is none of them."""
    return next((path for path in (root / FOLDER, root / ARCHIVE.name, root / SUBSET) if path.exists()), None)


def official_folder(found: Path) -> Path:
    """The unpacked folder for what `find_official` found; DataError if a zip is damaged."""
    if found.is_dir():
        folder = found
    elif found.name == SUBSET.name:
        # The size tells one version of the subset from another.
        folder = unpack(found, FOLDER, work_folder() / f"tiny-imagenet-subset-{found.stat().st_size}")
        _say_source(folder, SUBSET_SOURCE)
    else:
        parent = found.parent if os.access(found.parent, os.W_OK) else work_folder()
        folder = unpack(found, FOLDER, parent / FOLDER)
        _say_source(folder, OFFICIAL)
    if not (folder / "wnids.txt").is_file():
        raise DataError(f"{folder} is not Tiny ImageNet in its original layout: wnids.txt is missing.")
    return folder


def rendered_folder() -> Path:
    """The offline set, rendered into the cache once: 12 classes, 40 + 10 pictures each and 24 without labels."""

    def make(folder: Path) -> None:
        counts = [len(TEXTURE_CLASSES) * each for each in (_TRAIN, _VAL, _TEST)]
        train, val, test = (rendered_textures(count, 7_000_000 + part) for part, count in enumerate(counts))
        write_layout(folder, train, val, test)
        _say_source(folder, OFFLINE)

    return made_once(work_folder() / _RENDERED, make)


def source_of(root: Path) -> str:
    """Where the pictures below `root` come from, for captions."""
    note = root / SOURCE_NAME
    return note.read_text("utf-8").strip() if note.is_file() else OFFICIAL


def _say_source(folder: Path, source: str) -> None:
    note = folder / SOURCE_NAME
    if not note.is_file():
        note.write_text(source + "\n", encoding="utf-8")
