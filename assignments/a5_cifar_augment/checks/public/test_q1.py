"""Crops, mirror images and normalisation, as students receive the checks."""

from __future__ import annotations

import torch
import torch.nn.functional as F

from deepmarks.checks import assert_matches, question

SECTION = "section 1"


@question("q1", points=0.5)
def test_crops_and_mirrors_of_a_numbered_image(student):
    """An image of numbered pixels is cropped at row 1, column 2 of the padded image, and mirrored."""
    img = torch.arange(1.0, 33.0).reshape(2, 4, 4)
    padded = F.pad(img, (2, 2, 2, 2))
    assert_matches(
        student.pad_and_crop(img, 4, 1, 2, 2),
        padded[:, 1:5, 2:6],
        what="the crop",
        candidates={
            "the crop with top and left exchanged": padded[:, 2:6, 1:5],
            "a crop whose top and left are counted in the image before padding": padded[:, 3:7, 4:8],
            "the crop at a place that does not depend on top and left": padded[:, 2:6, 2:6],
            "the whole padded image": padded,
            "a crop from an image that is padded with its reflection, not with zeros": F.pad(
                img, (2, 2, 2, 2), mode="reflect"
            )[:, 1:5, 2:6],
            "a crop from an image that is padded with copies of its border, not with zeros": F.pad(
                img, (2, 2, 2, 2), mode="replicate"
            )[:, 1:5, 2:6],
        },
        pointer=SECTION,
    )
    assert_matches(student.pad_and_crop(img, 4, 2, 2, 2), img, what="the crop in the middle", pointer=SECTION)
    assert_matches(
        student.hflip(img),
        img.flip(2),
        what="the mirror image",
        candidates={
            "the image upside down: the rows are reversed, not the columns": img.flip(1),
            "the image turned by half a turn: rows and columns are reversed": img.flip(1, 2),
            "the image with its channels in reverse order": img.flip(0),
            "the image itself": img,
        },
        pointer=SECTION,
    )


@question("q1", points=0.5)
def test_normalising_goes_there_and_back(student, torch_rng):
    """The channels of an image become (x - mean) / std, and denormalize brings them back."""
    img = torch.rand(3, 5, 6, generator=torch_rng)
    mean, std = [0.4, 0.5, 0.3], [0.2, 0.25, 0.5]
    m, s = torch.tensor(mean).view(3, 1, 1), torch.tensor(std).view(3, 1, 1)
    assert_matches(
        student.normalize(img, mean, std),
        (img - m) / s,
        what="the normalised image",
        candidates={
            "denormalize": img * s + m,
            "the image divided by std before the mean is subtracted": img / s - m,
            "the image minus the mean, not divided by std": img - m,
            "the image divided by the variance, not by std": (img - m) / s**2,
            "the image times std": (img - m) * s,
        },
        pointer=SECTION,
    )
    assert_matches(
        student.denormalize((img - m) / s, mean, std),
        img,
        what="the image after denormalize",
        candidates={
            "the image normalised a second time": ((img - m) / s - m) / s,
            "the image with the mean added before the multiplication by std": ((img - m) / s + m) * s,
            "the image without the mean added": img - m,
        },
        pointer=SECTION,
    )
