"""How good a right head is on new pictures, how much better than training from scratch, and how bad wrong ones are.

Each seed draws the strength of the penalty as students might choose it, and new test pictures. The margin is the
accuracy of a head fitted to FEW training pictures of each class, which the seed draws, minus that of a small network
trained from scratch on the same. The preparation tells heads that were fitted to pictures without normalisation, which
cost little accuracy: how much farther the true class is ahead on new pictures that are prepared rightly than on the
same ones without normalisation (right heads gain 0.27, others 0.01). Real pictures: ten of the twelve of each class,
drawn by the seed, and 240 of the 800 validation pictures.
"""

from __future__ import annotations

from functools import cache

import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from deepmarks import backbone
from deepmarks.datasets import load_tiny_imagenet, rendered_textures, work_folder
from deepmarks_grader.calibration import Metric

COUNT = 240
METRICS = {
    "test_accuracy": Metric("higher", test_size=COUNT, fresh=True, floor=1 / 12),
    "margin": Metric("higher"),
    "preparation": Metric("higher"),
}
BANDS = {"full": 1.0, "good": 0.9, "basic": 0.5}
SOURCES = {"offline": "rendered textures in the layout of Tiny ImageNet", "subset": "Tiny ImageNet subset"}
PENALTIES = {"offline": (1e-4, 1e-1), "subset": (3e-3, 1e-2)}
FEW = 5
"""Pictures of each class for the margin. With forty, the small network learns the offline textures too."""
STEPS = {"offline": 160, "subset": 640}
"""Steps from scratch; more do not help."""
VARIANTS = {
    "q6_random_head": """
def linear_probe(features, labels, num_classes, seed, l2):
    torch.manual_seed(seed)
    return nn.Linear(features.shape[1], num_classes)
""",
    "q6_shuffled_labels": """
_fit = linear_probe


def linear_probe(features, labels, num_classes, seed, l2):
    order = torch.randperm(len(labels), generator=torch.Generator().manual_seed(seed))
    return _fit(features, labels[order], num_classes, seed, l2)
""",
    "q6_not_normalised": """
def make_transforms(train):
    return transforms.Compose([transforms.Resize(256), transforms.CenterCrop(224), transforms.ToTensor()])
""",
    "q6_not_resized": """
def make_transforms(train):
    normalise = transforms.Normalize(mean=[0.485, 0.456, 0.406], std=[0.229, 0.224, 0.225])
    return transforms.Compose([transforms.ToTensor(), normalise])
""",
    "q6_untrained_backbone": """
def course_backbone():
    from deepmarks.backbone import efficientnet_lite0

    torch.manual_seed(0)
    return efficientnet_lite0(False, inputs="imagenet").requires_grad_(False)
""",
}


@cache
def pictures(source, train):
    """Training or validation pictures of a source."""
    return load_tiny_imagenet("offline" if source == "offline" else "auto", train=train)


@cache
def tested(source, seed):
    """The test pictures of a seed, with the features of the right backbone, kept on disk for the variants."""
    if source == "offline":
        chosen = rendered_textures(COUNT, 31_000 + seed)
        file = work_folder() / "a6" / f"features-{COUNT}-{seed}.pt"
        if not file.is_file():
            file.parent.mkdir(parents=True, exist_ok=True)
            torch.save(backbone.picture_features(chosen), file)
        return chosen, torch.load(file, weights_only=True)
    file = work_folder() / "a6" / "features-subset-val.pt"
    if not file.is_file():
        file.parent.mkdir(parents=True, exist_ok=True)
        torch.save(backbone.picture_features(pictures(source, False)), file)
    rows = np.random.default_rng(seed).permutation(len(pictures(source, False)))[:COUNT]
    return pictures(source, False).select(rows), torch.load(file, weights_only=True)[rows]


COMPARED = 60
"""Pictures for the preparation."""


@cache
def not_normalised(source, seed):
    """Features of the first test pictures of a seed without the normalisation."""
    file = work_folder() / "a6" / f"features-{source}-unit-{COMPARED}-{seed}.pt"
    if not file.is_file():
        unit = backbone.picture_transform((0.0,) * 3, (1.0,) * 3)
        chosen = tested(source, seed)[0].select(slice(0, COMPARED))
        torch.save(backbone.picture_features(chosen, transform=unit), file)
    return torch.load(file, weights_only=True)


def lead(logits, labels):
    """By how much the true class is ahead of the best other one (N,)."""
    own = logits.gather(1, labels[:, None])
    return own[:, 0] - logits.scatter(1, labels[:, None], -torch.inf).max(1).values


def preparation(head, features, others, labels):
    """How much larger the mean lead is on pictures prepared rightly than on others; the scale of the logits is out."""
    labels = labels[:COMPARED]
    with torch.no_grad():
        right, other = lead(head(features[:COMPARED]), labels), lead(head(others), labels)
    return float((right.mean() - other.mean()) / (right.abs().mean() + other.abs().mean()).clamp_min(1e-12))


_features = {}


def trained(solution, source, device):
    """Features and labels of the training pictures, as the solution computes them."""
    build = getattr(solution, "course_backbone", backbone.course_backbone)
    key = (source, solution.make_transforms, build)
    if key not in _features:
        images = pictures(source, True)
        loader = DataLoader(images.dataset(solution.make_transforms(False)), 16)
        _features[key] = solution.extract_features(build().to(device), loader, device)
    return _features[key]


def small_net(classes, width=24):
    """Four convolutions and a linear layer, as in the notebook."""
    layers, inputs = [], 3
    for outputs in (width, 2 * width, 3 * width, 4 * width):
        layers += [nn.Conv2d(inputs, outputs, 3, 2, 1), nn.BatchNorm2d(outputs), nn.ReLU()]
        inputs = outputs
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(inputs, classes))


class Mirroring(DataLoader):
    """Batches of which half is mirrored."""

    def __iter__(self):
        for x, y in super().__iter__():
            yield torch.where(torch.rand(len(x), 1, 1, 1) < 0.5, x.flip(-1), x), y


_scratch = {}


def from_scratch(train, source, seed, rows, device):
    """The accuracy on the test pictures of a small network, trained on some pictures from a random start."""
    if (source, seed) not in _scratch:
        torch.manual_seed(seed)
        images = pictures(source, True)
        x, y = images.select(rows).tensors()
        model = small_net(len(images.class_names)).to(device)
        data = TensorDataset(x - 0.5, y)
        loaders = {"train": Mirroring(data, 32, shuffle=True), "val": DataLoader(data, 128)}
        steps = torch.optim.Adam(model.parameters(), lr=3e-3)
        epochs = STEPS[source] // len(loaders["train"])
        scheduler = torch.optim.lr_scheduler.StepLR(steps, epochs // 2, 0.3)
        model, _ = train(model, loaders, nn.CrossEntropyLoss(), steps, scheduler, epochs, device)
        test_x, test_y = tested(source, seed)[0].tensors()
        with torch.no_grad():
            guess = model.eval()((test_x - 0.5).to(device)).argmax(1).cpu()
        _scratch[source, seed] = float((guess == test_y).double().mean())
    return _scratch[source, seed]


def some_of_each(labels, count, rng):
    """Row numbers of `count` pictures of each class."""
    return np.sort(np.concatenate([rng.permutation(np.flatnonzero(labels == k))[:count] for k in np.unique(labels)]))


def run(solution, seed, device, source="offline"):
    """The accuracy of a head fitted with the solution, and its lead over training from scratch with few pictures."""
    rng = np.random.default_rng(seed)
    known = pictures(source, True)
    l2 = float(np.exp(rng.uniform(*np.log(PENALTIES[source]))))
    features, labels = trained(solution, source, device)
    test, test_features = tested(source, seed)

    truth = torch.from_numpy(test.labels)

    def fitted(rows):
        return solution.linear_probe(features[rows], labels[rows], len(known.class_names), seed, l2)

    def accuracy(head):
        with torch.no_grad():
            return float((head(test_features).argmax(1) == truth).double().mean())

    few = some_of_each(known.labels, FEW, rng)
    scratch = from_scratch(solution.train_model, source, seed, few, device)
    head = fitted(some_of_each(known.labels, 40 if source == "offline" else 10, rng))
    return {
        "test_accuracy": accuracy(head),
        "margin": accuracy(fitted(few)) - scratch,
        "preparation": preparation(head, test_features, not_normalised(source, seed), truth),
    }
