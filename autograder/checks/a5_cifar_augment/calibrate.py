"""What augmentation gains and what a checkpoint reaches, over seeds and known-bad variants.

The q5 metrics are made exactly as the hidden check makes them; `test_accuracy` is that of the notebook's training
cell on 500 fresh pictures. `deepmarks-grader calibrate a5_cifar_augment` writes the bands.
"""

from __future__ import annotations

import importlib.util
from pathlib import Path

import torch

from deepmarks.checkpoints import batched_logits
from deepmarks.datasets import load_cifar10, rendered_shapes
from deepmarks_grader.calibration import Metric

HERE = Path(__file__).parent
ASKED, STEPS, BATCH = 500, 300, 32

METRICS = {
    "margin": Metric("higher"),
    "augmented_accuracy": Metric("higher", floor=0.1),
    "plain_accuracy": Metric("higher", floor=0.1),
    "test_accuracy": Metric("higher", test_size=ASKED, fresh=True, floor=0.1),
}
BANDS = {"full": 1.0, "good": 0.85, "basic": 0.6}
_INSTEAD = "color_jitter(random_crop_flip(x, 4, generator), 0.4, 0.4, generator)"
_NO_AUGMENTATION = """
_train = train
def train(model, data, steps, augment, seed, device, batch_size=64):
    return _train(model, data, steps, False, seed, device, batch_size)
"""
_ALWAYS = _NO_AUGMENTATION.replace("steps, False", "steps, True")
_VERTICAL = """
_crop = random_crop_flip
def random_crop_flip(batch, padding, generator):
    place = torch.nn.functional.pad(batch, (padding,) * 4)
    n, size = len(batch), batch.shape[-1]
    top, left = torch.randint(2 * padding + 1, (2, n), generator=generator).tolist()
    coins = torch.rand(n, generator=generator) < 0.5
    out = [image[:, i : i + size, j : j + size] for image, i, j in zip(place, top, left)]
    return torch.stack([image.flip(-2) if coin else image for image, coin in zip(out, coins)])
"""
_JITTER_ONLY = """
def random_crop_flip(batch, padding, generator):
    return batch
"""
VARIANTS = {
    "q5_no_augmentation": _NO_AUGMENTATION,
    "q5_always_augmented": _ALWAYS,
    "q5_vertical_flips": _VERTICAL,
    "q5_jitter_only": _JITTER_ONLY,
}


def _module(path):
    spec = importlib.util.spec_from_file_location(f"a5_{path.stem}", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def run(solution, seed: int, device: str) -> dict[str, float]:
    """One run of the margin check, and one of the notebook's training cell."""
    check, probes = _module(HERE / "hidden" / "test_q5.py"), _module(HERE / "probes.py")
    runs, labels = check.margin_runs(7000 + seed)
    found = probes.margin(solution, runs, check.WIDTH, 10, check.STEPS, device, check.BATCH)
    metrics = check.margin_metrics(found, labels)
    model = trained(solution, device, seed=seed, steps=STEPS)
    x, y = rendered_shapes(ASKED, 900_000 + seed).tensors()
    metrics["test_accuracy"] = float((batched_logits(model, x.to(device)).argmax(1) == y).double().mean())
    return metrics


def trained(solution, device, *, seed=0, steps=STEPS, augment=True, shuffled=False):
    """The network of CHECKPOINT_ARGS after the notebook's training cell."""
    train, test = load_cifar10("offline", train=True), load_cifar10("offline", train=False)
    labels = torch.from_numpy(train.labels)
    if shuffled:
        labels = labels[torch.randperm(len(labels), generator=torch.Generator().manual_seed(1))]
    data = {
        "x_train": torch.from_numpy(train.images),
        "y_train": labels,
        "x_test": torch.from_numpy(test.images),
        "y_test": torch.from_numpy(test.labels),
    }
    torch.manual_seed(seed)
    model = solution.cifar_resnet(**solution.CHECKPOINT_ARGS).to(device)
    if steps:
        solution.train(model, data, steps, augment, seed, device, BATCH)
    return model
