"""The network, as the grader checks it."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from deepmarks.checks import assert_matches, expect, question

SECTION = "section 2"


def layers(parameters, sizes):
    """The weights (hidden, in), (hidden,), (classes, hidden), (classes,) by their sizes; None if they are not there."""
    n_in, hidden, classes = sizes
    wanted = [(hidden, n_in), (hidden,), (classes, hidden), (classes,)]
    found = {}
    for index, shape in enumerate(wanted):
        both = {shape, shape[::-1]} if len(shape) == 2 else {shape, (1, *shape)}
        fits = [name for name, value in parameters.items() if tuple(value.shape) in both]
        if len(fits) != 1:
            return None
        found[index] = fits[0]
    return found if len(parameters) == 4 else None


def shaped(value, shape):
    """A weight as (outputs, inputs), a bias as (outputs,)."""
    return value.T if value.ndim == 2 and len(shape) == 2 and tuple(value.shape) != shape else value.reshape(shape)


@pytest.mark.parametrize(("sizes", "n", "train"), [((7, 5, 4), 9, True), ((3, 12, 2), 1, False)])
@question("q2", points=0.5)
def test_forward_and_backward(student, torch_rng, sizes, n, train):
    """Other sizes, one sample, training mode: logits and all gradients agree with the layers written out."""
    n_in, hidden, classes = sizes
    x = 20 * torch.randn(n, n_in, generator=torch_rng, dtype=torch.float64)
    g = torch.randn(n, classes, generator=torch_rng, dtype=torch.float64)
    run = student.module("IrisNet", *sizes, inputs=(x,), cotangent=g, dtype="float64", train=train)
    names = layers(run.param_grads, sizes)
    expect(
        names is not None,
        "IrisNet must hold a linear layer from in_features to hidden and one from hidden to classes, both with biases, "
        "and nothing else; all four parameters must get a gradient.",
        kind="layers",
        pointer=SECTION,
    )
    shapes = [(hidden, n_in), (hidden,), (classes, hidden), (classes,)]
    leaves = [x, *(run.state[names[i]].double() for i in range(4))]
    leaves = [leaf.clone().requires_grad_(True) for leaf in leaves]
    inputs, w1, b1, w2, b2 = leaves[0], *(shaped(leaf, shape) for leaf, shape in zip(leaves[1:], shapes, strict=True))
    logits = F.linear(F.relu(F.linear(inputs, w1, b1)), w2, b2)
    wrong = {
        "probabilities: leave the softmax to the loss": logits.softmax(-1),
        "log-probabilities: leave the softmax to the loss": logits.log_softmax(-1),
        "the output with tanh in place of the ReLU": F.linear(F.linear(inputs, w1, b1).tanh(), w2, b2),
        "the output with a leaky ReLU in place of the ReLU": F.linear(F.leaky_relu(F.linear(inputs, w1, b1)), w2, b2),
        "the output with a ReLU that is cut off at 6": F.linear(F.relu6(F.linear(inputs, w1, b1)), w2, b2),
        "the output without the ReLU": F.linear(F.linear(inputs, w1, b1), w2, b2),
        "the output with a ReLU after the second layer too": logits.relu(),
    }
    wrong = {name: value.detach() for name, value in wrong.items()}
    assert_matches(run.output, logits.detach(), what="the output of IrisNet", candidates=wrong, pointer=SECTION)
    right = torch.autograd.grad(logits, leaves, g)
    assert_matches(run.input_grads[0], right[0], what="the gradient for the input of IrisNet", pointer=SECTION)
    for index, grad in enumerate(right[1:]):
        got = run.param_grads[names[index]]
        assert_matches(got, grad, what="the gradient for a parameter of IrisNet", pointer=SECTION)


@question("q2", points=0.5)
def test_weights_start_at_random(student, torch_rng):
    """The weights are drawn anew for each network, and no two hidden units start alike."""
    x = torch.randn(4, 6, generator=torch_rng)
    runs = [student.module("IrisNet", 6, 9, 5, inputs=(x,), seed=seed) for seed in (1, 2)]
    first, second = (run.state for run in runs)
    names = layers(first, (6, 9, 5))
    expect(
        names is not None,
        "IrisNet must hold a linear layer from in_features to hidden and one from hidden to classes, both with biases, "
        "and nothing else.",
        kind="layers",
        pointer=SECTION,
    )
    expect(
        runs[0].output.shape == (4, 5),
        "IrisNet must give one logit per sample and class.",
        kind="shape",
        pointer=SECTION,
    )
    for index, shape in ((0, (9, 6)), (2, (5, 9))):
        one, two = (shaped(state[names[index]], shape) for state in (first, second))
        expect(
            len({tuple(row) for row in one.tolist()}) == len(one),
            "Several units of a layer start with the same weights: they would stay equal for ever.",
            kind="symmetric",
            pointer=SECTION,
        )
        expect(
            not torch.equal(one, two),
            "Two networks start with the same weights though the generator stands elsewhere: draw them anew.",
            kind="not-random",
            pointer=SECTION,
        )
        expect(
            0.02 < float(one.std()) < 2.0,
            "The weights start far too large or too small: leave nn.Linear its own initialisation.",
            kind="scale",
            pointer=SECTION,
        )
