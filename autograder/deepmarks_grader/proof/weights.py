"""The checkpoints that the cases of a proof hand in: trained once, then kept in the cache."""

from __future__ import annotations

import hashlib
import types
from pathlib import Path

from deepmarks.checkpoints import save_checkpoint
from deepmarks.datasets import work_folder
from deepmarks.submission import Attachment
from deepmarks_grader.calibration.definition import build_solution
from deepmarks_grader.errors import UserError

MAKER_NAME = "checkpoints.py"
"""Beside the checks: defines `make(solution, kind, device)`, which gives a model, a state_dict, bytes, or None."""
COMMITTED_NAME = "reference.safetensors"
"""Beside the checks, for small nets: the reference's checkpoint, so that nobody needs to train it."""
REFERENCE, NONE = "reference", "none"


def checkpoint_of(slug: str, repo: Path, kind: str, solution: str, device: str = "cpu") -> Attachment | None:
    """The checkpoint of `kind` for the solution in percent format; None if the assignment has none.

    Raises UserError if a kind is asked for that nobody makes.
    """
    checks = repo / "autograder" / "checks" / slug
    maker, committed = checks / MAKER_NAME, checks / COMMITTED_NAME
    if kind == NONE or (kind == REFERENCE and not maker.is_file() and not committed.is_file()):
        return None
    if kind == REFERENCE and committed.is_file():
        return _attachment(slug, committed.read_bytes())
    try:
        text = maker.read_text(encoding="utf-8")
    except OSError as error:
        raise UserError(f"{maker} is missing; it makes the checkpoint {kind!r}") from error
    digest = hashlib.sha256("\0".join((text, solution, kind)).encode()).hexdigest()[:20]
    cached = work_folder() / "checkpoints" / f"{slug}-{kind}-{digest}.safetensors"
    if not cached.is_file():
        module = types.ModuleType("checkpoints")
        module.__file__ = str(maker)
        exec(compile(text, str(maker), "exec"), module.__dict__)
        made = module.__dict__["make"](build_solution(solution), kind, device)
        if made is None:
            return None
        cached.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(made, bytes):
            cached.write_bytes(made)
        else:
            save_checkpoint(made, cached)
    return _attachment(slug, cached.read_bytes())


def _attachment(slug: str, data: bytes) -> Attachment:
    return Attachment(f"{slug}.safetensors", len(data), data)
