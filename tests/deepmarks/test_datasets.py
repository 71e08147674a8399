"""The loaders: sources, offline stand-ins, layouts, packed data."""

from __future__ import annotations

import gzip
import hashlib
import io
import pickle
import struct
import tarfile
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from typer.testing import CliRunner

from deepmarks.datasets import (
    TEXTURE_CLASSES,
    DataError,
    ImageSet,
    cifar10,
    data_folder,
    hidden_digits,
    load_cifar10,
    load_iris,
    load_mnist,
    load_packed,
    load_tiny_imagenet,
    loading,
    mnist,
    rendered_textures,
    save_packed,
    tiny_imagenet,
    tiny_imagenet_source,
    work_folder,
)
from deepmarks.datasets.commands import app


@pytest.fixture(autouse=True)
def own_folders(tmp_path, tmp_path_factory, monkeypatch):
    """No test sees this machine's data; what is rendered is shared by the tests."""
    monkeypatch.setenv("DEEPMARKS_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("DEEPMARKS_CACHE", str(tmp_path_factory.getbasetemp() / "cache"))


def test_the_folders_follow_the_environment(tmp_path, monkeypatch):
    assert data_folder() == tmp_path / "data"
    monkeypatch.delenv("DEEPMARKS_DATA")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert data_folder().is_relative_to(tmp_path / "xdg") or not data_folder().is_relative_to(tmp_path)
    assert work_folder().is_dir()


@pytest.mark.parametrize("load", [load_mnist, load_cifar10, load_tiny_imagenet, tiny_imagenet])
def test_an_unknown_source_is_refused(load):
    kwargs = {} if load is tiny_imagenet else {"train": True}
    with pytest.raises(DataError, match='"auto", "official" or "offline"'):
        load("real", **kwargs)


def test_auto_never_downloads(monkeypatch):
    monkeypatch.setattr(loading, "fetch_official", lambda *args, **kwargs: pytest.fail("downloaded"))
    assert "scikit-learn" in load_mnist(train=True).source
    assert "rendered" in load_cifar10(train=True).source
    assert "rendered" in tiny_imagenet_source(tiny_imagenet())


def test_offline_digits_are_real_centred_and_stratified():
    train, test = load_mnist("offline", train=True), load_mnist("offline", train=False)
    assert len(train) + len(test) == 1797
    assert train.images.shape[1:] == (28, 28)
    assert train.images.dtype == np.uint8
    assert train.images.max() > 240
    border = np.ones((28, 28), bool)
    border[4:24, 4:24] = False
    assert not train.images[:, border].any()
    share = np.bincount(test.labels) / (np.bincount(test.labels) + np.bincount(train.labels))
    assert np.allclose(share, 0.2, atol=0.003)
    known = {picture.tobytes() for picture in train.images}
    assert sum(picture.tobytes() in known for picture in test.images) == 0
    assert hashlib.sha256(train.labels.astype("<i8").tobytes()).hexdigest().startswith("3434db076a21")


def test_enlarging_keeps_the_mean():
    small = np.random.default_rng(0).integers(0, 17, (50, 8, 8), dtype=np.uint8)
    large = mnist.enlarge(small)[:, 4:24, 4:24]
    assert abs(large.mean() - small.mean() * 255 / 16) < 1.5


def test_hidden_digits_are_balanced_varied_and_seeded():
    first, second = hidden_digits(200, 1), hidden_digits(200, 2)
    assert first.images.shape == (200, 28, 28)
    assert np.bincount(first.labels).tolist() == [20] * 10
    assert np.array_equal(first.images, hidden_digits(200, 1).images)
    public = {picture.tobytes() for picture in load_mnist("offline", train=False).images}
    assert not any(picture.tobytes() in public for picture in first.images)
    assert not np.array_equal(first.images, second.images)
    assert len(hidden_digits(1003, 3)) == 1003


def test_image_sets_become_tensors_pictures_and_datasets():
    images = load_cifar10("offline", train=False).balanced(3, seed=1)
    x, y = images.tensors()
    assert x.shape == (30, 3, 32, 32)
    assert x.dtype == torch.float32
    assert 0 <= float(x.min()) < float(x.max()) <= 1
    assert torch.bincount(y).tolist() == [3] * 10
    picture, label = images.dataset()[4]
    assert picture.mode == "RGB"
    assert np.array_equal(np.asarray(picture).transpose(2, 0, 1), images.images[4])
    assert label == images.labels[4]
    digits = load_mnist("offline", train=False)
    assert digits.image(0).mode == "L"
    assert digits.tensors()[0].shape[1:] == (1, 28, 28)
    loader = torch.utils.data.DataLoader(images.dataset(lambda p: torch.zeros(3)), batch_size=7)
    assert [len(batch) for batch, _ in loader] == [7, 7, 7, 7, 2]
    with pytest.raises(ValueError, match="do not belong together"):
        ImageSet(images.images, images.labels[:-1], images.class_names, "")


def test_iris_is_iris():
    iris = load_iris()
    assert iris.X.shape == (150, 4)
    assert iris.class_names == ("setosa", "versicolor", "virginica")
    assert np.bincount(iris.y).tolist() == [50, 50, 50]


# ------------------------------------------------------------ Tiny ImageNet


def test_the_rendered_folder_has_the_official_layout():
    root = tiny_imagenet("offline")
    wnids = (root / "wnids.txt").read_text().split()
    assert len(wnids) == 12
    for wnid in wnids:
        pictures = sorted((root / "train" / wnid / "images").glob("*.JPEG"))
        assert len(pictures) == 40
        boxes = (root / "train" / wnid / f"{wnid}_boxes.txt").read_text().splitlines()
        assert {line.split("\t")[0] for line in boxes} == {path.name for path in pictures}
    lines = [line.split("\t") for line in (root / "val" / "val_annotations.txt").read_text().splitlines()]
    assert len(lines) == 120
    assert all(len(line) == 6 for line in lines)
    assert {line[0] for line in lines} == {path.name for path in (root / "val" / "images").iterdir()}
    assert len(list((root / "test" / "images").iterdir())) == 24
    assert tiny_imagenet("offline") == root


def test_rendered_pictures_are_read_back():
    train, val = load_tiny_imagenet("offline", train=True), load_tiny_imagenet("offline", train=False)
    assert train.images.shape == (480, 3, 64, 64)
    assert val.images.shape == (120, 3, 64, 64)
    assert train.class_names == TEXTURE_CLASSES
    assert np.bincount(val.labels).tolist() == [10] * 12
    grey = (train.images[:, 0] == train.images[:, 1]).all(axis=(1, 2))
    assert 0 < grey.sum() < 60
    original = rendered_textures(480, 7_000_000)
    order = np.argsort(original.labels, kind="stable")
    first = [int(np.flatnonzero(train.labels == label)[0]) for label in range(12)]
    same = [order[40 * label] for label in range(12)]
    error = np.abs(train.images[first].astype(int) - original.images[same].astype(int)).mean()
    assert error < 12  # JPEG


def test_a_copy_may_be_changed(tmp_path):
    shared = tiny_imagenet("offline")
    copy = tiny_imagenet("offline", copy_to=tmp_path / "mine")
    (copy / "wnids.txt").unlink()
    assert (shared / "wnids.txt").is_file()
    assert tiny_imagenet("offline", copy_to=tmp_path / "mine") == copy
    assert not (copy / "wnids.txt").exists()
    assert "rendered" in tiny_imagenet_source(copy)


def test_the_official_zip_is_unpacked_where_it_lies():
    data_folder().mkdir()
    with zipfile.ZipFile(data_folder() / "tiny-imagenet-200.zip", "w") as archive:
        for path in sorted(tiny_imagenet("offline").rglob("*")):
            if path.is_file() and path.name != "SOURCE.txt":
                archive.write(path, Path("tiny-imagenet-200") / path.relative_to(tiny_imagenet("offline")))
    root = tiny_imagenet("official")
    assert root == data_folder() / "tiny-imagenet-200"
    assert tiny_imagenet_source(root) == "official Tiny ImageNet"
    assert len(load_tiny_imagenet("auto", train=False)) == 120


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 cut short", b"nonsense"])
def test_a_damaged_zip_is_named_and_nothing_half_stays(content):
    data_folder().mkdir()
    (data_folder() / "tiny-imagenet-200.zip").write_bytes(content)
    with pytest.raises(DataError, match=r"tiny-imagenet-200\.zip is damaged"):
        tiny_imagenet()
    assert [path.name for path in data_folder().iterdir() if not path.name.endswith(".lock")] == [
        "tiny-imagenet-200.zip"
    ]


# ------------------------------------------------------------ official layouts


def idx(array: np.ndarray) -> bytes:
    return struct.pack(f">HBB{array.ndim}I", 0, 8, array.ndim, *array.shape) + array.tobytes()


@pytest.mark.parametrize("folder", ["MNIST/raw", "mnist"])
@pytest.mark.parametrize("packed", [True, False])
def test_mnist_is_read_packed_or_not(folder, packed):
    pixels = np.random.default_rng(0).integers(0, 256, (5, 28, 28), dtype=np.uint8)
    place = data_folder() / folder
    place.mkdir(parents=True)
    for name, array in (("t10k-images-idx3-ubyte", pixels), ("t10k-labels-idx1-ubyte", np.arange(5, dtype=np.uint8))):
        content = gzip.compress(idx(array)) if packed else idx(array)
        (place / (name + ".gz" * packed)).write_bytes(content)
    images = load_mnist("official", train=False)
    assert np.array_equal(images.images, pixels)
    assert images.labels.tolist() == [0, 1, 2, 3, 4]
    assert images.source == "official MNIST"


def test_a_damaged_idx_file_is_named():
    place = data_folder() / "mnist"
    place.mkdir(parents=True)
    (place / "t10k-images-idx3-ubyte.gz").write_bytes(gzip.compress(idx(np.zeros((5, 28, 28), np.uint8)))[:-20])
    (place / "t10k-labels-idx1-ubyte.gz").write_bytes(gzip.compress(idx(np.zeros(5, np.uint8))))
    with pytest.raises(DataError, match=r"t10k-images.* is damaged"):
        load_mnist(train=False)


def test_names_and_checksums_are_torchvisions():
    from deepmarks.torchvision_guard import guard

    guard()
    from torchvision.datasets import CIFAR10, MNIST

    assert [(file.name, file.md5) for file in mnist.FILES.values()] == MNIST.resources
    assert list(mnist.MIRRORS) == MNIST.mirrors
    assert (cifar10.ARCHIVE.name, cifar10.ARCHIVE.md5) == (CIFAR10.filename, CIFAR10.tgz_md5)
    assert cifar10.ARCHIVE.urls[0] + cifar10.ARCHIVE.name == CIFAR10.url
    assert CIFAR10.base_folder == cifar10.FOLDER


def test_cifar_is_read_by_torchvision_from_its_archive(monkeypatch):
    from deepmarks.torchvision_guard import guard

    guard()
    from torchvision.datasets import CIFAR10

    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 256, (20, 3072), dtype=np.uint8)
    names = [f"class {n}" for n in range(10)]
    batch = pickle.dumps({"data": pixels, "labels": [n % 10 for n in range(20)]})
    meta = pickle.dumps({"label_names": names})
    data_folder().mkdir()
    with tarfile.open(data_folder() / "cifar-10-python.tar.gz", "w:gz") as archive:
        for name, content in (("test_batch", batch), ("batches.meta", meta), ("data_batch_1", batch)):
            info = tarfile.TarInfo(f"cifar-10-batches-py/{name}")
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    md5 = hashlib.md5(batch).hexdigest()
    monkeypatch.setattr(CIFAR10, "train_list", [["data_batch_1", md5]])
    monkeypatch.setattr(CIFAR10, "test_list", [["test_batch", md5]])
    monkeypatch.setattr(CIFAR10, "meta", {**CIFAR10.meta, "md5": hashlib.md5(meta).hexdigest()})
    images = load_cifar10("official", train=False)
    assert np.array_equal(images.images, pixels.reshape(20, 3, 32, 32))
    assert images.source == "official CIFAR-10"
    assert images.class_names == tuple(names)
    (data_folder() / "cifar-10-batches-py" / "test_batch").write_bytes(b"damaged")
    with pytest.raises(DataError, match="damaged or not complete"):
        load_cifar10(train=False)


# ------------------------------------------------------------ packed data, commands


def test_packed_data_come_back(tmp_path):
    assert load_packed(tmp_path) is None
    images = hidden_digits(30, 0)
    path = save_packed(images, tmp_path / "official.npz")
    found = load_packed(tmp_path)
    assert found is not None
    assert np.array_equal(found.images, images.images)
    assert (found.class_names, found.source) == (images.class_names, images.source)
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(DataError, match="pack the data again"):
        load_packed(tmp_path)


def test_the_commands_say_what_is_where(tmp_path, monkeypatch):
    shown = CliRunner().invoke(app, ["where"])
    assert shown.exit_code == 0
    assert shown.output.count("not here") == 3
    assert str(tmp_path / "data") in shown.output
    monkeypatch.setattr(loading, "data_folder", lambda: tmp_path / "data")
    failed = CliRunner().invoke(app, ["fetch", "mnist", "--from", "http://127.0.0.1:9/"])
    assert failed.exit_code != 0
    assert "put it at" in str(failed.exception)
    unknown = CliRunner().invoke(app, ["fetch", "fashion"])
    assert "There are: mnist, cifar10, tiny-imagenet" in str(unknown.exception)
