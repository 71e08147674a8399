"""What the loaders return."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    import torch
    from PIL.Image import Image


@dataclass(frozen=True, slots=True, eq=False)
class ImageSet:
    """Labelled images of one size."""

    images: npt.NDArray[np.uint8]
    """Grey values (N, H, W), or colours (N, 3, H, W)."""
    labels: npt.NDArray[np.int64]
    """Class numbers (N,), from 0."""
    class_names: tuple[str, ...]
    source: str
    """Where the images come from, for captions."""

    def __post_init__(self) -> None:
        if len(self.images) != len(self.labels):
            raise ValueError(f"{len(self.images)} images and {len(self.labels)} labels do not belong together")

    def __len__(self) -> int:
        return len(self.labels)

    def select(self, indices: Sequence[int] | npt.NDArray[Any] | slice) -> ImageSet:
        """The images at `indices` (numbers, a mask or a slice)."""
        return ImageSet(self.images[indices], self.labels[indices], self.class_names, self.source)

    def balanced(self, per_class: int, seed: int = 0) -> ImageSet:
        """`per_class` images of each class (fewer where there are fewer), drawn with `seed`, in mixed order."""
        rng = np.random.default_rng(seed)
        chosen = [
            rng.permutation(np.flatnonzero(self.labels == label))[:per_class] for label in range(len(self.class_names))
        ]
        return self.select(rng.permutation(np.concatenate(chosen)))

    def image(self, index: int) -> Image:
        """One image for PIL, in mode "L" or "RGB"."""
        from PIL import Image

        pixels = self.images[index]
        return Image.fromarray(pixels if pixels.ndim == 2 else np.ascontiguousarray(pixels.transpose(1, 2, 0)))

    def tensors(self) -> tuple[torch.Tensor, torch.Tensor]:
        """Images as float32 (N, C, H, W) in [0, 1], labels as int64 (N,)."""
        import torch

        images = torch.from_numpy(self.images.astype(np.float32) / 255)
        return images.unsqueeze(1) if images.ndim == 3 else images, torch.from_numpy(self.labels.copy())

    def dataset(self, transform: Callable[[Any], Any] | None = None) -> PictureDataset:
        """A map-style dataset of pairs (transformed PIL image, label), as torch's DataLoader takes it."""
        return PictureDataset(self, transform)


class PictureDataset:
    """PIL images with their labels, one at a time."""

    def __init__(self, images: ImageSet, transform: Callable[[Any], Any] | None = None) -> None:
        self.images = images
        self.transform = transform

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int) -> tuple[Any, int]:
        picture = self.images.image(index)
        return picture if self.transform is None else self.transform(picture), int(self.images.labels[index])


@dataclass(frozen=True, slots=True, eq=False)
class Table:
    """Labelled rows of measurements."""

    X: npt.NDArray[np.float64]
    """Measurements (N, D)."""
    y: npt.NDArray[np.int64]
    """Class numbers (N,), from 0."""
    feature_names: tuple[str, ...]
    class_names: tuple[str, ...]
    source: str
    """Where the numbers come from, for captions."""
