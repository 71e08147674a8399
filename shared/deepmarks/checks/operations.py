"""What is asked of torch functions and modules, on the student's side."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any


class NotAModuleError(Exception):
    """The name that should build an nn.Module builds something else."""


class StateMismatchError(Exception):
    """The module's parameters have other names or shapes than the state_dict; the message lists them as JSON."""


class OutputMismatchError(Exception):
    """The result is no tensor of the cotangent's shape, so that it cannot be differentiated."""


class ResultDetachedError(Exception):
    """No gradient can reach the inputs from the result."""


def _floating(value: Any) -> bool:
    import torch

    return isinstance(value, torch.Tensor) and (value.is_floating_point() or value.is_complex())


def _leaf(value: Any) -> Any:
    return value.detach().clone().requires_grad_(True)


def gradients(output: Any, cotangent: Any, inputs: Sequence[Any], pick: int | None) -> list[Any]:
    """The vector-Jacobian product of `output` with `cotangent` for each of `inputs` (None where it does not depend)."""
    import torch

    if pick is not None and not (isinstance(output, tuple | list) and pick < len(output)):
        raise OutputMismatchError
    chosen = output if pick is None else output[pick]
    single = isinstance(cotangent, torch.Tensor)
    outputs = [chosen] if single else list(chosen) if isinstance(chosen, tuple | list) else []
    cotangents = [cotangent] if single else list(cotangent)
    if len(outputs) != len(cotangents) or any(
        not isinstance(out, torch.Tensor) or out.shape != grad.shape
        for out, grad in zip(outputs, cotangents, strict=True)
    ):
        raise OutputMismatchError
    if not any(item.requires_grad for item in outputs):
        raise ResultDetachedError
    pairs = [(out, grad) for out, grad in zip(outputs, cotangents, strict=True) if out.requires_grad]
    found = torch.autograd.grad(
        [out for out, _ in pairs], list(inputs), [grad.to(out) for out, grad in pairs], allow_unused=True
    )
    return list(found)


def run_vjp(
    function: Callable[..., Any], args: Sequence[Any], kwargs: dict[str, Any], options: dict[str, Any]
) -> tuple[Any, list[Any]]:
    """Call `function` and differentiate its result; returns (output, gradients)."""
    chosen = options.get("wrt")
    indices = [i for i, arg in enumerate(args) if _floating(arg)] if chosen is None else list(chosen)
    inputs = [_leaf(arg) if i in indices else arg for i, arg in enumerate(args)]
    output = function(*inputs, **kwargs)
    grads = gradients(output, options["cotangent"], [inputs[i] for i in indices], options.get("output"))
    return output, grads


def run_module(
    build: Callable[..., Any],
    init: Sequence[Any],
    init_kwargs: dict[str, Any],
    options: dict[str, Any],
    device: str | None,
) -> dict[str, Any]:
    """Build a module, load a state_dict, run it and differentiate it."""
    import torch

    module = build(*init, **init_kwargs)
    if not isinstance(module, torch.nn.Module):
        raise NotAModuleError(type(module).__name__)
    dtype = options.get("dtype")
    module = module.to(device=device, dtype=getattr(torch, dtype) if dtype else None)
    if options.get("state") is not None:
        _load(module, options["state"])
    module.train(bool(options.get("train")))
    cotangent = options.get("cotangent")
    inputs = list(options.get("inputs") or ())
    if cotangent is not None:
        inputs = [_leaf(item) if _floating(item) else item for item in inputs]
    output: Any = None
    input_grads: list[Any] = []
    param_grads: dict[str, Any] = {}
    if options.get("run", True):
        method = options.get("method")
        call = getattr(module, method) if method else module
        output = call(*inputs, **(options.get("input_kwargs") or {}))
    if cotangent is not None:
        named = [(name, param) for name, param in module.named_parameters() if param.requires_grad]
        leaves = [item for item in inputs if _floating(item)]
        found = gradients(output, cotangent, [*leaves, *(param for _, param in named)], options.get("output"))
        input_grads = found[: len(leaves)]
        param_grads = {name: grad for (name, _), grad in zip(named, found[len(leaves) :], strict=True)}
    return {
        "output": output,
        "input_grads": input_grads,
        "param_grads": param_grads,
        "state": dict(module.state_dict()) if options.get("return_state", True) else {},
        "bases": [_dotted(cls) for cls in type(module).__mro__],
        "submodules": {name: _dotted(type(child)) for name, child in module.named_modules() if name},
    }


def _load(module: Any, state: dict[str, Any]) -> None:
    """Load `state` strictly; names and shapes are compared first, so that the difference can be told."""
    own = {name: list(value.shape) for name, value in module.state_dict().items()}
    wanted = {name: list(value.shape) for name, value in state.items()}
    if own != wanted:
        raise StateMismatchError(json.dumps(own))
    module.load_state_dict(state)


def _dotted(cls: type) -> str:
    return f"{cls.__module__}.{cls.__qualname__}"
