"""Deepmarks: what students and graders share.

Importing this package imports neither torch nor Otter; both come in when they are needed.
"""

from __future__ import annotations

from typing import Any

__version__ = "0.1.0"


def __getattr__(name: str) -> Any:
    if name == "Notebook":
        from deepmarks.notebook import Notebook

        return Notebook
    raise AttributeError(f"module 'deepmarks' has no attribute {name!r}")
