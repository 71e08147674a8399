"""The training loop, as the grader checks it."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from deepmarks.checks import assert_matches, expect, question

SECTION = "section 3"
LOSS_RTOL = 1e-4
"""Sums of float32 losses; the last digits depend on how they are added up, and a step passes them on."""
OPTIMIZERS = {
    "momentum": lambda parameters: torch.optim.SGD(parameters, 0.3, momentum=0.8),
    "adam": lambda parameters: torch.optim.Adam(parameters, 0.1),
}
CRITERIA = {"cross-entropy": F.cross_entropy, "margin": F.multi_margin_loss}


def written_out(weight, bias, X, y, batch_size, criterion, optimizer, epochs, mistake=""):
    """The mean losses of the epochs and the parameters afterwards, of a linear model; or of a mistake."""
    w, b = weight.clone().requires_grad_(True), bias.clone().requires_grad_(True)
    steps, means = OPTIMIZERS[optimizer]([w, b]), []
    for _ in range(epochs):
        total = 0.0
        if mistake == "zero_grad once":
            steps.zero_grad()
        for a, t in zip(X.split(batch_size), y.split(batch_size), strict=True):
            if not mistake.endswith(("no zero_grad", "zero_grad once")):
                steps.zero_grad()
            logits = a @ w + b
            loss = CRITERIA["cross-entropy" if mistake == "criterion" else criterion](logits, t)
            loss.backward()
            total += float(loss.detach()) * (1 if mistake == "batches" else len(t))
            if mistake != "no step":
                steps.step()
        means.append(total / (len(X.split(batch_size)) if mistake == "batches" else len(X)))
    return means, {"weight": w.detach(), "bias": b.detach()}


def problem(generator, n, features, classes):
    """Random inputs and labels, and a linear model's parameters."""
    X, y = torch.randn(n, features, generator=generator), torch.randint(classes, (n,), generator=generator)
    return torch.randn(features, classes, generator=generator), torch.randn(classes, generator=generator), X, y


@pytest.mark.parametrize(
    ("n", "batch_size", "criterion", "optimizer"),
    [(13, 5, "margin", "momentum"), (11, 10, "cross-entropy", "adam"), (7, 20, "margin", "adam")],
)
@question("q3", points=1)
def test_other_losses_and_optimisers(student, torch_rng, device, n, batch_size, criterion, optimizer):
    """Three epochs with other criteria, optimisers and batch sizes: parameters and losses are those written out."""
    weight, bias, X, y = problem(torch_rng, n, 5, 4)
    setting = weight, bias, X, y, batch_size, criterion, optimizer
    found = student.probe("epochs_of", *setting, 3, device)
    expect(
        not found["eval"],
        "train_epoch runs the model in eval mode: it must train in training mode.",
        kind="eval-mode",
        pointer=SECTION,
    )
    means, state = written_out(*setting, 3)
    mistakes = {
        "no update at all (is step() or backward() missing, or zero_grad() between them?)": "no step",
        "gradients that add up from batch to batch (is optimizer.zero_grad() missing?)": "no zero_grad",
        "gradients that are cleared once an epoch only: clear them for each batch": "zero_grad once",
        "a cross-entropy of its own: use the criterion that is given": "criterion",
    }
    wrong = {text: written_out(*setting, 3, name)[1] for text, name in mistakes.items()}
    got = {name: found[name] for name in ("weight", "bias")}
    what = "the model after three epochs"
    assert_matches(got, state, what=what, candidates=wrong, rtol=1e-3, atol=1e-4, pointer=SECTION)
    by_batch, _ = written_out(*setting, 3, "batches")
    candidates = {
        "the mean over the batches: a smaller last batch then counts too much": by_batch,
        "the sum over the samples: divide by their number": [n * value for value in means],
    }
    assert_matches(
        found["losses"], means, what="the results of train_epoch", candidates=candidates, rtol=10 * LOSS_RTOL,
        atol=LOSS_RTOL, dtype=False, pointer=SECTION,
    )  # fmt: skip


@pytest.mark.parametrize(("n", "classes", "training"), [(9, 5, True), (1, 3, True), (17, 2, False), (3, 3, True)])
@question("q3", points=0.5)
def test_accuracy_of_other_models(student, torch_rng, device, n, classes, training):
    """Other numbers of samples and classes, one sample too, in either mode."""
    weight, bias, X, y = problem(torch_rng, n, 6, classes)
    logits = X @ weight + bias
    y[n // 2 :] = logits[n // 2 :].argmax(1)
    found = student.probe("measured", weight, bias, X, y, training, device)
    hits = (logits.argmax(1) == y).double()
    wrong = {
        "the result in training mode (is model.eval() missing?)": float((logits.argmin(1) == y).double().mean()),
        "a percentage: a share between 0 and 1 is asked for": 100 * float(hits.mean()),
        "the number of right answers, not their share": float(hits.sum()),
        "the share of wrong answers": 1 - float(hits.mean()),
    }
    assert_matches(
        found["result"], float(hits.mean()), what="the result of accuracy", candidates=wrong, rtol=1e-5, dtype=False,
        pointer=SECTION,
    )  # fmt: skip
    expect(
        found["mode"] == found["inner mode"] == training,
        "accuracy does not leave the model in the mode in which it came.",
        kind="mode-not-restored",
        pointer=SECTION,
    )


@question("q3", points=0.5)
def test_accuracy_only_looks(student, torch_rng, device):
    """Measuring the accuracy changes neither weights nor gradients, keeps no graph, and leaves autograd switched on."""
    weight, bias, X, y = problem(torch_rng, 8, 4, 3)
    found = student.probe("measured", weight, bias, X, y, True, device)
    expect(found["calls"] > 0, "accuracy does not run the model.", kind="not-run", pointer=SECTION)
    expect(found["unchanged"], "accuracy changes the model's weights.", kind="weights-changed", pointer=SECTION)
    expect(found["gradient kept"], "accuracy changes the model's gradients.", kind="grad-changed", pointer=SECTION)
    expect(found["recording"], "accuracy switches autograd off and leaves it so.", kind="no-grad-left", pointer=SECTION)
    expect(not found["attached"], "The result of accuracy keeps a graph alive.", kind="graph", pointer=SECTION)
    expect(
        not found["in training"],
        "accuracy runs the model in training mode: is model.eval() missing?",
        kind="no-eval",
        pointer=SECTION,
    )
