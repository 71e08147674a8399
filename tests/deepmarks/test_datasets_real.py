"""Real data, where a machine has them: in DEEPMARKS_DATA, or beside the checkout."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from deepmarks.datasets import load_cifar10, load_mnist, load_tiny_imagenet, tiny_imagenet, tiny_imagenet_source


@pytest.fixture
def real_data(repository: Path, monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder with real data; skips where there is none."""
    chosen = os.environ.get("DEEPMARKS_DATA")
    folder = Path(chosen) if chosen else repository.parent / "shared" / "data"
    if not (folder / "mnist").is_dir() and not (folder / "MNIST").is_dir():
        pytest.skip(f"no real data: neither DEEPMARKS_DATA nor {folder} has any")
    monkeypatch.setenv("DEEPMARKS_DATA", str(folder))
    monkeypatch.setenv("DEEPMARKS_CACHE", str(tmp_path_factory.getbasetemp() / "cache"))
    return folder


def test_mnist_is_whole(real_data):
    train, test = load_mnist(train=True), load_mnist("official", train=False)
    assert (len(train), len(test)) == (60_000, 10_000)
    assert train.source == "official MNIST"
    assert train.labels[:5].tolist() == [5, 0, 4, 1, 9]
    assert np.bincount(test.labels).tolist() == [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]
    assert abs(train.images.mean() / 255 - 0.1307) < 1e-4


def test_torchvision_reads_the_same_pixels(real_data, tmp_path):
    from deepmarks.torchvision_guard import guard

    guard()
    import gzip

    from torchvision.datasets.mnist import read_image_file

    from deepmarks.datasets.mnist import find_official

    images, _ = find_official(real_data, train=False)
    plain = tmp_path / "t10k-images-idx3-ubyte"
    plain.write_bytes(gzip.decompress(images.read_bytes()) if images.suffix == ".gz" else images.read_bytes())
    assert np.array_equal(read_image_file(str(plain)).numpy(), load_mnist(train=False).images)


def test_the_cifar_subset_is_balanced_and_says_that_it_is_a_subset(real_data):
    train, test = load_cifar10(train=True), load_cifar10(train=False)
    if "subset" not in train.source:
        pytest.skip("all of CIFAR-10 is here")
    assert train.source == "CIFAR-10 subset (6,000 + 2,000)"
    assert train.images.shape == (6000, 3, 32, 32)
    assert np.bincount(test.labels).tolist() == [200] * 10
    assert train.class_names[:2] == ("airplane", "automobile")


def test_the_tiny_imagenet_subset_is_unpacked_into_the_cache(real_data):
    root = tiny_imagenet()
    if tiny_imagenet_source(root) != "Tiny ImageNet subset":
        pytest.skip("all of Tiny ImageNet is here")
    assert not root.is_relative_to(real_data)
    val = load_tiny_imagenet(train=False)
    assert val.images.shape == (800, 3, 64, 64)
    assert len(val.class_names) == 200
