"""The loaders: one call for each assignment's data, whichever source there is."""

from __future__ import annotations

import shutil
from contextlib import nullcontext
from enum import StrEnum
from functools import cache
from pathlib import Path

import numpy as np

from deepmarks.datasets import cifar10, mnist, tiny
from deepmarks.datasets.download import fetch
from deepmarks.datasets.errors import DataError
from deepmarks.datasets.places import data_folder, work_folder
from deepmarks.datasets.records import ImageSet, Table
from deepmarks.datasets.shapes import offline_shapes
from deepmarks.datasets.tiny_layout import read_layout
from deepmarks.datasets.unpack import unpack


class Source(StrEnum):
    """Where data may come from."""

    AUTO = "auto"
    """Official if it is there already, else offline; never a download."""
    OFFICIAL = "official"
    """Official, downloaded if need be."""
    OFFLINE = "offline"
    """What needs no download."""


OFFICIAL_NAMES = ("mnist", "cifar10", "tiny-imagenet")
"""What can be downloaded."""


def load_mnist(source: str = "auto", *, train: bool) -> ImageSet:
    """MNIST or digits of its kind: images uint8 (N, 28, 28), 10 classes.

    `source` is "auto", "official" or "offline" (see `Source`). Raises DataError with a sentence that says what to do.
    """
    wanted = _source(source)
    found = None if wanted is Source.OFFLINE else mnist.find_official(data_folder(), train)
    if found is None and wanted is Source.OFFICIAL:
        fetch_official("mnist")
        found = mnist.find_official(data_folder(), train)
    return mnist.offline_digits(train) if found is None else mnist.read_official(*found)


def load_cifar10(source: str = "auto", *, train: bool) -> ImageSet:
    """CIFAR-10 or pictures of its kind: images uint8 (N, 3, 32, 32), 10 classes; `source` as in `load_mnist`."""
    wanted = _source(source)
    found = None if wanted is Source.OFFLINE else cifar10.find_official(data_folder())
    if found is None and wanted is Source.OFFICIAL:
        fetch_official("cifar10")
        found = cifar10.find_official(data_folder())
    return offline_shapes(train) if found is None else cifar10.read_official(found, work_folder(), train)


def tiny_imagenet(source: str = "auto", *, copy_to: Path | None = None) -> Path:
    """A folder in Tiny ImageNet's original layout; `source` as in `load_mnist`.

    The folder is shared: who changes it asks for a copy. With `copy_to`, the copy is made unless it is there already.
    """
    wanted = _source(source)
    found = None if wanted is Source.OFFLINE else tiny.find_official(data_folder())
    if found is None and wanted is Source.OFFICIAL:
        fetch_official("tiny-imagenet")
        found = tiny.find_official(data_folder())
    root = tiny.rendered_folder() if found is None else tiny.official_folder(found)
    if copy_to is None:
        return root
    if not copy_to.exists():
        unfinished = copy_to.with_name(copy_to.name + ".part")
        shutil.rmtree(unfinished, ignore_errors=True)
        shutil.copytree(root, unfinished)
        unfinished.rename(copy_to)
    return copy_to


def tiny_imagenet_source(root: Path) -> str:
    """Where the pictures in a folder of `tiny_imagenet` come from, for captions."""
    return tiny.source_of(root)


def load_tiny_imagenet(source: str = "auto", *, train: bool) -> ImageSet:
    """The labelled pictures of `tiny_imagenet(source)`: images uint8 (N, 3, 64, 64); its val part if not `train`."""
    root = tiny_imagenet(source)
    return read_layout(root, train, tiny.source_of(root))


@cache
def load_iris() -> Table:
    """Iris (Anderson 1935, Fisher 1936) from scikit-learn: X (150, 4) in cm, three species of 50."""
    from sklearn.datasets import load_iris as load

    data = load()
    return Table(
        data.data.astype(np.float64),
        data.target.astype(np.int64),
        tuple(map(str, data.feature_names)),
        tuple(map(str, data.target_names)),
        "Iris, from scikit-learn",
    )


def fetch_official(name: str, *, base_url: str | None = None, show_progress: bool = True) -> Path:
    """Download and unpack the official data `name` (one of `OFFICIAL_NAMES`) unless it is there; its path.

    `base_url` replaces the published servers. Raises DataError, or one of its kinds, with a sentence.
    """
    from deepmarks.datasets.progress import progress_bar

    root = data_folder()
    with progress_bar() if show_progress else nullcontext(lambda name, have, total: None) as progress:
        if name == "mnist":
            if not all(mnist.find_official(root, train) for train in (True, False)):
                for file in mnist.FILES.values():
                    fetch(file, root / mnist.RAW, base_url=base_url, progress=progress)
            return root / mnist.RAW
        if name == "cifar10":
            if not (root / cifar10.FOLDER).is_dir():
                packed = fetch(cifar10.ARCHIVE, root, base_url=base_url, progress=progress)
                unpack(packed, cifar10.FOLDER, root / cifar10.FOLDER)
            return root / cifar10.FOLDER
        if name == "tiny-imagenet":
            if (root / tiny.FOLDER).is_dir():
                return root / tiny.FOLDER
            return tiny.official_folder(fetch(tiny.ARCHIVE, root, base_url=base_url, progress=progress))
    raise DataError(f"There is no data set called {name}. There are: {', '.join(OFFICIAL_NAMES)}.")


def is_there(name: str) -> Path | None:
    """Where the official data `name` (or the course's subset of it) lie on this machine; None if they do not."""
    root = data_folder()
    if name == "mnist":
        found = mnist.find_official(root, False)
        return found[0].parent if found and mnist.find_official(root, True) else None
    return cifar10.find_official(root) if name == "cifar10" else tiny.find_official(root)


def _source(name: str) -> Source:
    try:
        return Source(name)
    except ValueError:
        raise DataError(f'source is "auto", "official" or "offline", not {name!r}.') from None
