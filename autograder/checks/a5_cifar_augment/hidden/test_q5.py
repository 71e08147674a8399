"""Training and test-time augmentation, as the grader checks them.

The small set of the margin: training pictures all look to the right, in the middle. The pictures that are asked are
like them, but moved by up to three pixels, and half of them are mirrored. So crops and mirror images gain much, and one
of the two gains less. The bands are calibrated (calibrate.py). Three seeds each, margins measured by hand:

    crops and mirror images, padding 4   0.45 to 0.50      with Adam at 1e-3     0.42 to 0.47
    the same with padding 2              0.40 to 0.45      with SGD, no momentum 0.45 to 0.51
    the same and MixUp                   0.43 to 0.50      the same and cutout   0.42 to 0.46
    crops alone                          0.17 to 0.18      mirror images alone   0.10 to 0.12
    crops and vertical mirror images     0.16 to 0.22      colours alone        -0.04 to -0.02
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F

from deepmarks.calibration import bands, value_band
from deepmarks.checks import StudentError, assert_matches, expect, fairly, question
from deepmarks.datasets import rendered_shapes
from public.test_q5 import EARLIER, SECTION

TRAIN, ASKED, WIDTH, STEPS, BATCH, RUNS = 300, 500, 16, 300, 32, 2
KNOWN = 0.999
"""Two images are the same if their correlation is above; rounding leaves 1e-6, a shift by one pixel 0.1."""


def as_data(train, test):
    """The dictionary that train takes."""
    return {
        "x_train": torch.from_numpy(train.images),
        "y_train": torch.from_numpy(train.labels),
        "x_test": torch.from_numpy(test.images),
        "y_test": torch.from_numpy(test.labels),
    }


# -------------------------------------------------------------------------------------- the margin


def moved_pictures(count, seed, shift=3):
    """Pictures like those of training, but moved by up to `shift` pixels, half of them mirrored."""
    images = rendered_shapes(count, seed, varied=False)
    generator = torch.Generator().manual_seed(seed)
    padded = F.pad(images.tensors()[0], (shift,) * 4, mode="replicate")
    out = []
    for picture in padded:
        top, left, mirrored = torch.randint(2 * shift + 1, (3,), generator=generator).tolist()
        cut = picture[:, top : top + 32, left : left + 32]
        out.append(cut.flip(-1) if mirrored % 2 else cut)
    return (torch.stack(out) * 255).round().to(torch.uint8), torch.from_numpy(images.labels)


def margin_runs(seed, runs=RUNS):
    """What the probe `margin` takes for a number of runs, and the labels of the test images, which do not cross."""
    made, labels = [], []
    for k in range(runs):
        own = 100 * seed + 10 * k
        train = rendered_shapes(TRAIN, own, varied=False)
        moved, truth = moved_pictures(ASKED, own + 1)
        like = rendered_shapes(ASKED // 2, own + 2, varied=False)
        data = {
            "x_train": torch.from_numpy(train.images),
            "y_train": torch.from_numpy(train.labels),
            "x_test": torch.cat([moved, torch.from_numpy(like.images)]),
            "y_test": torch.zeros(ASKED + ASKED // 2, dtype=torch.int64),
        }
        made.append([data, own + 4])
        labels.append(torch.cat([truth, torch.from_numpy(like.labels)]))
    return made, labels


def margin_metrics(found, labels):
    """The gain on moved pictures, the accuracy there with augmentation, and that on pictures as in training without."""
    gains, with_it, plain = [], [], []
    for (without, augmented), truth in zip(found, labels, strict=True):
        right = [(logits.argmax(1) == truth).double() for logits in (without, augmented)]
        moved = [float(part[:ASKED].mean()) for part in right]
        gains.append(moved[1] - moved[0])
        with_it.append(moved[1])
        plain.append(float(right[0][ASKED:].mean()))
    count = len(found)
    return {
        "margin": sum(gains) / count,
        "augmented_accuracy": sum(with_it) / count,
        "plain_accuracy": sum(plain) / count,
    }


@question("q5", points=1.0)
def test_augmentation_gains(student, rng, device):
    """On moved and mirrored pictures, a net trained with augmentation beats one without by the calibrated margin."""
    runs, labels = margin_runs(int(rng.integers(10**6, 2**31 // 200)))

    def check(stand_in):
        found = student.probe("margin", runs, WIDTH, 10, STEPS, device, BATCH, stand_in=stand_in)
        expect(
            all(logits.shape == (len(truth), 10) and bool(logits.isfinite().all())
                for pair, truth in zip(found, labels, strict=True) for logits in pair),
            "After the training the net gives NaN or infinite logits.",
            kind="nan",
            pointer=SECTION,
        )  # fmt: skip
        metrics = margin_metrics(found, labels)
        result = {name: value_band(value, bands(__file__, name)) for name, value in metrics.items()}
        detail = "; ".join(f"{name}: {one.text}" for name, one in result.items())
        expect(
            result["plain_accuracy"].reaches("good"),
            "Without augmentation the net does not even know pictures like those of training: is it trained properly "
            "with augment=False, on the training images alone?",
            detail=detail,
            kind="plain",
            pointer=SECTION,
        )
        lowest = next(band.threshold for band in bands(__file__, "margin") if band.name == "basic")
        expect(
            metrics["margin"] > lowest / 2,
            "With augmentation the net is hardly better on moved and mirrored pictures than without: are the images "
            "cropped and mirrored left to right, each anew, and with augment=True only?",
            detail=detail,
            kind="no-margin",
            pointer=SECTION,
        )
        expect(
            result["margin"].reaches("good") and result["augmented_accuracy"].reaches("good"),
            "With augmentation the net gains too little on moved and mirrored pictures: crops and mirror images both "
            "belong to it, drawn anew for each batch.",
            detail=detail,
            kind="margin",
            pointer=SECTION,
        )

    fairly(check, EARLIER)


# -------------------------------------------------------------------------------------- evidence


def small(rng, count, tests):
    """A small set of pictures."""
    seed = int(rng.integers(2**31))
    return as_data(rendered_shapes(count, seed, varied=False), rendered_shapes(tests, seed + 1, varied=False))


def entries(run, steps):
    """Losses and test accuracy as numbers; fails where they are missing."""
    history = run["history"]
    expect(
        history is not None and set(history) == {"loss", "lr", "test_accuracy"},
        "train must return a dict with the keys loss, lr and test_accuracy.",
        kind="history",
        pointer=SECTION,
    )
    loss, accuracy = history["loss"], history["test_accuracy"]
    accuracy = accuracy[-1] if isinstance(accuracy, list) and accuracy else accuracy
    expect(
        isinstance(loss, list) and len(loss) == steps and all(isinstance(v, float) and math.isfinite(v) for v in loss),
        "history['loss'] must hold one finite number for each step.",
        kind="history-length",
        pointer=SECTION,
    )
    expect(
        isinstance(accuracy, float) and 0 <= accuracy <= 1,
        "history['test_accuracy'] must be a fraction between 0 and 1.",
        kind="accuracy",
        pointer=SECTION,
    )
    return torch.tensor(loss), accuracy


@question("q5", points=0.5)
def test_one_seed_one_run_and_an_honest_accuracy(student, rng, device):
    """The seed decides everything; the test accuracy is that of the net that comes back, on the images as they are."""
    data = small(rng, 90, 81)
    # Other labels for the last 17: nearly all of these count as wrong, so that the mean over batches of 16, 32 or 64
    # images, the last of which is smaller, differs from the accuracy.
    data["y_test"][64:] = (data["y_test"][64:] + 1) % 10
    own = int(rng.integers(1000, 10**6))

    def check(stand_in):
        def run(seed, noise):
            return student.probe("run", data, 6, 10, 24, True, seed, device, 30, noise=noise, stand_in=stand_in)

        first, same, other = run(own, 1), run(own, 2), run(own + 1, 1)
        (a, accuracy), (b, _), (c, _) = (entries(r, 24) for r in (first, same, other))
        # Sums in another order on a GPU move the losses of 24 steps by far less than another seed does.
        close = 1e-3 if device == "cpu" else 5e-2
        expect(
            bool(((a - b).abs() < close).all()),
            "The same seed gives another run: draw order and augmentation from `seed`.",
            kind="seed-ignored",
            pointer=SECTION,
        )
        expect(
            not bool(((a - c).abs() < 1e-5).all()),
            "Different seeds give the same run.",
            kind="seed-constant",
            pointer=SECTION,
        )
        expect(
            all(change > 0 for change in first["moved"]),
            "Some weights of the model did not move: train the model that is given, in place.",
            kind="not-trained",
            pointer=SECTION,
        )
        expect(first["same data"], "train changes the data.", kind="data-changed", pointer=SECTION)
        honest_accuracy(student, first, data, accuracy, device, stand_in)

    fairly(check, EARLIER)


def honest_accuracy(student, run, data, accuracy, device, stand_in):
    """Fail unless the accuracy is that of the trained net on the test images, which were shown as they are."""
    first_test = len(data["x_train"])
    asked = [shown for shown in run["shown"] if not shown["training"]]
    in_training = [
        number
        for shown in run["shown"]
        if shown["training"]
        for number, alike in zip(shown["numbers"], shown["alike"], strict=True)
        if number >= first_test and alike > KNOWN
    ]
    expect(
        not in_training,
        "The test images are shown to the net in training mode: train on the training images alone, and call "
        "model.eval() before you measure.",
        kind="training-mode",
        pointer=SECTION,
    )
    alike = [value for shown in asked for value in shown["alike"]]
    expect(
        bool(alike), "The test images are never shown to the net in eval mode.", kind="not-measured", pointer=SECTION
    )
    expect(
        sum(value > KNOWN for value in alike) > 0.95 * len(alike),
        "The test images are augmented before they are measured: show them as they are.",
        kind="test-augmented",
        pointer=SECTION,
    )
    truth, total = data["y_test"], len(data["y_test"])
    expect(
        {number for shown in asked for number in shown["numbers"]} >= set(range(first_test, first_test + total)),
        "The accuracy is not measured on all test images.",
        kind="not-measured",
        pointer=SECTION,
    )
    logits = student.probe("answers", run["net"], data["x_test"].float() / 255, device, stand_in=stand_in)
    measured = float((logits.argmax(1) == truth).double().mean())
    # One image may lie on the border between two classes.
    allowed = 1.5 / total
    if abs(measured - accuracy) < allowed:
        return
    # The net may be used to normalised images: then what it answered while train measured it counts.
    answers = {}
    for shown in asked:
        for number, logit in zip(shown["numbers"], shown["logits"], strict=True):
            if number >= first_test:
                answers.setdefault(number - first_test, []).append(logit.softmax(0))
    known = [float(torch.stack(own).mean(0).argmax() == truth[i]) for i, own in answers.items()]
    seen = sum(known) / max(1, len(known))
    expect(
        len(known) == total and abs(seen - accuracy) < 2 * allowed,
        "history['test_accuracy'] is not the accuracy of the trained net on the test images.",
        detail=f"reported {accuracy:.4f}, measured {measured:.4f}",
        kind="accuracy-wrong",
        pointer=SECTION,
    )


@question("q5", points=0.75)
def test_what_the_net_is_shown(student, rng, device):
    """Batches are shuffled anew, labels stay with their images, images are changed if and only if they should be."""
    data = small(rng, 50, 10)
    # The largest class is among the few: who counts the classes finds all ten.
    rows = torch.cat([(data["y_train"] == 9).nonzero()[:1, 0], (data["y_train"] != 9).nonzero()[:7, 0]])
    few = {"x_train": data["x_train"][rows], "y_train": data["y_train"][rows]}
    few |= {"x_test": data["x_test"], "y_test": data["y_test"]}
    own = int(rng.integers(1000, 10**6))

    def check(stand_in):
        plain = student.probe("run", data, 6, 10, 16, False, own, device, 12, stand_in=stand_in)
        loss, _ = entries(plain, 16)
        shown = [one for one in plain["shown"] if one["training"]]
        alike = [value for one in shown for value in one["alike"]]
        expect(
            bool(alike) and sum(v > KNOWN for v in alike) > 0.98 * len(alike),
            "With augment=False the images are changed: show them as they are.",
            kind="augmented-anyway",
            pointer=SECTION,
        )
        expect(
            not any(mirrored for one in shown for mirrored in one["mirrored"]),
            "With augment=False some images are mirrored: show them as they are.",
            kind="augmented-anyway",
            pointer=SECTION,
        )
        numbers = [number for one in shown for number in one["numbers"]]
        expect(
            max(numbers) < 50,
            "Test images are shown to the net in training mode.",
            kind="trained-on-test",
            pointer=SECTION,
        )
        expect(
            max(len(one["numbers"]) for one in shown) <= 12,
            "The batches are larger than batch_size.",
            kind="batch-size",
            pointer=SECTION,
        )
        expect(
            numbers[:12] != list(range(12)) and numbers[:12] != list(range(49, 37, -1)),
            "The images are shown in the order in which they come: shuffle them.",
            kind="not-shuffled",
            pointer=SECTION,
        )
        expect(
            len(set(numbers)) > 40,
            "Most images are never shown: each step takes the next images of a new order.",
            kind="same-batch",
            pointer=SECTION,
        )
        passes = [numbers[i : i + 50] for i in range(0, len(numbers) - 49, 50)]
        short = [numbers[i : i + 48] for i in range(0, len(numbers) - 47, 48)]  # the last, smaller batch left out
        expect(
            all(len({tuple(one) for one in kind}) > 1 for kind in (passes, short)),
            "Every pass shows the images in the same order: shuffle anew in each.",
            kind="shuffled-once",
            pointer=SECTION,
        )
        if len(shown) == 16:
            own_labels(shown, data["y_train"], loss)
        augmented = student.probe("run", few, 6, 10, 6, True, own, device, 8, stand_in=stand_in)
        shown = [one for one in augmented["shown"] if one["training"]]
        same = [a > KNOWN and not m for one in shown for a, m in zip(one["alike"], one["mirrored"], strict=True)]
        # Crops leave an image as it is in one of 81 draws, crops with flips in one of 162, flips alone in half of them.
        expect(
            bool(same) and sum(same) < 0.9 * len(same),
            "With augment=True the images are shown as they are.",
            kind="not-augmented",
            pointer=SECTION,
        )
        # 48 draws of 162 crops and flips for eight images: about 46 are distinct, fewer than 20 never.
        expect(
            augmented["distinct"] > 8,
            "Every pass shows the same augmented images: augment each batch anew, not the data once.",
            kind="augmented-once",
            pointer=SECTION,
        )
        try:
            large = student.probe("run", few, 6, 10, 2, False, own, device, 11, stand_in=stand_in)
        except StudentError:
            large = None
        expect(
            large is not None,
            "train fails where batch_size is larger than the number of images: then each step shows all of them.",
            kind="large-batch",
            pointer=SECTION,
        )
        entries(large, 2)

    fairly(check, EARLIER)


def own_labels(shown, labels, loss):
    """Fail unless the losses are cross-entropies, smoothed or not, of the images with their own labels.

    A factor is left open (a sum in place of a mean), and the share of the smoothing.
    """
    parts = []
    for one in shown:
        log = one["logits"].log_softmax(1)
        truth = labels[torch.tensor(one["numbers"])]
        parts.append([-log.gather(1, truth[:, None]).mean(), -log.mean()])
    sharp, flat = torch.tensor(parts).T
    best = math.inf
    for smoothing in torch.linspace(0, 0.5, 51).tolist():
        right = (1 - smoothing) * sharp + smoothing * flat
        factor = (right * loss).sum() / (right * right).sum()
        best = min(best, float(((factor * right - loss).abs() / loss.abs().clamp_min(1e-6)).max()))
    # Right answers fit to 1e-5, with bfloat16 to 1e-2; labels of other images miss by 0.3 or more.
    expect(
        best < 0.05,
        "history['loss'] is not the cross-entropy of each batch with its own labels: do images and labels stay "
        "together, and is each step's loss noted?",
        kind="labels",
        pointer=SECTION,
    )


@question("q5", points=0.25)
def test_two_looks_in_both_modes(student, torch_rng):
    """Averaged probabilities for other sizes, in both modes, for a net whose logits are large."""
    for n, side, classes, training in ((1, 6, 3, False), (6, 5, 11, True)):
        x = torch.rand(n, 3, side, side, generator=torch_rng)
        weight = 3 * torch.randn(3 * side * side, classes, generator=torch_rng)

        def check(stand_in, x=x, weight=weight, training=training):
            found = student.probe("two_looks", weight, x, training, stand_in=stand_in)
            one, two = x.flatten(1) @ weight, x.flip(-1).flatten(1) @ weight
            upside = x.flip(-2).flatten(1) @ weight
            expect(
                not found["in training"],
                "The model is asked in training mode: call model.eval() first.",
                kind="training-mode",
                pointer=SECTION,
            )
            assert_matches(
                found["out"],
                (one.softmax(1) + two.softmax(1)) / 2,
                what="the tensor of probabilities",
                candidates={
                    "the softmax of the averaged logits: average the probabilities": ((one + two) / 2).softmax(1),
                    "averaged logits: take the softmax of each": (one + two) / 2,
                    "the sum of the two, without the division by 2": one.softmax(1) + two.softmax(1),
                    "an average over the image and itself upside down": (one.softmax(1) + upside.softmax(1)) / 2,
                    "one look only, without the mirror image": one.softmax(1),
                },
                dtype=False,
                pointer=SECTION,
            )
            expect(
                not found["attached"],
                "The probabilities still carry a graph: work under torch.no_grad().",
                kind="graph",
                pointer=SECTION,
            )
            expect(
                found["mode"] and found["unchanged"],
                "The model does not come back as it came: in the same mode, with the same weights.",
                kind="mode",
                pointer=SECTION,
            )

        fairly(check, EARLIER)
