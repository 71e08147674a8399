"""The YAML in a master's raw cells, read key by key with the line of each."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import fields
from typing import Any

import yaml

from deepmarks.manifest import Limits
from deepmarks_grader.authoring.percent import Cell
from deepmarks_grader.authoring.problems import Report, unknown


class Config:
    """One raw cell's settings; wrong types and unknown keys are added to the report."""

    def __init__(self, cell: Cell, known: Iterable[str], report: Report) -> None:
        self.line = cell.line
        self._report = report
        self._values: dict[str, Any] = {}
        self._lines: dict[str, int] = {}
        self._item_lines: dict[str, list[int]] = {}
        try:
            node = yaml.compose(cell.source, Loader=yaml.SafeLoader)
            values = yaml.safe_load(cell.source)
        except yaml.YAMLError as error:
            mark = getattr(error, "problem_mark", None)
            reason = getattr(error, "problem", None) or "it cannot be read"
            report.add(cell.line + (mark.line if mark else 0), f"this is not YAML: {reason}.")
            return
        if node is None:
            return
        if not isinstance(node, yaml.MappingNode) or not isinstance(values, dict):
            report.add(cell.line, "settings are written as `key: value`, one a line.")
            return
        known = set(known)
        for key_node, value_node in node.value:
            key, line = str(key_node.value), cell.line + key_node.start_mark.line
            if key in self._lines:
                report.add(line, f"`{key}` is set twice.")
            elif key not in known:
                report.add(line, unknown("key", key, known))
            self._lines[key] = line
            if isinstance(value_node, yaml.SequenceNode):
                self._item_lines[key] = [cell.line + item.start_mark.line for item in value_node.value]
        self._values = {str(key): value for key, value in values.items()}

    def has(self, key: str) -> bool:
        """Whether `key` is set."""
        return key in self._values

    def line_of(self, key: str) -> int:
        """The line of `key`, or of the cell if it is not set."""
        return self._lines.get(key, self.line)

    def text(self, key: str) -> str | None:
        """A text that must be there; None (reported) if not."""
        value = self._values.get(key)
        if isinstance(value, str) and value.strip():
            return value.strip()
        self._wrong(key, "a text")
        return None

    def number(self, key: str) -> float | None:
        """A number above zero that must be there; None (reported) if not."""
        value = self._values.get(key)
        if isinstance(value, int | float) and not isinstance(value, bool) and value > 0:
            return value
        self._wrong(key, "a number above 0")
        return None

    def texts(self, key: str) -> tuple[str, ...]:
        """A list of texts, empty if the key is not set; what is no text is reported."""
        value = self._values.get(key, [])
        if not isinstance(value, list):
            self._wrong(key, "a list")
            return ()
        good = []
        for position, (line, item) in enumerate(zip(self._item_lines.get(key, ()), value, strict=True), 1):
            if isinstance(item, str) and item.strip():
                good.append(item.strip())
                continue
            reason = "is not a text"
            if isinstance(item, dict):
                reason += "; a colon followed by a space makes a mapping of it, so put it in quotes or after `>-`"
            self._report.add(line, f"item {position} of `{key}` {reason}.")
        return tuple(good)

    def limits(self) -> Limits:
        """The limits, defaults where none are set."""
        value = self._values.get("limits", {})
        if not isinstance(value, dict):
            self._wrong("limits", "a mapping such as {call_seconds: 10}")
            return Limits()
        kinds = {entry.name: int if entry.type in (int, "int") else float for entry in fields(Limits)}
        chosen: dict[str, Any] = {}
        for name, limit in value.items():
            line = self.line_of("limits")
            if name not in kinds:
                self._report.add(line, unknown("limit", str(name), kinds))
            elif isinstance(limit, bool) or not isinstance(limit, int | float) or limit <= 0:
                self._report.add(line, f"the limit `{name}` must be a number above 0.")
            elif kinds[name] is int and limit != int(limit):
                self._report.add(line, f"the limit `{name}` must be a whole number.")
            else:
                chosen[name] = kinds[name](limit)
        return Limits(**chosen)

    def _wrong(self, key: str, wanted: str) -> None:
        if self.has(key):
            self._report.add(self.line_of(key), f"`{key}` must be {wanted}.")
        else:
            self._report.add(self.line, f"`{key}` is missing; it must be {wanted}.")
