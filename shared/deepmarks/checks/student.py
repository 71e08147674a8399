"""The student's code (or the reference), as a check sees it: names to call with data, which give data back."""

from __future__ import annotations

import builtins
import copy
import json
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

from deepmarks.checkpoints import CheckpointError
from deepmarks.checks.errors import Broken, NotAttempted, StudentError, UnsureError
from deepmarks.checks.messages import Channel, Failure, Operation, Reply, Request
from deepmarks.checks.outcomes import Cause
from deepmarks.checks.policy import OperatorPolicy
from deepmarks.compare import Mismatch
from deepmarks.seeding import derive

_EXCEPTIONS = frozenset(
    name for name, value in vars(builtins).items() if isinstance(value, type) and issubclass(value, BaseException)
)


@dataclass(frozen=True, slots=True)
class Vjp:
    """A function's output and its vector-Jacobian products."""

    output: Any
    grads: tuple[Any, ...]
    """One per differentiated input; zeros where the output does not depend on it."""


@dataclass(frozen=True, slots=True)
class ModuleRun:
    """What came of building and running an nn.Module."""

    output: Any
    input_grads: tuple[Any, ...]
    param_grads: dict[str, Any]
    state: dict[str, Any]
    bases: tuple[str, ...]
    """Dotted names of the class and its bases, in method resolution order."""
    submodules: dict[str, str]
    """Dotted class names of the sub-modules by their names."""


class Student:
    """Access to a submission's names through a channel.

    `student.NAME(*data)` calls a function. Arguments and results cross as data (see `deepmarks.wire`); what is no data
    comes back as an `Opaque` handle that may be passed in again. Every method raises `NotAttempted` for a missing name
    or NotImplementedError, `StudentError` if the code raises, `Broken` if a limit fires or something forbidden runs,
    and `Mismatch` if the code changes its inputs.
    """

    def __init__(
        self,
        channel: Channel,
        *,
        operators: OperatorPolicy | None = None,
        sources: Mapping[str, str] | None = None,
        names: Collection[str] = (),
        seed: int = 0,
    ) -> None:
        self._channel = channel
        self._operators = operators or OperatorPolicy()
        self._sources = dict(sources or {})
        # A name that comes back from the student's side is repeated only if the contract knows it: whatever else
        # it says could carry a hidden check's inputs out.
        self._names = frozenset(names)
        self._seed = seed
        self._device: str | None = None
        self._heard: set[str] = set()
        """Names in a state_dict that came from the submission. They may carry anything, so no sentence repeats them."""

    def on(self, device: str) -> Self:
        """The same student with every call on `device`, wherever the others run."""
        other = copy.copy(self)
        other._device = device
        return other

    def __getattr__(self, name: str) -> Callable[..., Any]:
        if name.startswith("__"):
            raise AttributeError(name)
        return lambda *args, **kwargs: self.call(name, *args, **kwargs)

    def call(
        self,
        name: str,
        *args: Any,
        keep: Sequence[int] = (),
        stand_in: Mapping[str, str] | None = None,
        seed: int | None = None,
        **kwargs: Any,
    ) -> Any:
        """The result of the student's `name(*args, **kwargs)`.

        `keep` names parts of a tuple result that stay beside the student's code as handles; `stand_in` replaces names
        of the submission by library functions (`{"softmax": "torch.softmax"}`) or probes during the call; `seed`
        seeds every global generator first.
        """
        options = {"keep": tuple(keep)} if keep else {}
        return self._ask(Operation.CALL, name, args, kwargs, options, stand_in, seed).value

    def vjp(
        self,
        name: str,
        *inputs: Any,
        cotangent: Any,
        wrt: Sequence[int] | None = None,
        output: int | None = None,
        stand_in: Mapping[str, str] | None = None,
        seed: int | None = None,
        **kwargs: Any,
    ) -> Vjp:
        """The student's `name(*inputs)` and the gradients of <result, cotangent> for the inputs in `wrt`.

        Without `wrt`, every floating tensor is differentiated. `output` picks one part of a tuple result.
        """
        import torch

        options = {"cotangent": cotangent, "wrt": None if wrt is None else list(wrt), "output": output}
        value = self._ask(Operation.VJP, name, inputs, kwargs, options, stand_in, seed).value
        out, grads = value
        chosen = range(len(inputs)) if wrt is None else wrt
        leaves = [inputs[i] for i in chosen if isinstance(inputs[i], torch.Tensor) and _differentiable(inputs[i])]
        return Vjp(out, tuple(torch.zeros_like(x) if g is None else g for x, g in zip(leaves, grads, strict=True)))

    def module(
        self,
        name: str,
        *init: Any,
        init_kwargs: Mapping[str, Any] | None = None,
        state: Mapping[str, Any] | None = None,
        inputs: Sequence[Any] = (),
        input_kwargs: Mapping[str, Any] | None = None,
        cotangent: Any = None,
        output: int | None = None,
        train: bool = False,
        dtype: str | None = None,
        seed: int | None = None,
        method: str | None = None,
        run: bool = True,
        return_state: bool = True,
        stand_in: Mapping[str, str] | None = None,
    ) -> ModuleRun:
        """Build the student's module `name(*init)`, load `state` strictly, run it on `inputs`.

        With `cotangent`, gradients for the inputs and parameters come back too. `run=False` only builds it.
        """
        options = {
            "state": None if state is None else dict(state),
            "inputs": tuple(inputs),
            "input_kwargs": dict(input_kwargs or {}),
            "cotangent": cotangent,
            "output": output,
            "train": train,
            "dtype": dtype,
            "method": method,
            "run": run,
            "return_state": return_state,
        }
        reply = self._ask(Operation.MODULE, name, init, dict(init_kwargs or {}), options, stand_in, seed)
        run_record = _module_run(reply.value)
        self._heard |= set(run_record.state)
        self._operators.check_classes(name, [*run_record.bases[1:], *run_record.submodules.values()])
        return run_record

    def probe(
        self,
        name: str,
        *data: Any,
        stand_in: Mapping[str, str] | None = None,
        seed: int | None = None,
        **kwargs: Any,
    ) -> Any:
        """The result of the function `name` of probes.py, run beside the student's code."""
        return self._ask(Operation.PROBE, name, data, kwargs, {}, stand_in, seed).value

    def value(self, name: str) -> Any:
        """The value of a plain variable of the submission."""
        return self._ask(Operation.VALUE, name, (), {}, {}, None, None).value

    def restart(self) -> None:
        """Go on in a fresh process, in which the submission has only been executed; handles are lost.

        In a notebook's own kernel nothing happens.
        """
        self._channel.renew()

    def source(self, name: str) -> str:
        """The source text of the submission's last definition of `name`; `NotAttempted` if there is none."""
        if name not in self._sources:
            raise NotAttempted(f"{name} is not defined.")
        return self._sources[name]

    def _ask(
        self,
        operation: Operation,
        name: str,
        args: Sequence[Any],
        kwargs: Mapping[str, Any],
        options: dict[str, Any],
        stand_in: Mapping[str, str] | None,
        seed: int | None,
    ) -> Reply:
        if self._device is not None:
            options["device"] = self._device
        if stand_in:
            options["stand_in"] = dict(stand_in)
        # Not the check's own seed: whoever has that can draw the check's inputs, and labels that never cross.
        options["seed"] = derive(self._seed, "student") if seed is None else seed
        if operation is not Operation.VALUE and self._operators.watch:
            options["watch"] = self._operators.watch
        reply = self._channel.request(Request(operation, name, tuple(args), dict(kwargs), options))
        self._operators.check(reply.operators)
        if reply.failure is not None:
            raise self._exception(operation, name, reply.failure, options)
        if any(not 0 <= index < len(args) + len(options.get("inputs") or ()) for index in reply.mutated):
            raise _malformed()
        if reply.mutated:
            # A module is built from `args`, which come first, and then run.
            number = reply.mutated[0] + 1 - (len(args) if operation is Operation.MODULE else 0)
            countable = operation is not Operation.PROBE and number > 0
            changed = f"its input number {number}" if countable else "one of its inputs"
            who = "Your code" if operation is Operation.PROBE else name
            raise Mismatch(f"{who} changes {changed}: work on a copy.", kind="input-changed")
        return reply

    def _exception(self, operation: Operation, name: str, failure: Failure, options: Mapping[str, Any]) -> Exception:
        """The exception that a failure on the student's side stands for."""
        if failure.function in self._names:
            who = failure.function
        else:
            who = "Your code" if operation is Operation.PROBE else name
        match failure.kind:
            case "missing":
                return NotAttempted(f"{who if who != 'Your code' else 'A name that this check needs'} is not defined.")
            case "not-implemented":
                return NotAttempted(f"{who} still raises NotImplementedError.")
            case "not-a-module":
                return Mismatch(f"{name} is not an nn.Module.", kind="not-a-module", detail=failure.message)
            case "detached":
                return Mismatch(
                    f"No gradient flows from the result of {name} back to its inputs: "
                    "was it detached, or computed outside torch?",
                    kind="detached",
                )
            case "output-mismatch":
                return Mismatch(
                    f"The result of {name} is not a tensor of the right shape, so its gradient cannot be taken.",
                    kind="output-mismatch",
                )
            case "checkpoint":
                return CheckpointError.told(failure.message)
            case "too-large":
                return Mismatch(f"{who} returns far more data than the question asks for.", kind="too-large")
            case "state-mismatch":
                return _state_mismatch(name, failure.message, options, self._heard)
        # The worker may say anything; only names that Python itself gives may stand in a sentence.
        type_name = failure.type_name if failure.type_name in _EXCEPTIONS else "Exception"
        return StudentError(who, type_name, failure.message, failure.where)


class Reference(Student):
    """The reference solution, with the interface of a student; its failures are not the student's own."""

    def _ask(self, *args: Any, **kwargs: Any) -> Reply:
        try:
            return super()._ask(*args, **kwargs)
        except (NotAttempted, Broken, Mismatch) as error:
            raise UnsureError(f"the reference fails: {error}") from error
        except StudentError as error:
            raise UnsureError(f"the reference fails: {error.detail}") from error


def _differentiable(tensor: Any) -> bool:
    return bool(tensor.is_floating_point() or tensor.is_complex())


def _malformed() -> Broken:
    return Broken(Cause.PROTOCOL, "Your code disturbed what the grader hears of it.")


def _module_run(value: Any) -> ModuleRun:
    """The record in a reply; `Broken` unless every field has its type."""
    fields = {"output", "input_grads", "param_grads", "state", "bases", "submodules"}
    if type(value) is not dict or set(value) != fields:
        raise _malformed()
    grads, bases = value["input_grads"], value["bases"]
    if not isinstance(grads, list | tuple) or not isinstance(bases, list | tuple):
        raise _malformed()
    named = (value["param_grads"], value["state"], value["submodules"])
    if not all(type(part) is dict and all(type(key) is str for key in part) for part in named):
        raise _malformed()
    if not all(type(cls) is str for cls in (*bases, *value["submodules"].values())):
        raise _malformed()
    return ModuleRun(value["output"], tuple(grads), named[0], named[1], tuple(bases), named[2])


def _state_mismatch(name: str, message: str, options: Mapping[str, Any], heard: Collection[str]) -> Exception:
    wanted = {key: list(value.shape) for key, value in (options.get("state") or {}).items()}
    try:
        own = {str(key): list(shape) for key, shape in json.loads(message).items()}
    except (ValueError, TypeError, AttributeError):
        own = {}
    missing = [key for key in wanted if key not in own]
    shapes = [key for key in wanted if key in own and own[key] != wanted[key]]
    if missing and missing[0] in heard:
        sentence = f"{name} lacks a parameter or buffer that it had when it was built before."
    elif missing:
        sentence = f"{name} has no parameter or buffer called {missing[0]}, which the contract names."
    elif shapes:
        which = "A parameter" if shapes[0] in heard else f"The parameter {shapes[0]}"
        sentence = f"{which} of {name} has another shape than the contract gives."
    else:
        sentence = f"{name} has parameters or buffers that the contract does not name."
    detail = f"expected {wanted}, received {own}"
    return Mismatch(sentence, kind="state-dict", detail=detail)
