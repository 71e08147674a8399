"""The loss, as the grader checks it."""

from __future__ import annotations

import itertools
import math

import pytest
import torch
import torch.nn.functional as F

from deepmarks.checks import (
    assert_matches,
    expect,
    fairly,
    numerical_vjp,
    question,
)

SECTION = "section 4"
LONG = 1e-4
"""500 roundings of float32 at numbers near 1000: the error of a right answer is about 1e-5 of them."""
EARLIER = {
    "collapse": "probes.library_collapse",
    "extend": "probes.library_extend",
    "min_time_steps": "probes.library_min_time_steps",
    "ctc_alpha": "probes.library_alpha",
}


def library_loss(log_probs, labels, blank=0):
    target = torch.tensor(labels, dtype=torch.int64).reshape(1, -1)
    return F.ctc_loss(log_probs[:, None], target, [len(log_probs)], [len(labels)], blank, "sum")


def wrong_losses(log_probs, labels, blank):
    """Known mistakes by name."""
    target = torch.tensor(labels, dtype=torch.int64).reshape(1, -1)
    alpha = torch._ctc_loss(log_probs[:, None], target, [len(log_probs)], [len(labels)], blank)[1][0, -1]
    right = -alpha[-2:].logsumexp(0)
    found = {
        "the loss of those paths only that end in the last blank": -alpha[-1],
        "the loss of those paths only that end in the last label": -alpha[-2] if labels else None,
        "the loss over all states at the last step: only the last two are ends": -alpha.logsumexp(0),
        "the loss of the better one of the two ends: add them up": -alpha[-2:].max(),
        "the loss, divided by the number of labels": right / max(1, len(labels)) if len(labels) > 1 else None,
        "the loss, divided by the number of steps": right / len(log_probs) if len(log_probs) > 1 else None,
    }
    if blank and 0 not in labels:
        found["the loss with the blank 0, whatever blank says"] = library_loss(log_probs, labels, 0)
    return {text: wrong for text, wrong in found.items() if wrong is not None and not torch.equal(wrong, right)}


def long_text(generator):
    """Labels of 20 letters, and logits of 500 steps of 20 classes that favour one of their paths.

    The probability is about exp(-900), beyond float64; rescaling at each step is as good as logarithms here.
    """
    text = torch.randint(1, 20, (20,), generator=generator).tolist()
    path = [k for letter in text for k in (*[letter] * 8, *[0] * 17)]
    logits = torch.randn(500, 20, generator=generator)
    logits[range(500), path] += 1.5
    return text, logits


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32], ids=str)
@pytest.mark.parametrize(("labels", "blank"), [([1, 3, 3, 2], 0), ([0, 2, 4, 4, 0], 3), ([4, 1, 1], 5), ([2], 1)])
@question("q4", points=0.5)
def test_loss_of_random_log_probs(student, torch_rng, labels, blank, dtype):
    """The loss equals F.ctc_loss (eleven steps, six classes, any blank); all texts together have probability one."""
    log_probs = torch.randn(11, 6, generator=torch_rng, dtype=dtype).mul(2).log_softmax(1)
    expected = library_loss(log_probs, labels, blank)
    short = torch.randn(3, 3, generator=torch_rng, dtype=torch.float64).log_softmax(1)
    others = [k for k in range(3) if k != min(blank, 2)]

    def check(stand_in):
        got = student.call("ctc_loss", log_probs, labels, blank=blank, stand_in=stand_in)
        candidates = wrong_losses(log_probs, labels, blank)
        assert_matches(got, expected, what="the loss", candidates=candidates, pointer=SECTION)
        if dtype is torch.float64 and len(labels) == 4:
            total = torch.zeros((), dtype=torch.float64)
            for count in range(4):
                for text in itertools.product(others, repeat=count):
                    loss = student.call("ctc_loss", short, list(text), blank=min(blank, 2), stand_in=stand_in)
                    total = total + torch.exp(-torch.as_tensor(loss, dtype=torch.float64))
            one = torch.ones((), dtype=torch.float64)
            assert_matches(total, one, what="the probability of all texts together", pointer=SECTION)

    fairly(check, EARLIER)


@question("q4", points=0.5)
def test_loss_of_extreme_sizes(student, torch_rng):
    """No labels, one step, labels that are impossible (+inf), 500 steps in float32, probabilities of zero."""
    log_probs = torch.randn(6, 4, generator=torch_rng, dtype=torch.float64).log_softmax(1)
    text, long = long_text(torch_rng)
    long = long.log_softmax(1)
    hard = log_probs.clone()
    hard[2, 1] = hard[3, 0] = -math.inf
    single = log_probs[:1]
    cases = [(log_probs, []), (single, []), (single, [2]), (log_probs, [1, 2, 3, 1, 2, 3]), (hard, [1, 3])]
    impossible = [(single, [1, 2]), (log_probs[:2], [3, 3]), (log_probs, [1, 1, 2, 2, 3]), (single, [1, 1])]

    def check(stand_in):
        for logs, labels in cases:
            got = student.call("ctc_loss", logs, labels, stand_in=stand_in)
            assert_matches(
                got,
                library_loss(logs, labels),
                what="the loss of an extreme size" if labels else "the loss without labels",
                candidates=wrong_losses(logs, labels, 0),
                pointer=SECTION,
            )
        for logs, labels in impossible:
            got = student.call("ctc_loss", logs, labels, stand_in=stand_in)
            assert_matches(
                got,
                torch.tensor(math.inf, dtype=torch.float64),
                what="the loss of labels that need more steps than there are",
                candidates={"zero, where +inf is asked for": torch.tensor(0.0, dtype=torch.float64)},
                pointer=SECTION,
            )
        got = student.call("ctc_loss", long, text, stand_in=stand_in)
        expect(
            bool(torch.as_tensor(got).isfinite().all()),
            "The loss of 500 steps is not finite: the probabilities underflow.",
            kind="loss-underflow",
            pointer="section 3",
        )
        expected = library_loss(long.double(), text).float()
        assert_matches(got, expected, what="the loss of 500 steps", rtol=LONG, pointer=SECTION)

    fairly(check, EARLIER)


@pytest.mark.parametrize(
    ("steps", "labels", "blank"), [(9, [1, 3, 3, 2], 0), (4, [0, 2, 2], 3), (5, [], 0), (1, [2], 0), (3, [1, 3, 2], 0)]
)
@question("q4", points=0.5)
def test_gradients_of_the_loss(student, reference, torch_rng, steps, labels, blank):
    """Gradients with respect to logits: those of F.ctc_loss, and finite differences; never NaN."""
    logits = torch.randn(steps, 5, generator=torch_rng, dtype=torch.float64)
    leaf = logits.clone().requires_grad_(True)
    loss = library_loss(leaf.log_softmax(1), labels, blank)
    (expected,) = torch.autograd.grad(loss, leaf)
    one = torch.ones((), dtype=torch.float64)
    numerical = expected
    if steps <= 5:
        numerical = numerical_vjp(lambda z: reference.ctc_loss(z.log_softmax(1), labels, blank), (logits,), one)
    posterior = logits.softmax(1) - expected

    def check(stand_in):
        got = student.call("ctc_loss", logits.log_softmax(1), labels, blank, stand_in=stand_in)
        candidates = wrong_losses(logits.log_softmax(1), labels, blank)
        assert_matches(got, loss.detach(), what="the loss", candidates=candidates, pointer=SECTION)

    # Only a wrong value excuses: that the gradient flows and is finite is asked for here, and nowhere before.
    _, slopes = student.probe("loss_and_slopes", logits, labels, blank, stand_in=fairly(check, EARLIER))
    expect(
        slopes is not None,
        "No gradient flows from ctc_loss back to log_probs: was something detached or turned into plain numbers?",
        kind="detached",
        pointer=SECTION,
    )
    expect(
        not slopes.isnan().any(),
        "The gradient of ctc_loss is NaN although the loss is finite: a log-sum-exp over nothing but -inf does that.",
        kind="gradient-nan",
        pointer="sections 3 and 4",
    )
    candidates = {"minus the posterior, without the softmax": -posterior}
    axes = ("step", "class")
    what = "the gradient of the loss"
    assert_matches(slopes, expected, what=what, axes=axes, candidates=candidates, pointer=SECTION)
    assert_matches(slopes, numerical, what=what, axes=axes, rtol=1e-6, atol=1e-8, pointer=SECTION)


@pytest.mark.parametrize("blank", [0, 4])
@question("q4", points=0.5)
def test_batches_with_padding(student, torch_rng, blank):
    """Batches of different lengths, an empty text and garbage in the padding; every reduction, and the gradient."""
    logits = torch.randn(9, 5, 6, generator=torch_rng, dtype=torch.float64)
    others = torch.tensor([k for k in range(6) if k not in (0, blank)])
    targets = others[torch.randint(4, (5, 4), generator=torch_rng)]
    targets[0] = others[torch.tensor([1, 1, 2, 0])]
    frames, sizes = torch.tensor([9, 8, 5, 7, 2]), torch.tensor([3, 4, 0, 1, 2])
    targets[4, :2] = others[:2]
    weights = torch.randn(5, generator=torch_rng, dtype=torch.float64)
    leaf = logits.clone().requires_grad_(True)
    log_probs = leaf.log_softmax(2)
    each = F.ctc_loss(log_probs, targets, frames, sizes, blank, "none")
    clamped = sizes.clamp(min=1)
    values = {"none": each, "sum": each.sum(), "mean": (each / clamped).mean()}
    logs = log_probs.detach()
    over_all = F.ctc_loss(logs, targets, torch.full((5,), 9), sizes, blank, "none")
    over_padding = F.ctc_loss(logs, targets, frames, torch.full((5,), 4), blank, "none")
    detached = each.detach()
    wrong = {
        "none": {
            "losses over all steps: input_lengths says how many count": over_all,
            "losses for all targets, the padding included: target_lengths says how many count": over_padding,
            "losses, each divided by its target length: only the reduction mean does that": detached / clamped,
            "losses with the blank 0, whatever blank says": (
                F.ctc_loss(logs, targets, frames, sizes, 0, "none") if blank else None
            ),
        },
        "sum": {
            "the mean where the sum is asked for": detached.mean(),
            "the sum of losses that are divided by their target lengths": (detached / clamped).sum(),
        },
        "mean": {
            "the plain mean: divide each loss by its target length first": detached.mean(),
            "the sum of the losses over the sum of the target lengths: divide each loss by its own": (
                detached.sum() / sizes.sum()
            ),
            "the mean of losses that are divided by their input lengths: the target lengths are due": (
                (detached / frames).mean()
            ),
            "a division by the target length 0: it counts as 1": (detached / sizes).mean(),
            "the mean without the empty text": (detached / clamped)[sizes > 0].mean(),
        },
    }

    names = {"none": "the vector of losses", "sum": "the sum of the losses", "mean": "the mean of the losses"}

    def check(stand_in):
        for reduction, value in values.items():
            got = student.call(
                *("ctc_loss_batch", logs, targets, frames, sizes), blank=blank, reduction=reduction, stand_in=stand_in
            )
            what = names[reduction]
            assert_matches(got, value.detach(), what=what, candidates=wrong[reduction], pointer=SECTION)
        tight, long = torch.tensor([9, 8, 1, 2, 2]), torch.tensor([3, 4, 2, 4, 2])
        got = student.call(
            *("ctc_loss_batch", logs, targets, tight, long), blank=blank, reduction="none", stand_in=stand_in
        )
        expected = F.ctc_loss(logs, targets, tight, long, blank, "none")
        assert_matches(got, expected, what="the vector of losses with impossible ones in it", pointer=SECTION)
        got = student.call("ctc_loss_batch", logs, targets, tight, long, blank=blank, stand_in=stand_in)
        expect(
            isinstance(got, torch.Tensor) and bool(torch.isposinf(got).all()),
            "The mean over losses of which some are impossible must be +inf.",
            kind="impossible-mean",
            pointer=SECTION,
        )

    stand_in = fairly(check, EARLIER)
    for reduction, value in values.items():
        total = (value * weights).sum() if reduction == "none" else value
        (expected,) = torch.autograd.grad(total, leaf, retain_graph=True)
        _, slopes = student.probe(
            "batch_loss_and_slopes", logits, targets, frames, sizes, blank, reduction, weights, stand_in=stand_in
        )
        expect(
            slopes is not None,
            "No gradient flows from ctc_loss_batch back to log_probs.",
            kind="detached",
            pointer=SECTION,
        )
        expect(
            not slopes.isnan().any(),
            "The gradient of ctc_loss_batch is NaN although every loss is finite: a log-sum-exp over nothing but -inf "
            "does that.",
            kind="gradient-nan",
            pointer="sections 3 and 4",
        )
        padding = (torch.arange(9)[:, None] >= frames)[:, :, None]
        axes = ("step", "batch", "class")
        what = "the gradient of the batch"
        assert_matches(slopes, expected, what=what, axes=axes, mask=padding, pointer=SECTION)
