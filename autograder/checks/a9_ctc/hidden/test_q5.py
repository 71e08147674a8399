"""The gradient by hand, as the grader checks it."""

from __future__ import annotations

import math

import pytest
import torch

from deepmarks.checks import (
    assert_matches,
    expect,
    fairly,
    numerical_vjp,
    question,
)
from public.test_q5 import EARLIER, SECTION, library_gradient

AXES = ("step", "class")
LONG = 5e-3
"""exp(alpha + beta - log p) in float32: logs near 1000 are rounded to 6e-5, and 500 of these errors add up."""


def table(logs, states, may_skip, start):
    """Forward variables (T, S) as plain numbers."""
    rows = [[logs[0][k] + start(s) for s, k in enumerate(states)]]
    for log in logs[1:]:
        last = rows[-1]
        row = []
        for s, k in enumerate(states):
            before = [last[s]] + ([last[s - 1]] if s else []) + ([last[s - 2]] if s > 1 and may_skip(s) else [])
            top = max(before)
            total = sum(math.exp(value - top) for value in before) if top > -math.inf else 0.0
            row.append(top + math.log(total) + log[k] if total else -math.inf)
        rows.append(row)
    return torch.tensor(rows, dtype=torch.float64)


def posteriors(logits, labels, blank, *, emission_once=True, beta_skips="right", ends=2):
    """The posteriors of states, with one thing wrong in the backward pass."""
    logs = logits.double().log_softmax(1)
    states = [k for label in labels for k in (blank, label)] + [blank]
    back = states[::-1]

    def right(order):
        return lambda s: order[s] != blank and order[s] != order[s - 2]

    def start(count):
        return lambda s: 0.0 if s < count else -math.inf

    rule = {"right": right(back), "labels": lambda s: back[s] != blank, "never": lambda s: False}[beta_skips]
    alpha = table(logs.tolist(), states, right(states), start(2))
    beta = table(logs.flip(0).tolist(), back, rule, start(ends)).flip(0, 1)
    joint = alpha + beta - (logs[:, states] if emission_once else 0.0)
    return states, joint - alpha[-1, -2:].logsumexp(0)


def gather(softmax, states, gamma, chosen=None, assign=False):
    """Softmax minus the posteriors of the classes."""
    result = torch.zeros_like(softmax)
    for s, k in enumerate(states):
        if chosen is None or chosen(s):
            result[:, k] = gamma[:, s].exp() if assign else result[:, k] + gamma[:, s].exp()
    return softmax - result


def wrong_gradients(logits, labels, blank, expected):
    """Known mistakes by name."""
    softmax = logits.double().softmax(1)
    posterior = softmax - expected
    states, gamma = posteriors(logits, labels, blank)
    found = {
        "minus the posterior: the gradient for log_probs, not for the logits": -posterior,
        "the posterior alone": posterior,
        "the softmax alone, without the posterior": softmax,
        "the gradient with exp(logits) where softmax(logits) is due": logits.exp() - posterior,
        "the gradient, averaged over the steps": expected / len(logits),
        "the gradient with the emission counted twice: both alpha and beta hold it": gather(
            softmax, *posteriors(logits, labels, blank, emission_once=False)
        ),
        "the gradient with beta's skips between equal labels, too": gather(
            softmax, *posteriors(logits, labels, blank, beta_skips="labels")
        ),
        "the gradient with a beta that never skips a blank": gather(
            softmax, *posteriors(logits, labels, blank, beta_skips="never")
        ),
        "the gradient with a beta that ends in the last blank only": gather(
            softmax, *posteriors(logits, labels, blank, ends=1)
        ),
        "the gradient with one state for each class: a class that occurs in several states gets the sum of them": (
            gather(softmax, states, gamma, assign=True)
        ),
        "the gradient without the blanks' posterior": gather(softmax, states, gamma, chosen=lambda s: s % 2 == 1),
    }
    if blank and 0 not in labels:
        found["the gradient with the blank 0, whatever blank says"] = library_gradient(logits, labels, 0)
    return {text: wrong for text, wrong in found.items() if not torch.allclose(wrong, expected, atol=1e-6)}


def long_text(generator):
    """Labels of 20 letters, and logits of 500 steps of 20 classes that favour one of their paths.

    The probability is about exp(-900), beyond float64; rescaling at each step is as good as logarithms here.
    """
    text = torch.randint(1, 20, (20,), generator=generator).tolist()
    path = [k for letter in text for k in (*[letter] * 8, *[0] * 17)]
    logits = torch.randn(500, 20, generator=generator)
    logits[range(500), path] += 1.5
    return text, logits


def check_finite(got):
    expect(
        not (isinstance(got, torch.Tensor) and got.isnan().any()), "ctc_grad gives NaN.", kind="nan", pointer=SECTION
    )


@pytest.mark.parametrize(
    ("steps", "labels", "blank"),
    [(8, [1, 3, 2], 0), (9, [1, 3, 3, 1], 0), (7, [0, 2, 2], 3), (6, [4, 1, 1], 5), (4, [1, 2, 2], 0)],
)
@question("q5", points=0.75)
def test_gradients_of_random_logits(student, torch_rng, steps, labels, blank):
    """The gradient equals autograd's through F.ctc_loss to 1e-8, with equal neighbours and other blanks."""
    logits = torch.randn(steps, 6, generator=torch_rng, dtype=torch.float64)
    expected = library_gradient(logits, labels, blank)
    candidates = wrong_gradients(logits, labels, blank, expected)

    def check(stand_in):
        got = student.call("ctc_grad", logits, labels, blank=blank, stand_in=stand_in)
        check_finite(got)
        assert_matches(got, expected, what="the gradient", axes=AXES, candidates=candidates, pointer=SECTION)

    fairly(check, EARLIER)


@question("q5", points=0.5)
def test_gradients_of_extreme_sizes(student, torch_rng):
    """No labels, one step, exactly enough steps, 500 steps in float32; zeros for impossible labels."""
    logits = torch.randn(6, 4, generator=torch_rng, dtype=torch.float64)
    text, long = long_text(torch_rng)
    long_expected = library_gradient(long.double(), text).float()
    cases = [(logits, []), (logits[:1], []), (logits[:1], [3]), (logits[:3], [2, 1, 2]), (logits[:5], [1, 1, 1])]
    impossible = [(logits[:1], [1, 2]), (logits[:2], [3, 3]), (logits, [1, 1, 2, 2, 3])]

    def check(stand_in):
        for given, labels in cases:
            expected = library_gradient(given, labels)
            got = student.call("ctc_grad", given, labels, stand_in=stand_in)
            check_finite(got)
            candidates = wrong_gradients(given, labels, 0, expected)
            what = "the gradient of an extreme size"
            assert_matches(got, expected, what=what, axes=AXES, candidates=candidates, pointer=SECTION)
        for given, labels in impossible:
            got = student.call("ctc_grad", given, labels, stand_in=stand_in)
            expect(
                not (isinstance(got, torch.Tensor) and got.isnan().any()),
                "ctc_grad gives NaN for impossible labels: zeros are asked for.",
                kind="impossible-nan",
                pointer=SECTION,
            )
            assert_matches(
                got,
                torch.zeros_like(given),
                what="the gradient for impossible labels",
                axes=AXES,
                candidates={"the softmax, where zeros are asked for": given.softmax(1)},
                pointer=SECTION,
            )
        got = student.call("ctc_grad", long, text, stand_in=stand_in)
        check_finite(got)
        what = "the gradient of 500 steps"
        expect(
            not (isinstance(got, torch.Tensor) and got.shape == long.shape and not got.any()),
            "The gradient of 500 steps is zero: the probabilities underflow.",
            kind="gradient-underflow",
            pointer="section 3",
        )
        assert_matches(got, long_expected, what=what, axes=AXES, rtol=LONG, atol=LONG, pointer=SECTION)

    fairly(check, EARLIER)


@question("q5", points=0.25)
def test_gradient_of_finite_differences(student, reference, torch_rng):
    """The gradient agrees with finite differences of the loss, each step's entries add up to zero; float32 too."""
    logits = torch.randn(6, 4, generator=torch_rng, dtype=torch.float64)
    labels = [2, 2, 1]
    one = torch.ones((), dtype=torch.float64)
    numerical = numerical_vjp(lambda z: reference.ctc_loss(z.log_softmax(1), labels), (logits,), one)
    exact = library_gradient(logits, labels)
    candidates = wrong_gradients(logits, labels, 0, exact)

    def check(stand_in):
        got = student.call("ctc_grad", logits, labels, stand_in=stand_in)
        check_finite(got)
        assert_matches(
            *(got, numerical),
            what="the gradient",
            axes=AXES,
            candidates=candidates,
            pointer=SECTION,
            rtol=1e-6,
            atol=1e-8,
        )
        sums = got.sum(1)
        what = "the sum of the gradient over the classes"
        assert_matches(sums, torch.zeros_like(sums), what=what, pointer=SECTION)
        single = student.call("ctc_grad", logits.float(), labels, stand_in=stand_in)
        assert_matches(single, exact.float(), what="the gradient in float32", axes=AXES, pointer=SECTION)

    fairly(check, EARLIER)
