"""Make `import torchvision` work where its compiled operators cannot be loaded.

The wheel of torchvision that a CPU-only torch gets from the package index is built for CUDA. Its library does
not load, and then `import torchvision` stops with "operator torchvision::nms does not exist", although
models, transforms and datasets need none of its operators. Declaring the missing schemas is enough.
"""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch

# The operators for which torchvision registers a fake implementation while it is being imported.
_SCHEMAS = {
    "nms": "nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
    "qnms": "qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
}

_library: torch.library.Library | None = None  # the schemas vanish with it, so it lives as long as the module


def guard() -> bool:
    """Declare torchvision's missing operator schemas; return whether that was necessary.

    Call it before torchvision is imported. Does nothing where the operators load, where torchvision is not
    installed, and from the second call on. Imports torch, not torchvision.
    """
    global _library
    import torch

    if _library is not None or importlib.util.find_spec("torchvision") is None or _operators_load():
        return False
    missing = [schema for name, schema in _SCHEMAS.items() if not hasattr(torch.ops.torchvision, name)]
    if not missing:
        return False
    _library = torch.library.Library("torchvision", "DEF")  # type: ignore[no-untyped-call]
    for schema in missing:
        _library.define(schema)  # type: ignore[no-untyped-call]
    return True


def _operators_load() -> bool:
    """Try to load torchvision's compiled library, as its own import does; loading it twice is harmless."""
    import torch

    spec = importlib.util.find_spec("torchvision")  # finds the package without running it
    folders = [Path(folder) for folder in (spec.submodule_search_locations or ())] if spec else []
    for library in [found for folder in folders for found in folder.glob("_C*") if found.is_file()]:
        try:
            torch.ops.load_library(library)  # type: ignore[no-untyped-call]
        except (ImportError, OSError):
            continue
        return True
    return False
