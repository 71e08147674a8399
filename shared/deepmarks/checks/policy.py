"""What a by-hand question forbids: looked for in the source, and in the operators that run.

Neither is a boundary; together they catch what a student would really do, and say where.
"""

from __future__ import annotations

import ast
import importlib
import re
import symtable
from collections import ChainMap
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from deepmarks.checks.errors import Broken
from deepmarks.checks.outcomes import Cause
from deepmarks.checks.watch import ANY_OF_SKLEARN, ANY_OPERATOR, AUTOGRAD, SKLEARN


@dataclass(frozen=True, slots=True)
class Forbidden:
    """One policy group."""

    what: str
    """Completes "this question asks you to do it without ..."."""
    names: tuple[str, ...]
    """Dotted names, with everything below them."""
    methods: tuple[str, ...] = ()
    """Attributes of any object, as in `scores.softmax(-1)`."""
    operators: tuple[str, ...] = ()
    """Torch operators that show its use."""
    calls: tuple[str, ...] = ()
    """Other things that show it when they run (see `deepmarks.checks.watch`), but can be got round with ease."""


_F = "torch.nn.functional"
_DETOURS = ("__import__", "importlib.__import__", "importlib.import_module")
"""Ways to a module that its name in the source does not betray."""
_ELSEWHERE = ("subprocess", "multiprocessing", "os.system", "os.popen", "runpy", "pkgutil", "pydoc", "sys.modules")
"""Ways to code that the source does not show; refused where no operator would give that code away."""
_STRINGS = ("exec", "eval", "compile")
"""Builtins that run such code; refused likewise."""
_STARRED = re.compile(r"from[ \t]{1,100}([\w.]{1,100})[ \t]{1,100}import[ \t]{0,100}\*")
GROUPS: Mapping[str, Forbidden] = {
    "torch": Forbidden("torch", ("torch", "torchvision"), operators=(ANY_OPERATOR,)),
    "sklearn": Forbidden("scikit-learn", ("sklearn",), calls=(ANY_OF_SKLEARN,)),
    "sklearn_estimators": Forbidden("scikit-learn's estimators", (
        "sklearn.cluster", "sklearn.decomposition", "sklearn.linear_model", "sklearn.neural_network", "sklearn.mixture",
        "sklearn.utils.all_estimators", "sklearn.utils.discovery",
    ), calls=(
        "sklearn::cluster", "sklearn::decomposition", "sklearn::linear_model", "sklearn::neural_network",
        "sklearn::mixture",
    )),
    "autograd": Forbidden(
        "automatic differentiation",
        ("autograd", "jax", "tensorflow", "torch.autograd", "torch.func"),
        ("backward", "requires_grad_"),
        (AUTOGRAD,),
    ),
    "softmax": Forbidden(
        "torch's own softmax",
        (
            "torch.softmax", "torch.log_softmax", "torch._softmax", "torch._log_softmax", f"{_F}.softmax",
            f"{_F}.log_softmax", f"{_F}.softmin", f"{_F}.gumbel_softmax", f"{_F}._softmax", "torch.nn.Softmax",
            "torch.nn.Softmax2d", "torch.nn.Softmin", "torch.nn.LogSoftmax", "torch.special.softmax",
            "torch.special.log_softmax", "torch.Tensor.softmax", "torch.Tensor.log_softmax", "torch.sparse.softmax",
            "torch.nn.modules.activation.Softmax", "torch.nn.modules.activation.LogSoftmax",
            "torch.nn.modules.activation.Softmax2d", "torch.nn.modules.activation.Softmin",
            "torch.ops.aten._softmax", "torch.ops.aten.softmax", "scipy.special.softmax",
            "scipy.special.log_softmax",
        ),
        ("softmax", "log_softmax"),
        ("aten::_softmax", "aten::_log_softmax", "aten::_safe_softmax", "aten::_masked_softmax", "aten::softmax"),
    ),
    "attention": Forbidden(
        "torch's own attention",
        (
            f"{_F}.scaled_dot_product_attention", f"{_F}.multi_head_attention_forward",
            f"{_F}._scaled_dot_product_attention", "torch.nn.MultiheadAttention", "torch.nn.Transformer",
            "torch.nn.TransformerEncoder", "torch.nn.TransformerEncoderLayer", "torch.nn.TransformerDecoder",
            "torch.nn.TransformerDecoderLayer", "torch.nn.attention", "torch._native_multi_head_attention",
            "torch.nn.modules.activation.MultiheadAttention", "torch.nn.modules.transformer",
            "torch._scaled_dot_product_attention_math", "torch.ops.aten.scaled_dot_product_attention",
        ),
        (),
        (
            "aten::_safe_softmax",  # what the unfused path of scaled_dot_product_attention runs
            "aten::scaled_dot_product_attention", "aten::_scaled_dot_product_flash_attention_for_cpu",
            "aten::_scaled_dot_product_attention_math", "aten::_scaled_dot_product_flash_attention",
            "aten::_scaled_dot_product_efficient_attention", "aten::_scaled_dot_product_cudnn_attention",
            "aten::_scaled_dot_product_fused_attention_overrideable", "aten::_native_multi_head_attention",
            "aten::_transformer_encoder_layer_fwd", "aten::_triton_multi_head_attention",
        ),
    ),
    "ctc": Forbidden(
        "torch's own CTC loss",
        (f"{_F}.ctc_loss", "torch.ctc_loss", "torch.nn.CTCLoss", "torch._ctc_loss", "torch._cudnn_ctc_loss",
         "torch.nn.modules.loss.CTCLoss", "torch.ops.aten.ctc_loss"),
        (),
        ("aten::_ctc_loss", "aten::ctc_loss", "aten::_cudnn_ctc_loss", "aten::_use_cudnn_ctc_loss"),
    ),
}  # fmt: skip
"""The policy groups that a question's `forbid` may name."""


def _broken(what: str, detail: str = "") -> Broken:
    return Broken(Cause.FORBIDDEN, f"This question asks you to do it without {what}.", detail)


class OperatorPolicy:
    """What may not run while a question's functions run."""

    def __init__(self, groups: Sequence[str] = ()) -> None:
        self._groups = [GROUPS[name] for name in groups]
        watched = {seen for group in self._groups for seen in group.operators + group.calls}
        self.watch: tuple[str, ...] = tuple(sorted(watched))

    def check(self, seen: Iterable[str]) -> None:
        """`Broken` if an operator in `seen` belongs to a group."""
        for operator in seen:
            for group in self._groups:
                every = ANY_OF_SKLEARN if operator.startswith(SKLEARN) else ANY_OPERATOR
                if not {operator, every}.isdisjoint(group.operators + group.calls):
                    raise _broken(group.what, f"{operator} ran while your function was called")

    def check_classes(self, name: str, classes: Iterable[str]) -> None:
        """`Broken` if the module `name` has a forbidden class among its bases or sub-modules."""
        for cls in classes:
            for group in self._groups:
                if any(_below(cls, forbidden) for forbidden in group.names if forbidden != "torch"):
                    raise _broken(group.what, f"{name} is or contains a {cls}")


def source_violation(
    source: str, names: Sequence[str], groups: Sequence[str], others: Collection[str] = ()
) -> Broken | None:
    """What of `groups` the functions `names`, and all that they use of the submission, call; None if nothing.

    `source` is the whole submission as far as it parses. `others` are the names that belong to other questions: what
    those use costs points there, and not here too.
    """
    if not groups:
        return None
    tree = ast.parse(source)
    definitions = _definitions(tree)
    forbidden = [GROUPS[name] for name in groups]
    unseen = any(not group.operators for group in forbidden)
    detours = _DETOURS + _ELSEWHERE if unseen else _DETOURS
    forbidden_names = [item for group in forbidden for item in group.names]
    imported = {**_starred(tree, forbidden_names), **_aliases(tree)}
    aliases = {name: dotted for name, dotted in imported.items() if name not in definitions}
    aliases |= _modules_assigned(tree, aliases, forbidden_names)
    for name, node in _closure(names, definitions, others):
        local = _aliases(node)
        own = ChainMap(_modules_assigned(node, ChainMap(local, aliases), forbidden_names), local, aliases)
        for found in ast.walk(node):
            for dotted in _dotted_names(found, own):
                for group in forbidden:
                    if any(_below(dotted, item) for item in group.names):
                        return _broken(group.what, f"{name} uses {dotted} (line {getattr(found, 'lineno', 0)})")
                if any(_below(dotted, item) for item in detours):
                    return _broken("reaching other modules by a detour", f"{name} uses {dotted}")
            for group in forbidden:
                # Where torch itself is forbidden, a method called backward can only be the student's own.
                if "torch" not in groups and _is_method(found, group.methods, aliases):
                    return _broken(group.what, f"{name} uses .{found.attr} (line {found.lineno})")  # type: ignore[attr-defined]
            if unseen and isinstance(found, ast.Name) and found.id in _STRINGS:
                return _broken("running code from strings", f"{name} uses {found.id}")
            if module := _looked_up(found, own, forbidden_names):
                return _broken("reaching other modules by a detour", f"{name} looks names up in {module}")
    return None


def _below(dotted: str, forbidden: str) -> bool:
    return dotted == forbidden or dotted.startswith(forbidden + ".")


def _definitions(tree: ast.Module) -> dict[str, list[ast.AST]]:
    """What binds each name of the module; of several statements at its top, the last, with all in it."""
    found: dict[str, list[ast.AST]] = {}
    for node in tree.body:
        here: dict[str, list[ast.AST]] = {}
        for inner in _same_scope(node):
            for name in dict.fromkeys(_bound(inner)):
                here.setdefault(name, []).append(inner)
        found.update(here)
    return found


def _same_scope(node: ast.AST) -> Iterator[ast.AST]:
    """`node` and what is in it, without the insides of functions, classes and lambdas: their names are their own."""
    todo = [node]
    while todo:
        inner = todo.pop()
        yield inner
        if not isinstance(inner, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef | ast.Lambda):
            todo.extend(ast.iter_child_nodes(inner))


def _bound(node: ast.AST) -> list[str]:
    """The names that a statement or expression binds, attributes and items included (`a.b = ...` binds into `a`)."""
    match node:
        case ast.FunctionDef() | ast.ClassDef() | ast.AsyncFunctionDef():
            return [node.name]
        case ast.Assign():
            targets: list[ast.expr] = node.targets
        case ast.AnnAssign() | ast.AugAssign() | ast.For() | ast.AsyncFor() | ast.NamedExpr():
            targets = [node.target]
        case ast.With() | ast.AsyncWith():
            targets = [item.optional_vars for item in node.items if item.optional_vars is not None]
        case _:
            return []
    return [leaf.id for target in targets for leaf in ast.walk(target) if isinstance(leaf, ast.Name)]


def _closure(
    names: Sequence[str], definitions: Mapping[str, list[ast.AST]], others: Collection[str]
) -> list[tuple[str, ast.AST]]:
    """The definitions of `names` and of every name of the submission that they mention, `others` left out."""
    todo, done, result = list(names), set(others) - set(names), list[tuple[str, ast.AST]]()
    mentioned: dict[int, set[str]] = {}
    while todo:
        name = todo.pop()
        if name in done:
            continue
        done.add(name)
        for node in definitions.get(name, ()):
            result.append((name, node))
            if id(node) not in mentioned:  # a statement may bind many names
                mentioned[id(node)] = _global_names(node)
            todo.extend(mentioned[id(node)] - done)
    return result


def _global_names(node: ast.AST) -> set[str]:
    """The names of the submission that `node` looks up: not its parameters and local variables.

    A student who compares with the library in a cell, `s = F.softmax(x, -1)`, has not used it in `def f(s)`.
    """
    found: set[str] = set()
    try:
        todo = [symtable.symtable(ast.unparse(node), "submission", "exec")]
    except (RecursionError, MemoryError, ValueError, SyntaxError):
        # A sum of a thousand terms, a number of 5,000 digits, an inner function whose `nonlocal` stands outside.
        return {leaf.id for leaf in ast.walk(node) if isinstance(leaf, ast.Name)}
    while todo:
        table = todo.pop()
        todo.extend(table.get_children())
        top = table.get_type() == "module"
        found |= {s.get_name() for s in table.get_symbols() if (s.is_referenced() if top else s.is_global())}
    return found


def _starred(tree: ast.AST, forbidden: Sequence[str]) -> dict[str, str]:
    """What `from M import *` binds, for modules that hold something forbidden or are it."""
    found: dict[str, str] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module and node.names[0].name == "*":
            related = any(_below(item, node.module) or _below(node.module, item) for item in forbidden)
            found |= {name: f"{node.module}.{name}" for name in (_exports(node.module) if related else ())}
    return found


def import_starred(source: str) -> None:
    """Import what `source` takes all names of, where a policy knows some: a search with little memory could not."""
    for module in set(_STARRED.findall(source)):
        _exports(module)


def _exports(module: str) -> list[str]:
    # What a submission names is not imported here; what this file names is.
    if not any(_below(item, module) for group in GROUPS.values() for item in group.names):
        return []
    try:
        loaded = importlib.import_module(module)
    except ImportError:
        return []
    return list(getattr(loaded, "__all__", [name for name in vars(loaded) if not name.startswith("_")]))


def _modules_assigned(tree: ast.AST, aliases: Mapping[str, str], forbidden: Sequence[str]) -> dict[str, str]:
    """Names to which a module that holds something forbidden is assigned: `nn = torch.nn`."""
    found: dict[str, str] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign) and len(node.targets) == 1 and isinstance(node.targets[0], ast.Name):
            dotted = _dotted(node.value, aliases) or _dotted(node.value, found)
            if dotted is not None and any(_below(item, dotted) for item in forbidden):
                found[node.targets[0].id] = dotted
    return found


def _looked_up(node: ast.AST, aliases: Mapping[str, str], forbidden: Sequence[str]) -> str | None:
    """The module whose names `node` looks up as text, as in `getattr(torch, ...)`, if something forbidden is in it."""
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in ("getattr", "vars", "dir"):
        dotted = _dotted(node.args[0], aliases) if node.args else None
    elif isinstance(node, ast.Attribute) and node.attr in ("__dict__", "__getattribute__"):
        dotted = _dotted(node.value, aliases)
    else:
        return None
    return dotted if dotted is not None and any(_below(item, dotted) for item in forbidden) else None


def _aliases(tree: ast.AST) -> dict[str, str]:
    """What imported names stand for: `F` for `torch.nn.functional`."""
    found: dict[str, str] = {name: name for name in ("__import__",)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for item in node.names:
                found[item.asname or item.name.split(".")[0]] = item.name if item.asname else item.name.split(".")[0]
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            for item in node.names:
                found[item.asname or item.name] = f"{node.module}.{item.name}"
    return found


def _dotted(node: ast.AST, aliases: Mapping[str, str]) -> str | None:
    """The dotted name that an expression stands for, imports resolved; None if it starts with no import."""
    attributes: list[str] = []
    while isinstance(node, ast.Attribute):
        attributes.append(node.attr)
        node = node.value
    base = aliases.get(node.id) if isinstance(node, ast.Name) else None
    return None if base is None else ".".join([base, *reversed(attributes)])


def _dotted_names(node: ast.AST, aliases: Mapping[str, str]) -> list[str]:
    """The dotted names that an expression or an import statement mentions."""
    if isinstance(node, ast.ImportFrom) and node.module and not node.level:
        return [f"{node.module}.{item.name}" for item in node.names]
    if isinstance(node, ast.Import):
        return [item.name for item in node.names]
    dotted = _dotted(node, aliases)
    return [] if dotted is None else [dotted]


def _is_method(node: ast.AST, methods: Sequence[str], aliases: Mapping[str, str]) -> bool:
    """Whether `node` is a forbidden method of some object: not of `self`, and not of an imported module."""
    if not isinstance(node, ast.Attribute) or node.attr not in methods:
        return False
    if isinstance(node.value, ast.Name) and node.value.id in ("self", "cls"):
        return False
    return _dotted(node.value, aliases) is None
