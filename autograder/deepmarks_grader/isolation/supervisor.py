"""The grader's hold on the zygote and its workers."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

from deepmarks_grader.isolation import bubblewrap, leftovers, paths, users
from deepmarks_grader.isolation.control import Control, ZygoteError
from deepmarks_grader.isolation.judge import Findings, judge
from deepmarks_grader.isolation.linux import LINUX
from deepmarks_grader.isolation.plan import WorkerPlan
from deepmarks_grader.isolation.selfcheck import Bait
from deepmarks_grader.isolation.shield import Shield
from deepmarks_grader.isolation.strength import Report, unguarded

_START_SECONDS = 120.0
"""A cold `import torch` from a slow disk takes tens of seconds."""
_END_SECONDS = 30.0
_CHECK_MEMORY_MB = 256


@dataclass(frozen=True, slots=True)
class WorkerExit:
    """How a worker ended."""

    code: int | None
    """The exit code, or minus the signal's number; None if unknown."""
    peak_kb: int = 0
    """Peak resident memory in KiB."""
    cpu_seconds: float = 0.0
    breach: str = ""
    """The limit for which the zygote killed it: `memory`, `processes` or `files`."""


@dataclass(slots=True)
class Worker:
    """A forked worker: its process, its channel and its output pipe (both non-blocking)."""

    pid: int
    channel: socket.socket
    output: int
    scratch: Path
    uid: int | None
    """Its own user; None if it shares the grader's."""
    shared_before: frozenset[str]
    """What lay in /dev/shm before."""
    visible_pid: int | None = None
    """Its process number in the grader's own /proc; None if it has another one there, inside bubblewrap."""


class Zygote:
    """A process of its own that has imported the libraries and forks workers. Use it as a context manager.

    `hidden` are the files and directories that no worker may read; `report` says how well they and the grader are
    guarded, found out by attacking them.
    """

    def __init__(self, modules: Sequence[str] = (), *, cuda: bool = False, hidden: Sequence[Path] = ()) -> None:
        self._cuda = cuda
        self._warm: set[str] = set()
        self._warming: list[str] | None = None
        self._shield = Shield()
        self._root = _new_root()
        self._log = open(self._root / "zygote.log", "w+b")  # noqa: SIM115 - closed in close()
        os.chmod(self._root / "zygote.log", 0o600)
        self._readable = paths.readable(cuda=cuda)
        self._own_user = False
        self._landlock = False
        prefix: Sequence[str] = ()
        self._bubblewrap_problem: str | None = None
        if LINUX and os.geteuid() != 0:
            prefix, self._bubblewrap_problem = bubblewrap.run_prefix(self._root, cuda=cuda)
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._control = Control(ours, self._root / "zygote.log")
        command = [sys.executable, "-I", "-m", "deepmarks_grader.isolation.zygote", str(theirs.fileno())]
        self._process = subprocess.Popen(
            [*prefix, *command],
            pass_fds=(theirs.fileno(),),
            env=_clean_environment(self._root / "zygote"),
            cwd="/",
            stdin=subprocess.DEVNULL,
            stdout=self._log,
            stderr=self._log,
            start_new_session=True,
        )
        theirs.close()
        self._shield.zygote(self._process.pid)
        try:
            self.report = self._check(hidden)
            self._control.send({"op": "warm", "modules": list(modules)})
        except BaseException:
            self.close()
            raise
        self._warming = list(modules)

    # ------------------------------------------------------------------- start

    def _check(self, hidden: Sequence[Path]) -> Report:
        """Agree with the zygote on the layers, attack them once, and say how strong they are."""
        uid, problem = _free_user(self._root)
        inside = self._bubblewrap_problem == ""
        request = {"op": "start", "uid": uid, "user_problem": problem, "inside": inside}
        request["protected"] = [1] if inside else [os.getpid()]
        self._control.send({**request, "must_read": [*paths.must_read(), str(self._root / "zygote")]})
        reply = self._control.reply(_START_SECONDS)
        if not LINUX:
            return unguarded(sys.platform)
        reasons = reply["reasons"]
        self._own_user = not reply["user"]
        self._landlock = not reasons["landlock"]
        started = time.monotonic()
        bait = Bait(self._root, hidden, 0 if inside else os.getpid())
        try:
            scratch = self._scratch(uid if self._own_user else None)
            plan = self._plan(scratch, _CHECK_MEMORY_MB, 0.0, uid if self._own_user else None)
            self._control.send({"op": "check", "plan": plan.to_json(), "targets": bait.targets.to_data()})
            result = self._control.reply(_START_SECONDS)
        finally:
            bait.close()
        leftovers.remove_tree(scratch)
        return judge(
            Findings(
                plan.uid,
                reply["user"],
                reasons,
                self._bubblewrap_problem,
                result.get("landlock", 0),
                result.get("through", {}),
                result.get("error", ""),
                (time.monotonic() - started) * 1000,
            )
        )

    def warm(self, modules: Sequence[str]) -> None:
        """Import `modules` in the zygote, so that no worker has to; those that cannot be imported are left out."""
        self._finish_warming()
        wanted = [name for name in modules if name not in self._warm]
        if wanted:
            self._control.send({"op": "warm", "modules": wanted})
            self._warming = wanted
            self._finish_warming()

    def _finish_warming(self) -> None:
        if self._warming is None:
            return
        reply = self._control.reply(_START_SECONDS)
        self._warm.update(self._warming)
        self._warming = None
        if reply.get("threads") != 1:
            raise ZygoteError(f"the zygote has {reply.get('threads')} threads; a forked worker would hang")

    # ----------------------------------------------------------------- workers

    def spawn(self, memory_mb: int, cpu_seconds: float = 0.0) -> Worker:
        """A fresh worker with a scratch directory and, where possible, a user of its own."""
        self._finish_warming()
        uid = users.choose() if self._own_user else None
        scratch = self._scratch(uid)
        shared = leftovers.shared_memory_names()
        ours, theirs = socket.socketpair()
        read_end, write_end = os.pipe()
        plan = self._plan(scratch, memory_mb, cpu_seconds, uid)
        try:
            self._control.send({"op": "spawn", "plan": plan.to_json()}, [theirs.fileno(), write_end])
            reply = self._control.reply(_START_SECONDS)
        finally:
            theirs.close()
            os.close(write_end)
        if "pid" not in reply:
            raise ZygoteError(f"no worker could be started: {reply}")
        ours.setblocking(False)
        os.set_blocking(read_end, False)
        visible = None if self._bubblewrap_problem == "" else reply["pid"]
        return Worker(reply["pid"], ours, read_end, scratch, uid, shared, visible)

    def _scratch(self, uid: int | None) -> Path:
        self._reopen()
        scratch = Path(tempfile.mkdtemp(prefix="worker-", dir=self._root / "work"))
        if uid is not None:
            os.chown(scratch, uid, uid)
        return scratch

    def _reopen(self) -> None:
        """Undo what a worker with the grader's own user can do to the folder of the scratch directories."""
        (self._root / "work").chmod(0o711)

    def _plan(self, scratch: Path, memory_mb: int, cpu_seconds: float, uid: int | None) -> WorkerPlan:
        cores = os.cpu_count() or 1
        return WorkerPlan(
            str(scratch),
            memory_mb,
            self._cuda,
            int(cpu_seconds * cores) + 5 if cpu_seconds else 0,
            uid,
            self._readable,
            self._landlock,
            self._bubblewrap_problem == "",
        )

    def end(self, worker: Worker) -> WorkerExit:
        """Kill every process of the worker, remove everything that it wrote, and say how it ended.

        Raises ZygoteError if a process survived, in which case no result may be trusted.
        """
        worker.channel.close()
        os.close(worker.output)
        self._control.send({"op": "end", "pid": worker.pid})
        reply = self._control.reply(_END_SECONDS)
        if reply.get("left"):
            raise ZygoteError(f"{reply['left']} processes of the submission could not be ended")
        self._reopen()
        leftovers.remove_tree(worker.scratch)
        if worker.uid is not None:
            leftovers.remove_of_user(worker.uid)
        elif LINUX and self._bubblewrap_problem != "":
            leftovers.remove_new_shared_memory(worker.shared_before)
        return _exit(reply)

    def exit_status(self, worker: Worker, seconds: float = 0.5) -> WorkerExit:
        """How a worker that hung up by itself ended; code None if it still runs after `seconds`."""
        self._control.send({"op": "wait", "pid": worker.pid, "seconds": seconds})
        return _exit(self._control.reply(seconds + _END_SECONDS))

    def close(self) -> None:
        """End the zygote and its workers, and remove everything that they wrote."""
        self._control.close()
        try:
            self._process.wait(_END_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._shield.close()
        self._log.close()
        leftovers.remove_tree(self._root)

    def __enter__(self) -> Zygote:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _exit(reply: dict[str, Any]) -> WorkerExit:
    return WorkerExit(reply.get("status"), reply.get("peak_kb", 0), reply.get("cpu", 0.0), reply.get("breach", ""))


def _new_root() -> Path:
    """A directory for scratch directories, which others may pass through but not list."""
    root = Path(tempfile.mkdtemp(prefix="deepmarks-"))
    root.chmod(0o711)
    (root / "zygote").mkdir(mode=0o755)
    (root / "work").mkdir()
    return root


def _free_user(root: Path) -> tuple[int, str]:
    """An id for a first trial, and why there is none: empty if there is."""
    if not LINUX:
        return 0, "only Linux workers change their user"
    try:
        uid = users.choose()
        trial = root / "work" / "owned"
        trial.mkdir()
        os.chown(trial, uid, uid)
        trial.rmdir()
    except users.NoFreeUserError as error:
        return 0, str(error)
    except OSError as error:
        return 0, f"cannot give files to another user ({error.strerror}): not root, or without CAP_CHOWN"
    return uid, ""


def _clean_environment(home: Path) -> dict[str, str]:
    """The environment of the zygote: nothing of the grader's own but where programs and fonts are."""
    kept = {
        name: os.environ[name] for name in ("PATH", "LANG", "LC_ALL", "TZ", "LD_LIBRARY_PATH") if name in os.environ
    }
    return {
        "LANG": "C.UTF-8",
        **kept,
        "HOME": str(home),
        "TMPDIR": str(home),
        "MPLCONFIGDIR": str(home),
        "OMP_NUM_THREADS": "1",
        "OPENBLAS_NUM_THREADS": "1",
        "MKL_NUM_THREADS": "1",
        "MPLBACKEND": "Agg",
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTORCH_NVML_BASED_CUDA_CHECK": "1",
        "CUDA_VISIBLE_DEVICES": "",
    }
