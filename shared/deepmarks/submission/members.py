"""Which entries of a zip are acceptable, and which one is the submission, by names and headers alone."""

from __future__ import annotations

import re
import stat
import unicodedata
import zipfile
from collections.abc import Sequence

from deepmarks.submission import limits
from deepmarks.submission.records import printable

_NUMBERS = ["no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"]
_HELPERS = {"__init__.py", "__main__.py", "conftest.py", "setup.py"}
_SKIPPED_FOLDERS = {"__macosx", "__pycache__", "tests"}
_ENCRYPTED = 0x41  # bit 0: encrypted; bit 6: strongly encrypted


class RefusedError(ValueError):
    """The file is not read; the message is a sentence."""


def check_members(members: Sequence[zipfile.ZipInfo]) -> None:
    """RefusedError if an entry has an unsafe name or is no plain file, or the headers pass a limit."""
    if len(members) > limits.ZIP_MEMBERS:
        raise RefusedError(f"The zip holds {len(members):,} entries; the limit is {limits.ZIP_MEMBERS:,}.")
    seen: dict[str, str] = {}
    for member in members:
        name = member.orig_filename
        shown = printable(name, 80)
        why = _unsafe_name(name) or _unsafe_kind(member)
        if why is not None:
            raise RefusedError(f"The zip holds {shown}, which {why}.")
        key = unicodedata.normalize("NFC", name.rstrip("/")).casefold()
        if key in seen:
            same = "twice" if seen[key] == name else f"and {printable(seen[key], 80)}, the same name on some systems"
            raise RefusedError(f"The zip holds {shown} {same}.")
        seen[key] = name
    total = sum(member.file_size for member in members)
    if total > limits.ZIP_TOTAL:
        raise RefusedError(f"The zip unpacks to more than {limits.ZIP_TOTAL >> 20} MiB. Leave data sets out.")


def _unsafe_name(name: str) -> str | None:
    if "\0" in name:
        return "has a NUL byte in its name"
    if "\\" in name:
        return "has a backslash in its name"
    if name.startswith("/"):
        return "is an absolute path"
    if re.match(r"[A-Za-z]:", name):
        return "has a drive letter in its name"
    parts = name.removesuffix("/").split("/")
    if ".." in parts:
        return "leads out of the zip by '..'"
    if "" in parts or "." in parts:
        return "has an empty part in its path"
    if len(parts) > limits.ZIP_DEPTH:
        return f"lies more than {limits.ZIP_DEPTH} folders deep"
    if len(name) > limits.ZIP_NAME:
        return f"has more than {limits.ZIP_NAME} characters in its name"
    return None


def _unsafe_kind(member: zipfile.ZipInfo) -> str | None:
    mode = stat.S_IFMT(member.external_attr >> 16)
    if mode == stat.S_IFLNK:
        return "is a symbolic link"
    if mode not in (0, stat.S_IFREG, stat.S_IFDIR):
        return "is a device or a pipe, not a file"
    if member.flag_bits & _ENCRYPTED:
        return "is encrypted"
    if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        return "is packed by a method other than deflate"
    if member.file_size > limits.ATTACHMENT_BYTES:
        return f"unpacks to more than {limits.ATTACHMENT_BYTES >> 20} MiB"
    if member.file_size > max(limits.MIB, member.compress_size * limits.ZIP_RATIO):
        return f"is packed more than {limits.ZIP_RATIO} to 1"
    return None


def is_hidden(name: str) -> bool:
    """Whether an entry is nobody's work: hidden, a copy by Jupyter or macOS, or in a folder of tests."""
    parts = name.split("/")
    return any(part.startswith(".") for part in parts) or any(p.lower() in _SKIPPED_FOLDERS for p in parts[:-1])


def choose(names: Sequence[str]) -> str:
    """The one gradable file among `names`: the notebook, else the script. RefusedError if it is not one."""
    visible = [name for name in names if not is_hidden(name)]
    notebooks = [name for name in visible if name.lower().endswith(".ipynb")]
    if notebooks:
        return _only(notebooks, "notebooks")
    scripts = [n for n in visible if n.lower().endswith(".py") and n.split("/")[-1] not in _HELPERS]
    if scripts:
        # Helper modules lie in folders; the submission lies on top.
        depth = min(name.count("/") for name in scripts)
        scripts = [name for name in scripts if name.count("/") == depth]
        named = [name for name in scripts if name.split("/")[-1] == "submission.py"]
        return _only(named or scripts, "Python files")
    inner = [name for name in visible if name.lower().endswith(".zip")]
    if inner:
        raise RefusedError(
            "The zip holds no notebook and no Python file; "
            f"it holds another zip ({printable(inner[0], 80)}), which is not opened."
        )
    raise RefusedError("The zip holds no notebook and no Python file.")


def _only(names: list[str], what: str) -> str:
    if len(names) == 1:
        return names[0]
    count = _NUMBERS[len(names)] if len(names) < len(_NUMBERS) else f"{len(names):,}"
    shown = ", ".join(printable(name, 80) for name in names[:5]) + (", ..." if len(names) > 5 else "")
    raise RefusedError(f"The zip holds {count} {what} ({shown}); hand in one.")
