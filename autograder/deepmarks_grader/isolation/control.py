"""Messages between the grader and the zygote: one JSON object each way, with descriptors beside it."""

from __future__ import annotations

import array
import json
import socket
from collections.abc import Sequence
from pathlib import Path
from typing import Any

_MESSAGE = 1 << 16


class ZygoteError(RuntimeError):
    """The zygote could not be started or has died, or a worker could not be ended; nothing can be graded."""


class Control:
    """The grader's end of the line to its zygote; `log` is what the zygote prints, for error messages."""

    def __init__(self, line: socket.socket, log: Path) -> None:
        self._line = line
        self._log = log

    def send(self, request: dict[str, Any], descriptors: Sequence[int] = ()) -> None:
        """Send a request; ZygoteError if nobody is there."""
        rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", descriptors))] if descriptors else []
        try:
            self._line.sendmsg([json.dumps(request).encode()], rights)
        except OSError as error:
            raise ZygoteError(f"the zygote is gone: {self._tail()}") from error

    def reply(self, seconds: float) -> dict[str, Any]:
        """The answer to the oldest request; ZygoteError if none comes in time."""
        self._line.settimeout(seconds)
        try:
            data = self._line.recv(_MESSAGE)
        except OSError as error:
            raise ZygoteError(f"the zygote does not answer: {self._tail()}") from error
        if not data:
            raise ZygoteError(f"the zygote has died: {self._tail()}")
        reply: dict[str, Any] = json.loads(data)
        return reply

    def close(self) -> None:
        """Hang up, which ends the zygote."""
        self._line.close()

    def _tail(self) -> str:
        try:
            return self._log.read_text(errors="replace")[-2000:]
        except OSError:
            return ""
