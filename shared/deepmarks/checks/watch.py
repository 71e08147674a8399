"""Sees which torch operators run: evidence for policies, not a boundary."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import Any

ANY_OPERATOR = "*"
"""Stands for every torch operator, where torch itself is forbidden."""
AUTOGRAD = "autograd"
"""Stands for a run of the autograd engine."""


class watch_operators(AbstractContextManager[None]):  # noqa: N801 - used like a function
    """Record in `seen` the operators of `names` (such as `aten::_softmax`) that run inside the block.

    Does nothing in a process that has not imported torch, unless the block imports it.
    """

    def __init__(self, names: Sequence[str], seen: set[str]) -> None:
        self._names = frozenset(names)
        self._seen = seen
        self._paused = 0
        self._exits: list[Callable[[], object]] = []
        self._had_torch = "torch" in sys.modules

    def __enter__(self) -> None:
        if not self._had_torch:
            return
        mode = _recording_mode(self._record)
        mode.__enter__()
        self._exits.append(lambda: mode.__exit__(None, None, None))
        if AUTOGRAD in self._names:
            self._exits.append(_patch_engine(self._record_engine))

    def __exit__(self, *_: object) -> None:
        while self._exits:
            self._exits.pop()()
        if not self._had_torch and ANY_OPERATOR in self._names and "torch" in sys.modules:
            self._seen.add("import torch")

    @contextmanager
    def pause(self) -> Iterator[None]:
        """Record nothing inside the block: a stand-in of the grader's runs there."""
        self._paused += 1
        try:
            yield
        finally:
            self._paused -= 1

    def _record(self, name: str) -> None:
        if not self._paused and (name in self._names or ANY_OPERATOR in self._names) and len(self._seen) < 64:
            self._seen.add(name)

    def _record_engine(self) -> None:
        if not self._paused:
            self._seen.add(AUTOGRAD)


def _recording_mode(record: Callable[[str], None]) -> Any:
    from torch.utils._python_dispatch import TorchDispatchMode

    class Recorder(TorchDispatchMode):  # type: ignore[no-untyped-call]
        def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
            record(func.name().split(".")[0])
            return func(*args, **(kwargs or {}))

    return Recorder()  # type: ignore[no-untyped-call]


def _patch_engine(record: Callable[[], None]) -> Callable[[], object]:
    """Call `record` whenever autograd computes gradients; returns what undoes it."""
    import torch.autograd as autograd
    import torch.autograd.graph as graph

    original = graph._engine_run_backward

    def run_backward(*args: Any, **kwargs: Any) -> Any:
        record()
        return original(*args, **kwargs)

    graph._engine_run_backward = autograd._engine_run_backward = run_backward  # type: ignore[attr-defined]

    def undo() -> None:
        graph._engine_run_backward = autograd._engine_run_backward = original  # type: ignore[attr-defined]

    return undo
