import json
import os
import struct
import sys


def current_request():
    """The number of the request that is being answered, from the worker's own frames."""
    frame = sys._getframe()
    while frame is not None:
        data = frame.f_locals.get("data")
        if isinstance(data, dict) and "id" in data:
            return data["id"]
        frame = frame.f_back
    return 0


def send_raw(data, fd=3):
    view = memoryview(data)
    while view:
        view = view[os.write(fd, view) :]


def frame(header, buffers=b""):
    """A frame as the channel carries it: both lengths, the header, the buffers."""
    if not isinstance(header, bytes):
        header = json.dumps(header).encode()
    body = struct.pack("<I", len(header)) + header + buffers
    return struct.pack("<I", len(body)) + body


def reply(value, failure=None, identity=None):
    """A well-formed reply whose value is the node `value`."""
    identity = current_request() if identity is None else identity
    fields = ["d", "value", value, "failure", failure, "mutated", ["l"], "operators", ["l"]]
    return ["d", "id", identity, "reply", fields]
