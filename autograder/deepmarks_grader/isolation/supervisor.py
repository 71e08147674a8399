"""The grader's hold on the zygote and its workers."""

from __future__ import annotations

import array
import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

from deepmarks_grader.isolation.plan import WorkerPlan

_START_SECONDS = 120.0
"""A cold `import torch` from a slow disk takes tens of seconds."""
_REAP_SECONDS = 5.0


class ZygoteError(RuntimeError):
    """The zygote could not be started or has died; nothing can be graded."""


@dataclass(frozen=True, slots=True)
class WorkerExit:
    """How a worker ended."""

    code: int | None
    """The exit code, or minus the signal's number; None if unknown."""
    peak_kb: int = 0
    """Peak resident memory in KiB."""
    cpu_seconds: float = 0.0


@dataclass(slots=True)
class Worker:
    """A forked worker: its process, its channel and its output pipe (both non-blocking)."""

    pid: int
    channel: socket.socket
    output: int
    scratch: Path


class Zygote:
    """A process of its own that has imported the libraries and forks workers. Use it as a context manager."""

    def __init__(self, modules: Sequence[str] = (), *, cuda: bool = False) -> None:
        self._cuda = cuda
        self._warm: set[str] = set()
        self._root = Path(tempfile.mkdtemp(prefix="deepmarks-"))
        self._log = open(self._root / "zygote.log", "w+b")  # noqa: SIM115 - closed in close()
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        command = [sys.executable, "-I", "-m", "deepmarks_grader.isolation.zygote", str(theirs.fileno())]
        self._process = subprocess.Popen(
            command,
            pass_fds=(theirs.fileno(),),
            env=_clean_environment(),
            cwd="/",
            stdin=subprocess.DEVNULL,
            stdout=self._log,
            stderr=self._log,
            start_new_session=True,
        )
        theirs.close()
        self._control = ours
        self._send({"op": "warm", "modules": list(modules)})
        self._warming: list[str] | None = list(modules)

    def warm(self, modules: Sequence[str]) -> None:
        """Import `modules` in the zygote, so that no worker has to; those that cannot be imported are left out."""
        self._finish_warming()
        wanted = [name for name in modules if name not in self._warm]
        if wanted:
            self._send({"op": "warm", "modules": wanted})
            self._warming = wanted
            self._finish_warming()

    def _finish_warming(self) -> None:
        if self._warming is None:
            return
        reply = self._reply(_START_SECONDS)
        self._warm.update(self._warming)
        self._warming = None
        if reply.get("threads") != 1:
            raise ZygoteError(f"the zygote has {reply.get('threads')} threads; a forked worker would hang")

    def spawn(self, memory_mb: int) -> Worker:
        """A fresh worker with a scratch directory of its own."""
        self._finish_warming()
        scratch = Path(tempfile.mkdtemp(prefix="worker-", dir=self._root))
        ours, theirs = socket.socketpair()
        read_end, write_end = os.pipe()
        plan = WorkerPlan(str(scratch), memory_mb, self._cuda)
        try:
            self._send({"op": "spawn", "plan": plan.to_json()}, [theirs.fileno(), write_end])
            reply = self._reply(_START_SECONDS)
        finally:
            theirs.close()
            os.close(write_end)
        if "pid" not in reply:
            raise ZygoteError(f"no worker could be started: {reply}")
        ours.setblocking(False)
        os.set_blocking(read_end, False)
        return Worker(reply["pid"], ours, read_end, scratch)

    def end(self, worker: Worker) -> WorkerExit:
        """Kill the worker's process group, remove its scratch directory and say how it ended."""
        worker.channel.close()
        os.close(worker.output)
        # A worker that has died keeps its number until the zygote waits for it, so this cannot hit a stranger.
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(worker.pid, signal.SIGKILL)
        self._send({"op": "wait", "pid": worker.pid, "seconds": _REAP_SECONDS})
        reply = self._reply(_REAP_SECONDS + _START_SECONDS)
        shutil.rmtree(worker.scratch, ignore_errors=True)
        return WorkerExit(reply.get("status"), reply.get("peak_kb", 0), reply.get("cpu", 0.0))

    def exit_status(self, worker: Worker, seconds: float = 0.5) -> WorkerExit:
        """How a worker that hung up by itself ended; code None if it still runs after `seconds`."""
        self._send({"op": "wait", "pid": worker.pid, "seconds": seconds})
        reply = self._reply(seconds + _START_SECONDS)
        return WorkerExit(reply.get("status"), reply.get("peak_kb", 0), reply.get("cpu", 0.0))

    def close(self) -> None:
        """End the zygote and remove everything that it and its workers wrote."""
        self._control.close()
        try:
            self._process.wait(2)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._log.close()
        shutil.rmtree(self._root, ignore_errors=True)

    def __enter__(self) -> Zygote:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _send(self, request: dict[str, Any], descriptors: Sequence[int] = ()) -> None:
        rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", descriptors))] if descriptors else []
        try:
            self._control.sendmsg([json.dumps(request).encode()], rights)
        except OSError as error:
            raise ZygoteError(f"the zygote is gone: {self._log_tail()}") from error

    def _reply(self, seconds: float) -> dict[str, Any]:
        self._control.settimeout(seconds)
        try:
            data = self._control.recv(1 << 16)
        except OSError as error:
            raise ZygoteError(f"the zygote does not answer: {self._log_tail()}") from error
        if not data:
            raise ZygoteError(f"the zygote has died: {self._log_tail()}")
        reply: dict[str, Any] = json.loads(data)
        return reply

    def _log_tail(self) -> str:
        try:
            return (self._root / "zygote.log").read_text(errors="replace")[-2000:]
        except OSError:
            return ""


def _clean_environment() -> dict[str, str]:
    """The environment of the zygote: nothing of the grader's own but where programs and fonts are."""
    kept = {
        name: os.environ[name] for name in ("PATH", "LANG", "LC_ALL", "TZ", "LD_LIBRARY_PATH") if name in os.environ
    }
    return {
        "LANG": "C.UTF-8",
        **kept,
        "OMP_NUM_THREADS": "1",
        "OPENBLAS_NUM_THREADS": "1",
        "MKL_NUM_THREADS": "1",
        "MPLBACKEND": "Agg",
        "MPLCONFIGDIR": tempfile.gettempdir(),
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTORCH_NVML_BASED_CUDA_CHECK": "1",
        "CUDA_VISIBLE_DEVICES": "",
    }
