"""Random augmentations, as students receive the checks.

The offset of each image is found by comparing it with all crops of the original; chance alone fails a right answer with
a probability far below one in a million (the numbers stand beside the thresholds).
"""

from __future__ import annotations

import torch
import torch.nn.functional as F

from deepmarks.checks import expect, fairly, question

SECTION = "section 2"
EARLIER = {
    "pad_and_crop": "probes.library_pad_and_crop",
    "hflip": "probes.library_hflip",
    "normalize": "probes.library_normalize",
    "denormalize": "probes.library_denormalize",
}


def same_size(out, batch, name):
    """Fail unless the result is a batch of the same shape and kind."""
    expect(isinstance(out, torch.Tensor), f"{name} must return a tensor.", kind="type", pointer=SECTION)
    expect(
        out.shape == batch.shape,
        f"{name} must return a batch of the same shape as it got.",
        detail=f"received {tuple(out.shape)}, expected {tuple(batch.shape)}",
        kind="shape",
        pointer=SECTION,
    )


def moves(out, batch, padding):
    """For each image its (top, left, mirrored), or None if it is no crop of itself."""
    size = batch.shape[-1]
    padded = F.pad(batch, (padding,) * 4)
    found = [None] * len(batch)
    for top in range(2 * padding + 1):
        for left in range(2 * padding + 1):
            cut = padded[..., top : top + size, left : left + size]
            for mirrored in (False, True):
                fits = (out - (cut.flip(-1) if mirrored else cut)).abs().flatten(1).amax(1) < 1e-6
                for i in fits.nonzero().flatten().tolist():
                    found[i] = (top, left, mirrored)
    return found


@question("q2", points=0.75)
def test_each_image_has_its_own_crop_and_flip(student, torch_rng):
    """Each of 400 images is a crop of itself with an offset of its own, and about half are mirrored."""
    batch = 0.1 + 0.9 * torch.rand(400, 2, 6, 6, generator=torch_rng)

    def check(stand_in):
        out = student.probe("augmented", "random_crop_flip", batch, [1], 17, stand_in=stand_in)
        same_size(out, batch, "random_crop_flip")
        found = moves(out, batch, 1)
        upside_down = moves(out.flip(-2), batch, 1)
        expect(
            None not in found or sum(f is None for f in upside_down) >= sum(f is None for f in found),
            "The images are turned upside down: flip the last axis, not the rows.",
            kind="vertical-flip",
            pointer=SECTION,
        )
        expect(
            None not in found,
            "Some images are not crops of themselves, with zeros where the crop leaves the image.",
            detail=f"{sum(f is None for f in found)} of {len(found)} images",
            kind="not-a-crop",
            pointer=SECTION,
        )
        offsets = {move[:2] for move in found}
        mirrored = sum(move[2] for move in found)
        expect(
            len(offsets) > 1,
            "All images have the same offset: draw one for each image.",
            kind="one-offset",
            pointer=SECTION,
        )
        expect(
            0 < mirrored < len(found),
            "Either all images are mirrored or none: each image needs a coin of its own.",
            detail=f"{mirrored} of {len(found)} are mirrored",
            kind="one-flip",
            pointer=SECTION,
        )
        # An offset is missing among 400 draws of 9 with a probability below 9 * (8/9)**400 = 3e-20.
        expect(
            len(offsets) == 9,
            "Some offsets never occur: 0 and 2 * padding belong to the range, in both directions.",
            detail=f"found {sorted(offsets)}",
            kind="offsets-missing",
            pointer=SECTION,
        )
        # Six standard deviations of Binomial(400, 1/2) are 60: a probability of 2e-9.
        expect(
            140 <= mirrored <= 260,
            "The share of mirrored images is far from one half.",
            detail=f"{mirrored} of {len(found)} are mirrored",
            kind="flip-share",
            pointer=SECTION,
        )

    fairly(check, EARLIER)


@question("q2", points=0.5)
def test_brightness_and_holes_image_by_image(student, torch_rng):
    """Brightness multiplies each image by a factor of its own; each cutout is one clipped square of zeros."""
    batch = 0.2 + 0.3 * torch.rand(200, 3, 9, 9, generator=torch_rng)
    out = student.probe("augmented", "color_jitter", batch, [0.5, 0.0], 3)
    same_size(out, batch, "color_jitter")
    ratio = (out / batch).flatten(1)
    added = torch.where((out > 0) & (out < 1), out - batch, torch.nan).flatten(1)
    spread = ratio.amax(1) - ratio.amin(1)
    expect(
        not ((added.nan_to_num(-9).amax(1) - added.nan_to_num(9).amin(1)).amax() < 1e-4 and spread.amax() > 1e-3),
        "Brightness is added to the pixels: it is a factor.",
        kind="additive",
        pointer=SECTION,
    )
    expect(
        spread.amax() < 1e-4,
        "With contrast 0, each image must be itself times one factor.",
        kind="brightness",
        pointer=SECTION,
    )
    factors = ratio.mean(1)
    expect(
        float(factors.max() - factors.min()) > 1e-3,
        "All images have the same brightness factor: draw one for each image.",
        kind="one-factor",
        pointer=SECTION,
    )
    # The largest of 200 uniform factors is below 1.4 with a probability of 0.9**200 = 7e-10, as is the least above 0.6.
    expect(
        0.5 - 1e-4 <= factors.min() < 0.6 and 1.4 < factors.max() <= 1.5 + 1e-4,
        "The brightness factors are not spread over the range from 1 - v to 1 + v.",
        detail=f"found {float(factors.min()):.3f} to {float(factors.max()):.3f} for v = 0.5",
        kind="factor-range",
        pointer=SECTION,
    )
    holes = student.probe("augmented", "cutout", batch, [4], 3)
    same_size(holes, batch, "cutout")
    zero = holes == 0
    expect(
        bool((torch.where(zero, batch, holes) == batch).all()),
        "Outside of the hole, cutout must leave the pixels as they are, and inside it all must be zero.",
        kind="not-zero",
        pointer=SECTION,
    )
    expect(
        bool((zero.any(1) == zero.all(1)).all()),
        "The hole must be in all channels.",
        kind="channels",
        pointer=SECTION,
    )
    rows, columns = zero[:, 0].any(2), zero[:, 0].any(1)
    box = rows[:, :, None] & columns[:, None, :]
    expect(bool((box == zero[:, 0]).all()), "The hole must be one rectangle.", kind="rectangle", pointer=SECTION)
    places = {tuple(row) for row in torch.cat([rows, columns], 1).tolist()}
    expect(
        len(places) > 1,
        "All images have their hole at the same place: draw one for each image.",
        kind="one-place",
        pointer=SECTION,
    )
    for along, edge in ((rows, "rows"), (columns, "columns")):
        inside = along[~along[:, 0] & ~along[:, -1]]
        expect(
            bool((inside.sum(1) == 4).all()),
            f"Where the hole does not touch the border, it must have `size` {edge}.",
            detail=f"found {sorted(set(inside.sum(1).tolist()))} for size 4",
            kind="hole-size",
            pointer=SECTION,
        )
