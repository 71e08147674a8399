"""Hidden test images that an instructor packed from official data."""

from __future__ import annotations

import zipfile
import zlib
from pathlib import Path

import numpy as np

from deepmarks.datasets.errors import DataError
from deepmarks.datasets.records import ImageSet

PACKED_NAME = "official.npz"


def save_packed(images: ImageSet, path: Path) -> Path:
    """Write `images` to the file `path`, compressed and without pickles."""
    path.parent.mkdir(parents=True, exist_ok=True)
    np.savez_compressed(
        path,
        images=images.images,
        labels=images.labels,
        class_names=np.array(images.class_names),
        source=np.array(images.source),
    )
    return path


def load_packed(folder: Path) -> ImageSet | None:
    """The images packed in `folder` (that of the hidden checks), or None; DataError if the file is damaged."""
    path = folder / PACKED_NAME
    if not path.is_file():
        return None
    try:
        with np.load(path, allow_pickle=False) as data:
            names = tuple(map(str, data["class_names"]))
            return ImageSet(data["images"], data["labels"], names, str(data["source"]))
    except (OSError, ValueError, KeyError, zipfile.BadZipFile, zlib.error) as error:
        raise DataError(f"{path} is damaged ({error}); pack the data again.") from error
