"""Schedule and network, as students receive the checks."""

from __future__ import annotations

import math

from deepmarks.checks import assert_matches, expect, question

SECTION = "section 4"
DEFAULT = 175_258


@question("q4", points=0.5)
def test_cosine_of_a_hundred_steps(student):
    """Steps 0, 25, 50, 75, 100 and 130 of a hundred, without warm-up, then with 20 steps of it and min_lr 0.01."""
    steps = [0, 25, 50, 75, 99, 100, 130]
    plain = [0.2 * (1 + math.cos(math.pi * min(s, 100) / 100)) / 2 for s in steps]
    assert_matches(
        [student.cosine_lr(s, 100, 0.2) for s in steps],
        plain,
        what="the schedule without warm-up",
        candidates={
            "a cosine that goes on after total_steps and rises again": [
                0.2 * (1 + math.cos(math.pi * s / 100)) / 2 for s in steps
            ],
            "a cosine of s + 1: step 0 must have base_lr": [
                0.2 * (1 + math.cos(math.pi * min(s + 1, 100) / 100)) / 2 for s in steps
            ],
            "a cosine that ends at total_steps - 1": [
                0.2 * (1 + math.cos(math.pi * min(s, 99) / 99)) / 2 for s in steps
            ],
            "a whole cosine down to -base_lr": [0.2 * math.cos(math.pi * min(s, 100) / 100) for s in steps],
            "a quarter of a cosine": [0.2 * math.cos(math.pi / 2 * min(s, 100) / 100) for s in steps],
            "a straight line": [0.2 * (1 - min(s, 100) / 100) for s in steps],
            "a cosine of degrees, not radians": [0.2 * (1 + math.cos(180 * min(s, 100) / 100)) / 2 for s in steps],
            "a rising schedule: the sign of the cosine is wrong": [
                0.2 * (1 - math.cos(math.pi * min(s, 100) / 100)) / 2 for s in steps
            ],
        },
        pointer=SECTION,
    )
    steps = [0, 5, 19, 20, 60, 99, 100, 200]
    assert_matches(
        [student.cosine_lr(s, 100, 0.2, warmup_steps=20, min_lr=0.01) for s in steps],
        [0.0, 0.05, 0.19, 0.2, 0.105, 0.01 + 0.19 * (1 + math.cos(math.pi * 79 / 80)) / 2, 0.01, 0.01],
        what="the schedule with warm-up",
        candidates=wrong_warm_ups(steps, 100, 0.2, 20, 0.01),
        pointer=SECTION,
    )


def wrong_warm_ups(steps, total, base, warm, low):
    """What typical mistakes give, by what the student reads."""

    def curve(rise, progress, bottom=low, top=base, end=low):
        return [
            rise(s) if s < warm else end if s >= total else
            bottom + (top - bottom) * (1 + math.cos(math.pi * progress(s))) / 2
            for s in steps
        ]  # fmt: skip

    def right(s):
        return (s - warm) / (total - warm)

    return {
        "a cosine that is counted from step 0, not from the end of the warm-up": curve(
            lambda s: base * s / warm, lambda s: s / total
        ),
        "a warm-up that starts at base_lr / warmup_steps, not at 0": curve(lambda s: base * (s + 1) / warm, right),
        "a warm-up that starts at min_lr, not at 0": curve(lambda s: low + (base - low) * s / warm, right),
        "a schedule without the warm-up": curve(lambda s: low + (base - low) * (1 + math.cos(math.pi * s / total)) / 2,
                                                lambda s: s / total),
        "a schedule that stays at base_lr during the warm-up": curve(lambda s: base, right),
        "a schedule that ignores min_lr": curve(lambda s: base * s / warm, right, bottom=0.0, end=0.0),
        "a cosine of the height base_lr on top of min_lr": curve(lambda s: base * s / warm, right, top=base + low),
        "a cosine that takes total_steps more after the warm-up": [
            base * s / warm if s < warm else
            low + (base - low) * (1 + math.cos(math.pi * min(1, (s - warm) / total))) / 2 for s in steps
        ],
        "a schedule that is 0 from total_steps on": curve(lambda s: base * s / warm, right, end=0.0),
        "a cosine that is cut off at min_lr: scale it to end there": [
            base * s / warm if s < warm else
            max(low, base * (1 + math.cos(math.pi * min(1, right(s)))) / 2) for s in steps
        ],
    }  # fmt: skip


@question("q4", points=0.75)
def test_the_default_network_has_the_right_parts(student):
    """cifar_resnet() has 175,258 parameters, gives logits (N, 10), and keeps 32, 16 and 8 pixels in its stages."""
    plan = student.probe("plan", {})
    expect(plan is not None, "cifar_resnet must return an nn.Module.", kind="not-a-module", pointer=SECTION)
    expect(
        plan["out"] == [2, 10],
        "cifar_resnet() must give ten logits per image.",
        detail=f"received {plan['out']}",
        kind="logits",
        pointer=SECTION,
    )
    convolutions = plan["convolutions"]
    stem = [c for c in convolutions if c[1] == 3]
    expect(
        not any(c[6] for c in convolutions),
        "Some convolutions have a bias: the BatchNorm behind them has one, so switch it off.",
        kind="bias",
        pointer=SECTION,
    )
    expect(
        bool(stem) and stem[0][2:4] == [3, 3] and stem[0][5] == 32,
        "The stem must be a 3x3 convolution with stride 1 that keeps 32 pixels.",
        detail=f"found {stem}",
        kind="stem",
        pointer=SECTION,
    )
    sides = {c[0]: c[5] for c in convolutions}  # the last convolution of each width
    expect(
        sides.get(16) == 32,
        "Stage 1 must keep 32 pixels: no pooling after the stem, and stride 1.",
        detail=f"sides by channels: {sides}",
        kind="strides",
        pointer=SECTION,
    )
    expect(
        sides.get(32) == 16 and sides.get(64) == 8,
        "The stages must have 32, 16 and 8 pixels: stride 2 in the first block of stages 2 and 3.",
        detail=f"sides by channels: {sides}",
        kind="strides",
        pointer=SECTION,
    )
    shortcuts = sum(c[2:4] == [1, 1] for c in convolutions)
    expect(
        shortcuts > 0,
        "There is no 1x1 convolution: where the shape changes, the shortcut needs one.",
        kind="no-shortcut",
        pointer=SECTION,
    )
    expect(
        shortcuts == 2,
        "There must be two 1x1 convolutions: a shortcut is the input itself where the shape does not change.",
        detail=f"found {shortcuts}",
        kind="shortcuts",
        pointer=SECTION,
    )
    total = sum(math.prod(shape) for shape in plan["parameters"])
    norms = sum(len(shape) == 1 for shape in plan["parameters"])
    expect(
        total == DEFAULT or norms != 27,
        "Two BatchNorms are missing: the 1x1 convolutions of the shortcuts need one too.",
        kind="shortcut-norm",
        pointer=SECTION,
    )
    linear = [shape for shape in plan["parameters"] if len(shape) == 2]
    expect(
        linear == [[10, 64]],
        "The head must be one linear layer from 4 * width channels to num_classes: take the mean over all pixels "
        "first.",
        detail=f"found {linear}",
        kind="head",
        pointer=SECTION,
    )
    expect(
        total == DEFAULT,
        "cifar_resnet() must have 175,258 parameters: count those of each stage.",
        detail=f"found {total:,}",
        kind="count",
        pointer=SECTION,
    )
