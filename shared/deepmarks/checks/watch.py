"""Sees which torch operators and which parts of scikit-learn run: evidence for policies, not a boundary."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import Any

ANY_OPERATOR = "*"
"""Stands for every torch operator, where torch itself is forbidden."""
AUTOGRAD = "autograd"
"""Stands for a run of the autograd engine."""
SKLEARN = "sklearn::"
"""Before the name of a package of scikit-learn, `sklearn::cluster`, of which something is fitted or called."""
ANY_OF_SKLEARN = f"{SKLEARN}*"


class watch_operators(AbstractContextManager[None]):  # noqa: N801 - used like a function
    """Record in `seen` what of `names` (such as `aten::_softmax` or `sklearn::cluster`) runs inside the block.

    While the autograd engine is watched, forward-mode differentiation is off. Nothing is seen of libraries that the
    process has not imported before, but the import of torch itself.
    """

    def __init__(self, names: Sequence[str], seen: set[str]) -> None:
        self._names = frozenset(names)
        self._seen = seen
        self._paused = 0
        self._exits: list[Callable[[], object]] = []
        self._had_torch = "torch" in sys.modules

    def __enter__(self) -> None:
        if self._had_torch:
            mode = _recording_mode(self._record)
            mode.__enter__()
            self._exits.append(lambda: mode.__exit__(None, None, None))
            if AUTOGRAD in self._names:
                self._exits.append(_patch_engine(self._record_engine))
                self._exits.append(_without_forward_mode())
        if any(name.startswith(SKLEARN) for name in self._names):
            self._exits.append(_patch_sklearn(self._record))

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
        every = ANY_OF_SKLEARN if name.startswith(SKLEARN) else ANY_OPERATOR
        if not self._paused and (name in self._names or every in self._names) and len(self._seen) < 64:
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


def _without_forward_mode() -> Callable[[], object]:
    """Switch forward-mode differentiation off, which runs no engine; returns what switches it on again."""
    from torch.autograd.forward_ad import _set_fwd_grad_enabled

    switch = _set_fwd_grad_enabled(False)
    switch.__enter__()
    return lambda: switch.__exit__(None, None, None)


def _patch_sklearn(record: Callable[[str], None]) -> Callable[[], object]:
    """Call `record` with the package of each estimator that is fitted and each function that is called.

    Both pass through a context manager of scikit-learn's, `config_context`. Returns what undoes it.
    """
    named = [sys.modules.get(name) for name in ("sklearn.base", "sklearn.utils._param_validation")]
    modules: list[Any] = [module for module in named if hasattr(module, "config_context")]
    originals = [module.config_context for module in modules]

    def patched(original: Callable[..., Any]) -> Callable[..., Any]:
        def config_context(*args: Any, **kwargs: Any) -> Any:
            caller = sys._getframe(1).f_locals
            what = type(caller["estimator"]) if "estimator" in caller else caller.get("func")
            package = str(getattr(what, "__module__", "")).split(".")
            if package[0] == "sklearn" and len(package) > 1:
                record(SKLEARN + package[1])
            return original(*args, **kwargs)

        return config_context

    for module, original in zip(modules, originals, strict=True):
        module.config_context = patched(original)

    def undo() -> None:
        for module, original in zip(modules, originals, strict=True):
            module.config_context = original

    return undo
