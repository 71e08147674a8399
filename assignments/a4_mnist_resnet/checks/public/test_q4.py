"""An epoch and its evaluation, as students receive the checks."""

from __future__ import annotations

import torch
import torch.nn.functional as F

from deepmarks.checks import assert_matches, expect, question

SECTION = "section 4"

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
        for a, t in zip(X.flatten(1).split(batch_size), y.split(batch_size), strict=True):
            if not mistake.startswith(("no zero_grad", "zero_grad once")):
                steps.zero_grad()
            logits = a @ w + b
            logits = logits.softmax(1) if mistake == "softmax" else logits
            loss = F.cross_entropy(logits, t, reduction="sum" if mistake == "sum" else "mean")
            loss.backward()
            batches[-1].append(float(loss.detach()))
            if mistake != "no step":
                steps.step()
    return batches, {"weight": w.detach(), "bias": b.detach()}


STEPS = {
    "no update at all (is step() or backward() missing, or zero_grad() between them?)": "no step",
    "gradients that add up from batch to batch (is optimizer.zero_grad() missing?)": "no zero_grad",
    "gradients that are cleared once an epoch only: clear them for each batch": "zero_grad once",
    "a loss of probabilities: the cross-entropy wants logits": "softmax",
    "training on the sum of the losses of a batch: the cross-entropy is their mean": "sum",
}


def problem(generator, n, shape, classes):
    """Random images and labels, and a linear model's parameters."""
    X, y = torch.randn(n, *shape, generator=generator), torch.randint(classes, (n,), generator=generator)
    features = X[0].numel()
    return torch.randn(features, classes, generator=generator), torch.randn(classes, generator=generator), X, y


def check_epochs(student, data, batch_size, optimizer, epochs, device):
    """Fail unless the parameters and the losses are those written out, with what was done instead."""
    weight, bias, X, y = data
    found = student.probe("epochs_of", *data, batch_size, optimizer, epochs, device)
    expect(
        not found["eval"],
        "train_one_epoch runs the model in eval mode: call model.train() first.",
        kind="eval-mode",
        pointer=SECTION,
    )
    expect(
        sum(found["sizes"]) >= epochs * len(y),
        "train_one_epoch does not show every image: go through the whole loader.",
        detail=f"batches of {found['sizes']} were seen",
        kind="samples",
        pointer=SECTION,
    )
    batches, right = written_out(weight, bias, X, y, batch_size, optimizer, epochs)
    wrong = {
        text: written_out(weight, bias, X, y, batch_size, optimizer, epochs, name)[1] for text, name in STEPS.items()
    }
    got = {name: found[name] for name in ("weight", "bias")}
    what = "the model after training"
    assert_matches(got, right, what=what, candidates=wrong, rtol=1e-3, atol=1e-4, pointer=SECTION)
    sizes = [len(part) for part in y.split(batch_size)]
    n, k = sum(sizes), len(sizes)
    means = [sum(m * loss for m, loss in zip(sizes, epoch, strict=True)) / n for epoch in batches]
    after = F.cross_entropy(X.flatten(1) @ right["weight"] + right["bias"], y)
    wrong_losses = {
        "the mean over the batches: a smaller last batch then counts too much": [sum(e) / k for e in batches],
        "the loss of the last batch only": [e[-1] for e in batches],
        "the sum over the batches": [sum(e) for e in batches],
        "the sum over the images: divide by their number": [n * value for value in means],
        "the batches' means divided by the number of images: multiply each by its size first": [
            sum(e) / n for e in batches
        ],
        "the sum over the images divided by the number of batches": [n * value / k for value in means],
        "the sum over the images divided by the size of full batches times their number": [
            n * value / (k * sizes[0]) for value in means
        ],
        "every batch weighted like the first one": [sum(e) * sizes[0] / n for e in batches],
        "the loss after the epoch: each batch counts as it was before its step": [*means[:-1], float(after)],
    }
    assert_matches(
        found["losses"], means, what="the result of train_one_epoch", candidates=wrong_losses, rtol=10 * LOSS_RTOL,
        atol=LOSS_RTOL, dtype=False, pointer=SECTION,
    )  # fmt: skip


def shares(weight, bias, X, y, batch_size):
    """The right accuracy and accuracies per class, and what typical mistakes give for each."""
    logits = X.flatten(1) @ weight + bias
    guess, classes = logits.argmax(1), logits.shape[1]
    hits, other = (guess == y).double(), (logits.argmin(1) == y).double()

    def per_class(values, by):
        return torch.stack([values[by == c].mean() for c in range(classes)])  # the mean of nothing is NaN

    recall = per_class(hits, y)
    batches = torch.stack([part.mean() for part in hits.split(batch_size)])
    counts = torch.bincount(y, minlength=classes).double()
    right_ones = torch.bincount(y[guess == y], minlength=classes).double()
    overall = {
        "the result in training mode (is model.eval() missing?)": float(other.mean()),
        "a percentage: a share between 0 and 1 is asked for": 100 * float(hits.mean()),
        "the number of right answers, not their share": float(hits.sum()),
        "the share of wrong answers": 1 - float(hits.mean()),
        "the mean over the batches: a smaller last batch then counts too much": float(batches.mean()),
        "the accuracy of the last batch only": float(batches[-1]),
        "the accuracy of the first batch only": float(batches[0]),
        "the mean of the accuracies of the classes: every image counts the same": float(recall.nanmean()),
    }
    single = {
        "the result in training mode (is model.eval() missing?)": per_class(other, y),
        "percentages: shares between 0 and 1 are asked for": 100 * recall,
        "numbers of right answers, not shares": right_ones,
        "shares among the predictions of each class (the precision): divide by the images of the class": per_class(
            hits, guess
        ),
        "shares in all images: divide by the images of the class": right_ones / len(y),
        "shares in all right answers: divide by the images of the class": right_ones / right_ones.sum(),
        "the shares of wrong answers": 1 - recall,
        "the share of each class in the images": counts / len(y),
        "the accuracies of the last batch only": per_class(hits.split(batch_size)[-1], y.split(batch_size)[-1]),
    }
    return float(hits.mean()), overall, recall, single


def check_evaluate(student, data, batch_size, training, device):
    """Fail unless both results are right and the model is as it was, with what was done instead."""
    weight, bias, X, y = data
    found = student.probe("measured", *data, batch_size, training, device)
    expect(
        found["pair"],
        "evaluate must return two things: the accuracy and the accuracies per class.",
        kind="structure",
        pointer=SECTION,
    )
    accuracy, wrong, recall, wrong_classes = shares(weight, bias, X, y, batch_size)
    got, single = found["accuracy"], found["per class"]
    expect(
        isinstance(got, int | float),
        "The accuracy that evaluate returns must be one number.",
        detail=f"received {type(got).__name__}",
        kind="type",
        pointer=SECTION,
    )
    assert_matches(
        float(got), accuracy, what="the accuracy", candidates=wrong, rtol=1e-5, dtype=False, pointer=SECTION
    )  # fmt: skip
    expect(
        isinstance(single, torch.Tensor) and single.is_floating_point(),
        "The accuracies per class must be a float tensor.",
        detail=f"received {type(single).__name__}",
        kind="type",
        pointer=SECTION,
    )
    expect(
        single.shape == recall.shape,
        "The accuracies per class must have one entry for each class, also for those without images.",
        detail=f"received the shape {tuple(single.shape)}, expected {tuple(recall.shape)}",
        kind="shape",
        pointer=SECTION,
    )
    empty = recall.isnan()
    present = {text: value[~empty] for text, value in wrong_classes.items()}
    assert_matches(
        single[~empty].double(), recall[~empty], what="the accuracy of each class", candidates=present, rtol=1e-5,
        dtype=False, pointer=SECTION,
    )  # fmt: skip
    expect(
        not bool((single[empty] == 0).any()),
        "A class without images has the accuracy 0 instead of NaN: zero would say that all its images were wrong.",
        kind="zero-for-nan",
        pointer=SECTION,
    )
    expect(
        bool(single[empty].isnan().all()),
        "A class without images must have the accuracy NaN.",
        kind="no-nan",
        pointer=SECTION,
    )
    return found


@question("q4", points=0.75)
def test_one_epoch_of_ten_images(student, torch_rng, device):
    """Ten images in batches of 4, 4 and 2: three steps of SGD, and the mean cross-entropy per image."""
    weight, bias, X, y = data = problem(torch_rng, 10, (1, 2, 3), 3)
    y[8:] = (X[8:].flatten(1) @ weight + bias).argmin(1)  # the small batch is the worst
    check_epochs(student, data, 4, "sgd", 1, device)


@question("q4", points=1)
def test_accuracy_overall_and_per_class(student, torch_rng, device):
    """Eleven images, four classes, one of them empty: accuracy, accuracy per class (NaN there), the mode as it was."""
    weight, bias, X, y = problem(torch_rng, 11, (1, 3, 2), 4)
    scores = X.flatten(1) @ weight + bias
    y = scores[:, :3].argmax(1)
    y[[1, 4, 10]] = (y[[1, 4, 10]] + 1) % 3
    for training in (True, False):
        found = check_evaluate(student, (weight, bias, X, y), 4, training, device)
        expect(
            found["mode"] == found["inner mode"] == training,
            "evaluate leaves the model in eval mode, though it was in training mode before."
            if training
            else "evaluate leaves the model in training mode, though it was in eval mode before.",
            kind="mode-not-restored",
            pointer=SECTION,
        )
