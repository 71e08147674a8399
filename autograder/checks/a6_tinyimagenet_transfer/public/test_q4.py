"""The training loop, as students receive the checks."""

from __future__ import annotations

import copy
import warnings

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from deepmarks.checks import assert_matches, expect, question

SECTION = "section 4"
KEYS = ("train_loss", "train_accuracy", "val_loss", "val_accuracy")
RTOL = 1e-5
"""The sums may be kept in float32, as 0-d tensors often are; mistakes make a thousandth at least."""


def start(rng, features, classes):
    """A state_dict of the network in probes.py: BatchNorm and a linear layer, float64."""
    tensor = lambda *shape: torch.from_numpy(rng.standard_normal(shape))  # noqa: E731
    return {
        "norm.weight": 1 + 0.1 * tensor(features),
        "norm.bias": 0.1 * tensor(features),
        "norm.running_mean": 0.3 * tensor(features),
        "norm.running_var": 1 + 0.2 * torch.from_numpy(rng.random(features)),
        "norm.num_batches_tracked": torch.tensor(0),
        "linear.weight": tensor(classes, features),
        "linear.bias": 0.1 * tensor(classes),
    }


def samples(rng, count, features, classes):
    """Noisy samples of classes that overlap, so that the accuracy goes up and down."""
    centres = np.random.default_rng(5).standard_normal((classes, features))
    y = rng.integers(0, classes, count)
    return torch.from_numpy(centres[y] + 1.3 * rng.standard_normal((count, features))), torch.from_numpy(y)


def build(state):
    """The network of probes.py, written out."""
    classes, features = state["linear.weight"].shape
    model = nn.Sequential()
    model.add_module("norm", nn.BatchNorm1d(features, dtype=torch.float64))
    model.add_module("linear", nn.Linear(features, classes, dtype=torch.float64))
    model.load_state_dict(state)
    return model


OPTIMIZERS = {
    "sgd": lambda parameters, lr: torch.optim.SGD(parameters, lr, momentum=0.8),
    "adam": lambda parameters, lr: torch.optim.Adam(parameters, lr),
}


def right_one(state, data, batch_size, optimizer, lr, schedule, epochs, mistake=""):
    """History, and the states after each epoch, of the loop that is asked for, or of one with a `mistake`."""
    model = build(state)
    steps = OPTIMIZERS[optimizer](model.parameters(), lr)
    scheduler = torch.optim.lr_scheduler.StepLR(steps, *schedule) if schedule else None
    history, states = {key: [] for key in KEYS}, []
    for _ in range(epochs):
        if scheduler and mistake == "too early":
            with warnings.catch_warnings(action="ignore"):  # torch warns of this very mistake
                scheduler.step()
        for part, (x, y) in data.items():
            training = part == "train"
            model.train(training if mistake != "train mode" else True)
            if mistake == "eval mode":
                model.eval()
            losses, hits, sizes = [], [], []
            if mistake == "grad once" and training:
                steps.zero_grad()
            for rows in torch.arange(len(y)).split(batch_size):
                with torch.set_grad_enabled(training):
                    out = model(x[rows])
                    loss = F.cross_entropy(out, y[rows])
                if training:
                    if mistake not in ("grad once", "no zero_grad"):
                        steps.zero_grad()
                    loss.backward()
                    steps.step()
                    if scheduler and mistake == "each batch":
                        scheduler.step()
                losses.append(float(loss.detach()))
                hits.append(int((out.argmax(1) == y[rows]).sum()))
                sizes.append(len(rows))
            mean = np.mean(losses) if mistake == "mean of batches" else np.average(losses, weights=sizes)
            share = np.mean(np.divide(hits, sizes)) if mistake == "mean of batches" else sum(hits) / sum(sizes)
            history[f"{part}_loss"].append(float(mean))
            history[f"{part}_accuracy"].append(float(share))
            if mistake == "summed" or mistake == "percent":
                history[f"{part}_loss"][-1] *= sum(sizes) if mistake == "summed" else 1
                history[f"{part}_accuracy"][-1] *= sum(sizes) if mistake == "summed" else 100
            if scheduler and mistake == "each phase":
                scheduler.step()
        if scheduler and mistake not in ("each batch", "each phase", "too early", "no scheduler"):
            scheduler.step()
        states.append(copy.deepcopy(model.state_dict()))
    return history, states


MISTAKES = {
    "that of gradients that are never cleared (is zero_grad() missing?)": "no zero_grad",
    "that of gradients cleared once an epoch, in place of once a batch": "grad once",
    "a mean over batches: the last, smaller batch must count less": "mean of batches",
    "that of a scheduler stepped after every batch, in place of every epoch": "each batch",
    "that of a scheduler stepped after each phase, which is twice an epoch": "each phase",
    "that of a scheduler stepped at the start of an epoch, in place of its end": "too early",
    "that of a scheduler that is never stepped": "no scheduler",
    "that of a loop that stays in train mode for the validation": "train mode",
    "that of a loop that is never in train mode": "eval mode",
    "a sum over the samples: divide by their number": "summed",
    "a percentage in place of a fraction": "percent",
}


def instance(rng, epochs, tie, **options):
    """A start and data for which the best epoch is neither the first nor the last; with `tie`, it is reached twice.

    Then the validation is one batch: equals stay equal, in whatever way a loop adds up the accuracy.
    """
    for _ in range(400):
        state = start(rng, 5, 4)
        data = {"train": samples(rng, 46, 5, 4), "val": samples(rng, 16 if tie else 27, 5, 4)}
        history, states = right_one(state, data, 16, epochs=epochs, **options)
        values = history["val_accuracy"]
        best = int(np.argmax(values))
        again = values.count(values[best]) > 1
        clear = max(values) > values[-1] and 0 < best < epochs - 1
        # A loop that goes by the loss, or by the training accuracy, must end elsewhere.
        others = {int(np.argmin(history["val_loss"])), int(np.argmax(history["train_accuracy"]))}
        if clear and again == tie and best not in others:
            return state, data, history, states
    raise AssertionError("no instance was found")


def run(student, state, data, device, epochs, optimizer, lr, schedule):
    """What the probe finds, after a look at what comes back and how the network was used."""
    found = student.probe("trained", state, data, 16, optimizer, lr, schedule, epochs, device)
    expect(
        found["pair"],
        "train_model must return the model and the history, a dict.",
        kind="structure",
        pointer=SECTION,
    )
    expect(
        set(found["history"]) >= set(KEYS),
        "The history must have the keys train_loss, train_accuracy, val_loss and val_accuracy.",
        detail=f"received {sorted(found['history'])}",
        kind="keys",
        pointer=SECTION,
    )
    expect(
        all(len(found["history"][key]) == epochs for key in KEYS),
        "Each list of the history must have one entry an epoch.",
        detail=f"{epochs} epochs, received {[len(found['history'][key]) for key in KEYS]} entries",
        kind="length",
        pointer=SECTION,
    )
    return found


def check_history(found, history, state, data, options, epochs):
    """Fail unless the four lists are those of the right loop."""
    received = {key: np.array(found["history"][key], dtype=float) for key in KEYS}
    wanted = {key: np.array(history[key]) for key in KEYS}

    def wrong(mistake):
        return lambda: {
            k: np.array(v) for k, v in right_one(state, data, 16, epochs=epochs, mistake=mistake, **options)[0].items()
        }

    for key in KEYS:
        candidates = {text: (lambda m=m, key=key: wrong(m)()[key]) for text, m in MISTAKES.items()}
        assert_matches(
            received[key],
            wanted[key],
            what=key,
            candidates=candidates,
            rtol=RTOL,
            atol=1e-9,
            dtype=False,
            pointer=SECTION,
        )


def check_modes(found, data, epochs):
    """Fail unless gradients are recorded in train mode only, and each loader is walked through once an epoch."""
    seen = found["seen"]
    expect(
        any(training for training, _, _ in seen),
        "The model is never in train mode.",
        kind="no-train",
        pointer=SECTION,
    )
    expect(
        any(not training for training, _, _ in seen),
        "The validation runs in train mode: is model.eval() missing?",
        kind="no-eval",
        pointer=SECTION,
    )
    expect(
        sum(count for _, grad, count in seen if grad) <= epochs * len(data["train"][1]),
        "Gradients are recorded in the validation phase: switch them off there.",
        kind="val-recorded",
        pointer=SECTION,
    )
    expect(
        all(training for training, grad, _ in seen if grad),
        "After a validation the model trains on in eval mode: call model.train() at the start of every train phase.",
        kind="train-in-eval",
        pointer=SECTION,
    )
    expect(
        found["recording"], "train_model switches autograd off and leaves it so.", kind="no-grad-left", pointer=SECTION
    )


def check_best(found, history, states):
    """Fail unless the weights are those after the epoch of the best validation accuracy, the earliest of equals."""
    values = history["val_accuracy"]
    best = int(np.argmax(values))

    def is_state(index):
        return all(
            torch.allclose(found["state"][name], value, rtol=1e-6, atol=1e-8) for name, value in states[index].items()
        )

    if is_state(best):
        return
    latest = max(i for i, value in enumerate(values) if value == values[best])
    expect(
        latest == best or not is_state(latest),
        "Of two equally good epochs the weights of the later one come back: the earlier one counts.",
        kind="later-tie",
        pointer=SECTION,
    )
    expect(
        not is_state(len(states) - 1),
        "The model has the weights of the last epoch, not of the best one. Is the best state_dict copied (deepcopy), "
        "and loaded at the end?",
        kind="last",
        pointer=SECTION,
    )
    expect(
        not is_state(int(np.argmin(history["val_loss"]))),
        "The model has the weights of the lowest validation loss: the best validation accuracy counts.",
        kind="by-loss",
        pointer=SECTION,
    )
    expect(
        not is_state(int(np.argmax(history["train_accuracy"]))),
        "The model has the weights of the best training accuracy: the validation accuracy counts.",
        kind="by-train",
        pointer=SECTION,
    )
    expect(
        np.allclose(np.array(found["history"]["train_loss"], dtype=float), history["train_loss"], rtol=RTOL),
        "The training itself is not that of the question, so the weights differ too: look at the history first.",
        kind="other-training",
        pointer=SECTION,
    )
    norms = [name for name in found["state"] if name.startswith("norm.running")]
    rest = [name for name in states[best] if name not in norms and "num_batches" not in name]
    expect(
        not all(torch.allclose(found["state"][n], states[best][n], rtol=1e-6, atol=1e-8) for n in rest),
        "The parameters are those of the best epoch, but BatchNorm's statistics are not: keep the whole state_dict.",
        kind="buffers",
        pointer=SECTION,
    )
    expect(
        False,
        "The model does not come back with the weights that it had after its best epoch.",
        kind="weights",
        pointer=SECTION,
    )


@question("q4", points=0.5, device="cpu")
def test_the_rate_falls_in_steps(student):
    """step_lr is base_lr for seven epochs, a tenth of it for the next seven, and so on; other steps work too."""
    epochs = [0, 1, 4, 6, 7, 8, 13, 14, 20, 21]
    got = np.array([student.step_lr(epoch, 0.3) for epoch in epochs], dtype=float)
    n = np.array(epochs)
    assert_matches(
        got,
        0.3 * 0.1 ** (n // 7).astype(float),
        what="the learning rate",
        candidates={
            "a rate that falls smoothly: the exponent is a whole number": 0.3 * 0.1 ** (n / 7),
            "a rate that falls one epoch too late": 0.3 * 0.1 ** (np.maximum(n - 1, 0) // 7),
            "a rate that falls one epoch too early": 0.3 * 0.1 ** ((n + 1) // 7),
            "a rate that falls in the middle of a step: the exponent is rounded down": 0.3 * 0.1 ** np.rint(n / 7),
            "a rate that falls once only": 0.3 * 0.1 ** np.minimum(n // 7, 1),
            "a rate that falls linearly": 0.3 * (1 - 0.1 * (n // 7)),
        },
        dtype=False,
        pointer=SECTION,
    )
    n = np.arange(8)
    got = [student.step_lr(epoch, 2.0, step_size=3, gamma=0.5) for epoch in n.tolist()]
    assert_matches(
        np.array(got, dtype=float),
        np.array([2, 2, 2, 1, 1, 1, 0.5, 0.5]),
        what="the learning rate with step_size=3 and gamma=0.5",
        candidates={
            "a rate that falls every seven epochs, whatever step_size is": 2 * 0.5 ** (n // 7),
            "a rate that falls to a tenth, whatever gamma is": 2 * 0.1 ** (n // 3),
        },
        dtype=False,
        pointer=SECTION,
    )


@question("q4", points=0.75)
def test_the_history_is_that_of_the_loop(student, rng, device):
    """Losses and accuracies of six epochs agree with the loop of the question (batches of 16, 16 and 14)."""
    options = {"optimizer": "sgd", "lr": 0.1, "schedule": None}
    state, data = start(rng, 5, 4), {"train": samples(rng, 46, 5, 4), "val": samples(rng, 27, 5, 4)}
    history, _ = right_one(state, data, 16, epochs=6, **options)
    found = run(student, state, data, device, 6, **options)
    check_modes(found, data, 6)
    check_history(found, history, state, data, options, 6)
    expect(
        found["passes"] == {"train": 6, "val": 6},
        "Each epoch must walk through each loader once.",
        detail=f"6 epochs, passes {found['passes']}",
        kind="passes",
        pointer=SECTION,
    )


@question("q4", points=0.5)
def test_the_best_weights_come_back(student, rng, device):
    """The model comes back with its weights after the epoch of the best validation accuracy."""
    options = {"optimizer": "sgd", "lr": 0.6, "schedule": None}
    state, data, history, states = instance(rng, 9, False, **options)
    found = run(student, state, data, device, 9, **options)
    check_best(found, history, states)
