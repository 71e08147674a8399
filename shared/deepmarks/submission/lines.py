"""What can be said of source line by line: open brackets and strings, and what is for IPython."""

from __future__ import annotations

import re
from dataclasses import dataclass

_TOKEN = re.compile(r"""#|\"{3}|'{3}|["'()\[\]{}]|\\$""")
_STRING_ENDS = {quote: re.compile(rf"\\.?|{quote}") for quote in ('"""', "'''", '"', "'")}

_NAME = r"%{0,2}[A-Za-z_][\w.*]*(?:\[[^\]]*\]|\([^()]*\))?"
_IPYTHON = re.compile(
    rf"""\s*(?:
        %%?[A-Za-z_]                      # %matplotlib inline
      | !                                 # !ls
      | \?{{1,2}}\s*[\w%]                 # ?len
      | {_NAME}\s*\?{{1,2}}\s*(?:;\s*)?$  # len??
      | [A-Za-z_][\w.,\s\[\]]*=\s*(?:!|%{{1,2}}[A-Za-z])   # files = !ls
      | (?:pip3?|conda|mamba)\s+(?:install|uninstall|list|show)\b   # IPython's automagic
    )""",
    re.VERBOSE,
)


@dataclass(slots=True)
class LineState:
    """What is still open at the end of the lines fed so far."""

    depth: int = 0
    """Brackets that are open."""
    quote: str = ""
    """The quotes of an open string."""
    joined: bool = False
    """The line ended in a backslash."""

    @property
    def clean(self) -> bool:
        """Whether a new logical line starts here."""
        return not (self.depth > 0 or self.quote or self.joined)

    def feed(self, line: str) -> None:
        """Go on by one line, given without its line end."""
        self.joined = False
        position = 0
        while position < len(line) or self.quote:
            if self.quote:
                end = self._end_of_string(line, position)
                if end is None:
                    return
                position, self.quote = end, ""
                continue
            token = _TOKEN.search(line, position)
            if token is None or token[0] == "#":
                return
            position = token.end()
            if token[0] in "([{":
                self.depth += 1
            elif token[0] in ")]}":
                self.depth = max(0, self.depth - 1)
            elif token[0] == "\\":
                self.joined = True
            else:
                self.quote = token[0]

    def _end_of_string(self, line: str, position: int) -> int | None:
        """The position after the closing quotes, or None if the line ends first."""
        backslash = False
        for found in _STRING_ENDS[self.quote].finditer(line, position):
            if found[0] == self.quote:
                return found.end()
            backslash = found[0] == "\\"  # nothing follows it: the line goes on
        if len(self.quote) == 1 and not backslash:
            self.quote = ""  # an unfinished string ends with its line
        return None


def is_ipython(line: str) -> bool:
    """Whether a logical line that starts with `line` is for IPython and no Python at all."""
    return _IPYTHON.match(line) is not None


_STRONG = re.compile(r"\f*(?:@|(?:def|class|async\s+def|import|from)\s)")
_BRANCH = re.compile(r"(?:else|elif|except|finally)\b")


def in_column_0(line: str) -> bool:
    """Whether code starts in the first column; form feeds take no room."""
    return line.lstrip("\f")[:1] not in ("", " ", "\t", "#")


def is_branch(line: str) -> bool:
    """Whether the line goes on with an `if`, `for`, `while` or `try` that came before it."""
    return _BRANCH.match(line) is not None


def is_strong(line: str) -> bool:
    """Whether a definition or import starts here, which can never stand inside brackets."""
    return _STRONG.match(line) is not None
