"""A first network, kept and judged: as the grader checks it."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from deepmarks.checks import assert_matches, expect, question
from public.test_q7 import SECTION, weights


def layers(state, sizes):
    """The names of weights and biases in the model's own state, found by their shapes; None if they are not there.

    The two hidden biases have one shape, so both orders are given.
    """

    def of(shape):
        return [name for name, value in state.items() if tuple(value.shape) == shape]

    n_in, hidden, classes = sizes
    found = [of((hidden, n_in)), of((hidden, hidden)), of((classes, hidden)), of((classes,))]
    inner = of((hidden,))
    if any(len(names) != 1 for names in found) or len(inner) != 2 or len(state) != 6:
        return None
    w1, w2, w3, b3 = (names[0] for names in found)
    return [(w1, b1, w2, b2, w3, b3) for b1, b2 in (inner, inner[::-1])]


def chain(x, w1, b1, w2, b2, w3, b3):
    """The right network."""
    return F.linear(F.relu(F.linear(F.relu(F.linear(x.flatten(1), w1, b1)), w2, b2)), w3, b3)


@pytest.mark.parametrize(
    ("shape", "sizes"), [((8, 2, 3, 5), (30, 11, 4)), ((1, 9), (9, 6, 2)), ((5, 1, 8), (8, 3, 13))]
)
@question("q7", points=0.25)
def test_network_forward_and_backward(student, torch_rng, shape, sizes):
    """Other sizes, one sample and deeper inputs: logits and all gradients agree with the layers written out."""
    x = 30 * torch.randn(shape, generator=torch_rng, dtype=torch.float64)  # beyond the 6 of ReLU6
    g = torch.randn(shape[0], sizes[2], generator=torch_rng, dtype=torch.float64)
    state = student.module("MLP", *sizes, run=False, seed=3).state
    # Biases of our own: with zeros, the two hidden ones could not be told apart, and a ReLU could sit on its kink.
    state = {
        name: 0.5 * torch.randn(value.shape, generator=torch_rng) + 0.1 if value.ndim == 1 else value
        for name, value in state.items()
    }
    run = student.module("MLP", *sizes, inputs=(x,), cotangent=g, dtype="float64", seed=3, state=state)
    both = layers(run.state, sizes)
    expect(
        both is not None,
        "MLP(in_features, hidden, classes) must hold three linear layers of these sizes, with biases, and no more.",
        detail=f"it holds {[(name, tuple(value.shape)) for name, value in run.state.items()]}",
        kind="layers",
        pointer=SECTION,
    )
    outputs = [chain(x, *(run.state[name] for name in order)) for order in both]
    chosen = 1 if torch.allclose(run.output, outputs[1]) and not torch.allclose(run.output, outputs[0]) else 0
    axes = ("batch", "class")
    assert_matches(run.output, outputs[chosen], what="the output of MLP", axes=axes, pointer=SECTION)
    leaves = [run.state[name].clone().requires_grad_(True) for name in both[chosen]]
    inputs = x.clone().requires_grad_(True)
    right = torch.autograd.grad(chain(inputs, *leaves), [inputs, *leaves], g)
    assert_matches(run.input_grads[0], right[0], what="the gradient for the input of MLP", pointer=SECTION)
    for name, grad in zip(both[chosen], right[1:], strict=True):
        expect(
            run.param_grads.get(name) is not None,
            "A parameter of MLP gets no gradient.",
            kind="no-gradient",
            pointer=SECTION,
        )
        assert_matches(run.param_grads[name], grad, what="the gradient for a parameter of MLP", pointer=SECTION)


@question("q7", points=0.5)
def test_pickled_objects_are_refused(student, torch_rng):
    """The file holds weights only; a file with a pickled object is refused, and no code in it runs."""
    state, other = weights(torch_rng), weights(torch_rng)
    found = student.probe("saved", state)
    expect(
        found["exists"] and found["plain"],
        "save_weights writes more than weights: the file cannot be read without running pickled code.",
        kind="not-plain",
        pointer=SECTION,
    )
    student.restart()  # what is not in the file is gone
    target, trainable = student.probe("loaded", found["files"], other)
    unchanged = all(torch.equal(target[name], other[name]) for name in other)
    expect(
        not unchanged,
        "load_weights does not change the model that it is given: load in place.",
        kind="not-in-place",
        pointer=SECTION,
    )
    assert_matches(target, state, what="the state of the loaded model", rtol=0, atol=0, pointer=SECTION)
    expect(
        trainable,
        "After load_weights the parameters of the model do not require gradients any more.",
        kind="frozen",
        pointer=SECTION,
    )
    for kind in ("torch", "pickle"):
        found = student.probe("planted_file", state, kind)
        expect(
            not found["ran"],
            "load_weights runs code that is hidden in a file: load with weights_only=True.",
            kind="code-ran",
            pointer=SECTION,
        )
        expect(
            found["refused"],
            "load_weights accepts a file that holds a pickled object: it must refuse it with an exception.",
            kind="not-refused",
            pointer=SECTION,
        )


def figures(weight, x, y, batch_size):
    """The right result of evaluate, and what typical mistakes give."""
    logits = x.double().flatten(1) @ weight.double()
    losses, hits = F.cross_entropy(logits, y, reduction="none"), (logits.argmax(1) == y).double()
    batches = [slice(i, i + batch_size) for i in range(0, len(y), batch_size)]
    loss, accuracy = float(losses.mean()), float(hits.mean())
    turned = F.cross_entropy(-logits, y), (logits.argmin(1) == y).double().mean()
    wrong = {"the result in training mode (is model.eval() missing?)": (float(turned[0]), float(turned[1]))}
    if len(batches) > 1:
        by_batch = float(sum(losses[part].mean() for part in batches))
        wrong["the mean over the batches: a smaller last batch then counts too much"] = (
            by_batch / len(batches),
            float(sum(hits[part].mean() for part in batches)) / len(batches),
        )
        wrong["the sum of the losses of all batches"] = (by_batch, accuracy)
        wrong["a loss whose batch means are divided by the number of samples"] = (by_batch / len(y), accuracy)
        last = batches[-1]
        wrong["the result of the last batch only"] = (float(losses[last].mean()), float(hits[last].mean()))
        wrong["the number of hits per batch"] = (loss, float(hits.sum()) / len(batches))
    wrong["the sum of the losses of all samples"] = (float(losses.sum()), accuracy)
    wrong["a percentage: a fraction between 0 and 1 is asked for"] = (loss, 100 * accuracy)
    wrong["the number of hits, not their fraction"] = (loss, float(hits.sum()))
    wrong["accuracy and loss in exchanged order"] = (accuracy, loss)
    probabilities = float(F.cross_entropy(logits.softmax(1), y))
    wrong["the loss of probabilities: cross_entropy wants logits"] = (probabilities, accuracy)
    return (loss, accuracy), wrong


@pytest.mark.parametrize(("n", "batch_size"), [(13, 5), (11, 10), (9, 64), (7, 1)])
@pytest.mark.parametrize("training", [True, False])
@question("q7", points=0.5)
def test_evaluate_other_loaders(student, torch_rng, device, n, batch_size, training):
    """Other last batches, a single batch and batches of one are evaluated right, and either mode is restored."""
    x = torch.randn(n, 4, generator=torch_rng)
    weight = torch.randn(4, 5, generator=torch_rng)
    y = (x @ weight).argmax(1)
    y[n // 2 :] = torch.randint(0, 5, (n - n // 2,), generator=torch_rng)
    right, wrong = figures(weight, x, y, batch_size)
    found = student.probe("evaluation", weight, x, y, batch_size, training, device)
    what = "the result of evaluate"
    assert_matches(found["result"], right, what=what, rtol=1e-5, atol=1e-6, candidates=wrong, pointer=SECTION)
    expect(
        not found["in training"],
        "evaluate runs the model in training mode: model.eval() is missing.",
        kind="no-eval",
        pointer=SECTION,
    )
    if training:
        expect(
            found["mode"] and found["inner mode"],
            "evaluate leaves the model in eval mode, though it was in training mode before.",
            kind="mode-not-restored",
            pointer=SECTION,
        )
    else:
        expect(
            not found["mode"] and not found["inner mode"],
            "evaluate leaves the model in training mode, though it was in eval mode before.",
            kind="mode-not-restored",
            pointer=SECTION,
        )


@question("q7", points=0.25)
def test_evaluate_records_no_graph(student, torch_rng, device):
    """No graph is recorded by evaluate; it leaves autograd switched on, and the weights as they are."""
    x = torch.randn(8, 6, generator=torch_rng)
    weight = torch.randn(6, 3, generator=torch_rng)
    y = torch.randint(0, 3, (8,), generator=torch_rng)
    found = student.probe("evaluation", weight, x, y, 3, True, device)
    expect(found["calls"] > 0, "evaluate does not run the model on the loader's batches.", kind="not-run")
    expect(
        not found["graph"],
        "evaluate records a graph: wrap the loop in torch.no_grad().",
        kind="graph",
        pointer=SECTION,
    )
    expect(
        found["recording"],
        "evaluate switches autograd off and leaves it so.",
        kind="no-grad-left",
        pointer=SECTION,
    )
    expect(found["trainable"], "evaluate leaves the weights without requires_grad.", kind="frozen", pointer=SECTION)
    expect(torch.equal(found["weight"], weight), "evaluate changes the weights.", kind="weights-changed")
