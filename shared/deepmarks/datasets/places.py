"""Where data lie on this machine."""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path

DATA_VARIABLE = "DEEPMARKS_DATA"
CACHE_VARIABLE = "DEEPMARKS_CACHE"


def data_folder() -> Path:
    """Where official data are looked for and downloaded to: $DEEPMARKS_DATA, else in the platform's cache.

    It need not exist yet.
    """
    chosen = os.environ.get(DATA_VARIABLE, "")
    return Path(chosen).expanduser() if chosen else _platform_cache() / "data"


def work_folder() -> Path:
    """Where rendered and unpacked data are kept: $DEEPMARKS_CACHE, else the platform's cache.

    If that cannot be written, a folder among the temporary files. The folder exists.
    """
    chosen = os.environ.get(CACHE_VARIABLE, "")
    folder = Path(chosen).expanduser() if chosen else _platform_cache()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if os.access(folder, os.W_OK):
            return folder
    except OSError:
        pass
    return Path(tempfile.mkdtemp(prefix="deepmarks-"))


def _platform_cache() -> Path:
    """The folder for caches of this platform, as the XDG specification, Apple and Microsoft have it."""
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local") / "deepmarks" / "Cache"
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches" / "deepmarks"
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "deepmarks"
