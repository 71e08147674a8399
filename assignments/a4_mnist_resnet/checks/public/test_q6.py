"""The weights, as students receive the checks."""

from __future__ import annotations

import torch

from deepmarks.calibration import accuracy_band, bands
from deepmarks.checkpoints import audit_checkpoint
from deepmarks.checks import expect, question
from deepmarks.datasets import load_mnist

SECTION = "section 6"
MOST_MB = 60
"""ResNet-18 takes 22 MB in half precision and 45 MB in single."""


def logits_of(student, checkpoint, x):
    """The logits of the student's network with the checkpoint's weights; fails unless they are finite."""
    audit_checkpoint(checkpoint.data, names_and_shapes=None, max_mb=MOST_MB)
    model = student.probe("load_weights_into", checkpoint.data)
    found = student.probe("logits", model, (x - 0.5) / 0.5)
    expect(
        isinstance(found, torch.Tensor) and found.shape == (len(x), 10),
        "mnist_resnet18 with these weights does not give ten logits for each image.",
        kind="shape",
        pointer=SECTION,
    )
    expect(bool(found.isfinite().all()), "Some logits are NaN or infinite.", kind="nan", pointer=SECTION)
    return found


@question("q6", points=0.5)
def test_weights_can_be_read(student, checkpoint):
    """The file can be read, fits mnist_resnet18(), gives finite logits, and not the same ones for every image."""
    x, _ = load_mnist("offline", train=False).select(slice(0, 40)).tensors()
    found = logits_of(student, checkpoint, x)
    expect(
        bool((found.std(0) > 1e-4).any()),
        "The network gives the same logits for every image: these weights are not trained.",
        kind="constant",
        pointer=SECTION,
    )


@question("q6", points=0.5)
def test_offline_test_digits(student, checkpoint):
    """On the offline test digits, as they are, the accuracy reaches at least the lowest band."""
    data = load_mnist("offline", train=False)
    x, y = data.tensors()
    guess = logits_of(student, checkpoint, x).argmax(1)
    result = accuracy_band(int((guess == y).sum()), len(y), bands(__file__, "test_accuracy", source=data.source))
    expect(
        len(guess.unique()) > 5 or len(guess.unique()) == 1,
        "The network never answers with half of the digits: was it trained on all ten classes?",
        detail=f"answers: {guess.bincount(minlength=10).tolist()}",
        kind="classes",
        pointer=SECTION,
    )
    expect(
        result.accuracy > 0.2,
        "The network is hardly better than guessing: is it trained, with the right labels, on normalised images "
        "(black is -1, white is 1)?",
        detail=result.text,
        kind="guessing",
        pointer=SECTION,
    )
    expect(
        result.reaches("basic"),
        "The network recognises too few of the offline test digits.",
        detail=result.text,
        kind="accuracy",
        pointer=SECTION,
    )
