"""The weights, as students receive the checks."""

from __future__ import annotations

import math
from pathlib import Path

import torch

from deepmarks.calibration import Band, accuracy_band, bands
from deepmarks.checkpoints import audit_checkpoint
from deepmarks.checks import expect, question
from deepmarks.datasets import load_cifar10, load_packed

SECTION = "section 6"
KEYS = {"depth_blocks", "width", "num_classes"}
MOST_PARAMETERS, MOST_MB = 3_000_000, 13
ASKED = 500
OFFICIAL = (Band("full", 0.83), Band("good", 0.78), Band("basic", 0.70))
"""What the course notes reached (83.57 %) and promised (70 %); not calibrated."""


def checked_arguments(student):
    """CHECKPOINT_ARGS as keyword arguments; fails unless they are three sensible numbers."""
    args = student.value("CHECKPOINT_ARGS")
    expect(
        isinstance(args, dict) and set(args) <= KEYS,
        "CHECKPOINT_ARGS must be a dict with the keys depth_blocks, width and num_classes, and no others.",
        kind="arguments",
        pointer=SECTION,
    )
    depth, width, classes = args.get("depth_blocks", (2, 2, 2)), args.get("width", 16), args.get("num_classes", 10)
    sound = (
        isinstance(depth, tuple | list)
        and len(depth) == 3
        and all(type(n) is int and 1 <= n <= 20 for n in depth)
        and type(width) is int
        and 1 <= width <= 256
        and classes == 10
    )
    expect(
        sound,
        "CHECKPOINT_ARGS must hold three whole numbers for depth_blocks, one for width, and ten classes.",
        detail=f"found {args}",
        kind="arguments",
        pointer=SECTION,
    )
    expect(
        count_of(depth, width) <= MOST_PARAMETERS,
        "The network may have up to 3,000,000 parameters.",
        detail=f"it has {count_of(depth, width):,}",
        kind="too-large",
        pointer=SECTION,
    )
    return {"depth_blocks": tuple(depth), "width": width, "num_classes": 10}


def count_of(depth, width):
    """The number of parameters that cifar_resnet must have."""
    total, a = 27 * width + 2 * width, width
    for stage, blocks in enumerate(depth):
        b = width * 2**stage
        for i in range(blocks):
            total += 9 * a * b + 9 * b * b + 4 * b
            if stage and not i:
                total += a * b + 2 * b
            a = b
    return total + 10 * a + 10


def answers(student, model, x):
    """The logits for float images in [0, 1], in several calls; fails unless they are sound."""
    found = [student.probe("logits", model, part) for part in x.split(125)]
    sound = all(isinstance(out, torch.Tensor) and out.shape == (len(part), 10) and bool(out.isfinite().all())
                for out, part in zip(found, x.split(125), strict=True))  # fmt: skip
    expect(sound, "The network with your weights must give ten finite logits per image.", kind="logits",
           pointer=SECTION)  # fmt: skip
    return torch.cat(found)


@question("q6", points=0.5)
def test_the_weights_fit_the_network(student, checkpoint):
    """The file can be read, fits cifar_resnet(**CHECKPOINT_ARGS), and gives ten finite logits per image."""
    args = checked_arguments(student)
    audit = audit_checkpoint(checkpoint.data, names_and_shapes=None, max_mb=MOST_MB)
    if audit.format == "safetensors":
        # Buffers count there too: two statistics for each BatchNorm channel, and a counter.
        expect(
            audit.parameters <= 1.2 * count_of(args["depth_blocks"], args["width"]) + math.prod((100, 10)),
            "The file holds far more numbers than the network of CHECKPOINT_ARGS.",
            detail=f"{audit.parameters:,}",
            kind="too-large",
            pointer=SECTION,
        )
    model = student.probe("load_weights_into", checkpoint.data, args)
    x, _ = load_cifar10("offline", train=False).tensors()
    logits = answers(student, model, x[:20])
    expect(
        float(logits.std(0).max()) > 1e-3,
        "The network gives the same logits for every image.",
        kind="constant",
        pointer=SECTION,
    )


@question("q6", points=0.5)
def test_known_test_images_are_recognised(student, checkpoint):
    """On 500 images of the test set of the notebook, the network reaches the lowest band."""
    args = checked_arguments(student)
    # Where a course marks official images, they lie beside the hidden checks; elsewhere the rendered ones count.
    images = load_packed(Path(__file__).parent.parent / "hidden")
    scale = OFFICIAL if images is not None else bands(__file__, "test_accuracy")
    x, y = (images or load_cifar10("offline", train=False)).tensors()
    model = student.probe("load_weights_into", checkpoint.data, args)
    correct = int((answers(student, model, x[:ASKED]).argmax(1) == y[:ASKED]).sum())
    result = accuracy_band(correct, len(y[:ASKED]), scale)
    expect(
        result.reaches("basic"),
        "The network recognises too few of the test images: was it trained on the images that count, as floats in "
        "[0, 1], with augmentation?",
        detail=result.text,
        kind="accuracy",
        pointer=SECTION,
    )
