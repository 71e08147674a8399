"""Notebook JSON (nbformat 3 and 4) and percent scripts to cells. Tolerant: only code cells matter."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

from deepmarks.submission import limits
from deepmarks.submission.lines import LineState
from deepmarks.submission.records import clean_text
from deepmarks.submission.statements import Problem, parse
from deepmarks.submission.units import Cell

_MARKER = re.compile(r"#[ \t]*%%+(?:[ \t]+(.*))?$")
_NO_CODE = re.compile(r"(?:^|\s)\[(?:markdown|md|raw)\]", re.IGNORECASE)
_IGNORED = re.compile(r"tags\s*=\s*\[[^\]]*[\"']otter_ignore[\"']|otter\s*=\s*\{[^}]*[\"']ignore[\"']\s*:\s*true")
_OPTIONS = 1_000
"""Characters of a marker's options that are looked at."""
_CONFLICT = re.compile(r"^<{7} ", re.MULTILINE)


class NotANotebookError(ValueError):
    """The text is no notebook; the message completes `The file is not a notebook: ...`."""

    def __init__(self, message: str, *, damaged: bool = False) -> None:
        super().__init__(message)
        self.damaged = damaged
        """Whether the text has a notebook's beginnings, so that nothing else can be meant."""


def load_notebook(text: str) -> dict[str, Any]:
    """The notebook's JSON without outputs; NotANotebookError with a sentence if it is not one."""
    start = text.lstrip("\ufeff \t\n")
    if start.startswith("<") and not start.startswith("<<<<"):
        raise NotANotebookError("it is a web page (HTML). Download the notebook itself", damaged=True)
    if start[:1] not in ("{", "[", "<"):
        raise NotANotebookError("it is not JSON")
    begun = '"cells"' in text or '"worksheets"' in text
    conflict = _CONFLICT.search(text)
    if conflict is not None:
        line = text.count("\n", 0, conflict.start()) + 1
        raise NotANotebookError(f"it holds marks of an unresolved Git conflict in line {line}", damaged=begun)
    if text.count("[") + text.count("{") + text.count(",") > limits.JSON_VALUES:
        raise NotANotebookError("it holds too many values. Clear the outputs and save it again", damaged=begun)
    try:
        # Numbers say nothing about code; reading them as their length keeps huge ones cheap.
        data = json.loads(
            text.lstrip("\ufeff"), strict=False, object_hook=_without_outputs, parse_int=len, parse_float=len
        )
    except json.JSONDecodeError as error:
        end = error.pos >= len(text.rstrip()) or error.msg.startswith("Unterminated string")
        what = "breaks off" if end else "is damaged"
        raise NotANotebookError(f"its JSON {what} at line {_line(text, error, end)}", damaged=begun) from error
    except RecursionError as error:
        raise NotANotebookError("its JSON is nested too deeply", damaged=begun) from error
    if not isinstance(data, dict) or not (isinstance(data.get("cells"), list) or "worksheets" in data):
        raise NotANotebookError("it is JSON without a list of cells")
    return data


def _line(text: str, error: json.JSONDecodeError, end: bool) -> int:
    return text.rstrip().count("\n") + 1 if end else error.lineno


def _without_outputs(item: dict[str, Any]) -> dict[str, Any]:
    """Forget results and pictures while the JSON is being read: they may be larger than all the rest."""
    for key in ("outputs", "attachments", "image/png"):
        if key in item:
            item[key] = None
    return item


def notebook_cells(notebook: dict[str, Any], notices: list[str]) -> Iterator[Cell]:
    """The code cells in order, without those tagged `otter_ignore`; damage becomes a notice."""
    number = malformed = 0
    for item in _raw_cells(notebook):
        if not isinstance(item, dict):
            malformed += 1
            continue
        kind = item.get("cell_type")
        if kind != "code" and (isinstance(kind, str) or not ({"outputs", "execution_count", "input"} & item.keys())):
            continue
        number += 1
        source = item.get("source", item.get("input"))
        if isinstance(source, list):
            malformed += any(not isinstance(part, str) for part in source)
            source = "".join(part for part in source if isinstance(part, str))
        if not isinstance(source, str):
            malformed += source is not None
            continue
        if not _is_ignored(item.get("metadata")):
            yield Cell(clean_text(source), number, filename=f"<cell {number}>")
    if malformed:
        notices.append(f"The notebook is damaged: {malformed} cell(s) could not be read in full.")


def _raw_cells(notebook: dict[str, Any]) -> Iterator[object]:
    if isinstance(notebook.get("cells"), list):
        yield from notebook["cells"]
        return
    sheets = notebook.get("worksheets")
    for sheet in sheets if isinstance(sheets, list) else []:
        if isinstance(sheet, dict) and isinstance(sheet.get("cells"), list):
            yield from sheet["cells"]


def _is_ignored(metadata: object) -> bool:
    if not isinstance(metadata, dict):
        return False
    tags, otter = metadata.get("tags"), metadata.get("otter")
    return (isinstance(tags, list) and "otter_ignore" in tags) or (
        isinstance(otter, dict) and otter.get("ignore") is True
    )


def is_percent(text: str) -> bool:
    """Whether the text has `# %%` markers."""
    return any(_MARKER.match(line) for line in text.split("\n"))


def percent_cells(text: str, notices: list[str]) -> Iterator[Cell]:
    """The code cells of a percent script; line numbers are the file's."""
    lines = text.split("\n")
    marks = _marks(text, lines)
    number = 0
    for start, end in zip([-1, *marks], [*marks, len(lines)], strict=True):
        found = _MARKER.match(lines[start]) if start >= 0 else None
        options = (found[1] or "") if found is not None else ""
        body = lines[start + 1 : end]
        code = [line for line in body if line.strip() and not line.lstrip().startswith("#")]
        if _NO_CODE.search(options[:_OPTIONS]):
            if code and not code[0].lstrip("rR").startswith(('"""', "'''")):
                notices.append(
                    f"The text cell at line {start + 1} holds lines that are no comments; they were not read."
                )
            continue
        if start < 0 and not code:
            continue  # the header, or nothing
        number += 1
        if code and _IGNORED.search(options[:_OPTIONS]) is None:
            yield Cell("\n".join(body), number, start + 2)


def _marks(text: str, lines: list[str]) -> list[int]:
    """The lines with markers; one inside a string counts only if the file is broken (or huge)."""
    marks = [index for index, line in enumerate(lines) if _MARKER.match(line)]
    if len(text) > limits.WHOLE_CHARS or isinstance(parse(text), Problem):
        return marks
    wanted, state, kept = set(marks), LineState(), []
    for index, line in enumerate(lines):
        if index in wanted and not state.quote:
            kept.append(index)
        state.feed(line)
    return kept
