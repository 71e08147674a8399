"""Training and test-time augmentation, as students receive the checks."""

from __future__ import annotations

import math

import torch

from deepmarks.checks import assert_matches, expect, fairly, question
from deepmarks.datasets import load_cifar10

SECTION = "section 5"
STEPS, WIDTH, BATCH = 60, 8, 20
EARLIER = {
    "pad_and_crop": "probes.library_pad_and_crop",
    "hflip": "probes.library_hflip",
    "normalize": "probes.library_normalize",
    "denormalize": "probes.library_denormalize",
    "random_crop_flip": "probes.library_random_crop_flip",
    "color_jitter": "probes.library_color_jitter",
    "cutout": "probes.library_cutout",
    "mixup": "probes.library_mixup",
    "cutmix": "probes.library_cutmix",
    "soft_cross_entropy": "probes.library_soft_cross_entropy",
    "cosine_lr": "probes.library_cosine_lr",
}


def small_data(count=200, tests=60):
    """The dictionary that train takes, with rendered pictures."""
    train, test = load_cifar10("offline", train=True), load_cifar10("offline", train=False)
    return {
        "x_train": torch.from_numpy(train.images[:count].copy()),
        "y_train": torch.from_numpy(train.labels[:count].copy()),
        "x_test": torch.from_numpy(test.images[:tests].copy()),
        "y_test": torch.from_numpy(test.labels[:tests].copy()),
    }


def checked_history(run, steps):
    """Losses, learning rates and test accuracy; fails unless the history has its form."""
    history = run["history"]
    expect(history is not None, "train must return the history, a dict.", kind="history", pointer=SECTION)
    expect(
        set(history) == {"loss", "lr", "test_accuracy"},
        "The history must have the keys loss, lr and test_accuracy.",
        detail=f"found {sorted(history)}",
        kind="history-keys",
        pointer=SECTION,
    )
    loss, lr, accuracy = history["loss"], history["lr"], history["test_accuracy"]
    for name, values in (("loss", loss), ("lr", lr)):
        expect(
            isinstance(values, list) and len(values) == steps and all(isinstance(v, float) for v in values),
            f"history['{name}'] must hold one number for each step.",
            detail=f"{len(values) if isinstance(values, list) else type(values).__name__} for {steps} steps",
            kind="history-length",
            pointer=SECTION,
        )
    if isinstance(accuracy, list) and accuracy:  # measured several times: the last one counts
        accuracy = accuracy[-1]
    expect(isinstance(accuracy, float), "history['test_accuracy'] must be a number.", kind="accuracy", pointer=SECTION)
    expect(
        0 <= accuracy <= 1,
        "history['test_accuracy'] must be a fraction between 0 and 1.",
        detail=f"found {accuracy}",
        kind="accuracy",
        pointer=SECTION,
    )
    return loss, lr, accuracy


@question("q5", points=0.5)
def test_a_short_run_trains_the_net(student, device):
    """Sixty steps: the net is trained in place, the loss falls, and the history says what was done."""
    data = small_data()

    def check(stand_in):
        run = student.probe("run", data, WIDTH, 10, STEPS, True, 1, device, BATCH, stand_in=stand_in)
        loss, lr, _ = checked_history(run, STEPS)
        expect(run["same data"], "train changes the data: leave x_train and the others as they are.",
               kind="data-changed", pointer=SECTION)  # fmt: skip
        expect(
            all(math.isfinite(value) for value in loss),
            "Some losses are NaN or infinite.",
            kind="nan",
            pointer=SECTION,
        )
        expect(
            all(change > 0 for change in run["moved"]),
            "Some weights of the model did not move: train the model that is given, in place, all of it.",
            kind="not-trained",
            pointer=SECTION,
        )
        expect(
            sum(loss[-15:]) < 0.9 * sum(loss[:15]),
            "The loss does not fall within sixty steps.",
            detail=f"mean of the first 15: {sum(loss[:15]) / 15:.3f}, of the last 15: {sum(loss[-15:]) / 15:.3f}",
            kind="loss",
            pointer=SECTION,
        )
        rates = run["rates"]
        if len(rates) == STEPS:  # an optimiser of torch made one step each time
            expect(
                all(
                    any(abs(value - r) <= 1e-6 + 1e-4 * abs(r) for r in used)
                    for value, used in zip(lr, rates, strict=True)
                ),
                "history['lr'] is not the learning rate that the optimiser had at that step.",
                detail=f"step 1: {lr[1]:.6g} in the history, {rates[1]} in the optimiser",
                kind="lr-used",
                pointer=SECTION,
            )
        expect(
            lr[-1] < 0.9 * max(lr),
            "The learning rate never falls: set it from cosine_lr in each step.",
            kind="lr-constant",
            pointer=SECTION,
        )

    fairly(check, EARLIER)


@question("q5", points=0.5)
def test_two_looks_are_averaged(student, torch_rng):
    """tta_predict averages the probabilities of an image and its mirror image, in eval mode, without gradients."""
    x = torch.rand(5, 3, 4, 4, generator=torch_rng)
    weight = 2 * torch.randn(48, 7, generator=torch_rng)

    def check(stand_in):
        found = student.probe("two_looks", weight, x, True, stand_in=stand_in)
        expect(
            isinstance(found["out"], torch.Tensor), "tta_predict must return a tensor.", kind="type", pointer=SECTION
        )
        expect(not found["in training"], "The model is asked in training mode: call model.eval() first.",
               kind="training-mode", pointer=SECTION)  # fmt: skip
        one, two = x.flatten(1) @ weight, x.flip(-1).flatten(1) @ weight
        upside = x.flip(-2).flatten(1) @ weight
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
                "the probabilities of the mirror image alone": two.softmax(1),
                "averaged log-probabilities": (one.log_softmax(1) + two.log_softmax(1)) / 2,
            },
            dtype=False,
            pointer=SECTION,
        )
        expect(not found["attached"], "The probabilities still carry a graph: work under torch.no_grad().",
               kind="graph", pointer=SECTION)  # fmt: skip
        expect(found["mode"], "The model does not come back in the mode in which it came.", kind="mode",
               pointer=SECTION)  # fmt: skip

    fairly(check, EARLIER)
