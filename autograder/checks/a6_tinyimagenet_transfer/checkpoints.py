"""The heads that the cases of the proof hand in."""

from __future__ import annotations

import io
from pathlib import Path

import torch
from torch import nn
from torch.utils.data import DataLoader

from deepmarks import backbone
from deepmarks.checkpoints import safetensors_arrays
from deepmarks.datasets import load_tiny_imagenet


def make(solution, kind, device):
    """A head of the `kind` that a mutant names, or the reference's."""
    pictures = load_tiny_imagenet("offline", train=True)
    classes = len(pictures.class_names)
    transforms = backbone_of = None
    if kind == "random":
        torch.manual_seed(3)
        return nn.Linear(backbone.FEATURES, classes)
    if kind == "wide":
        torch.manual_seed(3)
        return nn.Linear(2048, classes)
    if kind == "as_fc":
        reference = safetensors_arrays(Path(__file__).with_name("reference.safetensors").read_bytes())
        return {f"fc.{name}": torch.from_numpy(array.copy()) for name, array in reference.items()}
    if kind == "whole_model":
        stream = io.BytesIO()
        torch.save(nn.Linear(backbone.FEATURES, classes), stream)
        return stream.getvalue()
    if kind == "diverged":
        # Written by hand: save_checkpoint refuses NaN.
        from safetensors.torch import save

        return save({"weight": torch.full((classes, backbone.FEATURES), torch.nan), "bias": torch.zeros(classes)})
    if kind == "not_normalised":
        transforms = backbone.picture_transform((0.0,) * 3, (1.0,) * 3)
    if kind == "not_resized":
        from torchvision.transforms import v2

        normalise = v2.Normalize(backbone.IMAGENET_MEAN, backbone.IMAGENET_STD)
        transforms = v2.Compose([v2.PILToTensor(), v2.ToDtype(torch.float32, scale=True), normalise])
    if kind == "untrained_backbone":
        torch.manual_seed(0)
        backbone_of = backbone.efficientnet_lite0(False, inputs="imagenet")
    if kind == "three_pictures":
        pictures = pictures.balanced(3)
    loader = DataLoader(pictures.dataset(transforms or solution.make_transforms(False)), 16)
    features, labels = solution.extract_features(backbone_of or backbone.course_backbone(), loader, device)
    if kind == "shuffled_labels":
        labels = labels[torch.randperm(len(labels), generator=torch.Generator().manual_seed(0))]
    if kind == "classes_in_other_order":
        order = sorted(range(classes), key=lambda k: pictures.class_names[k])
        labels = torch.tensor([order.index(int(k)) for k in labels])
    return solution.linear_probe(features, labels, classes, 0, 1e-2)
