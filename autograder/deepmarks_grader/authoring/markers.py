"""The solution and prompt markers inside code cells.

They are Otter Assign's, in the one spelling that keeps a solution from leaking:
`# BEGIN SOLUTION NO PROMPT` ... `# END SOLUTION`, then `\"\"\" # BEGIN PROMPT` ... `\"\"\"; # END PROMPT`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from deepmarks_grader.authoring.percent import Cell
from deepmarks_grader.authoring.problems import Report

Line = tuple[int, str]

_BEGIN_SOLUTION = "# BEGIN SOLUTION NO PROMPT"
_END_SOLUTION = "# END SOLUTION"
_BEGIN_PROMPT = re.compile(r'^("""|\'\'\') # BEGIN PROMPT$')
_END_PROMPT = re.compile(r'^("""|\'\'\');? # END PROMPT$')
_LOOKS_LIKE_MARKER = re.compile(r"#\s*(BEGIN|END)\s*(SOLUTION|PROMPT)\b", re.IGNORECASE)
# Otter replaces or drops such lines, and nothing here needs them.
_UNUSED = re.compile(r"# ?SOLUTION|# SEED\s*$|# IGNORE\s*$|#\s*(BEGIN|END)\s*IGNORE", re.IGNORECASE)


@dataclass(slots=True)
class Views:
    """One code cell as the grader and as the student see it."""

    solution: list[Line] = field(default_factory=list)
    """The cell with its solution, without prompts and markers."""
    skeleton: list[Line] = field(default_factory=list)
    """The cell with its prompts, without the solution."""
    has_solution: bool = False
    has_prompt: bool = False


def split_views(cell: Cell, report: Report, *, markers_allowed: bool) -> Views:
    """Both views of `cell`; markers that are misspelt, unbalanced or out of place go into `report`."""
    views = Views()
    block = ""
    opened = cell.line
    for number, line in cell.lines:
        word = line.strip()
        kind = _marker(word)
        if kind and not markers_allowed:
            report.add(
                number,
                f"`{word}` stands outside a solution block, where it would not be stripped; put the cell "
                "between raw cells `# BEGIN SOLUTION` and `# END SOLUTION`.",
            )
            markers_allowed = True  # one sentence a cell is enough
        if kind is None:
            if _LOOKS_LIKE_MARKER.search(line):
                report.add(number, f"`{word}` {_respelt(word)}")
            elif _UNUSED.search(line):
                report.add(number, f"`{word}` holds a marker of Otter's that is not used here; use a solution block.")
            if block != "prompt":
                views.solution.append((number, line))
            if block != "solution":
                views.skeleton.append((number, line))
            continue
        action, _, thing = kind.partition(" ")
        if action == "begin":
            if block:
                report.add(number, f"a {thing} begins inside the {block} that began in line {opened}.")
            block, opened = thing, number
            views.has_solution |= thing == "solution"
            views.has_prompt |= thing == "prompt"
        else:
            if block != thing:
                report.add(number, f"a {thing} ends here that did not begin.")
            block = ""
    if block:
        report.add(opened, f"this {block} never ends; `# END {block.upper()}` is missing in its cell.")
    return views


def _marker(word: str) -> str | None:
    if word == _BEGIN_SOLUTION:
        return "begin solution"
    if word == _END_SOLUTION:
        return "end solution"
    if _BEGIN_PROMPT.match(word):
        return "begin prompt"
    if _END_PROMPT.match(word):
        return "end prompt"
    return None


def _respelt(word: str) -> str:
    upper = word.upper()
    if "PROMPT" in upper and "SOLUTION" not in upper:
        return 'is not understood; prompts stand between `""" # BEGIN PROMPT` and `"""; # END PROMPT`.'
    if "BEGIN" in upper:
        return f"is not understood; write `{_BEGIN_SOLUTION}` on a line of its own, and then a prompt."
    return f"is not understood; write `{_END_SOLUTION}` on a line of its own."
