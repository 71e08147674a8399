"""The worker: executes one submission's units and answers requests about it, until its channel closes."""

from __future__ import annotations

import socket
import struct
import sys
from typing import Any

from deepmarks import wire
from deepmarks.checks.messages import Failure, Reply, reply_to_data
from deepmarks.checks.workspace import Workspace, new_submission_namespace, run_unit
from deepmarks.submission import Unit, compile_unit

_LENGTH = struct.Struct("<I")


def serve(channel: socket.socket) -> None:
    """Answer frames from `channel` in order; returns when the grader closes it."""
    namespace = new_submission_namespace()
    namespace.update(display=_nothing, get_ipython=_nothing)
    start = wire.decode(_receive(channel), wire.TRUSTED_SENDER)
    workspace = Workspace(namespace, start["device"], start["reply_limit"])
    _send(channel, wire.encode({"id": start["id"], "reply": reply_to_data(Reply())}))
    while True:
        frame = _receive(channel)
        if not frame:
            return
        header = wire.decode(frame, wire.TRUSTED_SENDER, resolve=lambda opaque: None)
        if header["operation"] == "run_unit":
            answer = _run(namespace, header)
        else:
            answer = workspace.answer(frame)
        _flush()
        _send(channel, answer)


def _run(namespace: dict[str, Any], request: dict[str, Any]) -> bytes:
    """Execute one unit; whatever it raises, `SystemExit` included, is the unit's failure alone."""
    failure = None
    try:
        unit = Unit(**request["options"]["unit"])
        run_unit(namespace, compile_unit(unit), unit.source, unit.line)
    except BaseException as error:
        failure = Failure("raised", type(error).__name__[:100], str(error)[:500])
    return wire.encode({"id": request["id"], "reply": reply_to_data(Reply(failure=failure))})


def _nothing(*args: object, **kwargs: object) -> None:
    """Stand in for what only exists inside IPython."""


def _flush() -> None:
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (OSError, ValueError, AttributeError):
            continue


def _receive(channel: socket.socket) -> bytes:
    head = _exactly(channel, _LENGTH.size)
    return _exactly(channel, _LENGTH.unpack(head)[0]) if head else b""


def _exactly(channel: socket.socket, size: int) -> bytes:
    data = bytearray(size)
    view, have = memoryview(data), 0
    while have < size:
        got = channel.recv_into(view[have:])
        if not got:
            return b""
        have += got
    return bytes(data)


def _send(channel: socket.socket, frame: bytes) -> None:
    channel.sendall(_LENGTH.pack(len(frame)))
    channel.sendall(frame)
