"""Tiny ImageNet's layout on disk (Stanford CS231n): written for rendered pictures, read for all.

- `wnids.txt`, `words.txt`
- `train/<wnid>/images/<wnid>_<n>.JPEG`, `train/<wnid>/<wnid>_boxes.txt`
- `val/images/val_<n>.JPEG`, `val/val_annotations.txt`
- `test/images/test_<n>.JPEG` (unlabelled)
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from deepmarks.datasets.errors import DataError
from deepmarks.datasets.records import ImageSet

QUALITY = 90
_FIRST_WNID = 90_000_001
"""Above all numbers of WordNet, so that no rendered class is taken for a real one."""


def write_layout(root: Path, train: ImageSet, val: ImageSet, test: ImageSet) -> None:
    """Write the pictures below `root`; grey ones as grey JPEG files, as in the original."""
    wnids = [f"n{_FIRST_WNID + label}" for label in range(len(train.class_names))]
    (root / "wnids.txt").write_text("".join(f"{wnid}\n" for wnid in wnids))
    words = [f"{wnid}\t{name}\n" for wnid, name in zip(wnids, train.class_names, strict=True)]
    (root / "words.txt").write_text("".join(words))
    box = f"0\t0\t{train.images.shape[-1] - 1}\t{train.images.shape[-2] - 1}\n"
    for label, wnid in enumerate(wnids):
        folder = root / "train" / wnid
        (folder / "images").mkdir(parents=True)
        lines = []
        for number, picture in enumerate(np.flatnonzero(train.labels == label).tolist()):
            name = f"{wnid}_{number}.JPEG"
            _save(train, picture, folder / "images" / name)
            lines.append(f"{name}\t{box}")
        (folder / f"{wnid}_boxes.txt").write_text("".join(lines))
    for part, pictures in (("val", val), ("test", test)):
        (root / part / "images").mkdir(parents=True)
        for index in range(len(pictures)):
            _save(pictures, index, root / part / "images" / f"{part}_{index}.JPEG")
    notes = [f"val_{index}.JPEG\t{wnids[label]}\t{box}" for index, label in enumerate(val.labels)]
    (root / "val" / "val_annotations.txt").write_text("".join(notes))


def read_layout(root: Path, train: bool, source: str) -> ImageSet:
    """The labelled pictures of one part as an `ImageSet` (N, 3, 64, 64); grey ones get three equal channels.

    The classes are in the order of wnids.txt's sorted names, which is ImageFolder's. Raises DataError if it is not
    the layout, or no longer.
    """
    try:
        wnids = sorted((root / "wnids.txt").read_text().split())
        files = _train_files(root, wnids) if train else _val_files(root, wnids)
        pictures = [_load(path) for path, _ in files]
        words = dict(line.split("\t", 1) for line in (root / "words.txt").read_text("utf-8").splitlines() if line)
    except (OSError, ValueError) as error:
        raise DataError(f"{root} is not (or no longer) in the layout of Tiny ImageNet: {error}.") from error
    if not pictures:
        raise DataError(f"{root} holds no pictures for {'training' if train else 'validation'}.")
    names = tuple(words.get(wnid, wnid).split(",")[0].strip() for wnid in wnids)
    return ImageSet(np.stack(pictures), np.array([label for _, label in files], np.int64), names, source)


def _train_files(root: Path, wnids: list[str]) -> list[tuple[Path, int]]:
    return [
        (path, label)
        for label, wnid in enumerate(wnids)
        for path in sorted((root / "train" / wnid / "images").glob("*.JPEG"))
    ]


def _val_files(root: Path, wnids: list[str]) -> list[tuple[Path, int]]:
    numbers = {wnid: label for label, wnid in enumerate(wnids)}
    lines = (root / "val" / "val_annotations.txt").read_text().splitlines()
    rows = [line.split("\t")[:2] for line in lines if line]
    return [(root / "val" / "images" / name, numbers[wnid]) for name, wnid in rows if wnid in numbers]


def _load(path: Path) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    from PIL import Image

    with Image.open(path) as picture:
        return np.asarray(picture.convert("RGB"), np.uint8).transpose(2, 0, 1)


def _save(pictures: ImageSet, index: int, path: Path) -> None:
    image = pictures.image(index)
    red, green, blue = pictures.images[index]
    grey = bool((red == green).all() and (green == blue).all())
    (image.convert("L") if grey else image).save(path, "JPEG", quality=QUALITY)
