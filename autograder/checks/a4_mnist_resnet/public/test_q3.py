"""Transforms, as students receive the checks."""

from __future__ import annotations

import numpy as np
import torch

from deepmarks.checks import assert_matches, expect, question
from deepmarks.datasets import load_mnist

SECTION = "section 3"

SIDE = 28
LARGEST = 10.0
SLACK = 2.5
"""Degrees: sampling at whole pixels moves the measured angle of a hand by up to two."""


def results_of(found, what):
    """The results as a tensor (n, 1, 28, 28); fails unless they are tensors as the question asks for."""
    expect(found is not None, "make_transforms must return a callable.", kind="not-callable", pointer=SECTION)
    results = found["results"]
    expect(
        all(isinstance(one, torch.Tensor) for one in results),
        f"The {what} transform does not return a tensor.",
        detail=f"received {type(results[0]).__name__}",
        kind="type",
        pointer=SECTION,
    )
    expect(
        all(one.shape == (1, SIDE, SIDE) for one in results),
        f"The {what} transform must return tensors of the shape (1, 28, 28).",
        detail=f"received {tuple(results[0].shape)}",
        kind="shape",
        pointer=SECTION,
    )
    expect(
        all(one.dtype == torch.float32 for one in results),
        f"The {what} transform must return float32.",
        detail=f"received {results[0].dtype}",
        kind="dtype",
        pointer=SECTION,
    )
    expect(
        not found["changed"], f"The {what} transform changes the image itself.", kind="input-changed", pointer=SECTION
    )
    return torch.stack(list(results))


def wrong_values(pixels):
    """What typical mistakes make of the bytes (N, 28, 28), by what the student reads."""
    raw = torch.from_numpy(pixels.astype(np.float32))[:, None]
    x = raw / 255
    return {
        "values that are not normalised": x,
        "bytes that are neither scaled nor normalised": raw,
        "normalised bytes: scale to [0, 1] first": (raw - 0.5) / 0.5,
        "values that are normalised before they are scaled to [0, 1]": (raw - 0.5) / 0.5 / 255,
        "values from which the mean is subtracted, but which are not divided by 0.5": x - 0.5,
        "values that are multiplied by 0.5 instead of divided": (x - 0.5) * 0.5,
        "normalised with MNIST's own mean and deviation: this course takes 0.5 and 0.5": (x - 0.1307) / 0.3081,
        "values that are normalised twice": ((x - 0.5) / 0.5 - 0.5) / 0.5,
        "values that are scaled twice": (x / 255 - 0.5) / 0.5,
        "inverted values: black is -1": 1 - 2 * x,
        "each image normalised by its own mean and deviation": (x - x.mean((1, 2, 3), True))
        / x.std((1, 2, 3), keepdim=True),
        "mirrored images": ((x - 0.5) / 0.5).flip(3),
    }  # fmt: skip


def hand(angle, length=11.0, width=1.6):
    """A picture (28, 28) of a white hand that points from the centre by `angle` degrees to the left of upwards."""
    middle = (SIDE - 1) / 2
    y, x = np.mgrid[:SIDE, :SIDE] - middle
    a = np.deg2rad(angle)
    along, across = -x * np.sin(a) - y * np.cos(a), x * np.cos(a) - y * np.sin(a)
    inside = np.clip(width + 0.5 - np.abs(across), 0, 1) * np.clip(length - along, 0, 1) * np.clip(along + 1, 0, 1)
    return np.rint(255 * inside).astype(np.uint8)


def directions(images):
    """Where the hands of images (n, 1, 28, 28) point, in degrees to the left of upwards, and how far out they lie."""
    light = ((images[:, 0].double().numpy() + 1) / 2).clip(0, 1)
    middle = (SIDE - 1) / 2
    y, x = np.mgrid[:SIDE, :SIDE] - middle
    mass = light.sum((1, 2)) + 1e-9
    cx, cy = (light * x).sum((1, 2)) / mass, (light * y).sum((1, 2)) / mass
    return np.rad2deg(np.arctan2(-cx, -cy)), np.hypot(cx, cy)


@question("q3", points=0.5)
def test_testing_scales_and_normalises(student, rng):
    """Without training, three digits become float32 (1, 28, 28) from -1 (black) to 1, the same each time."""
    pixels = load_mnist("offline", train=True).images[rng.choice(1000, 3, replace=False)]
    found = results_of(student.probe("transformed", pixels, False, 2), "testing")
    expect(
        torch.equal(found[0::2], found[1::2]),
        "The testing transform gives another result each time: rotate in training only.",
        kind="random-testing",
        pointer=SECTION,
    )
    right = torch.from_numpy((pixels[:, None].astype(np.float32) / 255 - 0.5) / 0.5)
    wrong = wrong_values(pixels)
    assert_matches(found[0::2], right, what="the result for testing", candidates=wrong, atol=1e-5, pointer=SECTION)


@question("q3", points=0.75)
def test_training_turns_by_up_to_ten_degrees(student):
    """In training a clock's hand is turned by a new angle each time, to both sides, by at most 10 degrees."""
    found = results_of(student.probe("transformed", hand(30.0)[None], True, 120), "training")
    angles, _ = directions(found)
    turned = angles - 30.0
    detail = f"turned by {turned.min():.1f} to {turned.max():.1f} degrees"
    expect(
        np.ptp(turned) > 1.0,
        "The training transform does not turn the image, or always by the same angle.",
        detail=detail,
        kind="no-rotation",
        pointer=SECTION,
    )
    expect(
        np.abs(turned).max() < LARGEST + SLACK,
        "The training transform turns by more than 10 degrees, or does more to the image than turning it.",
        detail=detail,
        kind="too-far",
        pointer=SECTION,
    )
    expect(
        turned.min() < -2.0 and turned.max() > 2.0,
        "The training transform turns to one side only, or hardly at all: the angle lies between -10 and 10 degrees.",
        detail=detail,
        kind="one-sided",
        pointer=SECTION,
    )
