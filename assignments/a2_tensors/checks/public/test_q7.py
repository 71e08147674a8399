"""A first network, kept and judged: as students receive the checks."""

from __future__ import annotations

import torch
import torch.nn.functional as F

from deepmarks.checks import assert_matches, expect, question

SECTION = "section 7"


@question("q7", points=0.5)
def test_default_sizes(student, torch_rng):
    """MLP() has 669,706 parameters, flattens images (3, 1, 28, 28), and gives logits (3, 10)."""
    wrong = {
        "the count of a network with two linear layers only": 784 * 512 + 512 + 512 * 10 + 10,
        "the count of a network without biases": 784 * 512 + 512 * 512 + 512 * 10,
        "the count of a network with four linear layers": 669706 + 512 * 512 + 512,
        "the count of a network whose second hidden layer is half as wide": 784 * 512
        + 512
        + 512 * 256
        + 256
        + 256 * 10
        + 10,
    }
    count = student.probe("parameter_count")
    assert_matches(count, 669706, what="the number of parameters", candidates=wrong, pointer=SECTION)
    x = torch.randn(3, 1, 28, 28, generator=torch_rng)
    run = student.module("MLP", inputs=(x,), return_state=False)
    expect(
        isinstance(run.output, torch.Tensor) and run.output.shape == (3, 10),
        "MLP must turn images of shape (3, 1, 28, 28) into logits of shape (3, 10).",
        detail=f"received {tuple(getattr(run.output, 'shape', ()))}",
        kind="shape",
        pointer=SECTION,
    )
    flat = student.module("MLP", inputs=(x.flatten(1),), return_state=False).output
    assert_matches(flat, run.output, what="the output for inputs that are flat already", pointer=SECTION)


def layers(state, sizes):
    """The weights and biases in the model's own state, found by their shapes; None if they are not there.

    The two hidden biases have one shape, so both orders are given.
    """
    shapes = [(sizes[1], sizes[0]), (sizes[1], sizes[1]), (sizes[2], sizes[1]), (sizes[2],)]
    found = [[value for value in state.values() if tuple(value.shape) == shape] for shape in shapes]
    hidden = [value for value in state.values() if tuple(value.shape) == (sizes[1],)]
    if any(len(one) != 1 for one in found) or len(hidden) != 2 or len(state) != 6:
        return None
    w1, w2, w3, b3 = (one[0] for one in found)
    return [[(w1, b1), (w2, b2), (w3, b3)] for b1, b2 in (hidden, hidden[::-1])]


@question("q7", points=0.25)
def test_logits_of_a_small_network(student, torch_rng):
    """MLP(12, 7, 5) computes linear, ReLU, linear, ReLU, linear with its own weights, in training mode, too."""
    x = torch.randn(6, 3, 4, generator=torch_rng, dtype=torch.float64)
    run = student.module("MLP", 12, 7, 5, inputs=(x,), dtype="float64", seed=1)
    both = layers(run.state, (12, 7, 5))
    expect(
        both is not None,
        "MLP(12, 7, 5) must hold three linear layers with weights (7, 12), (7, 7) and (5, 7), and their biases.",
        detail=f"it holds {[(name, tuple(value.shape)) for name, value in run.state.items()]}",
        kind="layers",
        pointer=SECTION,
    )

    def chain(parts, first=F.relu, second=F.relu, last=lambda z: z):
        (w1, b1), (w2, b2), (w3, b3) = parts
        return last(F.linear(second(F.linear(first(F.linear(x.flatten(1), w1, b1)), w2, b2)), w3, b3))

    def same(z):
        return z

    def soft(z):
        return z.softmax(1)

    got = run.output
    parts = next((one for one in both if torch.allclose(torch.as_tensor(got).double(), chain(one))), both[0])
    wrong = {
        "the probabilities: the softmax belongs to the loss": chain(parts, last=soft),
        "log-probabilities, not logits": chain(parts, last=lambda z: z.log_softmax(1)),
        "logits cut off at zero: there is a ReLU after the last layer": chain(parts, last=F.relu),
        "the output without the first ReLU": chain(parts, first=same),
        "the output without the second ReLU": chain(parts, second=same),
        "the output without any ReLU": chain(parts, first=same, second=same),
        "the output with sigmoids in place of the ReLUs": chain(parts, first=torch.sigmoid, second=torch.sigmoid),
        "the output with tanh in place of the ReLUs": chain(parts, first=torch.tanh, second=torch.tanh),
        "the output with GELUs in place of the ReLUs": chain(parts, first=F.gelu, second=F.gelu),
    }
    assert_matches(got, chain(parts), what="the output of MLP(12, 7, 5)", candidates=wrong, pointer=SECTION)
    training = student.module("MLP", 12, 7, 5, inputs=(x,), dtype="float64", seed=1, train=True).output
    what = "the output in training mode (is there a dropout?)"
    assert_matches(training, chain(parts), what=what, candidates=wrong, pointer=SECTION)


def weights(generator):
    """Random weights of the probes' small network: two linear layers and a batch norm with its buffers."""
    shapes = {"0.weight": (4, 5), "0.bias": (4,), "1.weight": (4,), "1.bias": (4,), "1.running_mean": (4,)}
    shapes |= {"1.running_var": (4,), "3.weight": (3, 4), "3.bias": (3,)}
    state = {name: torch.randn(shape, generator=generator) for name, shape in shapes.items()}
    state["1.running_var"] = state["1.running_var"].abs() + 0.5
    state["1.num_batches_tracked"] = torch.randint(1, 100, (), generator=generator)
    return state


@question("q7", points=0.25)
def test_save_and_load(student, torch_rng):
    """What save_weights writes, load_weights puts into another network, in place: weights and buffers."""
    state, other = weights(torch_rng), weights(torch_rng)
    found = student.probe("saved", state)
    expect(found["exists"], "save_weights writes no file to the path.", kind="no-file", pointer=SECTION)
    student.restart()  # what is not in the file is gone
    target, _ = student.probe("loaded", found["files"], other)
    unchanged = all(torch.equal(target[name], other[name]) for name in other)
    expect(
        not unchanged,
        "load_weights does not change the model that it is given: load in place.",
        kind="not-in-place",
        pointer=SECTION,
    )
    assert_matches(target, state, what="the state of the loaded model", rtol=0, atol=0, pointer=SECTION)
    assert_matches(found["source"], state, what="the state of the saved model", rtol=0, atol=0, pointer=SECTION)


def figures(weight, x, y, batch_size):
    """The right result of evaluate, and what typical mistakes give."""
    logits = x.double().flatten(1) @ weight.double()
    losses, hits = F.cross_entropy(logits, y, reduction="none"), (logits.argmax(1) == y).double()
    batches = [slice(i, i + batch_size) for i in range(0, len(y), batch_size)]
    loss, accuracy = float(losses.mean()), float(hits.mean())
    turned = F.cross_entropy(-logits, y), (logits.argmin(1) == y).double().mean()
    wrong = {
        "the result in training mode (is model.eval() missing?)": (float(turned[0]), float(turned[1])),
        "the mean over the batches: a smaller last batch then counts too much": (
            float(torch.stack([losses[part].mean() for part in batches]).mean()),
            float(torch.stack([hits[part].mean() for part in batches]).mean()),
        ),
        "the result of the last batch only": (float(losses[batches[-1]].mean()), float(hits[batches[-1]].mean())),
        "the sum of the losses of all batches": (float(sum(losses[part].mean() for part in batches)), accuracy),
        "the sum of the losses of all samples": (float(losses.sum()), accuracy),
        "a loss whose batch means are divided by the number of samples": (
            float(sum(losses[part].mean() for part in batches)) / len(y),
            accuracy,
        ),
        "a percentage: a fraction between 0 and 1 is asked for": (loss, 100 * accuracy),
        "the number of hits, not their fraction": (loss, float(hits.sum())),
        "the number of hits per batch": (loss, float(hits.sum()) / len(batches)),
        "the error rate, not the accuracy": (loss, 1 - accuracy),
        "accuracy and loss in exchanged order": (accuracy, loss),
        "the loss of probabilities: cross_entropy wants logits": (
            float(F.cross_entropy(logits.softmax(1), y)),
            accuracy,
        ),
    }
    return (loss, accuracy), wrong


@question("q7", points=0.5)
def test_evaluate_ten_samples(student, torch_rng, device):
    """Ten samples in batches of 4, 4 and 2 are weighed properly, in eval mode; afterwards the model trains again."""
    x = torch.randn(10, 2, 3, generator=torch_rng)
    weight = torch.randn(6, 3, generator=torch_rng)
    y = (x.flatten(1) @ weight).argmax(1)
    y[[1, 3, 8]] = (y[[1, 3, 8]] + 1) % 3  # seven of ten are right, one of the last two
    right, wrong = figures(weight, x, y, 4)
    found = student.probe("evaluation", weight, x, y, 4, True, device)
    # Sums of float32 losses; the last digits depend on how they are added up.
    what = "the result of evaluate"
    assert_matches(found["result"], right, what=what, rtol=1e-5, atol=1e-6, candidates=wrong, pointer=SECTION)
    expect(
        found["mode"],
        "evaluate leaves the model in eval mode, though it was in training mode before.",
        kind="mode-not-restored",
        pointer=SECTION,
    )
