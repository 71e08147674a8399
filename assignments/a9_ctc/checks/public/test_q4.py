"""The loss, as students receive the checks."""

from __future__ import annotations

import itertools
import math

import torch
import torch.nn.functional as F

from deepmarks.checks import assert_matches, expect, fairly, question

SECTION = "section 4"
EARLIER = {
    "collapse": "probes.library_collapse",
    "extend": "probes.library_extend",
    "min_time_steps": "probes.library_min_time_steps",
    "ctc_alpha": "probes.library_alpha",
}


def paths_of(log_probs, labels, blank):
    """The probabilities of all paths that collapse to the labels: of those that end in a blank, and of the others."""
    steps, classes = log_probs.shape
    found = {True: [], False: []}
    for path in itertools.product(range(classes), repeat=steps):
        if [k for k, _ in itertools.groupby(path) if k != blank] == labels:
            log_p = sum(float(log_probs[t, k]) for t, k in enumerate(path))
            found[path[-1] == blank].append(math.exp(log_p))
    return found[True], found[False]


def loss_of(parts):
    return torch.tensor(sum(parts), dtype=torch.float64).log().neg()


@question("q4", points=0.5)
def test_loss_of_small_cases(student, torch_rng):
    """The loss is -log of the summed probability of all paths (four steps, three classes), also without labels."""
    log_probs = torch.randn(4, 3, generator=torch_rng, dtype=torch.float64).log_softmax(1)

    def check(stand_in):
        for labels, blank in (([1, 2], 0), ([2, 2], 0), ([0], 2), ([], 0), ([], 1)):
            in_blank, in_label = paths_of(log_probs, labels, blank)
            every = in_blank + in_label
            got = student.call("ctc_loss", log_probs, labels, blank, stand_in=stand_in)
            assert_matches(
                got,
                loss_of(every),
                what="the loss" if labels else "the loss without labels",
                candidates={
                    "the log-probability, without the minus": -loss_of(every),
                    "the probability: take minus its logarithm": torch.tensor(sum(every), dtype=torch.float64),
                    "the loss of those paths only that end in a blank": loss_of(in_blank) if in_label else None,
                    "the loss of those paths only that end in the last label": loss_of(in_label) if in_label else None,
                    "the loss of the best path alone: add all paths up": loss_of([max(every)]),
                    "the loss, divided by the number of steps": loss_of(every) / 4,
                },
                pointer=SECTION,
            )
        for labels in ([1, 2, 1, 2, 1], [1, 1, 1]):
            got = student.call("ctc_loss", log_probs, labels, stand_in=stand_in)
            assert_matches(
                got,
                torch.tensor(math.inf, dtype=torch.float64),
                what="the loss of labels that need more steps than there are",
                candidates={"zero, where +inf is asked for": torch.tensor(0.0, dtype=torch.float64)},
                pointer=SECTION,
            )

    fairly(check, EARLIER)


@question("q4", points=0.75)
def test_gradient_is_finite_and_right(student, torch_rng):
    """Through log_softmax the gradient equals that of F.ctc_loss, and is not NaN (six steps, labels 1, 2, 2)."""
    logits = torch.randn(6, 4, generator=torch_rng, dtype=torch.float64)
    labels = [1, 2, 2]
    leaf = logits.clone().requires_grad_(True)
    loss = F.ctc_loss(leaf.log_softmax(1), torch.tensor(labels), torch.tensor(6), torch.tensor(3), reduction="sum")
    (expected,) = torch.autograd.grad(loss, leaf)

    def check(stand_in):
        got = student.call("ctc_loss", logits.log_softmax(1), labels, stand_in=stand_in)
        assert_matches(got, loss.detach(), what="the loss", pointer=SECTION)

    # Only a wrong value excuses: that the gradient flows and is finite is asked for here, and nowhere before.
    value, slopes = student.probe("loss_and_slopes", logits, labels, 0, stand_in=fairly(check, EARLIER))
    assert_matches(value, loss.detach(), what="the loss", pointer=SECTION)
    expect(
        slopes is not None,
        "No gradient flows from ctc_loss back to log_probs: was something detached or turned into plain numbers?",
        kind="detached",
        pointer=SECTION,
    )
    expect(
        not slopes.isnan().any(),
        "The gradient of ctc_loss is NaN although the loss is finite: a log-sum-exp over nothing but -inf does that.",
        detail=f"the gradient is {slopes}",
        kind="gradient-nan",
        pointer="sections 3 and 4",
    )
    axes = ("step", "class")
    assert_matches(slopes, expected, what="the gradient of the loss", axes=axes, pointer="sections 3 and 4")


@question("q4", points=0.75)
def test_reductions_of_a_small_batch(student, torch_rng):
    """ctc_loss_batch with the reductions none, sum and mean, for three samples of different lengths."""
    log_probs = torch.randn(7, 3, 5, generator=torch_rng, dtype=torch.float64).log_softmax(2)
    targets = torch.tensor([[1, 2, 2], [3, 4, 1], [4, 3, 2]])
    frames, sizes = torch.tensor([7, 4, 6]), torch.tensor([3, 1, 2])
    each = F.ctc_loss(log_probs, targets, frames, sizes, reduction="none")
    all_frames = torch.tensor([7, 7, 7])
    long = F.ctc_loss(log_probs, targets, all_frames, sizes, reduction="none")
    padded = F.ctc_loss(log_probs, targets, frames, torch.tensor([3, 3, 3]), reduction="none")

    def check(stand_in):
        got = student.call("ctc_loss_batch", log_probs, targets, frames, sizes, reduction="none", stand_in=stand_in)
        assert_matches(
            got,
            each,
            what="the vector of losses",
            candidates={
                "losses over all steps: input_lengths says how many count": long,
                "losses for all targets, the padding included: target_lengths says how many count": padded,
                "losses, each divided by its target length: only the reduction mean does that": each / sizes,
                "the mean over the batch: the reduction none keeps one loss for each sample": each.mean(),
            },
            pointer=SECTION,
        )
        got = student.call("ctc_loss_batch", log_probs, targets, frames, sizes, reduction="sum", stand_in=stand_in)
        assert_matches(
            got,
            each.sum(),
            what="the sum of the losses",
            candidates={"the mean where the sum is asked for": each.mean()},
            pointer=SECTION,
        )
        got = student.call("ctc_loss_batch", log_probs, targets, frames, sizes, stand_in=stand_in)
        assert_matches(
            got,
            (each / sizes).mean(),
            what="the mean of the losses",
            candidates={
                "the plain mean: divide each loss by its target length first": each.mean(),
                "the sum of the losses over the sum of the target lengths: divide each loss by its own": (
                    each.sum() / sizes.sum()
                ),
                "the mean of losses that are divided by their input lengths: the target lengths are due": (
                    (each / frames).mean()
                ),
                "the sum of the losses by target length, without the mean over the batch": (each / sizes).sum(),
            },
            pointer=SECTION,
        )

    fairly(check, EARLIER)
