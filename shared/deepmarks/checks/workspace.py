"""The student's side: runs the submission and answers requests about it.

The same code serves the notebook's kernel and the grader's worker. It decides nothing; it computes and replies.
"""

from __future__ import annotations

import builtins
import importlib
import linecache
import sys
import types
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from typing import Any

from deepmarks import wire
from deepmarks.checkpoints import CheckpointError
from deepmarks.checks.messages import Failure, Operation, Reply, reply_to_data
from deepmarks.checks.operations import (
    NotAModuleError,
    OutputMismatchError,
    ResultDetachedError,
    StateMismatchError,
    run_module,
    run_vjp,
)
from deepmarks.checks.probes import PREFIX, executed
from deepmarks.checks.watch import watch_operators
from deepmarks.seeding import seed_everything

SUBMISSION_MODULE = "submission"
"""The name of the module in which a submission runs in a worker."""


class MissingNameError(Exception):
    """The submission does not define a name that a check asks for."""


class Names:
    """The live names of a submission, as attributes; what probes receive as `student`."""

    def __init__(self, namespace: Mapping[str, Any], kept: dict[str, Any]) -> None:
        self._namespace = namespace
        self.kept = kept
        """What probes leave here is there for later ones, as long as this process lives."""

    def __getattr__(self, name: str) -> Any:
        try:
            return self._namespace[name]
        except KeyError:
            raise MissingNameError(name) from None


class Workspace:
    """A namespace with student code in it, and what can be asked about it."""

    def __init__(
        self,
        namespace: dict[str, Any],
        device: str | None = None,
        reply_limit: int = wire.TRUSTED_SENDER.frame,
    ) -> None:
        self.namespace = namespace
        self._reply_limit = reply_limit
        self.device = device if device not in (None, "cpu") else None
        self._kept: dict[int, Any] = {}
        self._kept_by_probes: dict[str, Any] = {}

    # ------------------------------------------------------------------ frames

    def answer(self, frame: bytes | memoryview) -> bytes:
        """The reply's frame for a request's frame; any exception of the student's code becomes a failure."""
        data = wire.decode(frame, wire.TRUSTED_SENDER, self._resolve)
        reply = self._reply(Operation(data["operation"]), data)
        try:
            answer = wire.encode({"id": data["id"], "reply": reply_to_data(reply)}, self._keep)
        except Exception as error:
            failure = Failure("raised", type(error).__name__, "the result could not be sent")
        else:
            if len(answer) <= self._reply_limit:
                return answer
            failure = Failure("too-large")
        return wire.encode({"id": data["id"], "reply": reply_to_data(Reply(failure=failure))})

    def _keep(self, value: Any) -> int:
        handle = len(self._kept) + 1
        self._kept[handle] = value
        return handle

    def _resolve(self, opaque: wire.Opaque) -> Any:
        return self._kept[opaque.handle]

    # ---------------------------------------------------------------- requests

    def _reply(self, operation: Operation, data: dict[str, Any]) -> Reply:
        device = None if data["options"].get("device") == "cpu" else self.device
        args, kwargs, options = (_moved(data[key], device) for key in ("args", "kwargs", "options"))
        name = data["name"]
        inputs = [*args, *(options.get("inputs") or ())]
        before = [self._snapshot(item) for item in inputs]
        operators: set[str] = set()
        watched = options.get("watch") or ()
        watching = watch_operators(watched, operators) if watched else nullcontext()
        try:
            if options.get("seed") is not None:
                seed_everything(options["seed"])
            if operation is Operation.VALUE:
                return Reply(self._get(name))
            probes = executed(data.get("probes"))
            stand_ins = _found(options.get("stand_in") or {}, probes)
            with self._standing_in(stand_ins, pause=getattr(watching, "pause", None)), watching:
                if operation is Operation.PROBE:
                    value = probes[name](Names(self.namespace, self._kept_by_probes), *args, **kwargs)
                else:
                    value = self._run(operation, name, args, kwargs, options)
        except BaseException as error:
            if isinstance(error, KeyboardInterrupt) and not self._is_worker:
                raise
            return Reply(failure=self._failure(error, name), operators=tuple(sorted(operators)))
        mutated = tuple(
            index for index, (item, was) in enumerate(zip(inputs, before, strict=True)) if self._snapshot(item) != was
        )
        return Reply(value, mutated=mutated, operators=tuple(sorted(operators)))

    def _run(
        self,
        operation: Operation,
        name: str,
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        options: dict[str, Any],
    ) -> Any:
        function = self._get(name)
        if operation is Operation.CALL:
            return self._keep_parts(function(*args, **kwargs), options.get("keep") or ())
        if operation is Operation.VJP:
            return run_vjp(function, args, kwargs, options)
        return run_module(function, args, kwargs, options, None if options.get("device") == "cpu" else self.device)

    def _get(self, name: str) -> Any:
        try:
            return self.namespace[name]
        except KeyError:
            raise MissingNameError(name) from None

    def _keep_parts(self, value: Any, parts: tuple[int, ...]) -> Any:
        """Replace parts of a tuple by handles, so that they need not be data."""
        if not parts or not isinstance(value, tuple | list) or max(parts) >= len(value):
            return value
        kept = {index: wire.Opaque(self._keep(value[index]), "object") for index in parts}
        return tuple(kept.get(index, item) for index, item in enumerate(value))

    def _snapshot(self, value: Any) -> bytes:
        # An object that is no data is the student's own: only its identity is compared.
        return wire.encode(value, id)

    # --------------------------------------------------------------- stand-ins

    @contextmanager
    def _standing_in(self, functions: Mapping[str, Any], pause: Callable[[], Any] | None) -> Iterator[None]:
        """Replace names of the submission for a while."""
        missing = object()
        previous = {name: self.namespace.get(name, missing) for name in functions}
        for name, function in functions.items():
            self.namespace[name] = _unwatched(function, pause)
        try:
            yield
        finally:
            for name, value in previous.items():
                if value is missing:
                    self.namespace.pop(name, None)
                else:
                    self.namespace[name] = value

    # ---------------------------------------------------------------- failures

    @property
    def _is_worker(self) -> bool:
        return self.namespace.get("__name__") == SUBMISSION_MODULE

    def _failure(self, error: BaseException, name: str) -> Failure:
        """The exception in words; the place is the last line of the student's own code."""
        where, function = self._place(error)
        match error:
            case MissingNameError():
                return Failure("missing", function=str(error))
            case NotAModuleError():
                return Failure("not-a-module", message=str(error))
            case StateMismatchError():
                return Failure("state-mismatch", message=str(error))
            case ResultDetachedError():
                return Failure("detached")
            case CheckpointError():
                return Failure("checkpoint", message=str(error.fault))
            case OutputMismatchError():
                return Failure("output-mismatch")
            case NotImplementedError():
                return Failure("not-implemented", where=where, function=function or name)
        # A class of the student's own goes by the closest one of Python's: class OddSize(ValueError) is a ValueError.
        python_class = next(base for base in type.mro(type(error)) if _is_builtin(base))
        own, type_name = python_class is type(error), python_class.__name__
        try:
            message = str(error) if own else f"{type(error).__name__}: {error}"
        except BaseException:
            message = "(its message cannot be shown)"
        return Failure("raised", type_name, message[:2000], where[:200], function[:200])

    def _place(self, error: BaseException) -> tuple[str, str]:
        where = function = ""
        trace = error.__traceback__
        while trace is not None:
            frame = trace.tb_frame
            if frame.f_globals is self.namespace:
                file = frame.f_code.co_filename
                file = file if len(file) < 40 else "your notebook"
                where, function = (
                    f"{file.strip('<>')}, line {trace.tb_lineno}",
                    frame.f_code.co_qualname.split(".")[0],
                )
            trace = trace.tb_next
        return where, function


def _is_builtin(kind: type) -> bool:
    return getattr(builtins, kind.__name__, None) is kind


def new_submission_namespace() -> dict[str, Any]:
    """The namespace of a fresh module for a submission; the module can be found by name, as pickling asks for."""
    module = types.ModuleType(SUBMISSION_MODULE)
    sys.modules[SUBMISSION_MODULE] = module
    return module.__dict__


def run_unit(namespace: dict[str, Any], code: types.CodeType, source: str, line: int) -> None:
    """Execute one unit of a submission that starts at `line` of its file.

    The lines are made known to tracebacks and `inspect`, which look them up by file name and number.
    """
    name = code.co_filename
    known = linecache.cache.get(name)
    lines = list(known[2]) if known is not None and len(known) == 4 else []
    own = source.splitlines(keepends=True)
    lines += ["\n"] * (line - 1 + len(own) - len(lines))
    lines[line - 1 : line - 1 + len(own)] = own
    linecache.cache[name] = (sum(map(len, lines)), None, lines, name)
    exec(code, namespace)


def _moved(value: Any, device: str | None) -> Any:
    """`value` with the tensors in it on `device`; None leaves them where they are."""
    if device is None:
        return value
    if isinstance(value, dict):
        return {key: _moved(item, device) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(_moved(item, device) for item in value)
    return value.to(device) if type(value).__name__ == "Tensor" else value


def _found(names: Mapping[str, str], probes: Mapping[str, Any]) -> dict[str, Any]:
    """The library functions or probes that stand in for names of the submission."""
    found = {}
    for name, dotted in names.items():
        module, _, function = dotted.rpartition(".")
        found[name] = probes[function] if module + "." == PREFIX else getattr(importlib.import_module(module), function)
    return found


def _unwatched(function: Any, pause: Callable[[], Any] | None) -> Any:
    """`function` without its operators being held against the student."""
    if pause is None or isinstance(function, type):
        return function

    def stand_in(*args: Any, **kwargs: Any) -> Any:
        with pause():
            return function(*args, **kwargs)

    return stand_in
