"""The rendered colour set: what it looks like, and that augmentation matters in it."""

from __future__ import annotations

from statistics import fmean, stdev

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from deepmarks.datasets import SHAPE_CLASSES, load_cifar10, rendered_shapes


def test_training_and_test_pictures_differ_and_come_in_equal_shares():
    train, test = load_cifar10("offline", train=True), load_cifar10("offline", train=False)
    for images in (train, test):
        assert images.images.shape == (1000, 3, 32, 32)
        assert images.images.dtype == np.uint8
        assert np.bincount(images.labels).tolist() == [100] * 10
        assert images.class_names == SHAPE_CLASSES
        assert "rendered" in images.source
    known = {picture.tobytes() for picture in train.images}
    assert not any(picture.tobytes() in known for picture in test.images)


def test_a_seed_decides_everything():
    assert np.array_equal(rendered_shapes(20, 5).images, rendered_shapes(20, 5).images)
    assert not np.array_equal(rendered_shapes(20, 5).images, rendered_shapes(20, 6).images)


def test_training_pictures_look_one_way_and_test_pictures_both():
    """The mean arrow: its head is on the right in training, and on both sides in the test set."""

    def lopsided(varied: bool) -> float:
        arrows = rendered_shapes(2000, 1, varied=varied)
        grey = arrows.images[arrows.labels == SHAPE_CLASSES.index("arrow")].astype(float).mean(axis=(0, 1))
        head = grey[8:12].sum(axis=0)  # above the shaft there is only the head
        return abs(head[16:].sum() - head[:16].sum()) / head.sum()

    assert lopsided(varied=False) > 4 * lopsided(varied=True)


@pytest.mark.slow
def test_augmentation_matters(capsys):
    """A small net, trained with crops, mirroring and jitter and without, over five seeds."""
    plain = [train_and_test(seed, augment=False) for seed in range(5)]
    augmented = [train_and_test(seed, augment=True) for seed in range(5)]
    margins = [a - p for a, p in zip(augmented, plain, strict=True)]
    with capsys.disabled():
        print(f"\nwithout {fmean(plain):.3f} +- {stdev(plain):.3f}, with {fmean(augmented):.3f} +- ", end="")
        print(f"{stdev(augmented):.3f}, margin {fmean(margins):.3f} (least {min(margins):.3f})")
    assert min(margins) > 0.05
    assert min(augmented) > max(plain)


def train_and_test(seed: int, *, augment: bool, steps: int = 250) -> float:
    torch.manual_seed(seed)
    x, y = load_cifar10("offline", train=True).tensors()
    x_test, y_test = load_cifar10("offline", train=False).tensors()
    net = small_net()
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1, momentum=0.9, weight_decay=5e-4)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 0.15, total_steps=steps)
    for _ in range(steps):
        rows = torch.randint(len(x), (64,))
        batch = augmented(x[rows]) if augment else x[rows]
        loss = F.cross_entropy(net(batch - 0.4), y[rows])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
    net.eval()
    with torch.no_grad():
        return float((net(x_test - 0.4).argmax(1) == y_test).double().mean())


def augmented(batch: torch.Tensor) -> torch.Tensor:
    padded = F.pad(batch, (4, 4, 4, 4))
    pictures = []
    for picture in padded:
        top, left = torch.randint(9, (2,)).tolist()
        cut = picture[:, top : top + 32, left : left + 32]
        pictures.append(cut.flip(-1) if torch.rand(()) < 0.5 else cut)
    factor, contrast = torch.empty(2, len(batch), 1, 1, 1).uniform_(0.6, 1.4)
    bright = (torch.stack(pictures) * factor).clamp(0, 1)
    mean = bright.mean(dim=(1, 2, 3), keepdim=True)
    return ((bright - mean) * contrast + mean).clamp(0, 1)


def small_net() -> nn.Module:
    def stage(a: int, b: int) -> list[nn.Module]:
        return [nn.Conv2d(a, b, 3, padding=1, bias=False), nn.BatchNorm2d(b), nn.ReLU(), nn.MaxPool2d(2)]

    return nn.Sequential(
        *stage(3, 16), *stage(16, 32), *stage(32, 64), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(64, 10)
    )
