"""Mixed images and labels, as the grader checks them.

Which images are in a mixture, and how much of each, is found from the pixels. Every statistic has a false alarm rate
below 1e-7 for a right answer.
"""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from scipy.stats import beta, kstest

from deepmarks.checks import assert_matches, expect, numerical_vjp, question

SECTION = "section 3"
CLOSE = 1e-3
"""Weights are found from float32 pixels with an error of about 1e-5."""
FINE = 1e-4
"""How far an image's own weight must be from 1 to show that it is mixed."""
RARE = 1e-9
"""Significance of each distribution test: a right answer fails one with this probability."""


def seed_of(rng):
    """A seed for the student's generator."""
    return int(rng.integers(1000, 2**31))


def checked(images, targets, shape, classes):
    """Images and targets of many batches, with the right shapes."""
    expect(
        isinstance(images, torch.Tensor)
        and isinstance(targets, torch.Tensor)
        and images.shape[1:] == shape
        and targets.shape[1:] == (shape[0], classes),
        "The images must keep their shape, and the soft labels must have the shape (N, num_classes).",
        kind="shape",
        pointer=SECTION,
    )
    return images.double(), targets.double()


def mixtures_of(x, images):
    """How much of each image of x (N, ...) is in each of many mixtures (M, N, ...): (M, N, N)."""
    flat = x.flatten(1).double()
    return images.flatten(2) @ torch.linalg.pinv(flat)


@question("q3", points=0.5)
def test_lambdas_of_mixup(student, rng, torch_rng):
    """In 500 batches, lambda is one number a batch, follows Beta(alpha, alpha), and stands in the labels too."""
    x = torch.rand(7, 2, 3, 4, generator=torch_rng)
    y = torch.tensor(rng.permutation([0, 1, 2, 3, 2, 1, 0]))
    for alpha in (0.3, 2.0):
        made = student.probe("many_mixtures", "mixup", x, y, alpha, 4, seed_of(rng), 500)
        images, targets = checked(*made, x.shape, 4)
        shares = mixtures_of(x, images)
        fits = (shares @ x.flatten(1).double() - images.flatten(2)).abs().amax() < CLOSE
        expect(
            bool(fits) and bool(((shares.sum(2) - 1).abs() < CLOSE).all()),
            "The images are not blends lam * x + (1 - lam) * x[partner] of images of the batch.",
            kind="blend",
            pointer=SECTION,
        )
        own = shares.diagonal(dim1=1, dim2=2)
        mixed = own < 1 - FINE  # an image may be its own partner
        usable = mixed.any(1)
        # Seven images all keep their places with a probability of 1/5040; lambda is above 1 - FINE with one of 0.04.
        expect(
            float(usable.double().mean()) > 0.5,
            "In most batches no image is mixed with another one.",
            kind="not-mixed",
            pointer=SECTION,
        )
        low, high = torch.where(mixed, own, 2.0).amin(1), torch.where(mixed, own, -1.0).amax(1)
        expect(
            bool((high - low < CLOSE)[usable].all()),
            "The weights differ from image to image: draw one lambda for the whole batch.",
            kind="many-lambdas",
            pointer=SECTION,
        )
        lam = torch.where(usable, high, 1.0).clamp(0, 1)
        hot = F.one_hot(y, 4).double()
        right = shares @ hot
        one = lam[:, None, None]
        other = torch.where(mixed[..., None], (right - one * hot) / (1 - one).clamp_min(FINE), hot)
        assert_matches(
            targets[usable],
            right[usable],
            what="the tensor of soft labels",
            candidates={
                "one-hot labels: mix them with the same weights as the images": hot.expand_as(right)[usable],
                "labels with the two weights exchanged": ((1 - one) * hot + one * other)[usable],
                "labels that are half and half, whatever lambda is": ((hot + other) / 2)[usable],
            },
            atol=5 * CLOSE,
            rtol=0,
            pointer=SECTION,
        )
        found = lam.numpy()
        expect(
            found.std() > 1e-3,
            "Lambda is the same in all batches: draw it anew in each call.",
            kind="constant-lambda",
            pointer=SECTION,
        )
        # Kolmogorov-Smirnov: with 500 draws, RARE is reached at a distance of 0.146. What FINE hides is 0.04 of it; the
        # uniform distribution is 0.19 away from Beta(0.3, 0.3), one that is never below one half 0.5.
        if kstest(found, beta(alpha, alpha).cdf).pvalue > RARE:
            continue
        expect(
            found.min() < 0.5 - CLOSE,
            "Lambda is never below one half: it is drawn from Beta(alpha, alpha), without a maximum.",
            kind="folded-lambda",
            pointer=SECTION,
        )
        expect(
            kstest(found, "uniform").pvalue < 1e-3,
            "Lambda is uniform, whatever alpha is: draw it from Beta(alpha, alpha).",
            kind="uniform-lambda",
            pointer=SECTION,
        )
        expect(False, "Lambda does not follow Beta(alpha, alpha).", kind="lambda", pointer=SECTION)


def boxes(x, images):
    """For each of many batches, the union of what was pasted (M, H, W), and whether every image that changed agrees."""
    new = (images != x.double()).any(2)  # (M, N, H, W)
    union = new.any(1)
    alike = ~new.flatten(2).any(2) | (new == union[:, None]).flatten(2).all(2)
    return new, union, bool(alike.all())


@question("q3", points=0.5)
def test_labels_of_cutmix_follow_the_area(student, rng, torch_rng):
    """In 300 batches one clipped box is pasted, and each label has the share of pixels that was really pasted."""
    x = torch.rand(6, 2, 14, 11, generator=torch_rng)
    y = torch.tensor(rng.permutation(6))  # a class of its own for each image
    made = student.probe("many_mixtures", "cutmix", x, y, 1.0, 6, seed_of(rng), 300)
    images, targets = checked(*made, x.shape, 6)
    new, union, alike = boxes(x, images)
    expect(bool(union.any()), "Nothing is ever pasted.", kind="nothing", pointer=SECTION)
    expect(alike, "The boxes differ from image to image: one box for the whole batch.", kind="boxes", pointer=SECTION)
    rows, columns = union.any(2), union.any(1)
    expect(
        bool(((rows[:, :, None] & columns[:, None, :]) == union).all()),
        "What is pasted must be one rectangle.",
        kind="rectangle",
        pointer=SECTION,
    )
    share = union.flatten(1).double().mean(1)
    hot = F.one_hot(y, 6).double()
    right = torch.empty_like(targets)
    full = torch.empty_like(targets)
    for m in range(len(images)):
        inside = union[m]
        # Which image is in the box: the only one that agrees there.
        agree = (images[m][:, None] == x.double()[None])[..., inside].flatten(2).all(2)
        agree |= ~new[m].flatten(1).any(1)[:, None] & torch.eye(6, dtype=torch.bool)
        expect(
            bool(agree.any(1).all()),
            "What is pasted must be the same part of another image of the batch.",
            kind="source",
            pointer=SECTION,
        )
        partner = hot[agree.double().argmax(1)]
        right[m] = (1 - share[m]) * hot + share[m] * partner
        full[m] = share[m] * hot + (1 - share[m]) * partner
    some = share > 0
    touching = rows[:, 0] | rows[:, -1] | columns[:, 0] | columns[:, -1]
    off = (targets - right).abs().flatten(1).amax(1)
    assert_matches(
        targets[some],
        right[some],
        what="the tensor of soft labels",
        candidates={
            "one-hot labels: mix them by area": hot.expand_as(right)[some],
            "labels with the two weights exchanged": full[some],
            # No value can stand for it, as lambda is not known: what fits only where no border is touched is this.
            "labels weighted by the box before it was clipped: compute the area after clipping": targets[some]
            if bool((off[some & touching] > CLOSE).double().mean() > 0.5) and bool((off[some & ~touching] < 0.08).all())
            else torch.nan * right[some],
        },
        atol=CLOSE,
        rtol=0,
        pointer=SECTION,
    )


def expected_shares(side, inside=False):
    """The mean share of the image that is pasted if the box has the relative side `side(u)`, u uniform."""
    draw = np.random.default_rng(0)
    r = side(draw.random(200_000))
    share = np.ones_like(r)
    for _ in range(2):
        centre = draw.random(len(r))
        share = share * (r if inside else np.minimum(centre + r / 2, 1) - np.maximum(centre - r / 2, 0))
    return float(share.mean())


@question("q3", points=0.5)
def test_boxes_of_cutmix(student, rng, torch_rng):
    """The sides of the boxes are those of the square root of 1 - lambda, and their centres are anywhere."""
    x = torch.rand(3, 1, 40, 56, generator=torch_rng)
    y = torch.tensor([0, 1, 2])
    shares, clipped, similar, uneven = [], 0, True, []
    for _ in range(4):
        made = student.probe("many_mixtures", "cutmix", x, y, 1.0, 3, seed_of(rng), 450)
        images, _ = checked(*made, x.shape, 3)
        new, union, _ = boxes(x, images)
        # A batch in which every image is its own partner shows no box. Others are lost only if the box is empty.
        shown = new.flatten(1).any(1)
        height, width = union.any(2).double().mean(1), union.any(1).double().mean(1)
        touching = union[:, [0, -1]].flatten(1).any(1) | union[:, :, [0, -1]].flatten(1).any(1)
        free = shown & ~touching
        # Rounding takes up to two pixels of a side; sides that are exchanged differ by 0.69 of the factor.
        similar = similar and bool(((height - width).abs() <= 2 / 40 + 2 / 56)[free].all())
        for size, axis in ((20, 1), (28, 2)):
            first, second = union[shown].double().split(size, axis)
            uneven.append((first - second).mean((1, 2)))
        clipped += int((shown & touching).sum())
        shares.append(union.flatten(1).double().mean(1)[shown])
    found = torch.cat(shares).numpy()
    expect(similar, "The box must have the shape of the image: both sides by the same factor.", kind="sides",
           pointer=SECTION)  # fmt: skip
    expect(len(found) > 500, "In most batches nothing is pasted.", kind="nothing", pointer=SECTION)
    expect(clipped > 0, "No box is ever clipped: its centre may be any pixel.", kind="only-inside", pointer=SECTION)
    # By symmetry both halves get as much, to the half pixel (0.02) by which a box of an even side lies off its centre.
    rows, columns = torch.cat(uneven[::2]), torch.cat(uneven[1::2])
    expect(
        all(abs(float(one.mean())) < 6 * float(one.std()) / len(one) ** 0.5 + 0.02 for one in (rows, columns)),
        "The boxes lie more in one half of the image than in the other: their centres are any pixel, up to the height "
        "for rows and up to the width for columns.",
        kind="centres",
        pointer=SECTION,
    )
    # Means over 1,000 boxes or more have a standard error of 0.008 at most; six of them and 0.015 for the rounding
    # of the sides to 40 pixels stay below half of the distance to the wrong means (0.22, 0.41 and 0.5).
    mean = float(found.mean())
    right = expected_shares(lambda u: np.sqrt(u))
    allowed = 6 * found.std() / np.sqrt(len(found)) + 0.015
    good = abs(mean - right) < allowed
    expect(
        good or not abs(mean - expected_shares(lambda u: u)) < 0.04,
        "The sides of the box are proportional to 1 - lambda: it is the area that is, so take the square root.",
        kind="no-root",
        pointer=SECTION,
    )
    expect(
        good or not abs(mean - expected_shares(lambda u: np.sqrt(u), inside=True)) < 0.05,
        "The boxes are kept inside of the image: their centre may be any pixel, and they are clipped.",
        kind="only-inside",
        pointer=SECTION,
    )
    expect(good, "The boxes are too large or too small on average.", kind="box-size", pointer=SECTION)
    # Beta(20, 20) keeps 1 - lambda above 0.2, and clipping a quarter of a box or more: a share below 0.05 has a
    # probability of 1e-5. A uniform lambda gives 6 % of them, about 20 here.
    images, _ = checked(*student.probe("many_mixtures", "cutmix", x, y, 20.0, 3, seed_of(rng), 450), x.shape, 3)
    shares = boxes(x, images)[1].flatten(1).double().mean(1)
    expect(
        int(((shares > 0) & (shares < 0.05)).sum()) < 4,
        "For a large alpha some boxes are tiny: lambda follows Beta(alpha, alpha), whatever alpha is.",
        kind="alpha-ignored",
        pointer=SECTION,
    )


@question("q3", points=0.25)
def test_mixing_obeys_the_generator(student, rng, torch_rng):
    """Same generator state, same mixture, whatever else was drawn; alpha 0 and no generator work."""
    x = torch.rand(12, 3, 8, 8, generator=torch_rng)
    y = torch.tensor(rng.integers(0, 5, 12))
    own = seed_of(rng)
    for name in ("mixup", "cutmix"):
        first, same = (student.probe("augmented", name, x, [y, 1.0, 5], own, seed=s) for s in (21, 22))
        expect(
            torch.equal(first[0], same[0]) and torch.equal(first[1], same[1]),
            "The same generator gives different mixtures: lambda, partners and box must all come from `generator`.",
            kind="generator-ignored",
            pointer=SECTION,
        )
        others = [student.probe("augmented", name, x, [y, 1.0, 5], own + k, seed=21)[0] for k in (1, 2, 3)]
        expect(
            any(not torch.equal(first[0], other) for other in others),
            "Generators with different seeds give the same mixture.",
            kind="generator-constant",
            pointer=SECTION,
        )
        expect(
            student.probe("globals_untouched", name, x, [y, 1.0, 5], own) is True,
            "A global random generator moves although `generator` is given.",
            kind="global-moved",
            pointer=SECTION,
        )
        images, targets = student.probe("augmented", name, x, [y, 0.0, 7], own)
        hot = F.one_hot(y, 7).float()
        assert_matches(images, x, what="the batch of images for alpha = 0, where lambda is 1,", pointer=SECTION)
        assert_matches(
            targets, hot, what="the tensor of labels for alpha = 0, where lambda is 1,", dtype=False, pointer=SECTION
        )
        free, _ = student.probe("augmented", name, x, [y, 0.3, 5], None)
        expect(free.shape == x.shape, "Without a generator the shape differs.", kind="shape", pointer=SECTION)


def soft(logits, targets, smoothing):
    """The right loss, in float64."""
    t = (1 - smoothing) * targets + smoothing / targets.shape[1]
    return -(t * logits.log_softmax(1)).sum(1).mean()


@question("q3", points=0.25)
def test_soft_cross_entropy_and_its_gradient(student, rng, torch_rng):
    """Values and gradients in float64 for several sizes and smoothings; no overflow for large logits."""
    for n, k, smoothing in ((5, 3, 0.0), (2, 11, 0.1), (7, 4, 0.35)):
        logits = 3 * torch.randn(n, k, generator=torch_rng, dtype=torch.float64)
        targets = torch.rand(n, k, generator=torch_rng, dtype=torch.float64) ** 3
        targets = targets / targets.sum(1, keepdim=True)
        log = logits.log_softmax(1)
        wrong = {
            "the sum over the batch, not its mean": soft(logits, targets, smoothing) * n,
            "the mean over batch and classes: add the classes up": soft(logits, targets, smoothing) / k,
            "the loss without label smoothing": soft(logits, targets, 0.0),
            "a smoothing that gives the share only to the other classes": -(
                (targets * (1 - smoothing) + (1 - targets) * smoothing / (k - 1)) * log
            )
            .sum(1)
            .mean(),
            "a smoothing that adds s / K without taking s away": -((targets + smoothing / k) * log).sum(1).mean(),
            "a smoothing that adds s, not s / K": -(((1 - smoothing) * targets + smoothing) * log).sum(1).mean(),
            "the loss of the most probable class alone": F.cross_entropy(logits, targets.argmax(1)),
        }
        cotangent = torch.tensor(float(rng.uniform(0.5, 2)), dtype=torch.float64)
        got = student.vjp("soft_cross_entropy", logits, targets, smoothing, cotangent=cotangent, wrt=[0])
        assert_matches(got.output, soft(logits, targets, smoothing), what="the loss", candidates=wrong, pointer=SECTION)
        numerical = numerical_vjp(lambda z, t=targets, a=smoothing: soft(z, t, a), (logits,), cotangent)
        assert_matches(
            got.grads[0],
            numerical,
            what="the gradient for the logits",
            rtol=1e-5,  # of the differences
            atol=1e-7,
            pointer=SECTION,
        )
    logits = torch.tensor([[1e4, 0.0, -1e4], [-1e4, 1e4, 0.0]], dtype=torch.float64)
    targets = torch.tensor([[0.5, 0.5, 0.0], [0.0, 1.0, 0.0]], dtype=torch.float64)
    assert_matches(
        student.soft_cross_entropy(logits, targets, label_smoothing=0.0),
        soft(logits, targets, 0.0),
        what="the loss of very large logits",
        pointer=SECTION,
    )
