"""Mixed images and labels, as students receive the checks.

Which images are in a mixture, and how much of each, is found from the pixels: the images are linearly independent.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F

from deepmarks.checks import assert_matches, expect, question

SECTION = "section 3"
CLOSE = 1e-3
"""Weights are found from float32 pixels with an error of about 1e-5."""


def pair(result, x, classes, name):
    """The images and targets; fails unless there are two tensors of the right shapes."""
    expect(
        isinstance(result, tuple | list) and len(result) == 2 and all(isinstance(r, torch.Tensor) for r in result),
        f"{name} must return two tensors: the images and their soft labels.",
        kind="structure",
        pointer=SECTION,
    )
    images, targets = result
    expect(
        images.shape == x.shape and targets.shape == (len(x), classes),
        "The images must keep their shape, and the soft labels must have the shape (N, num_classes).",
        detail=f"received {tuple(images.shape)} and {tuple(targets.shape)}",
        kind="shape",
        pointer=SECTION,
    )
    expect(
        targets.is_floating_point(), "The soft labels must be floating-point numbers.", kind="dtype", pointer=SECTION
    )
    return images, targets.float()


def exchanged(hot, right, lam):
    """Lam * hot + (1 - lam) * partner with the two weights exchanged."""
    partner = (right - lam * hot) / (1 - lam) if lam < 1 else hot
    return (1 - lam) * hot + lam * partner


@question("q3", points=0.5)
def test_mixup_mixes_images_and_labels_alike(student, torch_rng):
    """Each image is a blend of itself and one other, with one weight for the batch, and the labels say so."""
    x = torch.rand(8, 3, 4, 5, generator=torch_rng)
    y = torch.tensor([0, 1, 2, 3, 4, 0, 1, 2])
    shares = None
    for seed in range(6):
        result = student.probe("augmented", "mixup", x, [y, 1.0, 5], seed)
        images, targets = pair(result, x, 5, "mixup")
        shares = torch.linalg.lstsq(x.flatten(1).T.double(), images.flatten(1).T.double()).solution.T
        rebuilt = shares @ x.flatten(1).double()
        expect(
            bool(((rebuilt - images.flatten(1)).abs() < CLOSE).all())
            and bool(((shares.sum(1) - 1).abs() < CLOSE).all()),
            "The images are not blends lam * x + (1 - lam) * x[partner] of images of the batch.",
            kind="blend",
            pointer=SECTION,
        )
        own = shares.diagonal()
        mixed = (own - 1).abs() > CLOSE
        expect(
            bool(((shares.abs() > CLOSE).sum(1) <= 2).all()),
            "More than two images are in one mixture.",
            kind="too-many",
            pointer=SECTION,
        )
        expect(
            not bool(mixed.any()) or bool((own[mixed] - own[mixed][0]).abs().max() < CLOSE),
            "The weights differ from image to image: draw one lambda for the whole batch.",
            kind="many-lambdas",
            pointer=SECTION,
        )
        hot = F.one_hot(y, 5).double()
        right = shares @ hot
        lam = float(own[mixed][0]) if bool(mixed.any()) else 1.0
        assert_matches(
            targets.double(),
            right,
            what="the tensor of soft labels",
            candidates={
                "one-hot labels: mix them with the same weights as the images": hot,
                "the labels of the partners alone": (shares.abs() > CLOSE).double().fill_diagonal_(0) @ hot,
                "labels with the two weights exchanged": exchanged(hot, right, lam),
            },
            atol=CLOSE,
            rtol=0,
            dtype=False,
            pointer=SECTION,
        )
    result = student.probe("augmented", "mixup", x, [y, 0.0, 5], 1)
    images, targets = pair(result, x, 5, "mixup")
    assert_matches(images, x, what="the batch of images for alpha = 0, where lambda is 1,", pointer=SECTION)
    assert_matches(
        targets,
        F.one_hot(y, 5).float(),
        what="the tensor of labels for alpha = 0, where lambda is 1,",
        dtype=False,
        pointer=SECTION,
    )


@question("q3", points=0.5)
def test_cutmix_pastes_one_box_and_weighs_by_area(student, torch_rng):
    """One box of each image comes from another one; the labels are weighted by the pixels that were pasted."""
    x = torch.rand(8, 3, 10, 12, generator=torch_rng)
    y = torch.tensor([0, 1, 2, 3, 4, 5, 6, 7])  # a class of its own for each image
    some = False
    for seed in range(8):
        result = student.probe("augmented", "cutmix", x, [y, 1.0, 8], seed)
        images, targets = pair(result, x, 8, "cutmix")
        new = (images != x).any(1)
        for i in range(8):
            if not bool(new[i].any()):
                continue
            some = True
            rows, columns = new[i].any(1), new[i].any(0)
            expect(
                bool((rows[:, None] & columns[None, :] == new[i]).all()),
                "What is pasted must be one rectangle.",
                kind="rectangle",
                pointer=SECTION,
            )
            sources = [j for j in range(8) if bool((images[i] == x[j])[:, new[i]].all())]
            expect(
                bool(sources),
                "What is pasted must be the same part of another image of the batch.",
                kind="source",
                pointer=SECTION,
            )
            share = float(new[i].double().mean())
            right = torch.zeros(8, dtype=torch.float64)
            right[i], right[sources[0]] = 1 - share, share
            swapped = torch.zeros(8, dtype=torch.float64)
            swapped[i], swapped[sources[0]] = share, 1 - share
            assert_matches(
                targets[i].double(),
                right,
                what="the soft label",
                candidates={
                    "the one-hot label of the image into which the box was pasted": F.one_hot(y[i], 8).double(),
                    "a label with the two weights exchanged": swapped,
                },
                atol=CLOSE,
                rtol=0,
                dtype=False,
                pointer=SECTION,
            )
    expect(some, "Nothing was pasted in eight batches.", kind="nothing", pointer=SECTION)


@question("q3", points=0.5)
def test_soft_cross_entropy_of_four_rows(student, torch_rng):
    """Hard and soft labels, with and without label smoothing, give the cross-entropy of torch."""
    logits = torch.randn(4, 7, generator=torch_rng)
    soft = torch.rand(4, 7, generator=torch_rng).softmax(1)
    for targets, smoothing in ((F.one_hot(torch.tensor([3, 0, 6, 1]), 7).float(), 0.0), (soft, 0.0), (soft, 0.2)):
        log = logits.log_softmax(1)
        smooth = (1 - smoothing) * targets + smoothing / 7
        wrong = {
            "the sum over the batch, not its mean": -(smooth * log).sum(),
            "the mean over batch and classes: add the classes up": -(smooth * log).mean(),
            "the loss without a logarithm of the probabilities": -(smooth * logits.softmax(1)).sum(1).mean(),
            "the loss of the logits without a softmax": -(smooth * logits).sum(1).mean(),
            "the log-likelihood, without the minus": (smooth * log).sum(1).mean(),
        }
        if smoothing:
            spread = targets * (1 - smoothing) + (1 - targets) * smoothing / 6
            wrong |= {
                "the loss without label smoothing": -(targets * log).sum(1).mean(),
                "a smoothing that gives the share only to the other classes": -(spread * log).sum(1).mean(),
                "a smoothing that adds s / K without taking s away": -((targets + smoothing / 7) * log).sum(1).mean(),
                "a smoothing that adds s, not s / K": -(((1 - smoothing) * targets + smoothing) * log).sum(1).mean(),
            }
        assert_matches(
            student.soft_cross_entropy(logits, targets, label_smoothing=smoothing),
            F.cross_entropy(logits, targets, label_smoothing=smoothing),
            what="the loss",
            candidates=wrong,
            pointer=SECTION,
        )
