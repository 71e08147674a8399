"""Looks at the installation: what is there, what is wrong, and what to do about it."""

from __future__ import annotations

import importlib
import importlib.util
import platform
import shutil
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from deepmarks import __version__
from deepmarks.workbench.errors import FolderError
from deepmarks.workbench.folders import places

_MINIMUM = {"torch": (2, 6), "torchvision": (0, 21)}
_NEEDED = ["torch", "torchvision", "numpy", "scikit-learn", "pytest", "otter-grader", "nbformat", "matplotlib"]
_ROOM_GB = 2.0
"""For the data sets of one assignment and a checkpoint."""
_INSTALL = "Run: pip install -r requirements.txt"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at."""

    name: str
    ok: bool
    text: str
    remedy: str = ""
    """What to do; empty if all is well."""
    optional: bool = False
    """Whether one can do without it."""


def examine(start: Path) -> Iterator[Finding]:
    """Look at everything that an assignment needs, the quick things first."""
    yield Finding("python", True, f"{platform.python_version()} in {sys.prefix}")
    yield Finding("deepmarks", True, __version__)
    for name in _NEEDED:
        yield _package(name)
    for name, command in (
        ("jupyterlab", "pip install jupyterlab ipykernel"),
        ("safetensors", "pip install safetensors"),
    ):
        yield _package(name, f"Run: {command}", optional=True)
    yield _attempt("torch works", _torch, _INSTALL)
    yield _attempt("torchvision works", _torchvision, _INSTALL)
    yield _attempt("otter works", _otter, _INSTALL)
    yield _attempt("device", _device, "Without a graphics card everything runs on the CPU; that is fine.")
    yield _disk(start)
    yield _assignments(start)


def _package(name: str, remedy: str = _INSTALL, *, optional: bool = False) -> Finding:
    try:
        found = version(name)
    except PackageNotFoundError:
        return Finding(name, False, "not installed", remedy, optional)
    minimum = _MINIMUM.get(name)
    numbers = tuple(int(part) for part in found.split("+")[0].split(".")[:2] if part.isdigit())
    if minimum and numbers < minimum:
        wanted = ".".join(map(str, minimum))
        return Finding(name, False, f"{found}, but {wanted} or newer is needed", remedy)
    return Finding(name, True, found)


def _attempt(name: str, look: Callable[[], str], remedy: str) -> Finding:
    try:
        return Finding(name, True, look())
    except Exception as error:
        first = (str(error).splitlines() or [""])[0]
        return Finding(name, False, f"{type(error).__name__}: {first}"[:200], remedy)


def _torch() -> str:
    import torch

    total = torch.ones(3, requires_grad=True).sum()
    total.backward()  # type: ignore[no-untyped-call]
    return f"a gradient was computed, with {torch.get_num_threads()} threads"


def _torchvision() -> str:
    from deepmarks.torchvision_guard import guard

    declared = guard()
    importlib.import_module("torchvision.transforms")
    return "its compiled operators do not load here; Deepmarks works around it" if declared else "with its operators"


def _otter() -> str:
    importlib.import_module("otter")
    if importlib.util.find_spec("rfc3987_syntax") is not None:
        return "imports slowly because the package rfc3987_syntax is installed; that is harmless"
    return "imports"


def _device() -> str:
    from deepmarks.devices import resolve

    device = resolve("auto")
    if device != "cuda":
        return f"{device}; good enough for every assignment" if device == "cpu" else device
    import torch

    return f"cuda: {torch.cuda.get_device_name(0)}"


def _disk(start: Path) -> Finding:
    free = shutil.disk_usage(start).free / 1e9
    remedy = "" if free >= _ROOM_GB else f"Make room: data sets need up to {_ROOM_GB:g} GB."
    return Finding("disk", not remedy, f"{free:.1f} GB free in {start.resolve()}", remedy)


def _assignments(start: Path) -> Finding:
    try:
        found = places(start)
    except FolderError as error:
        text, _, remedy = str(error).partition("\n")
        return Finding("assignments", False, text, remedy)
    if not found:
        remedy = "Change into the folder with your assignments, or unpack one here."
        return Finding("assignments", False, f"none in {start.resolve()}", remedy, optional=True)
    return Finding("assignments", True, ", ".join(place.slug for place in found))
