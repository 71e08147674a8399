"""Checkpoints, as students receive the checks."""

from __future__ import annotations

from functools import cache

import numpy as np
import torch

from deepmarks.calibration import accuracy_band, bands
from deepmarks.checkpoints import audit_checkpoint, safetensors_arrays
from deepmarks.checks import assert_matches, expect, question
from deepmarks.datasets import TEXTURE_CLASSES, load_tiny_imagenet

SECTION = "section 6"
WIDTH, MAX_MB = 1280, 5
OFFICIAL_CLASSES = 200


def weights(rng, inputs, classes):
    """A linear layer's state_dict, in values that half precision holds exactly."""
    whole = lambda *shape: torch.from_numpy(rng.integers(-64, 65, shape) / 32.0).float()  # noqa: E731
    return {"linear.weight": whole(classes, inputs), "linear.bias": whole(classes)}


def check_evaluation(student, rng, device, kind, classes, count, text):
    """Fail unless top-1 and top-5 are right for weights in a file of one kind."""
    state = weights(rng, 6, classes)
    x = torch.from_numpy(rng.standard_normal((count, 6))).float()
    logits = x.double() @ state["linear.weight"].double().T + state["linear.bias"].double()
    ranks = logits.argsort(1, descending=True)
    # The label has one of the first ranks more often than not, so that neither number is near 0 or 1.
    place = np.minimum(rng.geometric(0.3, count) - 1, classes - 1)
    y = ranks[torch.arange(count), torch.from_numpy(place)]
    found = student.probe("evaluated", state, kind, x, y, 8, text, device)
    result = found["result"]
    expect(
        isinstance(result, tuple) and len(result) == 2 and all(isinstance(value, int | float) for value in result),
        "evaluate_checkpoint must return two numbers: top1 and top5.",
        kind="structure",
        pointer=SECTION,
    )
    expect(
        found["built"], "evaluate_checkpoint does not run the model of build_model.", kind="not-run", pointer=SECTION
    )
    expect(
        found["loaded"],
        "The model that is judged has not the weights of the file: load them into what build_model() gives.",
        kind="not-loaded",
        pointer=SECTION,
    )
    expect(
        not found["train mode"],
        "The model is judged in train mode: is model.eval() missing?",
        kind="train-mode",
        pointer=SECTION,
    )
    expect(not found["recorded"], "Gradients are recorded while the model is judged.", kind="graph", pointer=SECTION)

    def hits(k):
        return (ranks[:, :k] == y[:, None]).any(1).double()

    k = min(5, classes)
    right = np.array([float(hits(1).mean()), float(hits(k).mean())])
    batches = lambda values: float(torch.stack([part.mean() for part in values.split(8)]).mean())  # noqa: E731
    assert_matches(
        np.array(result, dtype=float),
        right,
        what="(top1, top5)",
        candidates={
            "(top5, top1): the two are exchanged": right[::-1].copy(),
            "percentages in place of fractions": 100 * right,
            "counts in place of fractions": count * right,
            "means over batches: the last, smaller batch must count less": np.array(
                [batches(hits(1)), batches(hits(k))]
            ),
            "(top1, top3)": np.array([right[0], float(hits(3).mean())]),
            "(top1, top4)": np.array([right[0], float(hits(4).mean())]),
            "(top1, top6)": np.array([right[0], float(hits(6).mean())]),
            "top-1 twice": right[[0, 0]],
            "numbers without the last, smaller batch": np.array(
                [float(hits(n)[: count // 8 * 8].mean()) for n in (1, k)]
            ),
            "sums divided by the number of batches": right * count / -(-count // 8),
        },
        rtol=0.0,
        atol=1e-6,
        dtype=False,
        pointer=SECTION,
    )


def prefix_of(audit):
    """What stands before "weight" and "bias" in the file's names: nothing, or "fc." for the head of a larger model."""
    first = min(audit.shapes, default="")
    return first.removesuffix("bias") if first.endswith("bias") else ""


def head_of(student, checkpoint):
    """Weight (K, 1280) and bias (K,) of the head in the checkpoint, float32; CheckpointError says what is wrong."""
    audit = audit_checkpoint(checkpoint.data, names_and_shapes=None, max_mb=MAX_MB)
    classes = len(TEXTURE_CLASSES)
    prefix = prefix_of(audit)
    if audit.shapes.get(f"{prefix}weight", ())[:1] == (OFFICIAL_CLASSES,):
        classes = OFFICIAL_CLASSES
    if audit.format == "state_dict":
        weight, bias = student.probe("head_arrays", checkpoint.data, classes, WIDTH)
        return weight, bias
    shapes = {f"{prefix}weight": (classes, WIDTH), f"{prefix}bias": (classes,)}
    audit_checkpoint(checkpoint.data, names_and_shapes=shapes, max_mb=MAX_MB)
    arrays = safetensors_arrays(checkpoint.data)
    return tuple(torch.from_numpy(np.array(arrays[prefix + name])) for name in ("weight", "bias"))


@cache
def seen_pictures(classes):
    """Features, labels and source of the validation pictures with so many classes; None if there are none here."""
    from deepmarks.backbone import picture_features

    pictures = load_tiny_imagenet("offline" if classes == len(TEXTURE_CLASSES) else "auto", train=False)
    if len(pictures.class_names) != classes:
        return None
    chosen = pictures.balanced(max(1, 120 // classes))
    return picture_features(chosen), torch.from_numpy(chosen.labels), pictures.source


@question("q6", points=0.5)
def test_top_1_and_top_5_are_counted(student, rng, device):
    """top1 and top5 are right for weights in a safetensors file, and in one of torch.save (9 classes, batches of 8)."""
    check_evaluation(student, rng, device, "safetensors", 9, 53, False)
    check_evaluation(student, rng, device, "pt", 9, 53, True)


@question("q6", points=0.5, device="cpu")
def test_the_checkpoint_is_a_linear_head(student, checkpoint):
    """The file a6_tinyimagenet_transfer.safetensors holds a linear head for the course's backbone."""
    weight, bias = head_of(student, checkpoint)
    features = torch.rand(50, WIDTH, generator=torch.Generator().manual_seed(0))
    expect(
        bool((features @ weight.T + bias).isfinite().all()),
        "The head gives logits that are not finite.",
        kind="not-finite",
        pointer=SECTION,
    )
    expect(
        float(weight.std()) > 0 and torch.unique(weight, dim=0).shape[0] == len(weight),
        "Some rows of the head's weight are equal: it cannot tell these classes apart.",
        kind="equal-rows",
        pointer=SECTION,
    )


@question("q6", points=0.5, device="cpu")
def test_the_head_knows_the_validation_pictures(student, checkpoint):
    """On the frozen backbone, the head recognises the validation pictures of this notebook (band "good")."""
    weight, bias = head_of(student, checkpoint)
    known = seen_pictures(len(bias))
    if known is None:
        return  # a head for the official pictures, which are not on this machine
    features, labels, source = known
    correct = int(((features @ weight.T + bias).argmax(1) == labels).sum())
    key = source if len(bias) == len(TEXTURE_CLASSES) else "Tiny ImageNet subset"
    result = accuracy_band(correct, len(labels), bands(__file__, "test_accuracy", source=key))
    expect(
        result.accuracy > 3 / len(bias),
        "The head is hardly better than guessing: is it fitted to features of course_backbone(), and do features and "
        "labels belong together?",
        detail=result.text,
        kind="guessing",
        pointer=SECTION,
    )
    expect(
        result.reaches("good"),
        "The head recognises too few of the validation pictures: are the pictures prepared as in section 2 (in use), "
        "with the normalisation?",
        detail=result.text,
        kind="accuracy",
        pointer=SECTION,
    )
