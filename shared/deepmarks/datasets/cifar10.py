"""CIFAR-10 (Krizhevsky 2009), whole or the course's subset of it."""

from __future__ import annotations

import os
import zipfile
import zlib
from pathlib import Path

import numpy as np

from deepmarks.datasets.download import RemoteFile
from deepmarks.datasets.errors import DataError
from deepmarks.datasets.records import ImageSet
from deepmarks.datasets.unpack import unpack

ARCHIVE = RemoteFile(
    "cifar-10-python.tar.gz", "c58f30108f718f92721af3b95e74349a", ("https://www.cs.toronto.edu/~kriz/",)
)
"""Name, checksum and server as torchvision has them."""
FOLDER = "cifar-10-batches-py"
SUBSET = Path("cifar10", "cifar10-subset.npz")
OFFICIAL = "official CIFAR-10"
SUBSET_SOURCE = "CIFAR-10 subset (6,000 + 2,000)"


def find_official(root: Path) -> Path | None:
    """The unpacked folder, the archive or the subset below `root`, in this order; None if there is none of them."""
    return next((path for path in (root / FOLDER, root / ARCHIVE.name, root / SUBSET) if path.exists()), None)


def read_official(found: Path, spare: Path, train: bool) -> ImageSet:
    """CIFAR-10 or its subset from what `find_official` found; `spare` is where it is unpacked if it must be.

    Raises DataError if the files are damaged.
    """
    if found.suffix == ".npz":
        return _read_subset(found, train)
    if found.name == ARCHIVE.name:
        parent = found.parent if os.access(found.parent, os.W_OK) else spare
        found = unpack(found, FOLDER, parent / FOLDER)
    from deepmarks.torchvision_guard import guard

    guard()
    from torchvision.datasets import CIFAR10

    try:
        data = CIFAR10(str(found.parent), train=train, download=False)
    except (RuntimeError, OSError) as error:
        raise DataError(f"{found} is damaged or not complete. Delete it and load the data again.") from error
    pixels = np.ascontiguousarray(data.data.transpose(0, 3, 1, 2))
    return ImageSet(pixels, np.array(data.targets, np.int64), tuple(data.classes), OFFICIAL)


def _read_subset(path: Path, train: bool) -> ImageSet:
    part = "train" if train else "test"
    try:
        with np.load(path, allow_pickle=False) as data:
            pixels = np.ascontiguousarray(data[f"x_{part}"].transpose(0, 3, 1, 2))
            names = tuple(map(str, data["class_names"]))
            return ImageSet(pixels, data[f"y_{part}"].astype(np.int64), names, SUBSET_SOURCE)
    except (OSError, ValueError, KeyError, zipfile.BadZipFile, zlib.error) as error:
        raise DataError(f"{path} is damaged ({error}).") from error
