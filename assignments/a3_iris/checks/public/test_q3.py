"""The training loop, as students receive the checks."""

from __future__ import annotations

import torch
import torch.nn.functional as F

from deepmarks.checks import assert_matches, expect, question

SECTION = "section 3"
LOSS_RTOL = 1e-4
"""Sums of float32 losses; the last digits depend on how they are added up, and a step passes them on."""


def steps_of(name, parameters):
    """The optimisers of the probes, built here once more."""
    match name:
        case "sgd":
            return torch.optim.SGD(parameters, 0.5)
        case "momentum":
            return torch.optim.SGD(parameters, 0.3, momentum=0.8)
    return torch.optim.Adam(parameters, 0.1)


def written_out(weight, bias, X, y, batch_size, optimizer, epochs, mistake=""):
    """The losses of the batches in each epoch, and the parameters afterwards, of a linear model; or of a mistake."""
    w, b = weight.clone().requires_grad_(True), bias.clone().requires_grad_(True)
    steps, batches = steps_of(optimizer, [w, b]), []
    for _ in range(epochs):
        batches.append([])
        if mistake == "zero_grad once":
            steps.zero_grad()
        for a, t in zip(X.split(batch_size), y.split(batch_size), strict=True):
            if not mistake.startswith(("no zero_grad", "zero_grad once")):
                steps.zero_grad()
            logits = a @ w + b
            logits = -logits if mistake == "eval" else logits.softmax(1) if mistake == "softmax" else logits
            loss = F.cross_entropy(logits, t)
            if mistake != "no backward":
                loss.backward()
            batches[-1].append(float(loss.detach()))
            if mistake == "zero_grad late":
                steps.zero_grad()
            if mistake == "uphill":
                w.grad, b.grad = -w.grad, -b.grad
            if mistake != "no step":
                steps.step()
        if mistake == "step once":
            steps.step()
    return batches, {"weight": w.detach(), "bias": b.detach()}


def mean(batches, sizes):
    """The mean over the samples."""
    return [sum(n * loss for n, loss in zip(sizes, epoch, strict=True)) / sum(sizes) for epoch in batches]


def problem(generator, n, features, classes):
    """Random inputs and labels, and a linear model's parameters."""
    X, y = torch.randn(n, features, generator=generator), torch.randint(classes, (n,), generator=generator)
    return torch.randn(features, classes, generator=generator), torch.randn(classes, generator=generator), X, y


@question("q3", points=0.75)
def test_one_epoch_moves_the_parameters(student, torch_rng, device):
    """Ten samples in batches of 4, 4 and 2: the parameters end where three steps of SGD lead."""
    weight, bias, X, y = data = problem(torch_rng, 10, 5, 3)
    found = student.probe("epochs_of", *data, 4, "cross-entropy", "sgd", 1, device)
    expect(
        not found["eval"],
        "train_epoch runs the model in eval mode: it must train in training mode.",
        kind="eval-mode",
        pointer=SECTION,
    )
    expect(
        sum(found["sizes"]) >= 10,
        "train_epoch does not show every sample: go through the whole loader.",
        detail=f"batches of {found['sizes']} were seen",
        kind="samples",
        pointer=SECTION,
    )
    _, right = written_out(weight, bias, X, y, 4, "sgd", 1)
    mistakes = {
        "no update at all (is step() or backward() missing, or zero_grad() between them?)": "no step",
        "gradients that add up from batch to batch (is optimizer.zero_grad() missing?)": "no zero_grad",
        "steps uphill": "uphill",
        "a loss of probabilities: the criterion wants logits": "softmax",
    }
    got = {name: found[name] for name in ("weight", "bias")}
    wrong = {text: written_out(weight, bias, X, y, 4, "sgd", 1, name)[1] for text, name in mistakes.items()}
    assert_matches(got, right, what="the model after one epoch", candidates=wrong, rtol=1e-4, pointer=SECTION)


@question("q3", points=0.5)
def test_loss_is_the_mean_over_the_samples(student, torch_rng, device):
    """train_epoch returns the mean loss per sample: with batches of 4, 4 and 2 the last counts half."""
    weight, bias, X, y = data = problem(torch_rng, 10, 4, 3)
    y[8:] = (X[8:] @ weight + bias).argmin(1)  # the small batch is the worst
    sizes = [4, 4, 2]
    found = student.probe("epochs_of", *data, 4, "cross-entropy", "sgd", 1, device)
    batches, _ = written_out(weight, bias, X, y, 4, "sgd", 1)
    # Whoever moves the parameters wrongly loses for that above, not here again.
    for name in ("no step", "no zero_grad", "zero_grad late", "softmax"):
        other, state = written_out(weight, bias, X, y, 4, "sgd", 1, name)
        if torch.allclose(state["weight"], found["weight"].cpu(), rtol=1e-4, atol=1e-5):
            batches = other
    (losses,) = batches
    after = F.cross_entropy(X @ found["weight"].cpu() + found["bias"].cpu(), y)
    wrong = {
        "the mean over the batches: a smaller last batch then counts too much": sum(losses) / 3,
        "the loss of the last batch only": losses[-1],
        "the sum over the batches": sum(losses),
        "the sum over the samples: divide by their number": mean(batches, sizes)[0] * 10,
        "the batches' means divided by the number of samples: multiply each by its size first": sum(losses) / 10,
        "the sum over the samples divided by the number of batches": mean(batches, sizes)[0] * 10 / 3,
        "the loss after the epoch: each batch counts as it was before its step": float(after),
        "every batch weighted like the first one": sum(losses) * 4 / 10,
    }
    assert_matches(
        found["losses"][0], mean(batches, sizes)[0], what="the result of train_epoch", candidates=wrong,
        rtol=LOSS_RTOL, dtype=False, pointer=SECTION,
    )  # fmt: skip


def wrong_accuracies(weight, bias, X, y):
    """What typical mistakes give, by what the student reads."""
    logits = X @ weight + bias
    hits = (logits.argmax(1) == y).double()
    return {
        "the result in training mode (is model.eval() missing?)": float((logits.argmin(1) == y).double().mean()),
        "a percentage: a share between 0 and 1 is asked for": 100 * float(hits.mean()),
        "the number of right answers, not their share": float(hits.sum()),
        "the share of wrong answers": 1 - float(hits.mean()),
        "the argmax over the samples: take it over the classes": float(
            (logits.argmax(0)[: len(y)] == y[: logits.shape[1]]).double().mean()
        ),
        "the mean probability of the true class": float(logits.softmax(1)[range(len(y)), y].mean()),
    }


@question("q3", points=0.75)
def test_accuracy_restores_the_mode(student, torch_rng, device):
    """The accuracy is the share of right answers in eval mode; afterwards the model is in the mode in which it came."""
    weight, bias, X, y = problem(torch_rng, 11, 4, 3)
    y = (X @ weight + bias).argmax(1)
    y[[1, 4, 7]] = (y[[1, 4, 7]] + 1) % 3  # eight of eleven are right
    for training in (True, False):
        found = student.probe("measured", weight, bias, X, y, training, device)
        assert_matches(
            found["result"], 8 / 11, what="the result of accuracy",
            candidates=wrong_accuracies(weight, bias, X, y), rtol=1e-5, dtype=False, pointer=SECTION,
        )  # fmt: skip
        expect(
            found["mode"] == found["inner mode"] == training,
            "accuracy leaves the model in eval mode, though it was in training mode before."
            if training
            else "accuracy leaves the model in training mode, though it was in eval mode before.",
            kind="mode-not-restored",
            pointer=SECTION,
        )
