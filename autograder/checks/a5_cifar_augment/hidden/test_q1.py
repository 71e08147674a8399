"""Crops, mirror images and normalisation, as the grader checks them."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from deepmarks.checks import assert_matches, question

SECTION = "section 1"


@pytest.mark.parametrize(("shape", "size", "padding"), [((3, 9, 7), 6, 2), ((4, 3, 8, 8), 8, 3), ((5, 2, 6, 11), 4, 0)])
@question("q1", points=0.5)
def test_crops_of_images_and_batches(student, rng, torch_rng, shape, size, padding):
    """Crops of other sizes, with and without padding, from single images and batches; the dtype stays."""
    img = torch.rand(shape, generator=torch_rng, dtype=torch.float64 if padding == 3 else torch.float32)
    height, width = shape[-2] + 2 * padding, shape[-1] + 2 * padding
    padded = F.pad(img, (padding,) * 4)
    for _ in range(3):
        top, left = int(rng.integers(height - size + 1)), int(rng.integers(width - size + 1))
        candidates = {
            "the crop with top and left exchanged": padded[..., left : left + size, top : top + size],
            "a crop whose top and left are counted in the image before padding": padded[
                ..., top + padding : top + padding + size, left + padding : left + padding + size
            ],
            "a crop with the height and width of the image, whatever size says": padded[
                ..., top : top + shape[-2], left : left + shape[-1]
            ],
        }
        if 0 < padding < min(shape[-2:]):
            mirrored = F.pad(img if img.ndim == 4 else img[None], (padding,) * 4, mode="reflect").reshape(padded.shape)
            candidates["a crop from an image that is padded with its reflection, not with zeros"] = mirrored[
                ..., top : top + size, left : left + size
            ]
        assert_matches(
            student.pad_and_crop(img, size, top, left, padding),
            padded[..., top : top + size, left : left + size],
            what="the crop",
            candidates=candidates,
            pointer=SECTION,
        )


@question("q1", points=0.5)
def test_mirror_images_of_images_and_batches(student, torch_rng):
    """Single images and batches are mirrored left to right, also where they are not square."""
    for shape in ((3, 5, 8), (4, 3, 7, 6), (2, 1, 3, 4)):
        img = torch.rand(shape, generator=torch_rng)
        assert_matches(
            student.hflip(img),
            img.flip(-1),
            what="the mirror image",
            candidates={
                "the image upside down: the rows are reversed, not the columns": img.flip(-2),
                "the image with its channels in reverse order": img.flip(-3),
                "the batch in reverse order": img.flip(0),
                "the image turned by half a turn: rows and columns are reversed": img.flip(-1, -2),
                "an image whose axis 2 is reversed; in a batch the width is the last axis": img.flip(2),
            },
            pointer=SECTION,
        )


@question("q1", points=0.5)
def test_normalising_images_and_batches(student, torch_rng):
    """Single images and batches, means and deviations as lists and as tensors, float32 and float64."""
    for shape, dtype, kind in (
        ((3, 4, 6), torch.float32, "tensor"),
        ((5, 3, 4, 6), torch.float32, "list"),
        ((3, 3, 3, 3), torch.float64, "tensor"),
        ((2, 4, 5, 3), torch.float32, "tensor"),
    ):
        channels = shape[-3]
        img = torch.rand(shape, generator=torch_rng, dtype=dtype)
        mean = torch.rand(channels, generator=torch_rng, dtype=dtype) * 0.5 + 0.2
        std = torch.rand(channels, generator=torch_rng, dtype=dtype) * 0.4 + 0.2
        given = (mean, std) if kind == "tensor" else (mean.tolist(), std.tolist())
        m, s = mean.view(-1, 1, 1), std.view(-1, 1, 1)
        right = (img - m) / s
        wrong = {
            "denormalize": img * s + m,
            "the image divided by std before the mean is subtracted": img / s - m,
            "the image minus the mean, not divided by std": img - m,
            "the image normalised with the statistics of its first channel in all channels": (img - m[0]) / s[0],
            "the image normalised with the average of the statistics": (img - m.mean()) / s.mean(),
        }
        if channels == shape[-1]:
            wrong["the image normalised along its width: give mean and std the shape (C, 1, 1)"] = (img - mean) / std
        assert_matches(
            student.normalize(img, *given), right, what="the normalised image", candidates=wrong, pointer=SECTION
        )
        assert_matches(
            student.denormalize(right, *given),
            img,
            what="the image after denormalize",
            candidates={
                "the image normalised a second time": (right - m) / s,
                "the image with the mean added before the multiplication by std": (right + m) * s,
                "the image without the mean added": right * s,
            },
            pointer=SECTION,
        )
