"""From what the self-check found to a report."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from deepmarks_grader.isolation.strength import Layer, Report, Strength

_AGAINST_GRADER = ("memory of", "environment of", "descriptors of", "signal to", "ptrace of", "limits of")
_AGAINST_FILES = ("closed file", "secrets", "write beside", "write packages")


@dataclass(frozen=True, slots=True)
class Findings:
    """What is known after a zygote has started."""

    uid: int | None
    """The user of the worker that tried; None if it shared the grader's."""
    user_problem: str
    """Why workers have no user of their own; empty if they do."""
    reasons: Mapping[str, str]
    """What `confine.seal` says of its layers."""
    bubblewrap_problem: str | None
    """Why there is no bubblewrap; empty if there is, None where it is not wanted."""
    landlock: int = 0
    """The Landlock version in force."""
    through: Mapping[str, str] = field(default_factory=dict)
    """The attacks of the self-check that succeeded, with what they reached."""
    error: str = ""
    """Why the self-check itself failed."""
    milliseconds: float = 0.0

    def holes(self, *attacks: str) -> str:
        """What got through of the attacks that begin so, as text."""
        return ", ".join(f"{k} ({v})" for k, v in self.through.items() if k.startswith(attacks))


def judge(found: Findings) -> Report:
    """The report; a layer that says it is on and let an attack through counts as off."""
    files = _layer(
        "hidden files",
        "",
        found.holes(*_AGAINST_FILES),
        "student code can reach them; close the folder to other users (chmod 700) or use a kernel with Landlock",
    )
    grader = _layer("grader out of reach", "", found.holes(*_AGAINST_GRADER))
    privileges = _layer(
        "no new privileges", found.reasons.get("no_new_privs", "not tried"), found.holes("no_new_privs")
    )
    filtered = _layer(
        "system-call filter",
        found.reasons.get("seccomp", "not tried"),
        found.holes("network", "namespaces", "io_uring"),
        "network and debugging calls are not blocked",
    )
    layers = [files, grader, *_user_layers(found), _landlock(found), filtered, privileges]
    layers.append(Layer("limits of memory, processes, files and time", not found.error, found.error))
    if found.error:
        layers = [Layer(layer.name, False, found.error) for layer in layers]
    strength = _strength(layers, needed=(files, grader, filtered, privileges), failed=bool(found.error))
    return Report(strength, tuple(layers), _advice(strength, layers), round(found.milliseconds, 1))


def _user_layers(found: Findings) -> list[Layer]:
    layers = [_layer("own user", found.user_problem, found.holes("setresuid", "capabilities", "closed file"))]
    if found.user_problem:
        if "capabilities" in found.reasons:
            layers.append(_layer("no capabilities", found.reasons["capabilities"], found.holes("capabilities")))
        if found.bubblewrap_problem is not None:
            layers.append(_layer("bubblewrap", found.bubblewrap_problem, ""))
    return layers


def _landlock(found: Findings) -> Layer:
    reason = found.reasons.get("landlock", "not tried")
    if reason:
        return Layer("Landlock", False, reason)
    kept = ["open file", "write outside", "write beside"] + (["abstract socket"] if found.landlock >= 6 else [])
    layer = _layer("Landlock", "", found.holes(*kept))
    return Layer("Landlock", True, f"version {found.landlock}") if layer.on else layer


def _layer(name: str, problem: str, holes: str, meaning: str = "") -> Layer:
    why = problem or (f"it let through: {holes}" if holes else "")
    if why and meaning:
        why = f"{why}; {meaning}"
    return Layer(name, not why, why)


def _strength(layers: list[Layer], needed: tuple[Layer, ...], *, failed: bool) -> Strength:
    if failed:
        return Strength.NONE
    if all(layer.on for layer in needed):
        return Strength.FULL
    guards = {"own user", "Landlock", "bubblewrap", "system-call filter"}
    return Strength.PARTIAL if any(layer.on and layer.name in guards for layer in layers) else Strength.NONE


def _advice(strength: Strength, layers: list[Layer]) -> str:
    if strength is Strength.FULL:
        return ""
    first = next(layer for layer in layers if not layer.on)
    return (
        f"{first.name}: {first.reason}. Grade as root in a container or on a machine where every user can read Python; "
        "as an ordinary user you need a kernel with Landlock (5.13 or later) or bubblewrap."
    )
