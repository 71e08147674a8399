"""How well this machine guards the grader, layer by layer."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any


class Strength(StrEnum):
    """What hostile code can reach."""

    FULL = "FULL"
    """Hidden files cannot be read, the grader cannot be touched, the network and the kernel's odd corners are shut."""
    PARTIAL = "PARTIAL"
    """Some layers hold, but hidden files or the grader are within reach."""
    NONE = "NONE"
    """Student code can do whatever the user who grades can."""


@dataclass(frozen=True, slots=True)
class Layer:
    """One layer and whether it holds here."""

    name: str
    on: bool
    reason: str = ""
    """What it rests on where it is on; why it is off and what to do where it is not."""


@dataclass(frozen=True, slots=True)
class Report:
    """The strength reached on this machine."""

    strength: Strength
    layers: tuple[Layer, ...]
    advice: str = ""
    """What to do to get to FULL; empty there."""
    milliseconds: float = 0.0
    """How long the self-check took."""

    def line(self) -> str:
        """All in one line, for the records."""
        on = ", ".join(f"{layer.name} ({layer.reason})" if layer.reason else layer.name for layer in self.on)
        off = "; ".join(f"{layer.name}: {layer.reason}" for layer in self.off)
        return f"{self.strength}: {on or 'nothing is on'}" + (f". Off: {off}" if off else "")

    @property
    def on(self) -> tuple[Layer, ...]:
        """The layers that hold."""
        return tuple(layer for layer in self.layers if layer.on)

    @property
    def off(self) -> tuple[Layer, ...]:
        """The layers that do not."""
        return tuple(layer for layer in self.layers if not layer.on)

    def to_data(self) -> dict[str, Any]:
        """The report as a JSON object."""
        return asdict(self)


MACOS = (
    "only time, file-size and descriptor limits are enforced. Student code can read your files, including the hidden "
    "tests. Use Docker for submissions that you don't trust"
)


def unguarded(platform: str) -> Report:
    """The report for a system that is not Linux."""
    name = "macOS" if platform == "darwin" else platform
    return Report(
        Strength.NONE,
        (Layer("time and output limits", True), Layer("everything else", False, MACOS)),
        f"{name}: {MACOS}.",
    )
