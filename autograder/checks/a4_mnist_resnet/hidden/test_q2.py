"""The network, as the grader checks it."""

from __future__ import annotations

import torch
from torch import nn

from deepmarks.checkpoints import shapes_of
from deepmarks.checks import assert_matches, expect, fairly, question
from deepmarks.torchvision_guard import guard

SECTION = "section 2"

EARLIER = {"BasicBlock": "probes.LibraryBlock"}


def library_network(classes=10):
    """The library's ResNet-18 for one channel."""
    guard()
    from torchvision.models import resnet18

    model = resnet18(weights=None, num_classes=classes)
    model.conv1 = nn.Conv2d(1, 64, 7, stride=2, padding=3, bias=False)
    return model


def filled(model, seed):
    """The model with every parameter and buffer drawn from `seed`, by name, as the probes do it."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, value in sorted(model.state_dict().items()):
            if not value.is_floating_point():
                value.fill_(5)
            elif name.endswith("running_var") or (value.ndim == 1 and name.endswith("weight")):
                value.copy_(0.5 + torch.rand(value.shape, generator=generator))
            elif value.ndim == 1:
                value.copy_(0.2 * torch.randn(value.shape, generator=generator))
            else:
                value.copy_(torch.randn(value.shape, generator=generator) * value[0].numel() ** -0.5)
    return model


def check_architecture(found, classes=10):
    """Fail unless names and shapes are those of ResNet-18 for one channel, with what was done instead."""
    expect(found is not None, "mnist_resnet18 must return an nn.Module.", kind="not-a-module", pointer=SECTION)
    own, right = found["shapes"], shapes_of(library_network(classes))
    stem = own.get("conv1.weight", (64, 1, 7, 7))
    expect(
        stem[1:2] != (3,),
        "The first convolution still has three input channels: these images have one.",
        kind="channels",
        pointer=SECTION,
    )
    expect(
        stem[2:] == (7, 7),
        "The first convolution has another kernel than ResNet-18's: it stays 7x7.",
        detail=f"conv1.weight has the shape {stem}",
        kind="kernel",
        pointer=SECTION,
    )
    expect(
        "conv1.bias" not in own,
        "The first convolution has a bias: it stays without, as a BatchNorm follows.",
        kind="bias",
        pointer=SECTION,
    )
    head = own.get("fc.weight", (classes, 512))
    expect(
        head[0] == classes or head[0] != 1000,
        "The head still has 1000 classes: give it num_classes outputs.",
        kind="head",
        pointer=SECTION,
    )
    expect(
        head[0] == classes,
        "The head does not have num_classes outputs.",
        detail=f"fc.weight has the shape {head}",
        kind="head",
        pointer=SECTION,
    )
    expect(
        not any(name.startswith("fc.") and name.count(".") > 1 for name in own),
        "The head is more than one linear layer called fc.",
        kind="head",
        pointer=SECTION,
    )
    missing, extra = [name for name in right if name not in own], [name for name in own if name not in right]
    expect(
        not missing and not extra,
        "The names of the parameters and buffers are not those of torchvision's resnet18.",
        detail=f"{len(missing)} missing ({missing[:4]} ...), {len(extra)} unexpected ({extra[:4]} ...)",
        kind="names",
        pointer=SECTION,
    )
    expect(
        all(tuple(own[name]) == right[name] for name in right),
        "The shapes of the parameters are not those of ResNet-18.",
        detail=str({name: (own[name], right[name]) for name in right if tuple(own[name]) != right[name]})[:400],
        kind="shapes",
        pointer=SECTION,
    )


RTOL, ATOL = 1e-3, 1e-3
"""Eighteen layers of float32, added up in whatever order: logits of size 1 differ by 1e-5."""


def wrong_networks(x, seed, classes, train):
    """The logits of networks with typical mistakes, by what the student reads."""

    def logits(change):
        def run():
            model = filled(library_network(classes), seed).to(x.dtype).train(train)
            model = change(model) or model
            with torch.no_grad():
                return model(x)

        return run

    def no_pool(model):
        model.maxpool = nn.Identity()

    def slow_stem(model):
        model.conv1.stride = (1, 1)

    def no_padding(model):
        model.conv1.padding = (0, 0)

    def small_stem(model):
        model.conv1.stride = (1, 1)
        model.maxpool = nn.Identity()

    def average(model):
        model.maxpool = nn.AvgPool2d(3, 2, 1)

    def pool_without_padding(model):
        model.maxpool = nn.MaxPool2d(3, 2)

    def no_relu(model):
        model.relu = nn.Identity()

    def small_pool(model):
        model.maxpool = nn.MaxPool2d(2)

    return {
        "the network without the max pooling after the stem": logits(no_pool),
        "the network with stride 1 in the first convolution: it stays 2": logits(slow_stem),
        "the network with stride 1 and no pooling in its stem: both stay": logits(small_stem),
        "the network without padding in the first convolution: it stays 3": logits(no_padding),
        "the network with a mean in place of the max pooling": logits(average),
        "the network with a 2x2 max pooling: it stays 3x3 with padding 1": logits(small_pool),
        "the network with a max pooling without padding: it stays 1": logits(pool_without_padding),
        "the network without the ReLU after its first convolution": logits(no_relu),
        "probabilities: leave the softmax to the loss": logits(lambda model: nn.Sequential(model, nn.Softmax(1))),
        "log-probabilities: leave the log-softmax to the loss": logits(lambda m: nn.Sequential(m, nn.LogSoftmax(1))),
        "logits after a ReLU": logits(lambda model: nn.Sequential(model, nn.ReLU())),
    }


def check_logits(found, x, seed, classes, train, what):
    """Fail unless the logits are those of torchvision's network with the same weights."""
    model = filled(library_network(classes), seed).to(x.dtype).train(train)
    with torch.no_grad():
        right = model(x)
    wrong = wrong_networks(x, seed, classes, train)
    assert_matches(found, right, what=what, candidates=wrong, rtol=RTOL, atol=ATOL, pointer=SECTION)
    return model


@question("q2", points=0.75)
def test_other_numbers_of_classes_and_pixels(student, torch_rng):
    """With 7 classes and images of 45x36 pixels: names, shapes and logits."""
    x = torch.randn(3, 1, 45, 36, generator=torch_rng)
    seed = int(torch.randint(10**6, (1,), generator=torch_rng))

    def check(stand_in):
        check_architecture(student.probe("architecture", 7, stand_in=stand_in), 7)
        logits, _ = student.probe("network_output", x, seed, 7, stand_in=stand_in)
        check_logits(logits, x, seed, 7, False, "the output of mnist_resnet18")

    fairly(check, EARLIER)


@question("q2", points=0.75, device="cpu")
def test_training_mode_and_fresh_weights(student, torch_rng):
    """In training mode logits and new BatchNorm statistics agree; every network starts with weights of its own."""
    # In float64: with maps of 1x1, statistics of eight images magnify rounding errors.
    x = torch.randn(8, 1, 28, 28, generator=torch_rng, dtype=torch.float64)
    seed = int(torch.randint(10**6, (1,), generator=torch_rng))

    def check(stand_in):
        first, second = (student.probe("architecture", seed=s, stand_in=stand_in) for s in (1, 2))
        check_architecture(first)
        expect(
            first["sum"] != second["sum"],
            "Two networks start with the same weights though the generator stands elsewhere: draw them anew.",
            kind="not-random",
            pointer=SECTION,
        )
        expect(0.005 < first["std"] < 1, "The weights start far too large or too small.", kind="scale", pointer=SECTION)
        logits, sums = student.probe("network_output", x, seed, None, True, stand_in=stand_in)
        model = check_logits(logits, x, seed, 10, True, "the output of mnist_resnet18 in training mode")
        right = [float(value.sum()) for name, value in sorted(model.state_dict().items()) if "running" in name]
        what = "the BatchNorm statistics after a batch in training mode"
        assert_matches(sums, right, what=what, rtol=RTOL, atol=ATOL, dtype=False, pointer=SECTION)

    fairly(check, EARLIER)
