"""How accurate the network of a5 becomes in a given time: on official CIFAR-10, or on ever larger parts of a subset.

    python -m tests.benchmarks.cifar_reference --official --minutes 15          # the whole set, CPU or GPU
    python -m tests.benchmarks.cifar_reference --subset --minutes 2 --curve 1500,3000,6000

The parts of the reference solution of a5 (network, crops, mirror images, cutout, schedule, two looks) in a loop made
for speed: bfloat16 autocast and channels_last on a CPU, the same and a wider network on a GPU, one cycle in *time*
rather than steps, label smoothing, and an exponential mean of the weights, which is what is measured.

The subset is `cifar10/cifar10-subset.npz` in DEEPMARKS_DATA or beside the checkout: 6,000 training and 2,000 test
images. An accuracy on it says nothing about the 50,000 images of the whole set but how fast it grows with their number.

What it measured is in docs/accuracy.md.
"""

from __future__ import annotations

import argparse
import copy
import os
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from tests.benchmarks.references import reference
from torch import nn

from deepmarks.datasets import load_cifar10
from deepmarks_grader.authoring import find_repo

MEAN, STD = (0.4914, 0.4822, 0.4465), (0.2470, 0.2435, 0.2616)


@dataclass(frozen=True, slots=True)
class Images:
    """uint8 images (N, 3, 32, 32) and classes of a training and a test part."""

    x_train: torch.Tensor
    y_train: torch.Tensor
    x_test: torch.Tensor
    y_test: torch.Tensor

    def some(self, count: int) -> Images:
        """The first `count` training images, all test images."""
        return Images(self.x_train[:count], self.y_train[:count], self.x_test, self.y_test)


def official() -> Images:
    """All of CIFAR-10; downloads it if need be."""
    train, test = (load_cifar10("official", train=part) for part in (True, False))
    parts = (train.images, train.labels, test.images, test.labels)
    return Images(*(torch.from_numpy(part) for part in parts))


def subset() -> Images:
    """The subset, shuffled once with a fixed seed so that its beginnings are balanced but for chance."""
    folder = Path(os.environ.get("DEEPMARKS_DATA") or find_repo().parent / "shared" / "data")
    with np.load(folder / "cifar10" / "cifar10-subset.npz") as data:
        order = np.random.default_rng(0).permutation(len(data["y_train"]))
        pixels = [data["x_train"][order], data["x_test"]]
        labels = [data["y_train"][order], data["y_test"]]
    x = [torch.from_numpy(np.ascontiguousarray(part.transpose(0, 3, 1, 2))) for part in pixels]
    y = [torch.from_numpy(part.astype(np.int64)) for part in labels]
    return Images(x[0], y[0], x[1], y[1])


@dataclass(frozen=True, slots=True)
class Recipe:
    """What a run depends on."""

    device: str
    minutes: float
    width: int
    depth: tuple[int, int, int]
    batch_size: int = 128
    base_lr: float = 0.2
    smoothing: float = 0.1
    cut: int = 10
    augment: bool = True
    seed: int = 0
    compiled: bool = False


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a run."""

    accuracy: float
    two_looks: float
    seconds: float
    steps: int
    epochs: float


def train(data: Images, recipe: Recipe) -> Outcome:
    """Train for the time that the recipe gives, then measure the mean weights, with one look and with two."""
    ours = reference("a5_cifar_augment")
    device = torch.device(recipe.device)
    torch.manual_seed(recipe.seed)
    generator = torch.Generator(device).manual_seed(recipe.seed)
    model = ours.cifar_resnet(recipe.depth, recipe.width).to(device, memory_format=torch.channels_last)
    mean_model = copy.deepcopy(model).eval()
    run = torch.compile(model) if recipe.compiled else model
    x_train, y_train = data.x_train.to(device), data.y_train.to(device)
    decayed = [p for p in model.parameters() if p.ndim > 1]
    plain = [p for p in model.parameters() if p.ndim <= 1]
    groups = [{"params": decayed, "weight_decay": 5e-4}, {"params": plain, "weight_decay": 0.0}]
    optimizer = torch.optim.SGD(groups, lr=0.1, momentum=0.9, nesterov=True)
    budget, started, step = 60 * recipe.minutes, time.perf_counter(), 0
    order = torch.empty(0, dtype=torch.int64, device=device)
    while (spent := time.perf_counter() - started) < budget:
        if len(order) < recipe.batch_size:
            order = torch.randperm(len(x_train), generator=generator, device=device)
        rows, order = order[: recipe.batch_size], order[recipe.batch_size :]
        x, y = x_train[rows].float() / 255, y_train[rows]
        if recipe.augment:
            x = ours.cutout(ours.random_crop_flip(x, 4, generator), recipe.cut, generator)
        x = ours.normalize(x, MEAN, STD).contiguous(memory_format=torch.channels_last)
        # The schedule runs over the share of the time that is spent: 1,000 parts of it stand for the steps.
        lr = max(1e-4, ours.cosine_lr(round(1000 * spent / budget), 1000, recipe.base_lr, warmup_steps=150))
        for group in optimizer.param_groups:
            group["lr"] = lr
        with torch.autocast(device.type, torch.bfloat16):
            logits = run(x)
        loss = nn.functional.cross_entropy(logits.float(), y, label_smoothing=recipe.smoothing)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
        step += 1
        if step % 5 == 0:
            follow(mean_model, model, keep=min(0.995, 1 - 10 / (10 + step)) ** 5)
        if device.type == "cuda" and step % 50 == 0:
            torch.cuda.synchronize()  # the clock must not run ahead of the work
    seconds = time.perf_counter() - started
    one, two = measure(ours, mean_model, data, device)
    return Outcome(one, two, seconds, step, step * recipe.batch_size / len(x_train))


@torch.no_grad()
def follow(mean_model: nn.Module, model: nn.Module, keep: float) -> None:
    """Move the mean weights, and the statistics of the BatchNorms, towards those of the model."""
    for mean, own in zip(mean_model.state_dict().values(), model.state_dict().values(), strict=True):
        mean.lerp_(own, 1 - keep) if mean.is_floating_point() else mean.copy_(own)


@torch.no_grad()
def measure(ours: object, model: nn.Module, data: Images, device: torch.device) -> tuple[float, float]:
    """The test accuracy with one look and with two."""
    once = twice = 0
    for x, y in zip(data.x_test.split(500), data.y_test.split(500), strict=True):
        images = ours.normalize(x.to(device).float() / 255, MEAN, STD)  # type: ignore[attr-defined]
        images = images.contiguous(memory_format=torch.channels_last)
        once += int((model(images).argmax(1).cpu() == y).sum())
        twice += int((ours.tta_predict(model, images).argmax(1).cpu() == y).sum())  # type: ignore[attr-defined]
    return once / len(data.y_test), twice / len(data.y_test)


def main() -> None:
    """Run what the command line asks for, one line a run."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument("--official", action="store_true", help="all of CIFAR-10")
    source.add_argument("--subset", action="store_true", help="6,000 + 2,000 images of it")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--minutes", type=float, default=15.0, help="training time of each run")
    parser.add_argument("--curve", default="", help="numbers of training images, each with and without augmentation")
    parser.add_argument("--width", type=int, default=0)
    parser.add_argument("--depth", default="1,1,1")
    parser.add_argument("--batch-size", type=int, default=0)
    parser.add_argument("--lr", type=float, default=0.0)
    parser.add_argument("--no-augment", action="store_true")
    parser.add_argument("--compile", action="store_true", help="torch.compile; its time counts")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    on_gpu = options.device.startswith("cuda")
    data = official() if options.official else subset()
    sizes = [int(n) for n in options.curve.split(",") if n] or [len(data.x_train)]
    for count in sizes:
        for augment in [True, False] if options.curve else [not options.no_augment]:
            recipe = Recipe(
                options.device,
                options.minutes,
                options.width or (64 if on_gpu else 32),
                tuple(int(n) for n in options.depth.split(",")),  # type: ignore[arg-type]
                options.batch_size or (512 if on_gpu else 128),
                options.lr or (0.4 if on_gpu else 0.2),
                augment=augment,
                seed=options.seed,
                compiled=options.compile,
            )
            found = train(data.some(count), recipe)
            print(
                f"{count:6} images, {'with' if augment else 'without':7} augmentation: {found.accuracy:.4f}, "
                f"two looks {found.two_looks:.4f}; {found.steps} steps, {found.epochs:.1f} epochs, "
                f"{found.seconds:.0f} s, {torch.get_num_threads()} threads, {options.device}",
                flush=True,
            )


if __name__ == "__main__":
    main()
