"""The data of the training assignments: official where they can be had, and offline stand-ins that need no download.

Everything carries its source, so that a figure can say where its data come from.
"""

from __future__ import annotations

from deepmarks.datasets.errors import ChecksumError, DataError, DiskFullError, OfflineError
from deepmarks.datasets.loading import (
    OFFICIAL_NAMES,
    Source,
    fetch_official,
    is_there,
    load_cifar10,
    load_iris,
    load_mnist,
    load_tiny_imagenet,
    tiny_imagenet,
    tiny_imagenet_source,
)
from deepmarks.datasets.mnist import hidden_digits
from deepmarks.datasets.packed import PACKED_NAME, load_packed, save_packed
from deepmarks.datasets.places import data_folder, work_folder
from deepmarks.datasets.records import ImageSet, PictureDataset, Table
from deepmarks.datasets.shapes import SHAPE_CLASSES, rendered_shapes
from deepmarks.datasets.textures import TEXTURE_CLASSES, rendered_textures

__all__ = [
    "OFFICIAL_NAMES",
    "PACKED_NAME",
    "SHAPE_CLASSES",
    "TEXTURE_CLASSES",
    "ChecksumError",
    "DataError",
    "DiskFullError",
    "ImageSet",
    "OfflineError",
    "PictureDataset",
    "Source",
    "Table",
    "data_folder",
    "fetch_official",
    "hidden_digits",
    "is_there",
    "load_cifar10",
    "load_iris",
    "load_mnist",
    "load_packed",
    "load_tiny_imagenet",
    "rendered_shapes",
    "rendered_textures",
    "save_packed",
    "tiny_imagenet",
    "tiny_imagenet_source",
    "work_folder",
]
