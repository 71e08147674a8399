"""The residual block, as students receive the checks."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import nn

from deepmarks.checkpoints import shapes_of
from deepmarks.checks import assert_matches, expect, question
from deepmarks.torchvision_guard import guard

SECTION = "section 1"


def library_block(in_channels, channels, stride):
    """The library's block of this shape, without its weights being of interest."""
    guard()
    from torchvision.models.resnet import BasicBlock

    downsample = None
    if stride != 1 or in_channels != channels:
        downsample = nn.Sequential(nn.Conv2d(in_channels, channels, 1, stride, bias=False), nn.BatchNorm2d(channels))
    return BasicBlock(in_channels, channels, stride, downsample)


def random_state(block, generator):
    """A state_dict with random weights and used BatchNorm statistics."""
    state = {}
    for name, value in block.state_dict().items():
        if name.endswith("num_batches_tracked"):
            state[name] = torch.tensor(7)
        elif name.endswith("running_var") or (value.ndim == 1 and name.endswith("weight")):
            state[name] = 0.5 + torch.rand(value.shape, generator=generator)
        elif value.ndim == 1:
            state[name] = 0.5 * torch.randn(value.shape, generator=generator)
        else:
            state[name] = torch.randn(value.shape, generator=generator) * value[0].numel() ** -0.5
    return {name: value.double() if value.is_floating_point() else value for name, value in state.items()}


def check_names(student, *sizes):
    """Fail unless a fresh block has torchvision's names and shapes, with what was done instead."""
    own = shapes_of(student.module("BasicBlock", *sizes, run=False).state)
    in_channels, channels, stride = (*sizes, 1)[:3]
    right = shapes_of(library_block(in_channels, channels, stride))
    changes = stride != 1 or in_channels != channels
    missing, extra = [name for name in right if name not in own], [name for name in own if name not in right]
    biases = [name for name in own if name.endswith(".bias") and f"{name[:-5]}.running_mean" not in own]
    expect(
        not any(name in ("conv1.bias", "conv2.bias", "downsample.0.bias") for name in biases),
        "The convolutions have biases: the BatchNorm after them makes these useless, so bias=False.",
        kind="bias",
        pointer=SECTION,
    )
    expect(
        changes or not any(name.startswith("downsample") for name in own),
        "The block has a downsample although the shape does not change: the shortcut is then x itself.",
        kind="needless-downsample",
        pointer=SECTION,
    )
    expect(
        not changes or bool(extra) or any(name.startswith("downsample") for name in own),
        "The block has no downsample where the number of channels changes or the stride is not 1, so that x cannot be "
        "added.",
        kind="no-downsample",
        pointer=SECTION,
    )
    expect(
        not changes or "downsample.0.weight" not in own or "downsample.1.running_mean" in own,
        "The downsample has no BatchNorm after its 1x1 convolution.",
        kind="downsample-norm",
        pointer=SECTION,
    )
    expect(
        not missing and not extra,
        "The names of the parameters and buffers are not those of torchvision's BasicBlock.",
        detail=f"missing {missing}, unexpected {extra}",
        kind="names",
        pointer=SECTION,
    )
    kernel = own.get("downsample.0.weight", (0, 0, 1, 1))[2:]
    expect(
        kernel == (1, 1), "The convolution of the downsample must be 1x1.", kind="downsample-kernel", pointer=SECTION
    )
    expect(
        own == right,
        "The shapes of the parameters are not those of torchvision's BasicBlock.",
        detail=str({name: (own[name], right[name]) for name in right if own[name] != right[name]}),
        kind="shapes",
        pointer=SECTION,
    )


def written_out(x, state, stride, train=False, mistake=""):
    """The block as a formula; or a mistake."""
    state = {name: value.clone() for name, value in state.items()}

    def norm(name, maps):
        if mistake == f"no {name}":
            return maps
        name = "bn1" if mistake == "bn1 twice" and name == "bn2" else name
        parts = [state[f"{name}.{part}"] for part in ("running_mean", "running_var", "weight", "bias")]
        training = train if mistake != "statistics" else not train
        return F.batch_norm(maps, *parts, training=training)

    late = mistake == "stride on the second"
    out = norm("bn1", F.conv2d(x, state["conv1.weight"], stride=1 if late else stride, padding=1))
    out = out if mistake == "no inner relu" else F.relu(out)
    out = norm("bn2", F.conv2d(out, state["conv2.weight"], stride=stride if late else 1, padding=1))
    shortcut = x
    if "downsample.0.weight" in state:
        shortcut = norm("downsample.1", F.conv2d(x, state["downsample.0.weight"], stride=stride))
    if mistake == "relu on the shortcut":
        shortcut = F.relu(shortcut)
    if mistake == "no shortcut":
        return F.relu(out)
    if mistake == "relu before the addition":
        return F.relu(out) + shortcut
    if mistake == "relu before and after":
        return F.relu(F.relu(out) + shortcut)
    if mistake == "mean":
        return F.relu((out + shortcut) / 2)
    return out + shortcut if mistake == "no last relu" else F.relu(out + shortcut)


MISTAKES = {
    "a ReLU before the addition instead of after it": "relu before the addition",
    "one more ReLU, before the addition": "relu before and after",
    "the output without the last ReLU": "no last relu",
    "the output without the ReLU between the convolutions": "no inner relu",
    "the output without the shortcut: add x": "no shortcut",
    "a shortcut with a ReLU of its own": "relu on the shortcut",
    "the output without the BatchNorm of the downsample": "no downsample.1",
    "the output without the first BatchNorm": "no bn1",
    "the output without the second BatchNorm": "no bn2",
    "the output with the first BatchNorm in both places": "bn1 twice",
    "a stride on the second convolution instead of the first": "stride on the second",
    "the mean of shortcut and residual: add them": "mean",
    "the BatchNorms in the other mode (training and eval exchanged)": "statistics",
}


def wrong_outputs(x, state, stride, train):
    """What typical mistakes give, by what the student reads."""
    return {text: lambda name=name: written_out(x, state, stride, train, name) for text, name in MISTAKES.items()}


def check_output(student, torch_rng, sizes, shape):
    """Fail unless the block with random weights gives torchvision's output in eval mode."""
    check_names(student, *sizes)
    in_channels, channels, stride = (*sizes, 1)[:3]
    block = library_block(in_channels, channels, stride).double().eval()
    state = random_state(block, torch_rng)
    block.load_state_dict(state)
    x = torch.randn(*shape, generator=torch_rng, dtype=torch.float64)
    run = student.module("BasicBlock", *sizes, state=state, inputs=(x,), dtype="float64")
    with torch.no_grad():
        right = block(x)
    assert_matches(
        run.output, right, what="the output of BasicBlock", candidates=wrong_outputs(x, state, stride, False),
        pointer=SECTION, axes=("image", "channel", "row", "column"),
    )  # fmt: skip


@question("q1", points=0.75)
def test_block_that_keeps_the_shape(student, torch_rng):
    """With the same weights, a block of 5 channels gives torchvision's output; its shortcut is x itself."""
    check_output(student, torch_rng, (5, 5), (3, 5, 7, 6))


@question("q1", points=0.75)
def test_block_that_halves_the_map(student, torch_rng):
    """A block from 4 to 6 channels with stride 2, and one of 4 channels with stride 2: names, shapes and output."""
    check_output(student, torch_rng, (4, 6, 2), (3, 4, 9, 8))
    check_output(student, torch_rng, (4, 4, 2), (2, 4, 6, 7))
