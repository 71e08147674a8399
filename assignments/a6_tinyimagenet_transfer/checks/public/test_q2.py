"""Preparing pictures, as students receive the checks."""

from __future__ import annotations

import numpy as np
import torch

from deepmarks.checks import Mismatch, assert_matches, expect, question

SECTION = "section 2"
MEAN = torch.tensor([0.485, 0.456, 0.406]).view(3, 1, 1)
STD = torch.tensor([0.229, 0.224, 0.225]).view(3, 1, 1)
SMOOTH_ATOL = 0.06
"""On pictures that vary slowly, bilinear and bicubic scaling, with and without antialiasing, of PIL or of torch, differ
by 0.01 of the range of a channel at most (8-bit rounding included), which is 0.045 after the normalisation."""


def picture(height, width, turn=0):
    """A smooth picture (H, W, 3) whose first two channels are the place: across, down, and a mixture."""
    across = np.linspace(0.1, 0.9, width)[None, :] + np.zeros((height, 1))
    down = np.linspace(0.15, 0.8, height)[:, None] + np.zeros((1, width))
    mixed = 0.5 + 0.4 * np.sin(2.0 * across + 1.5 * down + turn)
    return np.rint(255 * np.stack([across, down, mixed], axis=-1)).astype(np.uint8)


def looked_at(pixels, resized=256, crop=224, squeezed=False):
    """A picture's middle in [0, 1] (3, crop, crop), scaled so that the shorter side has `resized` pixels."""
    x = torch.from_numpy(pixels.copy()).permute(2, 0, 1).float() / 255
    height, width = x.shape[1:]
    if resized:
        scale = resized / min(height, width)
        size = (resized, resized) if squeezed else (int(height * scale + 1e-6), int(width * scale + 1e-6))
        x = torch.nn.functional.interpolate(x[None], size, mode="bilinear", align_corners=False, antialias=True)[0]
    height, width = x.shape[1:]
    if height < crop or width < crop:
        return None
    top, left = round((height - crop) / 2), round((width - crop) / 2)
    return x[:, top : top + crop, left : left + crop]


def wrong_ones(pixels):
    """What typical mistakes make of a picture."""
    right, mean, std = looked_at(pixels), MEAN, STD
    corner = looked_at(pixels, 256, min(256, 256))
    found = {
        "the picture without the normalisation": right,
        "the picture normalised with 0.5 in place of ImageNet's mean and std": (right - 0.5) / 0.5,
        "the picture with the mean subtracted, but not divided by the std": right - mean,
        "the picture with mean and std exchanged": (right - std) / mean,
        "the picture in the order blue, green, red": (right.flip(0) - mean) / std,
        "the picture normalised with the numbers of the opposite order of channels": (right - mean.flip(0))
        / std.flip(0),
        "the picture squeezed into a square: its sides must keep their proportion": (
            looked_at(pixels, squeezed=True) - mean
        )
        / std,
        "the picture scaled to 224 at once, in place of 256 and a crop": (looked_at(pixels, 224) - mean) / std,
        "the picture scaled to 232, as presets of torchvision's newer weights do it, in place of 256": (
            looked_at(pixels, 232) - mean
        )
        / std,
        "the picture squeezed to 224 x 224, without a crop": (looked_at(pixels, 224, squeezed=True) - mean) / std,
        "the upper left corner, in place of the middle": (corner[:, :224, :224] - mean) / std,
        "the picture mirrored": ((right - mean) / std).flip(-1),
        "the picture twice normalised": ((right - mean) / std - mean) / std,
    }
    height, width = pixels.shape[:2]
    down, across = max(0, 224 - height), max(0, 224 - width)
    padding = (across // 2, across - across // 2, down // 2, down - down // 2)
    plain = looked_at(np.pad(pixels, (padding[2:], padding[:2], (0, 0))), 0)
    found["the middle of the picture without the resize to 256"] = (plain - mean) / std
    return found


def well_formed(item):
    """Fail unless the result is a float32 tensor (3, 224, 224)."""
    expect(
        item["type"] == "Tensor",
        "make_transforms(...) must turn a picture into a tensor: is ToTensor() missing?",
        detail=f"received {item['type']}",
        kind="type",
        pointer=SECTION,
    )
    expect(
        item["shape"] == (3, 224, 224),
        "The result must have the shape (3, 224, 224).",
        detail=f"received {item['shape']}",
        kind="shape",
        pointer=SECTION,
    )
    expect(
        item["dtype"] == "torch.float32",
        "The result must be float32.",
        detail=f"received {item['dtype']}",
        kind="dtype",
        pointer=SECTION,
    )
    expect(
        # Right values lie between -2.2 and 2.7.
        not item["values"].abs().max() > 20,
        "The values are far too large: the picture must be scaled to [0, 1] before it is normalised.",
        kind="not-scaled",
        pointer=SECTION,
    )


def compare(received, right, what, candidates, otherwise):
    """Fail unless the values are right: with the candidate that fits, or with the sentence `otherwise`."""
    try:
        assert_matches(received, right, what=what, candidates=candidates, rtol=0.0, atol=SMOOTH_ATOL, pointer=SECTION)
    except Mismatch as error:
        # With a tolerance this wide, the doctor's general hypotheses fit too easily.
        if error.kind == "candidate":
            raise
        raise Mismatch(otherwise, kind="values", detail=error.detail, pointer=SECTION) from None


def check_use(student, sizes, turn):
    """Fail unless make_transforms(False) shows the middle of each picture."""
    pictures = [picture(height, width, turn) for height, width in sizes]
    # Each twice: nothing may be random in use.
    items = student.probe("transformed", False, pictures + pictures, every=3)
    for item in items:
        well_formed(item)
    expect(
        all(torch.equal(one["values"], two["values"]) for one, two in zip(items, items[len(pictures) :], strict=False)),
        "In use, the same picture gives different tensors: nothing may be random there. Are training and use "
        "exchanged?",
        kind="random-in-use",
        pointer=SECTION,
    )
    for pixels, item in zip(pictures, items, strict=False):
        every = {name: wrong[:, ::3, ::3] for name, wrong in wrong_ones(pixels).items() if wrong is not None}
        compare(
            item["values"],
            ((looked_at(pixels) - MEAN) / STD)[:, ::3, ::3],
            "the picture in use",
            every,
            "The picture in use has other values than expected: the shorter side becomes 256, the middle 224 x 224 is "
            "cut out, scaled to [0, 1] and normalised with ImageNet's numbers.",
        )


def places(items):
    """For each draw of `picture`: left, right, top and bottom as shares, mirrored, and the colours that cannot be."""
    found = []
    for item in items:
        x = item["values"].double() * STD + MEAN
        across, down = (x[0] - 0.1) / 0.8, (x[1] - 0.15) / 0.65
        left, right = float(across[:, 0].mean()), float(across[:, -1].mean())
        top, bottom = float(down[0].mean()), float(down[-1].mean())
        found.append((min(left, right), max(left, right), top, bottom, left > right))
    return np.array(found, dtype=float)


def check_training(student, count, size):
    """Fail unless make_transforms(True) shows random parts of random size, mirrored half of the time."""
    items = student.probe("transformed", True, [picture(*size)] * count, every=8)
    for item in items:
        well_formed(item)
    drawn = places(items)
    expect(
        (drawn[:, :4] > -0.1).all() and (drawn[:, :4] < 1.1).all(),
        "In training, the values do not lie where those of the picture do: is the normalisation right, and last?",
        kind="values",
        pointer=SECTION,
    )
    expect(
        (drawn[:, 3] > drawn[:, 2]).all(),
        "In training, pictures are turned upside down: only a horizontal flip is asked for.",
        kind="vertical-flip",
        pointer=SECTION,
    )
    widths, middles = drawn[:, 1] - drawn[:, 0], (drawn[:, 0] + drawn[:, 1]) / 2
    expect(
        np.ptp(middles) > 0.05 or np.ptp(widths) > 0.05,
        "In training, every draw shows the same part of the picture: crop at random.",
        kind="no-crop",
        pointer=SECTION,
    )
    expect(
        np.ptp(widths) > 0.05,
        "In training, the part has always the same size: RandomResizedCrop varies it, RandomCrop does not.",
        kind="crop-size",
        pointer=SECTION,
    )
    flipped = drawn[:, 4].mean()
    expect(flipped > 0, "In training, no picture is ever mirrored.", kind="no-flip", pointer=SECTION)
    expect(flipped < 1, "In training, every picture is mirrored.", kind="always-flipped", pointer=SECTION)
    expect(
        # 48 fair draws give fewer than 8 or more than 40 with a probability of 2e-6.
        8 / 48 <= flipped <= 40 / 48,
        "In training, pictures are not mirrored half of the time.",
        detail=f"mirrored: {flipped:.2f}",
        kind="flip-share",
        pointer=SECTION,
    )


@question("q2", points=0.75, device="cpu")
def test_in_use_the_middle_is_shown(student):
    """In use, the shorter side becomes 256, the middle 224 x 224 is cut out and normalised (three shapes)."""
    check_use(student, [(64, 64), (300, 450), (500, 280)], 0.3)


@question("q2", points=0.5, device="cpu")
def test_in_training_a_random_part_is_shown(student):
    """In training, random parts of random size are shown, mirrored half of the time (48 draws)."""
    check_training(student, 48, (200, 260))
