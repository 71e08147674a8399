"""How accurate the recipe is on hidden digits, over many seeds, and how accurate with typical mistakes.

Measured for the offline digits only. Twenty trainings on official MNIST would take hours; hidden/test_q6.py says by
which rule its thresholds follow from the notes of the course.
"""

from __future__ import annotations

import torch

from deepmarks.checkpoints import batched_logits
from deepmarks.datasets import hidden_digits, load_mnist
from deepmarks_grader.calibration import Metric

EPOCHS = 8
"""A third of what the notebook suggests, so that the bands are kind."""
IMAGES = 1000
METRICS = {"test_accuracy": Metric("higher", test_size=IMAGES, fresh=True, floor=0.1)}
SOURCES = {"offline": load_mnist("offline", train=True).source}
BANDS = {"full": 1.0, "good": 0.85, "basic": 0.6}
"""Shares of the way from guessing to the top."""

RECIPE = """
recipe = train_for_checkpoint


def train_for_checkpoint(images, labels, epochs, device="cpu", seed=0, report=None):
"""
VARIANTS = {
    "q6_untrained": RECIPE + "    torch.manual_seed(seed)\n    return mnist_resnet18().eval()\n",
    "q6_shuffled_labels": RECIPE
    + "    order = torch.randperm(len(labels), generator=torch.Generator().manual_seed(seed))\n"
    + "    return recipe(images, labels[order], epochs, device, seed)\n",
    "q6_two_classes": RECIPE + "    return recipe(images[labels < 2], labels[labels < 2], epochs, device, seed)\n",
}
"""Known-bad recipes, which the top band keeps out.

Two more were measured with the same number of epochs, and are no variants here because the bands do not keep them out
for sure. Without distortions 16 seeds gave 0.921 to 0.956 (mean 0.938, sd 0.010): weaker, but no mistake, and one of
the 16 reached the top band. With images that are not normalised in training four seeds gave 0.37 to 0.86: all below the
top band, but so far apart that no tolerance bound of a normal distribution is of use. It is a mutant with a fixed seed.
"""


def run(solution, seed, device):
    """The accuracy on fresh hidden digits of a network trained from `seed`."""
    torch.set_num_threads(1)
    images, labels = load_mnist("offline", train=True).tensors()
    model = solution.train_for_checkpoint(images, labels, EPOCHS, device, seed)
    data = hidden_digits(IMAGES, 10_000 + seed)
    x, y = data.tensors()
    correct = (batched_logits(model, (x - 0.5) / 0.5).argmax(1) == y).double().mean()
    return {"test_accuracy": float(correct)}
