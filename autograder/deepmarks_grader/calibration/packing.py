"""Packs official test data into a file that travels with the hidden checks and is never committed."""

from __future__ import annotations

from pathlib import Path

from deepmarks.datasets import (
    PACKED_NAME,
    DataError,
    ImageSet,
    load_cifar10,
    load_mnist,
    load_tiny_imagenet,
    save_packed,
)
from deepmarks_grader.errors import UserError

_LOADERS = {
    "a4_mnist_resnet": load_mnist,
    "a5_cifar_augment": load_cifar10,
    "a6_tinyimagenet_transfer": load_tiny_imagenet,
}


def pack_data(slug: str, repo: Path, source: str, count: int | None = None) -> tuple[Path, ImageSet]:
    """Write the hidden test images of an assignment; the file and what is in it.

    At most `count` images, balanced over the classes. UserError if the assignment has no images or they cannot be had.
    """
    if slug not in _LOADERS:
        raise UserError(f"{slug} has no image data; these have: {', '.join(_LOADERS)}")
    try:
        images = _LOADERS[slug](source, train=False)
    except DataError as error:
        raise UserError(str(error)) from error
    if count is not None and count < len(images):
        images = images.balanced(max(1, count // len(images.class_names)))
    folder = repo / "autograder" / "checks" / slug / "hidden"
    if not folder.is_dir():
        raise UserError(f"{folder} does not exist: the assignment has no hidden checks yet")
    return save_packed(images, folder / PACKED_NAME), images
