"""The network, as students receive the checks."""

from __future__ import annotations

import torch
import torch.nn.functional as F

from deepmarks.checks import assert_matches, expect, question

SECTION = "section 2"


def layers(parameters, sizes):
    """The weights (hidden, in), (hidden,), (classes, hidden), (classes,) by their sizes; None if they are not there."""
    n_in, hidden, classes = sizes
    wanted = [(hidden, n_in), (hidden,), (classes, hidden), (classes,)]
    found = []
    for shape in wanted:
        both = {shape, shape[::-1]} if len(shape) == 2 else {shape, (1, *shape)}
        fits = [value for value in parameters.values() if tuple(value.shape) in both]
        if len(fits) != 1:
            return None
        value = fits[0]
        found.append(value.reshape(shape) if value.numel() == value.shape[-1] else value)
    for index in (0, 2):
        if tuple(found[index].shape) != wanted[index]:
            found[index] = found[index].T
    return found if len(parameters) == 4 else None


def chain(x, weights, activation=torch.relu):
    """The network written out."""
    w1, b1, w2, b2 = weights
    return F.linear(activation(F.linear(x, w1, b1)), w2, b2)


def network(student, sizes, x):
    """The student's weights and logits; fails with what is wrong with the layers."""
    parameters, logits = student.probe("network", list(sizes), x, strict=False)
    expect(parameters is not None, "IrisNet must be an nn.Module.", kind="not-a-module", pointer=SECTION)
    expect(
        len(parameters) > 0,
        "IrisNet has no trainable parameters: assign the layers to attributes of self.",
        kind="no-parameters",
        pointer=SECTION,
    )
    weights = layers(parameters, sizes or (4, 10, 3))
    shapes = sorted(tuple(value.shape) for value in parameters.values())
    expect(
        len(parameters) != 2 or weights is not None,
        "IrisNet must have two linear layers with biases: found two parameters only.",
        detail=f"it holds {shapes}",
        kind="layers",
        pointer=SECTION,
    )
    expect(
        weights is not None,
        "IrisNet must hold a linear layer from in_features to hidden and one from hidden to classes, both with "
        "biases, and nothing else.",
        detail=f"it holds parameters of the shapes {shapes}",
        kind="layers",
        pointer=SECTION,
    )
    if logits is None:
        _, logits = student.probe("network", list(sizes), x)  # raises once more, now that the layers are right
    expect(
        isinstance(logits, torch.Tensor),
        "IrisNet must return a tensor of logits.",
        kind="type",
        pointer=SECTION,
    )
    return weights, logits


def wrong_outputs(x, weights):
    """What typical mistakes give, by what the student reads."""
    right = chain(x, weights)
    return {
        "probabilities: leave the softmax to the loss": right.softmax(-1),
        "log-probabilities: leave the softmax to the loss": right.log_softmax(-1),
        "the softmax over the batch": right.softmax(0),
        "the output without the ReLU": chain(x, weights, lambda h: h),
        "the output with a ReLU after the second layer too": chain(x, weights).relu(),
        "the output with the ReLU after the second layer only": chain(x, weights, lambda h: h).relu(),
        "the output with a sigmoid in place of the ReLU": chain(x, weights, torch.sigmoid),
        "the output with tanh in place of the ReLU": chain(x, weights, torch.tanh),
        "the output with a GELU in place of the ReLU": chain(x, weights, F.gelu),
        "the output with a leaky ReLU in place of the ReLU": chain(x, weights, F.leaky_relu),
        "the output passed through a sigmoid: return logits": right.sigmoid(),
        "the class numbers: return one logit per class": right.argmax(-1),
    }


@question("q2", points=0.5)
def test_default_network_has_83_parameters(student, torch_rng, device):
    """IrisNet() has 83 parameters (4 -> 10 -> 3) and turns (N, 4) into (N, 3)."""
    x = torch.randn(6, 4, generator=torch_rng)
    weights, logits = network(student, (), x.to(device))
    expect(
        sum(value.numel() for value in weights) == 83,
        "IrisNet() must have 83 parameters.",
        kind="layers",
        pointer=SECTION,
    )
    assert_matches(logits, chain(x, weights), what="the output of IrisNet", candidates=wrong_outputs(x, weights),
                   axes=("batch", "class"), pointer=SECTION)  # fmt: skip


@question("q2", points=0.5)
def test_logits_agree_with_the_layers(student, torch_rng, device):
    """With other sizes (5 -> 8 -> 6), the output is linear, ReLU, linear of the network's own weights."""
    x = 3 * torch.randn(7, 5, generator=torch_rng)
    weights, logits = network(student, (5, 8, 6), x.to(device))
    assert_matches(logits, chain(x, weights), what="the output of IrisNet", candidates=wrong_outputs(x, weights),
                   axes=("batch", "class"), pointer=SECTION)  # fmt: skip
