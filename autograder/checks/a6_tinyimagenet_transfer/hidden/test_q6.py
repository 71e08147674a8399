"""Checkpoints, as the grader checks them: the head is multiplied here, no code of the submission takes part."""

from __future__ import annotations

import hashlib
import os
from functools import lru_cache
from pathlib import Path

import numpy as np
import torch

from deepmarks.calibration import accuracy_band, bands, load_calibration, value_band
from deepmarks.checkpoints import audit_checkpoint, safetensors_arrays
from deepmarks.checks import expect, question
from deepmarks.datasets import load_packed, rendered_textures
from public.test_q6 import MAX_MB, SECTION, WIDTH, check_evaluation, prefix_of, weights

COUNT = 240
"""Pictures; about 7 s of one core."""
COMPARED = 60
"""Pictures that are looked at in wrong preparations too."""
SUBSET = "Tiny ImageNet subset"


def seed_of(checkpoint):
    """The seed of the pictures: it depends on the head itself, so no head can have been fitted to them.

    It depends on what students do not know as well, so none can be chosen by luck with them either. All checks of a
    submission get the same pictures, so that their features are computed once.
    """
    secret = os.environ.get("DEEPMARKS_COURSE_SECRET", "").encode() + Path(__file__).read_bytes()
    return int.from_bytes(hashlib.sha256(secret + checkpoint.data).digest()[:4], "big")


@lru_cache(maxsize=2)
def hidden_pictures(seed):
    """Pictures that nobody has seen: of the packed official ones if there are any, else rendered with `seed`."""
    packed = load_packed(Path(__file__).parent)
    if packed is None:
        return rendered_textures(COUNT, seed)
    chosen = np.random.default_rng(seed).permutation(len(packed))[:COUNT]
    return packed.select(chosen)


@lru_cache(maxsize=2)
def hidden_features(seed):
    """What the frozen backbone makes of them; BackboneMissingError is an ImportError, and so the grader's own fault."""
    from deepmarks.backbone import picture_features

    return picture_features(hidden_pictures(seed))


@lru_cache(maxsize=2)
def other_features(seed, kind):
    """What the backbone makes of the first COMPARED pictures if they are prepared wrongly, as some students do."""
    from deepmarks.backbone import picture_features, picture_transform
    from deepmarks.torchvision_guard import guard

    guard()
    from torchvision.transforms import v2

    ways = {
        "not normalised": picture_transform((0.0, 0.0, 0.0), (1.0, 1.0, 1.0)),
        "not resized": v2.Compose([
            v2.PILToTensor(),
            v2.ToDtype(torch.float32, scale=True),
            v2.Normalize((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
        ]),
    }  # fmt: skip
    return picture_features(hidden_pictures(seed).select(slice(0, COMPARED)), transform=ways[kind])


def head_of(student, checkpoint, classes):
    """Weight (K, 1280) and bias (K,) of the head in the checkpoint, float32, and the number of its parameters."""
    audit = audit_checkpoint(checkpoint.data, names_and_shapes=None, max_mb=MAX_MB)
    if audit.format == "state_dict":
        weight, bias = student.probe("head_arrays", checkpoint.data, classes, WIDTH)
    else:
        prefix = prefix_of(audit)
        shapes = {f"{prefix}weight": (classes, WIDTH), f"{prefix}bias": (classes,)}
        audit_checkpoint(checkpoint.data, names_and_shapes=shapes, max_mb=MAX_MB)
        arrays = safetensors_arrays(checkpoint.data)
        weight, bias = (torch.from_numpy(np.array(arrays[prefix + name])) for name in ("weight", "bias"))
    expect(
        tuple(weight.shape) == (classes, WIDTH) and tuple(bias.shape) == (classes,),
        "The checkpoint is not a linear head for the course's backbone.",
        kind="shape",
        pointer=SECTION,
    )
    return weight, bias


def lead(logits, labels):
    """By how much the true class is ahead of the best other one (N,)."""
    own = logits.gather(1, labels[:, None])
    return own[:, 0] - logits.scatter(1, labels[:, None], -torch.inf).max(1).values


def prepared_rightly(seed, weight, bias, labels, source):
    """Fail unless the true class is farther ahead on pictures prepared rightly than on those without normalisation.

    A head that was fitted to pictures without it loses three per cent of accuracy only, so no band of accuracies can
    tell it.
    """
    right, other = (
        lead(features[:COMPARED] @ weight.T + bias, labels[:COMPARED])
        for features in (hidden_features(seed), other_features(seed, "not normalised"))
    )
    gain = float((right.mean() - other.mean()) / (right.abs().mean() + other.abs().mean()).clamp_min(1e-12))
    result = value_band(gain, bands(__file__, "preparation", source=source))
    expect(
        result.reaches("full"),
        "The head is as sure on pictures that are not normalised: fit it to pictures prepared as in section 2.",
        detail=result.text,
        kind="not-normalised",
        pointer=SECTION,
    )


def measure(student, checkpoint, band):
    """Fail unless the head reaches the band on the hidden pictures; the result."""
    seed = seed_of(checkpoint)
    pictures = hidden_pictures(seed)
    weight, bias = head_of(student, checkpoint, len(pictures.class_names))
    labels = torch.from_numpy(pictures.labels)
    hits = (hidden_features(seed) @ weight.T + bias).argmax(1) == labels
    known = load_calibration(__file__).sources
    # Heads fitted to all of the official pictures are better than those that were fitted to the subset.
    source = pictures.source if pictures.source in known else SUBSET
    result = accuracy_band(int(hits.sum()), len(labels), bands(__file__, "test_accuracy", source=source))
    if result.reaches(band):
        if band == "full":
            prepared_rightly(seed, weight, bias, labels, source)
        return result

    def better(kind):
        other = (other_features(seed, kind) @ weight.T + bias).argmax(1) == labels[:COMPARED]
        return float(other.double().mean()) > float(hits[:COMPARED].double().mean()) + 0.1

    expect(
        not better("not normalised"),
        "The head does better on pictures that are not normalised: fit it to pictures prepared as in section 2.",
        detail=result.text,
        kind="not-normalised",
        pointer=SECTION,
    )
    expect(
        not better("not resized"),
        "The head does better on pictures of 64 x 64 pixels: fit it to pictures scaled as in section 2.",
        detail=result.text,
        kind="not-resized",
        pointer=SECTION,
    )
    expect(
        result.accuracy > 3 / len(bias),
        "The head is hardly better than guessing on new pictures: is it fitted to features of course_backbone(), and "
        "do features and labels belong together?",
        detail=result.text,
        kind="guessing",
        pointer=SECTION,
    )
    expect(
        False,
        "The head recognises too few new pictures for this band: is it fitted to all training pictures, prepared as in "
        "section 2, and to convergence?",
        detail=result.text,
        kind="accuracy",
        pointer=SECTION,
    )


@question("q6", points=0.5)
def test_half_precision_and_few_classes(student, rng, device):
    """Weights in half precision and in both formats are judged right; with three classes, top5 means all of them."""
    check_evaluation(student, rng, device, "pth half", 11, 45, False)
    check_evaluation(student, rng, device, "safetensors half", 6, 37, True)
    check_evaluation(student, rng, device, "safetensors", 3, 25, False)


@question("q6", points=0.5)
def test_nothing_in_a_file_runs(student, rng, device):
    """A pickled program in the place of weights, or among them, does not run; weights of other names are refused."""
    state = weights(rng, 6, 5)
    x, y = torch.from_numpy(rng.standard_normal((9, 6))).float(), torch.from_numpy(rng.integers(0, 5, 9))
    for whole in (True, False):
        found = student.probe("trapped", state, x, y, whole, "cpu")
        expect(
            not found["ran"],
            "A program hidden in a .pt file ran when it was loaded: use torch.load(..., weights_only=True).",
            kind="pickle",
            pointer=SECTION,
        )
        expect(
            found["raised"],
            "A file that holds more than weights is accepted: loading it must fail.",
            kind="accepted",
            pointer=SECTION,
        )
    for kind in ("pt", "safetensors"):
        expect(
            student.probe("misfit", state, x, y, kind, "cpu"),
            "Weights whose names do not fit the model are accepted: load_state_dict must be strict.",
            kind="not-strict",
            pointer=SECTION,
        )


@question("q6", points=0.5, device="cpu")
def test_the_head_knows_something(student, checkpoint):
    """On new pictures, the head reaches the band "basic"."""
    measure(student, checkpoint, "basic")


@question("q6", points=0.75, device="cpu")
def test_the_head_is_good(student, checkpoint):
    """On new pictures, the head reaches the band "good"."""
    measure(student, checkpoint, "good")


@question("q6", points=0.75, device="cpu")
def test_the_head_is_as_good_as_it_can_be(student, checkpoint, leaderboard):
    """On new pictures, the head reaches the band "full", and is fitted to pictures that are prepared rightly."""
    result = measure(student, checkpoint, "full")
    leaderboard.add("top-1 accuracy on new pictures", result.accuracy)
