"""The gradient by hand, as students receive the checks."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from deepmarks.checks import assert_matches, expect, fairly, question

SECTION = "section 5"
EARLIER = {
    "collapse": "probes.library_collapse",
    "extend": "probes.library_extend",
    "min_time_steps": "probes.library_min_time_steps",
    "ctc_alpha": "probes.library_alpha_value",
    "ctc_loss": "probes.library_ctc_loss_value",
}


def library_gradient(logits, labels, blank=0):
    leaf = logits.clone().requires_grad_(True)
    target = torch.tensor(labels, dtype=torch.int64).reshape(1, -1)
    loss = F.ctc_loss(leaf.log_softmax(1)[:, None], target, [len(logits)], [len(labels)], blank, "sum")
    return torch.autograd.grad(loss, leaf)[0]


def compare(got, expected, logits, what, more=None):
    softmax = logits.softmax(1)
    posterior = softmax - expected
    expect(
        not (isinstance(got, torch.Tensor) and got.isnan().any()),
        "ctc_grad gives NaN.",
        detail=f"ctc_grad gave {got}",
        kind="gradient-nan",
        pointer=SECTION,
    )
    assert_matches(
        got,
        expected,
        what=what,
        axes=("step", "class"),
        candidates={
            **(more or {}),
            "minus the posterior: the gradient for log_probs, not for the logits": -posterior,
            "the posterior alone": posterior,
            "the softmax alone, without the posterior": softmax,
            "the gradient with exp(logits) where softmax(logits) is due": logits.exp() - posterior,
            "the gradient, averaged over the steps": expected / len(logits),
        },
        pointer=SECTION,
    )


@question("q5", points=0.75)
def test_gradient_of_one_step(student, torch_rng):
    """With one step and one label the gradient is softmax minus one-hot, as in cross-entropy."""
    logits = torch.randn(1, 4, generator=torch_rng, dtype=torch.float64)
    softmax, one_hot = logits.softmax(1), F.one_hot(torch.tensor([2]), 4)

    def check(stand_in):
        got = student.call("ctc_grad", logits, [2], stand_in=stand_in)
        twice = {"the gradient with the emission counted twice: both alpha and beta hold it": softmax * (1 - one_hot)}
        compare(got, softmax - one_hot, logits, "the gradient of one step", twice)

    fairly(check, EARLIER)


@pytest.mark.parametrize("labels", [[1, 2], [2, 2], []])
@question("q5", points=0.75)
def test_gradient_of_five_steps(student, torch_rng, labels):
    """The gradient equals that of F.ctc_loss through log_softmax; impossible labels give zeros."""
    logits = torch.randn(5, 3, generator=torch_rng, dtype=torch.float64)
    expected = library_gradient(logits, labels)

    def check(stand_in):
        got = student.call("ctc_grad", logits, labels, stand_in=stand_in)
        compare(got, expected, logits, "the gradient")
        got = student.call("ctc_grad", logits[:2], [1, 2, 1], stand_in=stand_in)
        nothing = torch.zeros(2, 3, dtype=torch.float64)
        softmax = {"the softmax, where zeros are asked for": logits[:2].softmax(1)}
        compare(got, nothing, logits[:2], "the gradient for impossible labels", softmax)

    fairly(check, EARLIER)
