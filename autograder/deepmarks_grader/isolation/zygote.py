"""The zygote: imports what submissions need once, then forks a worker for each.

It is executed, never forked, by the grader, before the grader has read any secret into an environment that this
process shares: what was never in its memory cannot be in a worker's.
"""

from __future__ import annotations

import array
import contextlib
import gc
import importlib
import json
import os
import socket
import sys
import time
from typing import Any

from deepmarks_grader.isolation.confine import confine
from deepmarks_grader.isolation.plan import WorkerPlan
from deepmarks_grader.isolation.worker import serve

_MESSAGE = 1 << 16
_FIRST_FREE = 4


def main(descriptor: int) -> None:
    """Obey the grader at the other end of `descriptor` until it hangs up."""
    control = socket.socket(fileno=descriptor)
    control.set_inheritable(False)
    while True:
        message, descriptors = _receive(control)
        if not message:
            return
        request = json.loads(message)
        match request["op"]:
            case "warm":
                reply = _warm(request["modules"])
            case "spawn":
                reply = _spawn(control, WorkerPlan.from_json(request["plan"]), descriptors)
            case "wait":
                reply = _wait(request["pid"], request["seconds"])
            case _:
                reply = {"error": "unknown request"}
        control.send(json.dumps(reply).encode())


def _receive(control: socket.socket) -> tuple[bytes, list[int]]:
    descriptors = array.array("i")
    message, ancillary, _, _ = control.recvmsg(_MESSAGE, socket.CMSG_SPACE(8 * descriptors.itemsize))
    for level, kind, data in ancillary:
        if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
            descriptors.frombytes(data[: len(data) - len(data) % descriptors.itemsize])
    return message, list(descriptors)


def _warm(modules: list[str]) -> dict[str, Any]:
    """Import modules and run what torch would do lazily, all on one thread: a pool would be dead after a fork."""
    failed = {}
    for name in modules:
        try:
            if name.split(".")[0] == "torchvision":
                from deepmarks.torchvision_guard import guard

                guard()
            importlib.import_module(name)
        except Exception as error:
            failed[name] = f"{type(error).__name__}: {error}"
    if "torch" in modules and "torch" not in failed:
        _warm_torch()
    gc.collect()
    gc.freeze()
    return {
        "failed": failed,
        "threads": len(os.listdir("/proc/self/task")) if os.path.isdir("/proc/self/task") else 1,
    }


def _warm_torch() -> None:
    import torch

    torch.set_num_threads(1)
    layer = torch.nn.Linear(4, 3)
    optimizer = torch.optim.Adam(layer.parameters())
    torch.nn.functional.cross_entropy(layer(torch.randn(2, 4)), torch.tensor([0, 1])).backward()  # type: ignore[no-untyped-call]
    optimizer.step()
    importlib.import_module("torch.utils._python_dispatch")


def _spawn(control: socket.socket, plan: WorkerPlan, descriptors: list[int]) -> dict[str, Any]:
    channel, output = descriptors
    pid = os.fork()
    if pid == 0:
        status = 1
        try:
            control.close()
            _become_worker(plan, channel, output)
            status = 0
        except BaseException as error:
            with contextlib.suppress(BaseException):
                os.write(2, f"{type(error).__name__}: {error}\n".encode())
        finally:
            os._exit(status)
    os.close(channel)
    os.close(output)
    return {"pid": pid}


def _become_worker(plan: WorkerPlan, channel: int, output: int) -> None:
    """Leave the zygote's session and descriptors behind, confine this process and serve."""
    os.setsid()
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    os.dup2(output, 1)
    os.dup2(output, 2)
    os.dup2(channel, 3)
    os.closerange(_FIRST_FREE, os.sysconf("SC_OPEN_MAX"))
    if plan.cuda:
        os.environ.pop("CUDA_VISIBLE_DEVICES", None)
    sys.stdout.reconfigure(line_buffering=False)  # type: ignore[union-attr]
    confine(plan)
    serve(socket.socket(fileno=3))


def _wait(pid: int, seconds: float) -> dict[str, Any]:
    """The exit status of a worker that has been told to end, and what it used."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            found, status, usage = os.wait4(pid, os.WNOHANG)
        except ChildProcessError:
            return {"status": None}
        if found:
            code = os.waitstatus_to_exitcode(status)
            return {"status": code, "peak_kb": usage.ru_maxrss, "cpu": usage.ru_utime + usage.ru_stime}
        time.sleep(0.001)
    return {"status": None}


if __name__ == "__main__":
    main(int(sys.argv[1]))
