"""The zygote: imports what submissions need once, then forks a worker for each and keeps watch over it.

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
import select
import socket
import sys
import types
from typing import Any

from deepmarks_grader.isolation import selfcheck
from deepmarks_grader.isolation.confine import confine, seal
from deepmarks_grader.isolation.flock import Flock
from deepmarks_grader.isolation.linux import LINUX
from deepmarks_grader.isolation.plan import WorkerPlan
from deepmarks_grader.isolation.users import try_switch
from deepmarks_grader.isolation.watch import POLL_SECONDS
from deepmarks_grader.isolation.worker import serve

_MESSAGE = 1 << 16


def main(descriptor: int) -> None:
    """Obey the grader at the other end of `descriptor` until it hangs up."""
    control = socket.socket(fileno=descriptor)
    control.set_inheritable(False)
    flock = Flock()
    while True:
        if flock.any_alive and not select.select([control], [], [], POLL_SECONDS)[0]:
            flock.poll()
            continue
        message, descriptors = _receive(control)
        if not message:
            flock.end_all()
            return
        request = json.loads(message)
        match request["op"]:
            case "start":
                reply = _start(request)
            case "check":
                reply = _check(request)
            case "warm":
                reply = _warm(request["modules"])
            case "spawn":
                reply = _spawn(control, flock, WorkerPlan.from_json(request["plan"]), descriptors)
            case "wait":
                reply = flock.wait(request["pid"], request["seconds"])
            case "end":
                reply = flock.end(request["pid"])
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


def _start(request: dict[str, Any]) -> dict[str, Any]:
    """Find out whether workers can have a user of their own, and put on what all of them share."""
    if not LINUX:
        return {"user": "only Linux workers change their user", "reasons": {}}
    user = request["user_problem"] or try_switch(request["uid"], request["must_read"])
    reasons = seal(
        shares_user=bool(user),
        shares_files=bool(user) and not request["inside"],
        protected=[*request["protected"], os.getpid()],
    )
    return {"user": user, "reasons": reasons}


def _check(request: dict[str, Any]) -> dict[str, Any]:
    """What a confined worker can reach, tried out in a fork."""
    plan = WorkerPlan.from_json(request["plan"])
    targets = selfcheck.Targets.from_data(request["targets"])
    read, write = os.pipe()
    parent = os.getpid()
    child = os.fork()
    if child == 0:
        answer: dict[str, Any] = {"error": "the self-check failed"}
        try:
            abi = confine(plan, parent, write, write)
            answer = {"landlock": abi, "through": selfcheck.attack(targets, uid=plan.uid)}
        except BaseException as error:
            answer = {"error": f"{type(error).__name__}: {error}"}
        finally:
            _write_either(write, 3, json.dumps(answer).encode())
            os._exit(0)
    os.close(write)
    with os.fdopen(read, "rb") as pipe:
        text = pipe.read(_MESSAGE // 2)
    os.waitpid(child, 0)
    reply: dict[str, Any] = json.loads(text) if text else {"error": "the worker of the self-check died"}
    return reply


def _write_either(first: int, second: int, data: bytes) -> None:
    """Write to `first`, or to where it was moved meanwhile."""
    for descriptor in (first, second):
        with contextlib.suppress(OSError):
            os.write(descriptor, data)
            return


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


def _spawn(control: socket.socket, flock: Flock, plan: WorkerPlan, descriptors: list[int]) -> dict[str, Any]:
    channel, output = descriptors
    flock.expect(plan)
    parent = os.getpid()
    pid = os.fork()
    if pid == 0:
        status = 1
        try:
            control.close()
            _become_worker(plan, parent, channel, output)
            status = 0
        except BaseException as error:
            with contextlib.suppress(BaseException):
                os.write(2, f"{type(error).__name__}: {error}\n".encode())
        finally:
            os._exit(status)
    os.close(channel)
    os.close(output)
    flock.add(pid)
    return {"pid": pid}


def _become_worker(plan: WorkerPlan, parent: int, channel: int, output: int) -> None:
    """Confine this process and serve."""
    confine(plan, parent, channel, output)
    if plan.cuda:
        os.environ.pop("CUDA_VISIBLE_DEVICES", None)
    # What a student's own processes would import again as their main module is not this file.
    sys.modules["deepmarks_grader.isolation.zygote"] = sys.modules["__main__"]
    sys.modules["__main__"] = types.ModuleType("__main__")
    sys.stdout.reconfigure(line_buffering=False)  # type: ignore[union-attr]
    serve(socket.socket(fileno=3))


if __name__ == "__main__":
    main(int(sys.argv[1]))
