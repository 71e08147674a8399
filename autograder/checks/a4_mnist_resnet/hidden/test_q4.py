"""An epoch and its evaluation, as the grader checks it."""

from __future__ import annotations

import pytest
import torch

from deepmarks.checks import expect, question
from public.test_q4 import SECTION, check_epochs, check_evaluate, problem


@pytest.mark.parametrize(
    ("n", "batch_size", "optimizer"), [(13, 5, "momentum"), (11, 10, "adam"), (7, 20, "adam"), (9, 1, "sgd")]
)
@question("q4", points=0.75)
def test_other_optimisers_and_batches(student, torch_rng, device, n, batch_size, optimizer):
    """Three epochs with momentum and Adam, batches of 1 to 20: parameters and losses are those written out."""
    check_epochs(student, problem(torch_rng, n, (1, 3, 2), 4), batch_size, optimizer, 3, device)


@pytest.mark.parametrize(
    ("n", "batch_size", "classes", "training"),
    [(23, 9, 5, True), (17, 17, 2, False), (6, 4, 12, True), (14, 1, 3, False)],
)
@question("q4", points=0.5)
def test_other_numbers_of_classes(student, torch_rng, device, n, batch_size, classes, training):
    """Two to twelve classes, some without images, and batches of other sizes: both results agree."""
    weight, bias, X, y = problem(torch_rng, n, (1, 2, 4), classes)
    if n > 10:
        y = torch.where(torch.rand(n, generator=torch_rng) < 0.5, (X.flatten(1) @ weight + bias).argmax(1), y)
    found = check_evaluate(student, (weight, bias, X, y), batch_size, training, device)
    expect(
        found["mode"] == found["inner mode"] == training,
        "evaluate does not leave the model in the mode in which it came.",
        kind="mode-not-restored",
        pointer=SECTION,
    )


@question("q4", points=0.5)
def test_evaluate_only_looks(student, torch_rng, device):
    """Evaluating changes neither weights nor gradients, builds no graph, and leaves autograd switched on."""
    weight, bias, X, y = problem(torch_rng, 8, (1, 2, 2), 3)
    found = student.probe("measured", weight, bias, X, y, 3, True, device)
    expect(found["images"] >= 8, "evaluate does not show every image to the model.", kind="not-run", pointer=SECTION)
    expect(found["unchanged"], "evaluate changes the model's weights.", kind="weights-changed", pointer=SECTION)
    expect(
        found["trainable"],
        "evaluate leaves parameters without requires_grad, so the model can't be trained any more.",
        kind="frozen",
        pointer=SECTION,
    )
    expect(found["gradient kept"], "evaluate changes the model's gradients.", kind="grad-changed", pointer=SECTION)
    expect(found["recording"], "evaluate switches autograd off and leaves it so.", kind="no-grad-left", pointer=SECTION)
    expect(
        not found["graph"] and not found["attached"],
        "evaluate lets autograd record a graph, which costs memory and time: is torch.no_grad() missing?",
        kind="graph",
        pointer=SECTION,
    )
    expect(
        not found["in training"],
        "evaluate runs the model in training mode: is model.eval() missing?",
        kind="no-eval",
        pointer=SECTION,
    )
