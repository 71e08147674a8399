"""Random augmentations, as the grader checks them.

Every statistic has a false alarm rate below 1e-7 for a right answer, whatever the order of its draws; the numbers stand
beside the thresholds.
"""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from scipy.stats import chi2, kstest

from deepmarks.checks import assert_matches, expect, fairly, question

SECTION = "section 2"
EARLIER = {
    "pad_and_crop": "probes.library_pad_and_crop",
    "hflip": "probes.library_hflip",
    "normalize": "probes.library_normalize",
    "denormalize": "probes.library_denormalize",
}
RARE = 1e-9
"""Significance of each distribution test: a right answer fails one with this probability."""
WEIGHTS = torch.tensor([0.2989, 0.587, 0.114]).view(3, 1, 1)


def same_size(out, batch):
    """Fail unless the result is a batch of the same shape."""
    expect(
        isinstance(out, torch.Tensor) and out.shape == batch.shape,
        "The result must be a tensor with the shape of the batch.",
        kind="shape",
        pointer=SECTION,
    )


def seed_of(rng):
    """A seed for the student's generator."""
    return int(rng.integers(1000, 2**31))


# ------------------------------------------------------------------------------------ crop and flip


def moves(out, batch, padding):
    """For each image the number of its move, (top * (2p+1) + left) * 2 + mirrored; -1 if it is no crop of itself."""
    size, count = batch.shape[-1], 2 * padding + 1
    padded = F.pad(batch, (padding,) * 4)
    found = torch.full((len(batch),), -1)
    for top in range(count):
        for left in range(count):
            cut = padded[..., top : top + size, left : left + size]
            for mirrored in (0, 1):
                fits = (out - (cut.flip(-1) if mirrored else cut)).abs().flatten(1).amax(1) < 1e-6
                found[fits] = (top * count + left) * 2 + mirrored
    return found


@question("q2", points=0.5)
def test_crops_and_flips_are_uniform(student, rng, torch_rng):
    """Among 2,000 images all offsets occur equally often, rows and columns and flips independently of each other."""
    batch = 0.1 + 0.9 * torch.rand(2000, 3, 7, 7, generator=torch_rng)
    seed = seed_of(rng)

    def check(stand_in):
        out = student.probe("augmented", "random_crop_flip", batch, [2], seed, stand_in=stand_in)
        same_size(out, batch)
        found = moves(out, batch, 2)
        if bool((found < 0).any()):
            upside_down = moves(out.flip(-2), batch, 2)
            expect(
                not bool((upside_down >= 0).sum() > (found >= 0).sum() - 400),
                "The images are turned upside down: flip the last axis, not the rows.",
                kind="vertical-flip",
                pointer=SECTION,
            )
        expect(
            not bool((found < 0).any()),
            "Some images are not crops of themselves, with zeros where the crop leaves the image.",
            kind="not-a-crop",
            pointer=SECTION,
        )
        counts = torch.bincount(found, minlength=50).reshape(5, 5, 2)
        expect(
            int((counts.sum(2) > 0).sum()) > 1,
            "All images have the same offset: draw one for each image.",
            kind="one-offset",
            pointer=SECTION,
        )
        expect(
            bool((counts.sum((1, 2)) > 0).all() and (counts.sum((0, 2)) > 0).all()),
            "Some offsets never occur: 0 and 2 * padding belong to the range, in both directions.",
            kind="offsets-missing",
            pointer=SECTION,
        )
        mirrored = int(counts[..., 1].sum())
        # Six standard deviations of Binomial(2000, 1/2): 2e-9.
        expect(
            abs(mirrored - 1000) < 135,
            "The share of mirrored images is far from one half.",
            kind="flip-share",
            pointer=SECTION,
        )
        # A combination is missing among 2,000 draws of 50 with a probability below 50 * 0.98**2000 = 1e-16.
        expect(
            bool((counts > 0).all()),
            "Some combinations of row, column and flip never occur: draw each of the three on its own.",
            kind="dependent",
            pointer=SECTION,
        )
        statistic = float(((counts - 40.0) ** 2 / 40.0).sum())
        expect(
            statistic < chi2.isf(RARE, 49),
            "Some offsets occur far more often than others: draw them uniformly.",
            kind="not-uniform",
            pointer=SECTION,
        )

    fairly(check, EARLIER)


# -------------------------------------------------------------------------------------- jitter


def luma(images):
    """The mean luma of each image (N, 1, 1, 1)."""
    return (images * WEIGHTS).sum(1, keepdim=True).mean((2, 3), keepdim=True)


def uniform_between(values, low, high):
    """Whether the values look as if drawn uniformly from [low, high]."""
    values = np.asarray(values, dtype=np.float64)
    inside = values.min() >= low - 1e-3 and values.max() <= high + 1e-3
    return bool(inside) and kstest(values, "uniform", args=(low, high - low)).pvalue > RARE


@question("q2", points=0.5)
def test_jitter_factors(student, rng, torch_rng):
    """Brightness and contrast, each alone: right formula, factors uniform in [max(0, 1 - v), 1 + v], one per image."""
    # Colours of their own keep the luma apart from the plain mean; no pixel reaches 0 or 1.
    tint = torch.rand(600, 3, 1, 1, generator=torch_rng) * 0.2
    batch = 0.3 + tint + 0.1 * torch.rand(600, 3, 6, 5, generator=torch_rng)
    out = student.probe("augmented", "color_jitter", batch, [0.6, 0.0], seed_of(rng))
    same_size(out, batch)
    ratio = (out / batch).flatten(1)
    fits = ratio.amax(1) - ratio.amin(1) < 1e-3
    inside = (out > 0) & (out < 1)
    added = torch.where(inside, out - batch, torch.nan).flatten(1)
    spread = added.nan_to_num(-9).amax(1) - added.nan_to_num(9).amin(1)
    expect(
        bool(fits.all()) or not bool((spread < 1e-4).all()),
        "Brightness is added to the pixels: it is a factor.",
        kind="additive",
        pointer=SECTION,
    )
    expect(
        bool(fits.all()),
        "With contrast 0, each image must be itself times one factor.",
        kind="brightness",
        pointer=SECTION,
    )
    factors = ratio.mean(1)
    expect(
        float(factors.std()) > 1e-4,
        "All images have the same brightness factor: draw one for each image.",
        kind="one-factor",
        pointer=SECTION,
    )
    expect(
        uniform_between(factors, 0.4, 1.6),
        "The brightness factors are not uniform between 1 - v and 1 + v.",
        kind="factor-range",
        pointer=SECTION,
    )
    # Contrast alone: out = m + c (x - m), a line through (m, m) with the slope c.
    out = student.probe("augmented", "color_jitter", batch, [0.0, 0.5], seed_of(rng))
    same_size(out, batch)
    slopes = contrast_slopes(batch, out)
    expect(
        float(slopes.std()) > 1e-4,
        "All images have the same contrast factor: draw one for each image.",
        kind="one-factor",
        pointer=SECTION,
    )
    expect(
        uniform_between(slopes, 0.5, 1.5),
        "The contrast factors are not uniform between 1 - v and 1 + v.",
        kind="factor-range",
        pointer=SECTION,
    )
    # Both at once, far from 0 and 1: the mean luma grows by the brightness, the slope by both factors.
    out = student.probe("augmented", "color_jitter", batch, [0.2, 0.2], seed_of(rng))
    same_size(out, batch)
    bright = (luma(out) / luma(batch)).flatten()
    own, made = (z.flatten(1) - z.flatten(1).mean(1, keepdim=True) for z in (batch, out))
    steep = (own * made).sum(1) / (own * own).sum(1) / bright
    # Six standard deviations of the correlation of 600 independent pairs.
    expect(
        abs(float(torch.corrcoef(torch.stack([bright, steep]))[0, 1])) < 0.25,
        "The factors of brightness and contrast go together: draw each on its own.",
        kind="same-factor",
        pointer=SECTION,
    )
    # v > 1: the range begins at 0. (A factor that was negative would turn pixels to 0 after the clamp.)
    dark = batch * 0.5
    ratio = (student.probe("augmented", "color_jitter", dark, [1.5, 0.0], seed_of(rng)) / dark).flatten(1).mean(1)
    # A right factor is below 1e-4 with a probability of 4e-5; six of 600 are with one of 3e-13.
    expect(
        int((ratio < 1e-4).sum()) < 6,
        "For v > 1 some brightness factors are negative: the range begins at max(0, 1 - v).",
        kind="negative-factor",
        pointer=SECTION,
    )
    expect(
        uniform_between(ratio, 0.0, 2.5),
        "The brightness factors are not uniform between max(0, 1 - v) and 1 + v for v > 1.",
        kind="factor-range",
        pointer=SECTION,
    )


def contrast_slopes(batch, out):
    """The contrast factor of each image; fails unless the blend is with the mean luma."""
    x, y = batch.flatten(1).double(), out.flatten(1).double()
    own = x - x.mean(1, keepdim=True)
    slopes = (own * y).sum(1) / (own * own).sum(1)
    offsets = y.mean(1) - slopes * x.mean(1)
    flat = (y - slopes[:, None] * x - offsets[:, None]).abs().amax(1)
    middle = offsets / (1 - slopes)
    clear = (slopes - 1).abs() > 0.1  # elsewhere rounding hides the centre
    channel_means = batch.mean((2, 3), keepdim=True)
    away = (out - channel_means) / (batch - channel_means)
    of_channels = bool((away.flatten(1).std(1) < 1e-2)[clear].all()) and bool((flat[clear] > 1e-4).any())
    expect(
        not of_channels,
        "Contrast is taken about the mean of each channel: take it about one grey, the mean luma of the image.",
        kind="channel-means",
        pointer=SECTION,
    )
    pixel_luma = (batch * WEIGHTS).sum(1, keepdim=True)
    own_grey = ((out - pixel_luma) / (batch - pixel_luma)).flatten(1)
    expect(
        not bool((own_grey.std(1) < 1e-2)[clear].all()) or bool((flat < 1e-4).all()),
        "Each pixel is blended with its own luma, which changes the saturation: take the mean over the image.",
        kind="saturation",
        pointer=SECTION,
    )
    expect(
        bool((flat < 1e-4).all()),
        "With brightness 0, contrast must be a blend of the image with one grey, with one factor per image.",
        kind="contrast",
        pointer=SECTION,
    )
    # The centre is known to about 1e-6 / 0.1; the tints keep the candidates 1e-2 apart.
    assert_matches(
        middle[clear],
        luma(batch).flatten().double()[clear],
        what="the grey about which contrast is taken",
        candidates={
            "0.5: take the mean luma of each image": torch.full_like(middle, 0.5)[clear],
            "the plain mean of the pixels: weigh the channels by luma": x.mean(1)[clear],
            "the mean of the whole batch: each image has a grey of its own": luma(batch)
            .mean()
            .expand_as(middle)
            .double()[clear],
            "zero, so that contrast acts as a second brightness": torch.zeros_like(middle)[clear],
        },
        atol=1e-3,
        rtol=0,
        pointer=SECTION,
    )
    return slopes


def two_steps(x, b, c):
    """The right formula: brightness, clamp, contrast about the luma of the bright image, clamp."""
    bright = (x * b).clamp(0, 1)
    m = luma(bright)
    return (m + c * (bright - m)).clamp(0, 1)


def other_order(x, b, c):
    """Contrast first."""
    m = luma(x)
    return ((m + c * (x - m)).clamp(0, 1) * b).clamp(0, 1)


def clamped_once(x, b, c):
    """Without the clamp between the two."""
    m = luma(x * b)
    return (m + c * (x * b - m)).clamp(0, 1)


def clamped_early(x, b, c):
    """Without the clamp at the end."""
    bright = (x * b).clamp(0, 1)
    m = luma(bright)
    return m + c * (bright - m)


def never_clamped(x, b, c):
    """Without any clamp."""
    m = luma(x * b)
    return m + c * (x * b - m)


def old_grey(x, b, c):
    """The grey of the image before the brightness changed."""
    bright = (x * b).clamp(0, 1)
    m = luma(x)
    return (m + c * (bright - m)).clamp(0, 1)


def explained(formula, batch, out, limit=3e-4):
    """For each image, whether `formula` explains what was made of it with some pair of factors.

    The least mean absolute difference over a grid of log b and log b c, which say how bright and how steep the result
    is, then over ever finer grids about the best point.
    """
    count = len(batch)
    best = torch.tensor([[-0.8], [-1.65]]).expand(2, count)
    reach, points = torch.tensor([[1.5], [3.0]]), 41  # factors from 0.1 to 2, products from 0.01 to 4
    for _ in range(14):
        side = torch.linspace(-1, 1, points)
        grid = (reach * torch.cartesian_prod(side, side).T)[:, None, :] + best[:, :, None]  # (2, N, points**2)
        bright, steep = (one.reshape(-1, 1, 1, 1) for one in grid)
        images, made = (part.repeat_interleave(points**2, 0) for part in (batch, out))
        error = (formula(images, bright.exp(), (steep - bright).exp()) - made).abs().mean((1, 2, 3)).reshape(count, -1)
        least, where = error.min(1)
        best = grid[:, torch.arange(count), where]
        reach, points = reach * (0.55 if points == 9 else 0.08), 9
    return least < limit


@question("q2", points=0.25)
def test_jitter_in_two_clamped_steps(student, rng, torch_rng):
    """Brightness comes first, contrast about the grey of the result second, and each is clamped to [0, 1]."""
    # Bright and dark pixels in one image: both clamps are at work in most of them.
    batch = torch.rand(80, 3, 5, 6, generator=torch_rng)
    batch[:, :, 0] = 1 - 0.1 * batch[:, :, 0]
    batch[:, :, 1] *= 0.1
    out = student.probe("augmented", "color_jitter", batch, [0.9, 0.9], seed_of(rng))
    same_size(out, batch)

    def fits(formula):
        return float(explained(formula, batch, out).double().mean())

    # Measured: right answers explain all 80 images in each of 60 batches, the five wrong formulas 66 at most.
    if fits(two_steps) > 0.96:
        return
    wrong = {
        "order": fits(other_order),
        "clamped once": fits(clamped_once),
        "not clamped": max(fits(clamped_early), fits(never_clamped)),
        "old grey": fits(old_grey),
    }
    best = max(wrong, key=lambda name: wrong[name])
    best = best if wrong[best] > 0.9 else ""
    expect(
        best != "order",
        "Contrast comes before brightness: brightness is the first step.",
        kind="order",
        pointer=SECTION,
    )
    expect(
        best != "clamped once",
        "The image is clamped only at the end: clamp after brightness too.",
        kind="clamp",
        pointer=SECTION,
    )
    expect(
        best != "not clamped",
        "The image is not clamped after contrast: values leave [0, 1].",
        kind="clamp",
        pointer=SECTION,
    )
    expect(
        best != "old grey",
        "The grey is that of the image before its brightness was changed.",
        kind="grey",
        pointer=SECTION,
    )
    expect(
        False,
        "With brightness and contrast together, the result is not that of the two steps of the formula.",
        kind="steps",
        pointer=SECTION,
    )


# -------------------------------------------------------------------------------------- cutout


@question("q2", points=0.5)
def test_holes_are_clipped_squares(student, rng, torch_rng):
    """Among 1,500 images each hole is a square of zeros centred on any pixel and clipped at the border."""
    for size in (5, 6):
        batch = 0.2 + 0.8 * torch.rand(1500, 2, 12, 15, generator=torch_rng)
        out = student.probe("augmented", "cutout", batch, [size], seed_of(rng))
        same_size(out, batch)
        changed = (out != batch).any(1)
        zero = (out == 0).all(1)
        expect(
            bool((zero == changed).all()),
            "The pixels in the hole must become 0 in all channels, and all others stay as they are.",
            kind="not-zero",
            pointer=SECTION,
        )
        rows, columns = zero.any(2), zero.any(1)
        expect(
            bool(((rows[:, :, None] & columns[:, None, :]) == zero).all()),
            "The hole must be one rectangle.",
            kind="rectangle",
            pointer=SECTION,
        )
        expect(
            bool(zero.flatten(1).any(1).all()),
            "Some images have no hole: the centre of the square is a pixel of the image, and a slice that begins below "
            "0 is empty.",
            kind="no-hole",
            pointer=SECTION,
        )
        expect(
            len({tuple(row) for row in torch.cat([rows, columns], 1).tolist()}) > 1,
            "All images have their hole at the same place: draw one for each image.",
            kind="one-place",
            pointer=SECTION,
        )
        for along in (rows, columns):
            sides_of_hole(along, size)
        # With independent coordinates each corner pixel is in a hole of some image: a hole at the corner has a
        # probability of at least (2/12)(2/15), and 0.977**1500 is 1e-15.
        corners = zero[:, [0, 0, -1, -1], [0, -1, 0, -1]].any(0)
        expect(
            bool(corners.all()),
            "Some corners of the images are never in a hole: draw row and column on their own, anywhere in the image.",
            kind="corners",
            pointer=SECTION,
        )


def sides_of_hole(along, size):
    """Fail unless the holes have the right extent along one axis; `along` is bool (N, length)."""
    length = along.shape[1]
    extent = along.sum(1)
    free = extent[~along[:, 0] & ~along[:, -1]]
    expect(
        not len(free) or bool((free == size).all()),
        "Where the hole does not touch the border, it must be `size` pixels wide and high.",
        kind="hole-size",
        pointer=SECTION,
    )
    expect(
        int(extent.max()) <= size,
        "Some holes are larger than `size`.",
        kind="hole-size",
        pointer=SECTION,
    )
    clipped = float((extent < size).double().mean())
    # Clipped are about 2 * (size // 2) of the `length` centres, 27 % or more here: none of 1,500 is with 1e-200.
    expect(
        clipped > 0.05,
        "No hole is clipped: the centre may be any pixel, so part of the square can fall outside of the image.",
        kind="only-inside",
        pointer=SECTION,
    )
    # A centre in the image leaves at least size // 2 pixels (one less than half for real-valued centres).
    expect(
        int(extent.min()) >= size // 2,
        "Some holes have their centre outside of the image.",
        kind="centre-outside",
        pointer=SECTION,
    )
    # The mean extent if all centres are equally likely; 0.12 stands for other conventions of the centre (real-valued,
    # or one pixel more), six standard errors of 1,500 holes for chance.
    starts = np.arange(length) - size // 2
    expected = np.minimum(starts + size, length) - np.maximum(starts, 0)
    allowed = 0.12 + 6 * expected.std() / np.sqrt(len(extent))
    expect(
        abs(float(extent.double().mean()) - expected.mean()) < allowed,
        "The centres of the holes are not spread evenly over the image.",
        kind="centres",
        pointer=SECTION,
    )


# ------------------------------------------------------------------------------------ generators

CALLS = (("random_crop_flip", [2]), ("color_jitter", [0.4, 0.4]), ("cutout", [4]))


@question("q2", points=0.5)
def test_all_chance_comes_from_the_generator(student, rng, torch_rng):
    """Same generator state, same batch, whatever else was drawn; two draws differ; None works; nothing else moves."""
    batch = 0.2 + 0.6 * torch.rand(40, 3, 8, 8, generator=torch_rng)
    own = seed_of(rng)

    def check(stand_in):
        for name, rest in CALLS:
            first, same = (
                student.probe("augmented", name, batch, rest, own, seed=s, stand_in=stand_in) for s in (11, 12)
            )
            same_size(first, batch)
            expect(
                torch.equal(first, same),
                "The same generator gives different batches: draw everything from `generator`.",
                kind="generator-ignored",
                pointer=SECTION,
            )
            other = student.probe("augmented", name, batch, rest, own + 1, seed=11, stand_in=stand_in)
            expect(
                not torch.equal(first, other),
                "Generators with different seeds give the same batch: are the numbers drawn from `generator`?",
                kind="generator-constant",
                pointer=SECTION,
            )
            one, two = student.probe("again", name, batch, rest, own, stand_in=stand_in)
            expect(
                not torch.equal(one, two),
                "Two batches in a row from one generator are the same: do not seed it anew in the function.",
                kind="generator-reset",
                pointer=SECTION,
            )
            expect(
                student.probe("globals_untouched", name, batch, rest, own, stand_in=stand_in) is True,
                "A global random generator moves although `generator` is given.",
                kind="global-moved",
                pointer=SECTION,
            )
            free = student.probe("augmented", name, batch, rest, None, stand_in=stand_in)
            same_size(free, batch)

    fairly(check, EARLIER)
