"""Schedule and network, as the grader checks them."""

from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F

from deepmarks.checks import assert_matches, expect, question

SECTION = "section 4"


@question("q4", points=0.5)
def test_schedules_of_other_lengths(student, rng):
    """Random lengths, warm-ups and bounds, at every boundary, before and beyond it."""
    for warm_too in (False, True):
        total = int(rng.integers(60, 200))
        warm = int(rng.integers(5, 40)) if warm_too else 0
        base, low = float(rng.uniform(0.1, 1.0)), float(rng.uniform(0.001, 0.05))
        steps = sorted({0, 1, warm - 1, warm, warm + 1, (warm + total) // 2, total - 1, total, total + 1, 3 * total})
        steps = [s for s in steps if s >= 0]

        def turn(s, start=warm, end=total):
            return (1 + math.cos(math.pi * min(1.0, (s - start) / (end - start)))) / 2

        def rise(s, base=base, warm=warm):
            return base * s / warm

        def curve(early, late, steps=steps, warm=warm, total=total, end=low):
            return [early(s) if s < warm else end if s >= total else late(s) for s in steps]

        right = curve(rise, lambda s, low=low, base=base, turn=turn: low + (base - low) * turn(s))
        wrong = {
            "a schedule that ignores min_lr": curve(rise, lambda s, base=base, turn=turn: base * turn(s), end=0.0),
            "a schedule that is 0 from total_steps on": curve(
                rise, lambda s, low=low, base=base, turn=turn: low + (base - low) * turn(s), end=0.0
            ),
            "a cosine of the height base_lr on top of min_lr": curve(
                rise, lambda s, low=low, base=base, turn=turn: low + base * turn(s)
            ),
            "a cosine that is cut off at min_lr: scale it to end there": curve(
                rise, lambda s, low=low, base=base, turn=turn: max(low, base * turn(s))
            ),
            "a cosine of s + 1": curve(rise, lambda s, low=low, base=base, turn=turn: low + (base - low) * turn(s + 1)),
            "a straight line": curve(
                rise,
                lambda s, low=low, base=base, warm=warm, total=total: base - (base - low) * (s - warm) / (total - warm),
            ),
            "a cosine that rises again after total_steps": [
                rise(s) if s < warm else low + (base - low) * (1 + math.cos(math.pi * (s - warm) / (total - warm))) / 2
                for s in steps
            ],
        }
        if warm:
            wrong |= {
                "a cosine that is counted from step 0, not from the end of the warm-up": curve(
                    rise, lambda s, low=low, base=base, turn=turn: low + (base - low) * turn(s, 0)
                ),
                "a warm-up that starts at base_lr / warmup_steps, not at 0": curve(
                    lambda s, rise=rise: rise(s + 1),
                    lambda s, low=low, base=base, turn=turn: low + (base - low) * turn(s),
                ),
                "a warm-up that starts at min_lr, not at 0": curve(
                    lambda s, low=low, base=base, warm=warm: low + (base - low) * s / warm,
                    lambda s, low=low, base=base, turn=turn: low + (base - low) * turn(s),
                ),
                "a schedule that stays at base_lr during the warm-up": curve(
                    lambda s, base=base: base, lambda s, low=low, base=base, turn=turn: low + (base - low) * turn(s)
                ),
            }
        assert_matches(
            [student.cosine_lr(s, total, base, warmup_steps=warm, min_lr=low) for s in steps],
            right,
            what="the schedule",
            candidates=wrong,
            pointer=SECTION,
        )


ARGUMENTS = [((1, 1, 1), 8, 10), ((3, 1, 2), 12, 7), ((2, 2, 2), 4, 100)]


def parts(depth, width, classes):
    """The shapes of all parameters that the formula asks for, sorted."""
    shapes, a = [[width, 3, 3, 3]] + [[width]] * 2, width
    for stage, count in enumerate(depth):
        b = width * 2**stage
        for i in range(count):
            shapes += [[b, a, 3, 3], [b, b, 3, 3]] + [[b]] * 4
            if a != b or (stage and not i):
                shapes += [[b, a, 1, 1]] + [[b]] * 2
            a = b
    return sorted([*shapes, [classes, a], [classes]])


@pytest.mark.parametrize(("depth", "width", "classes"), ARGUMENTS)
@question("q4", points=0.5)
def test_parts_of_other_networks(student, depth, width, classes):
    """Other depths, widths and numbers of classes give the parameters and the sizes that they must."""
    kwargs = {"depth_blocks": depth, "width": width, "num_classes": classes}
    plan = student.probe("plan", kwargs)
    expect(plan is not None, "cifar_resnet must return an nn.Module.", kind="not-a-module", pointer=SECTION)
    expect(
        plan["out"] == [2, classes],
        "The network must give num_classes logits per image.",
        kind="logits",
        pointer=SECTION,
    )
    convolutions = plan["convolutions"]
    expect(
        not any(c[6] for c in convolutions),
        "Some convolutions have a bias: the BatchNorm behind them has one, so switch it off.",
        kind="bias",
        pointer=SECTION,
    )
    counts = [sum(c[0] == width * 2**stage and c[2] == 3 for c in convolutions) for stage in range(3)]
    counts[0] -= 1  # the stem
    expect(
        counts == [2 * count for count in depth],
        "The number of blocks in the three stages must be that of depth_blocks.",
        kind="depth",
        pointer=SECTION,
    )
    sides = {c[0]: c[5] for c in convolutions}
    expect(
        [sides.get(width * 2**stage) for stage in range(3)] == [32, 16, 8],
        "The stages must have 32, 16 and 8 pixels.",
        kind="strides",
        pointer=SECTION,
    )
    expect(
        sum(c[2:4] == [1, 1] for c in convolutions) == 2,
        "There must be a 1x1 convolution in the shortcut where the shape changes, and only there.",
        kind="shortcuts",
        pointer=SECTION,
    )
    wanted = parts(depth, width, classes)
    own = sorted(plan["parameters"])
    norms = sum(len(shape) == 1 for shape in own) - sum(len(shape) == 1 for shape in wanted)
    expect(
        norms != -4,
        "Two BatchNorms are missing: the 1x1 convolutions of the shortcuts need one too.",
        kind="shortcut-norm",
        pointer=SECTION,
    )
    expect(
        own == wanted,
        "The parameters are not those of the network of the table: compare the shapes stage by stage.",
        kind="parameters",
        pointer=SECTION,
    )


def norm(x, values, channels, training):
    """BatchNorm with the statistics of the batch, or with its own."""
    weight, bias, mean, var = (
        values[f"{channels} {part}"] for part in ("weight", "bias", "running_mean", "running_var")
    )
    return F.batch_norm(x, mean.clone(), var.clone(), weight, bias, training)


def network(x, values, depth, width, classes, training, *, late=False, mistake=""):
    """The network where all parts of one shape have one value; `late` puts the stride on the second convolution."""

    def conv(h, b, kernel, stride=1):
        a = h.shape[1]
        h = F.conv2d(h, values[f"{b},{a},{kernel},{kernel}"], None, stride, kernel // 2)
        return norm(h, values, b, training)

    h = conv(x, width, 3)
    h = h if mistake == "no stem relu" else torch.relu(h)
    for stage, count in enumerate(depth):
        b = width * 2**stage
        for i in range(count):
            stride = 2 if stage and not i else 1
            inner = torch.relu(conv(h, b, 3, 1 if late else stride))
            if mistake == "no inner relu":
                inner = conv(h, b, 3, stride)
            inner = conv(inner, b, 3, stride if late else 1)
            same = stride == 1 and h.shape[1] == b
            short = h if same else conv(h, b, 1, stride)
            if mistake == "no shortcut norm" and not same:
                short = F.conv2d(h, values[f"{b},{h.shape[1]},1,1"], None, stride)
            if mistake == "no shortcuts" or (mistake == "no plain shortcuts" and same):
                short = 0
            if mistake == "relu before the sum":
                h = torch.relu(inner) + short
            elif mistake == "no relu after the sum":
                h = inner + short
            else:
                h = torch.relu(inner + short)
    h = h.amax((2, 3)) if mistake == "max" else h[:, :, 0, 0] if mistake == "corner" else h.mean((2, 3))
    if mistake == "sum":
        h = h * 64
    z = F.linear(h, values[f"{classes},{4 * width}"], values[f"{classes}"])
    return z.softmax(1) if mistake == "softmax" else z


def normalised(x, entered):
    """Whether each channel of each image of `entered` is that of x, scaled and shifted: networks may normalise."""

    def standard(images):
        images = images - images.mean((2, 3), keepdim=True)
        return images / images.norm(dim=(2, 3), keepdim=True)

    alike = isinstance(entered, torch.Tensor) and entered.shape == x.shape
    return alike and torch.allclose(standard(entered.double()), standard(x), rtol=0, atol=1e-5)  # constants in float32


def drawn(depth, width, classes, generator):
    """One value for each shape that occurs in the network."""

    def normal(*shape):
        fan = math.prod(shape[1:]) or 1
        return torch.randn(shape, generator=generator, dtype=torch.float64) * (1.5 / fan) ** 0.5

    values = {",".join(map(str, shape)): normal(*shape) for shape in parts(depth, width, classes) if len(shape) > 1}
    values[f"{classes}"] = normal(classes)
    for channels in (width, 2 * width, 4 * width):
        positive = torch.rand(2, channels, generator=generator, dtype=torch.float64) + 0.5
        values[f"{channels} weight"], values[f"{channels} running_var"] = positive[0], positive[1]
        values[f"{channels} bias"] = 0.3 * torch.randn(channels, generator=generator, dtype=torch.float64)
        values[f"{channels} running_mean"] = 0.3 * torch.randn(channels, generator=generator, dtype=torch.float64)
    return values


@pytest.mark.parametrize("training", [False, True])
@question("q4", points=0.75)
def test_values_of_the_network(student, torch_rng, training):
    """With known weights the logits are those of the blocks in the formula, in eval and in training mode."""
    depth, width, classes = (2, 1, 2), 6, 5
    kwargs = {"depth_blocks": depth, "width": width, "num_classes": classes}
    values = drawn(depth, width, classes, torch_rng)
    x = torch.rand(3, 3, 32, 32, generator=torch_rng, dtype=torch.float64)
    found = student.probe("filled", kwargs, values, x, training)
    expect(found is not None, "cifar_resnet must return an nn.Module.", kind="not-a-module", pointer=SECTION)
    expect(
        not isinstance(found, str) or found != "norm",
        "The BatchNorms must keep weights, biases and running statistics.",
        kind="norm",
        pointer=SECTION,
    )
    expect(
        not isinstance(found, str),
        "A parameter has a shape that the network of the table does not have.",
        kind="parameters",
        pointer=SECTION,
    )
    found, entered = found
    stem = entered.double() if normalised(x, entered) else x

    def run(**options):
        return network(stem, values, depth, width, classes, training, **options)

    right = run()
    late = run(late=True)
    if isinstance(found, torch.Tensor) and found.shape == late.shape and torch.allclose(found, late, rtol=1e-6):
        return  # which of the two convolutions has the stride, the contract leaves open
    assert_matches(
        found,
        right,
        what="the batch of logits",
        candidates={
            "a network without any shortcut": run(mistake="no shortcuts"),
            "a network whose 1x1 convolutions have no BatchNorm behind them": run(mistake="no shortcut norm"),
            "a network whose shortcuts are missing where the shape does not change": run(mistake="no plain shortcuts"),
            "blocks without the ReLU after the sum": run(mistake="no relu after the sum"),
            "blocks with the last ReLU before the sum": run(mistake="relu before the sum"),
            "a stem without its ReLU": run(mistake="no stem relu"),
            "blocks without the ReLU between the two convolutions": run(mistake="no inner relu"),
            "the maximum over the pixels before the linear layer, not the mean": run(mistake="max"),
            "the sum over the pixels before the linear layer, not the mean": run(mistake="sum"),
            "a linear layer that sees one corner pixel only, not the mean over all": run(mistake="corner"),
            "probabilities: leave the softmax to the loss": run(mistake="softmax"),
        },
        pointer=SECTION,
    )
