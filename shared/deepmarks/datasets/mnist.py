"""MNIST (LeCun, Cortes and Burges 1998), and real digits of scikit-learn in its shape where it is not at hand."""

from __future__ import annotations

import gzip
import hashlib
import struct
from functools import cache
from pathlib import Path

import numpy as np
import numpy.typing as npt

from deepmarks.datasets.download import RemoteFile
from deepmarks.datasets.errors import DataError
from deepmarks.datasets.records import ImageSet

MIRRORS = ("https://ossci-datasets.s3.amazonaws.com/mnist/", "http://yann.lecun.com/exdb/mnist/")
FILES = {
    "train-images": RemoteFile("train-images-idx3-ubyte.gz", "f68b3c2dcbeaaa9fbdd348bbdeb94873", MIRRORS),
    "train-labels": RemoteFile("train-labels-idx1-ubyte.gz", "d53e105ee54ea40749a09fcbcd1e9432", MIRRORS),
    "test-images": RemoteFile("t10k-images-idx3-ubyte.gz", "9fb629c4189551a2d022fa330f9573f3", MIRRORS),
    "test-labels": RemoteFile("t10k-labels-idx1-ubyte.gz", "ec29112dd5afa0611ce80d1b7f02629c", MIRRORS),
}
"""Names, checksums and servers as torchvision has them."""
RAW = Path("MNIST", "raw")
"""Where torchvision puts the files below its root; a plain folder `mnist` is read as well."""
OFFICIAL = "official MNIST"
OFFLINE = "scikit-learn's digits, enlarged to 28x28"
DIGIT_NAMES = tuple(map(str, range(10)))
_SIDE, _INNER = 28, 20
_TEST_SHARE = 0.2
_UBYTE = 8


def find_official(root: Path, train: bool) -> tuple[Path, Path] | None:
    """The files of images and labels below `root`, packed or not; None if one is missing."""
    part = "train" if train else "test"
    names = [FILES[f"{part}-{what}"].name for what in ("images", "labels")]
    for folder in (root / RAW, root / "mnist", root):
        found = [next((p for p in (folder / n.removesuffix(".gz"), folder / n) if p.is_file()), None) for n in names]
        if found[0] is not None and found[1] is not None:
            return found[0], found[1]
    return None


def read_official(images: Path, labels: Path) -> ImageSet:
    """MNIST from its two idx files; DataError if one is damaged."""
    return ImageSet(read_idx(images), read_idx(labels).astype(np.int64), DIGIT_NAMES, OFFICIAL)


def read_idx(path: Path) -> npt.NDArray[np.uint8]:
    """The array of bytes in an idx file, gzipped or not; DataError if it is damaged."""
    try:
        data = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
        zero, kind, dims = struct.unpack(">HBB", data[:4])
        shape = struct.unpack(f">{dims}I", data[4 : 4 + 4 * dims])
        if zero or kind != _UBYTE:
            raise ValueError("no idx file of bytes")
        return np.frombuffer(data, np.uint8, offset=4 + 4 * dims).reshape(shape)
    except (OSError, EOFError, ValueError, struct.error) as error:
        raise DataError(f"{path} is damaged ({error}). Delete it and load the data again.") from error


@cache
def offline_digits(train: bool) -> ImageSet:
    """1,797 real handwritten digits (UCI, Alpaydin and Kaynak 1998), a fifth of each class held out for testing.

    The split depends on the pictures alone, so it is the same with every version of every library.
    """
    from sklearn.datasets import load_digits

    data = load_digits()
    small = data.images.astype(np.uint8)  # 0..16
    labels = data.target.astype(np.int64)
    order = np.argsort([hashlib.sha256(picture.tobytes()).hexdigest() for picture in small], kind="stable")
    test = np.zeros(len(labels), bool)
    for digit in range(len(DIGIT_NAMES)):
        rows = order[labels[order] == digit]
        test[rows[: round(_TEST_SHARE * len(rows))]] = True
    chosen = order[~test[order]] if train else order[test[order]]
    return ImageSet(enlarge(small[chosen]), labels[chosen], DIGIT_NAMES, OFFLINE)


def enlarge(small: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """Pictures (N, 8, 8) of 0..16, bilinear to 20x20 in the middle of (N, 28, 28) of 0..255, as MNIST centres them."""
    weights = _bilinear(small.shape[1], _INNER)
    inner = weights @ (small.astype(np.float64) * (255 / 16)) @ weights.T
    border = (_SIDE - _INNER) // 2
    return np.pad(np.rint(inner).astype(np.uint8), ((0, 0), (border, border), (border, border)))


def hidden_digits(count: int, seed: int) -> ImageSet:
    """`count` of the held-out digits, each turned, shifted and scaled a little with `seed`: (count, 28, 28).

    Turned up to 8 degrees, shifted up to 1.5 pixels, scaled by 0.92 to 1.08: less than what training on MNIST with
    rotation has to cope with. Classes are balanced.
    """
    held_out = offline_digits(train=False)
    rng = np.random.default_rng(seed)
    per_class = -(-count // len(DIGIT_NAMES))
    rows = [
        rng.choice(np.flatnonzero(held_out.labels == digit), per_class, replace=per_class > 30)
        for digit in range(len(DIGIT_NAMES))
    ]
    chosen = rng.permutation(np.concatenate(rows))[:count]
    pictures = held_out.images[chosen].astype(np.float64)
    turned = _affine(pictures, rng)
    return ImageSet(np.rint(turned).astype(np.uint8), held_out.labels[chosen], DIGIT_NAMES, OFFLINE)


def _affine(pictures: npt.NDArray[np.float64], rng: np.random.Generator) -> npt.NDArray[np.float64]:
    """Each picture (N, S, S) under its own small affine map, sampled bilinearly, black outside."""
    count, side, _ = pictures.shape
    angle = np.deg2rad(rng.uniform(-8, 8, count))
    scale = rng.uniform(0.92, 1.08, count)
    shift = rng.uniform(-1.5, 1.5, (2, count))
    middle = (side - 1) / 2
    y, x = np.mgrid[:side, :side] - middle
    cos, sin = (np.cos(angle) / scale)[:, None, None], (np.sin(angle) / scale)[:, None, None]
    from_x = np.clip(cos * x + sin * y + middle + shift[0][:, None, None], 0, side - 1.001)
    from_y = np.clip(cos * y - sin * x + middle + shift[1][:, None, None], 0, side - 1.001)
    left, top = from_x.astype(int), from_y.astype(int)
    u, v = from_x - left, from_y - top
    n = np.arange(count)[:, None, None]
    upper = pictures[n, top, left] * (1 - u) + pictures[n, top, left + 1] * u
    lower = pictures[n, top + 1, left] * (1 - u) + pictures[n, top + 1, left + 1] * u
    result: npt.NDArray[np.float64] = upper * (1 - v) + lower * v
    return result


def _bilinear(old: int, new: int) -> npt.NDArray[np.float64]:
    """The matrix (new, old) that samples `old` pixels at the centres of `new` ones."""
    place = np.clip((np.arange(new) + 0.5) * old / new - 0.5, 0, old - 1)
    left = np.minimum(place.astype(int), old - 2)
    weights = np.zeros((new, old))
    weights[np.arange(new), left] = 1 - (place - left)
    weights[np.arange(new), left + 1] += place - left
    return weights
