"""The weights, as the grader checks them: accuracy on images that nobody has seen.

Rendered pictures are drawn anew for each submission; their bands are calibrated. Where official CIFAR-10 images are
packed beside this file they count instead, with bands that stand here: the course notes reached 83.57 % and promised
70 %. Those bands are not calibrated.
"""

from __future__ import annotations

from pathlib import Path

import torch

from deepmarks.calibration import Band, accuracy_band, bands
from deepmarks.checkpoints import CheckpointError, Fault, audit_checkpoint, shapes_of
from deepmarks.checks import expect, question
from deepmarks.datasets import load_packed, rendered_shapes

SECTION = "section 6"
KEYS = {"depth_blocks", "width", "num_classes"}
MOST_PARAMETERS, MOST_MB = 3_000_000, 13
ASKED, ASKED_OFFICIAL = 500, 1000
OFFICIAL = (Band("full", 0.83), Band("good", 0.78), Band("basic", 0.70))


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
        kind="arguments",
        pointer=SECTION,
    )
    return {"depth_blocks": tuple(depth), "width": width, "num_classes": 10}


def count_of(depth, width):
    """The number of parameters that cifar_resnet must have."""
    total, a = 29 * width, width
    for stage, blocks in enumerate(depth):
        b = width * 2**stage
        for i in range(blocks):
            total += 9 * a * b + 9 * b * b + 4 * b + (a * b + 2 * b if stage and not i else 0)
            a = b
    return total + 10 * a + 10


def measure(student, checkpoint, rng):
    """The accuracy on hidden images and its band, and the number of parameters."""
    args = checked_arguments(student)
    parameters = count_of(args["depth_blocks"], args["width"])
    expect(
        parameters <= MOST_PARAMETERS,
        "The network may have up to 3,000,000 parameters.",
        kind="too-large",
        pointer=SECTION,
    )
    # Names are free, so the student's own network says what must be in the file; its size is bounded by the formula.
    shapes = student.module("cifar_resnet", init_kwargs=args, run=False).state
    try:
        audit_checkpoint(checkpoint.data, names_and_shapes=shapes_of(shapes), max_mb=MOST_MB)
    except CheckpointError as error:
        if error.fault is Fault.ARCHITECTURE:  # its sentence names what stands in the student's state_dict now
            raise CheckpointError(Fault.ARCHITECTURE) from None
        raise
    numbers = sum(value.numel() for value in shapes.values())
    expect(
        numbers <= 1.2 * parameters + 1000,
        "cifar_resnet builds a larger network than its arguments say.",
        kind="too-large",
        pointer=SECTION,
    )
    packed = load_packed(Path(__file__).parent)
    if packed is None:
        images, scale = rendered_shapes(ASKED, int(rng.integers(2**31))), bands(__file__, "test_accuracy")
    else:
        count = min(ASKED_OFFICIAL, len(packed))
        images, scale = packed.select(rng.permutation(len(packed))[:count]), OFFICIAL
    x, y = images.tensors()
    model = student.probe("load_weights_into", checkpoint.data, args)
    found = [student.probe("logits", model, part) for part in x.split(125)]
    sound = all(isinstance(out, torch.Tensor) and out.shape == (len(part), 10) and bool(out.isfinite().all())
                for out, part in zip(found, x.split(125), strict=True))  # fmt: skip
    expect(sound, "The network with your weights must give ten finite logits per image.", kind="logits",
           pointer=SECTION)  # fmt: skip
    correct = int((torch.cat(found).argmax(1) == y).sum())
    return accuracy_band(correct, len(y), scale), parameters


@question("q6", points=1.0)
def test_unseen_images_are_recognised(student, checkpoint, rng):
    """Images that nobody has seen: the lowest band."""
    result, _ = measure(student, checkpoint, rng)
    expect(
        result.reaches("basic"),
        "The network recognises too few of the images that it has not seen: was it trained at all, on the images that "
        "count, as floats in [0, 1], with their labels?",
        detail=result.text,
        kind="accuracy",
        pointer=SECTION,
    )


@question("q6", points=1.0)
def test_many_unseen_images_are_recognised(student, checkpoint, rng):
    """Images that nobody has seen: the middle band."""
    result, _ = measure(student, checkpoint, rng)
    expect(
        result.reaches("good"),
        "The network recognises fewer of the images that it has not seen than the middle band asks for: was it trained "
        "with augmentation, and for long enough?",
        detail=result.text,
        kind="accuracy",
        pointer=SECTION,
    )


@question("q6", points=1.0)
def test_nearly_all_unseen_images_are_recognised(student, checkpoint, leaderboard, rng):
    """Images that nobody has seen: the top band."""
    result, parameters = measure(student, checkpoint, rng)
    leaderboard.add("test accuracy", result.accuracy)
    leaderboard.add("parameters", parameters, order="asc")
    expect(
        result.reaches("full"),
        "The network recognises fewer of the images that it has not seen than the top band asks for: more steps, or an "
        "augmentation for each way in which the test images differ?",
        detail=result.text,
        kind="accuracy",
        pointer=SECTION,
    )
