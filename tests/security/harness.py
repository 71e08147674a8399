"""A stage for scenarios: secrets lying about, a grader in a process of its own, and eyes on what is left behind."""

from __future__ import annotations

import contextlib
import ctypes
import hashlib
import json
import os
import secrets
import select
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from . import container
from .scenario import SCENARIOS

FIXTURE = Path(__file__).parents[1] / "fixtures" / "mini_bundle"
ORDINARY_UID = 62345
"""A user of the tests' own, so that limits on processes count nobody else's."""
_PR_SET_CHILD_SUBREAPER = 36
_GRACE_SECONDS = 1.0
_WATCHED = ["/tmp", "/var/tmp", "/dev/shm", "/run", "/run/lock", "/var/cache", "/usr/local/lib", "/etc"]


def unavailable(configuration: str) -> str | None:
    """Why this machine cannot offer a configuration; None if it can."""
    if os.name != "posix" or not sys.platform.startswith("linux"):
        return "the layers exist on Linux only"
    if configuration == "root" and os.geteuid() != 0:
        return "the tests do not run as root"
    if configuration == "user" and os.geteuid() == 0 and shutil.which("setpriv") is None:
        return "setpriv is missing"
    if configuration == "container":
        if os.geteuid() != 0:
            return "namespaces with root's capabilities need root"
        return container.unavailable()
    return None


_AS_USER = ["setpriv", f"--reuid={ORDINARY_UID}", f"--regid={ORDINARY_UID}", "--clear-groups", "--inh-caps=-all"]


@dataclass
class Result:
    """What came of one scenario."""

    answer: dict[str, Any]
    log: str
    """What the grader's process printed."""
    seconds: float
    grown_mb: float
    """Growth of the grader's peak resident memory."""
    left_processes: list[str]
    left_files: list[str]

    @property
    def visible(self) -> str:
        """All that a student may read, as one text."""
        return json.dumps(self.answer.get("visible", {}), ensure_ascii=False)

    @property
    def everything(self) -> str:
        """All that the grader said to anybody."""
        return json.dumps(self.answer, ensure_ascii=False) + self.log

    @property
    def notices(self) -> list[str]:
        """What the student is told about how the submission ran."""
        notices: list[str] = self.answer["grade"]["notices"]
        return notices

    def question(self, name: str) -> dict[str, Any]:
        """The record of a question."""
        found: dict[str, Any] = next(q for q in self.answer["grade"]["questions"] if q["name"] == name)
        return found

    def points(self, name: str) -> float:
        """The points of a question."""
        return sum(r["points"] for r in self.question(name)["records"] if r["outcome"] == "passed")

    def sentences(self, name: str) -> str:
        """What students read about a question; `notice` and `cause` stand for the lines above all questions."""
        if name == "notice":
            return "\n".join(self.notices)
        if name == "cause":
            return str(self.answer["grade"]["cause"])
        return "\n".join(record["sentence"] for record in self.question(name)["records"])


@dataclass
class Stage:
    """One configuration: a bundle with canaries in it, and a grader that runs for many scenarios."""

    configuration: str
    base: Path = field(init=False)
    canary: str = field(init=False)
    process: subprocess.Popen[str] | None = field(default=None, init=False)
    zygote: int = field(default=0, init=False)
    sockets: list[socket.socket] = field(default_factory=list, init=False)
    connections: list[str] = field(default_factory=list, init=False)
    layers: frozenset[str] = field(default=frozenset(), init=False)
    isolation: str = field(default="", init=False)
    """What the grader says about its isolation."""
    _log: IO[bytes] | None = field(default=None, init=False)

    def __post_init__(self) -> None:
        self.base = Path(tempfile.mkdtemp(prefix="deepmarks-security-"))
        self.base.chmod(0o711)
        self.canary = f"CANARY-{secrets.token_hex(12)}"
        for name in ("home", "cwd", "results", "victim", "submissions"):
            (self.base / name).mkdir()
        (self.base / "tmp").mkdir()
        self.bundle = self.base / "bundle"
        self._plant()
        self._listen()
        if self.configuration == "user" and os.geteuid() == 0:
            for path in [self.base, *self.base.rglob("*")]:
                os.chown(path, ORDINARY_UID, ORDINARY_UID, follow_symlinks=False)
        ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)

    def _plant(self) -> None:
        """Secrets in every place where a grader has some; half of the files are readable to all."""
        shutil.copytree(FIXTURE, self.bundle, ignore=shutil.ignore_patterns("__pycache__"))
        manifest = json.loads((self.bundle / "assignment.json").read_text("utf-8"))
        manifest["limits"].update(call_seconds=1.5, cell_seconds=1.5, question_seconds=6, total_seconds=25)
        (self.bundle / "assignment.json").write_text(json.dumps(manifest), "utf-8")
        for k, path in enumerate(sorted(self.bundle.rglob("*.py"))):
            if path.name == "probes.py" or "public" in path.parts:
                continue
            path.write_text(f'{path.read_text("utf-8")}\n_SECRET = "{self.canary}"  # {self.canary}\n', "utf-8")
            path.chmod(0o600 if k % 2 else 0o644)
        (self.bundle / "answers.txt").write_text(self.canary, "utf-8")
        (self.bundle / "answers.txt").chmod(0o644)
        other = self.base / "results" / "another-submission"
        other.mkdir()
        (other / "results.json").write_text(json.dumps({"score": 1, "output": self.canary}), "utf-8")
        (other / "results.json").chmod(0o644)
        (self.base / "home" / ".bashrc").write_text("# nothing\n", "utf-8")
        (self.base / "victim" / "kept.txt").write_text("kept", "utf-8")
        shutil.copy(self.bundle / "solution.py", self.base / "cwd" / "solution.py")

    def _listen(self) -> None:
        """Servers that no submission may reach."""
        self.abstract = f"deepmarks-{secrets.token_hex(6)}"
        self.path_socket = self.base / "open.sock"
        self.agent = self.base / "home" / "agent.sock"
        for family, address in (
            (socket.AF_INET, ("127.0.0.1", 0)),
            (socket.AF_UNIX, f"\0{self.abstract}"),
            (socket.AF_UNIX, str(self.path_socket)),
            (socket.AF_UNIX, str(self.agent)),
        ):
            server = socket.socket(family)
            server.bind(address)
            server.listen(64)
            server.setblocking(False)
            self.sockets.append(server)
        self.path_socket.chmod(0o777)
        self.port = self.sockets[0].getsockname()[1]

    # ------------------------------------------------------------------ grader

    def start(self) -> None:
        """Start the grader and learn from an honest worker what guards it."""
        self._log = open(self.base / "driver.log", "w+b")  # noqa: SIM115 - closed in close()
        environment = {
            "PATH": os.environ["PATH"],
            "LANG": "C.UTF-8",
            "HOME": str(self.base / "home"),
            "TMPDIR": str(self.base / "tmp"),
            "DEEPMARKS_COURSE_SECRET": self.canary,
            "SSH_AUTH_SOCK": str(self.agent),
            "OMP_NUM_THREADS": "1",
        }
        driver = str(Path(__file__).with_name("driver.py"))
        self.process = subprocess.Popen(
            self._command([sys.executable, driver, str(self.bundle)], environment),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
            text=True,
            env=environment,
            cwd=self.base / "cwd",
        )
        answer = self._line(60)
        if answer != {"ready": True}:
            log = (self.base / "driver.log").read_text("utf-8", "replace")
            raise RuntimeError(f"no grader: {answer}, {log[-2000:]}")
        self._learn_layers()

    def _command(self, arguments: list[str], environment: dict[str, str]) -> list[str]:
        """The command line that runs `arguments` in this configuration."""
        if self.configuration == "user" and os.geteuid() == 0:
            return [*_AS_USER, *arguments]
        if self.configuration == "container":
            folder = self.base / f"container-{secrets.token_hex(4)}"
            return container.in_container(arguments, environment, self.base / "cwd", folder)
        return arguments

    def _learn_layers(self) -> None:
        """Ask a harmless submission what it sees of itself; dangerous scenarios wait for this."""
        text = (SCENARIOS / "_shared" / "layers.py").read_text("utf-8")
        path = self.base / "submissions" / "layers.py"
        path.write_text(text.replace("@BUNDLE@", str(self.bundle)), "utf-8")
        path.chmod(0o644)
        answer = self.ask(path, self.base / "results" / "layers", 60)
        told = next((n for n in answer["grade"]["notices"] if "LAYERS" in n), "")
        layers = frozenset(told.partition("LAYERS ")[2].split())
        self.layers = layers | {"confined"} if layers & {"uid", "landlock"} else layers
        self.isolation = answer["grade"]["isolation"]
        self.zygote = next((pid for pid in self._tree() if "isolation.zygote" in _cmdline(pid)), 0)

    @property
    def grader(self) -> int:
        """The number of the grader's process (as seen from outside its namespace)."""
        assert self.process is not None
        for pid in [self.process.pid, *self._tree()]:
            arguments = _cmdline(pid).split("\0")
            if len(arguments) > 1 and arguments[1].endswith("driver.py"):
                return pid
        return self.process.pid

    def ask(self, submission: Path, out: Path, seconds: float) -> dict[str, Any]:
        """The grader's answer; `died` in it if there was none."""
        assert self.process is not None
        assert self.process.stdin is not None
        try:
            self.process.stdin.write(json.dumps({"submission": str(submission), "out": str(out)}) + "\n")
            self.process.stdin.flush()
        except OSError:
            return {"died": "the grader was dead already"}
        return self._line(seconds)

    def _line(self, seconds: float) -> dict[str, Any]:
        assert self.process is not None
        assert self.process.stdout is not None
        deadline = time.monotonic() + seconds
        while (left := deadline - time.monotonic()) > 0:
            if select.select([self.process.stdout], [], [], min(left, 0.5))[0]:
                line = self.process.stdout.readline()
                return json.loads(line) if line else {"died": f"the grader ended with {self.process.wait(5)}"}
        self.stop()
        return {"died": f"the grader did not answer within {seconds} seconds"}

    def stop(self) -> None:
        """End the grader and all that descends from it."""
        if self.process is not None:
            tree = self._tree()
            for pid in [self.process.pid, *tree]:
                _end(pid)
            self.process.wait()
            for stream in (self.process.stdin, self.process.stdout):
                if stream is not None:
                    stream.close()
            self.process = None
        self._reap()

    def restart_if_dead(self) -> None:
        """The next scenario gets a grader, whatever the last one did."""
        if self.process is None or self.process.poll() is not None:
            self.stop()
            self.start()

    def close(self) -> None:
        """Remove everything."""
        self.stop()
        for server in self.sockets:
            server.close()
        if self._log is not None:
            self._log.close()
        shutil.rmtree(self.base, ignore_errors=True)

    # ----------------------------------------------------------------- running

    def run(self, submission: Path, out: Path, marker: str, seconds: float, settle: float = 0.0) -> Result:
        """Grade one submission and look at what is left afterwards."""
        assert self._log is not None
        before, position = self._files(), self._log.seek(0, os.SEEK_END)
        processes = set(self._tree())
        memory = _reset_peak(self.grader)
        started = time.monotonic()
        answer = self.ask(submission, out, seconds + 30)
        elapsed = time.monotonic() - started
        grown = _peak_mb(self.grader) - memory if self.process is not None else 0.0
        written = digest(out / "results.json")
        left = self._strangers(processes)
        if settle:
            time.sleep(settle)
        self._accept()
        self._log.seek(position)
        log = self._log.read().decode("utf-8", "replace")
        changed = self._changes(before, marker, out)
        _clean([path for path in changed if marker in path])
        if digest(out / "results.json") != written:
            changed.append("results.json was changed after it was written")
        return Result(answer, log, elapsed, grown, left, changed)

    def _accept(self) -> None:
        """Take every connection that waits at the stage's servers."""
        for server in self.sockets:
            with contextlib.suppress(BlockingIOError):
                while True:
                    connection, _ = server.accept()
                    connection.close()
                    self.connections.append(str(server.getsockname()))

    def take_connections(self) -> list[str]:
        """The addresses of the stage's own servers that somebody connected to."""
        taken, self.connections = self.connections, []
        return taken

    # ---------------------------------------------------------------- processes

    def _tree(self) -> list[int]:
        """All descendants of this process but those of other stages."""
        parents: dict[int, int] = {}
        for name in os.listdir("/proc"):
            if name.isdigit():
                try:
                    fields = Path(f"/proc/{name}/stat").read_text("ascii", "replace").rpartition(")")[2].split()
                except OSError:
                    continue
                if fields[0] != "Z":
                    parents[int(name)] = int(fields[1])
        roots = {self.process.pid} if self.process is not None else set()
        # An orphan of the grader's tree comes to this process, which is a subreaper.
        roots |= {pid for pid, parent in parents.items() if parent == os.getpid() and _is_python_orphan(pid)}
        found = set(roots)
        while more := {pid for pid, parent in parents.items() if parent in found} - found:
            found |= more
        return sorted(found - ({self.process.pid} if self.process is not None else set()))

    def _strangers(self, known: set[int]) -> list[str]:
        """Processes that the grader left alive, after a short grace; they are ended here."""
        deadline = time.monotonic() + _GRACE_SECONDS
        while True:
            left = [pid for pid in self._tree() if pid not in known]
            zygotes = [pid for pid in left if "isolation.zygote" in _cmdline(pid)]
            if self.zygote not in self._tree() and len(zygotes) == 1 and left == zygotes:
                self.zygote = zygotes[0]  # the grader has replaced a dead one
                return []
            if not left or time.monotonic() > deadline:
                break
            time.sleep(0.02)
        described = [f"{pid}: {_cmdline(pid)[:200]}" for pid in left]
        for pid in left:
            _end(pid)
        self._reap()
        return described

    def _reap(self) -> None:
        """Wait for orphans that came to this process."""
        for name in os.listdir("/proc"):
            if not name.isdigit():
                continue
            try:
                fields = Path(f"/proc/{name}/stat").read_text("ascii", "replace").rpartition(")")[2].split()
                ours = self.process is not None and int(name) == self.process.pid
                if fields[0] == "Z" and int(fields[1]) == os.getpid() and not ours:
                    os.waitpid(int(name), os.WNOHANG)
            except OSError:
                continue

    # -------------------------------------------------------------------- files

    def _files(self) -> dict[str, tuple[int, ...]]:
        """Every file on the stage with what would betray a change, and all names in public places."""
        found: dict[str, tuple[int, ...]] = {}
        for path in self._stage_files():
            try:
                status = path.lstat()
            except OSError:
                continue
            kept = (status.st_mode, status.st_size, status.st_mtime_ns, status.st_ino, status.st_uid)
            found[str(path)] = () if path.is_dir() and not path.is_symlink() else kept
        for folder in [*_WATCHED, *_site_packages()]:
            try:
                found.update({f"{folder}/{name}": () for name in os.listdir(folder)})
            except OSError:
                continue
        for kind in ("shm", "sem", "msg"):
            found.update({f"sysv {kind} {line.split()[0]}": () for line in _lines(f"/proc/sysvipc/{kind}")})
        return found

    def _stage_files(self) -> Iterator[Path]:
        for name in ("bundle", "results", "home", "cwd", "victim", "tmp"):
            yield from (self.base / name).rglob("*")

    def _changes(self, before: dict[str, tuple[int, ...]], marker: str, out: Path) -> list[str]:
        """What is on the stage, or carries the scenario's marker, and was not there before."""
        changed = []
        for path, state in self._files().items():
            ours = path.startswith(str(self.base))
            expected = path.startswith((str(out), f"{self.base}/submissions")) or path.endswith(("/zygote.log", ".pyc"))
            expected = expected or path.endswith("__pycache__")
            if before.get(path) != state and not expected and (ours or marker in path or path.startswith("sysv ")):
                changed.append(path)
        changed += [f"{path} (gone)" for path in before if path.startswith(str(self.base)) and not _exists(path)]
        return changed


def _exists(path: str) -> bool:
    return os.path.lexists(path)


def _clean(paths: Sequence[str]) -> None:
    """Remove what a scenario managed to leave: the next one shall not trip over it."""
    for path in paths:
        if os.path.isdir(path) and not os.path.islink(path):
            shutil.rmtree(path, ignore_errors=True)
        elif _exists(path):
            os.unlink(path)


def _lines(path: str) -> list[str]:
    try:
        return Path(path).read_text("ascii").splitlines()[1:]
    except OSError:
        return []


def _site_packages() -> list[str]:
    return [path for path in sys.path if path.endswith("site-packages")]


def _cmdline(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_text("utf-8", "replace")
    except OSError:
        return ""


def _is_python_orphan(pid: int) -> bool:
    """Whether a child of this process was not started by it: its own children are graders only."""
    line = _cmdline(pid)
    return "isolation.zygote" in line or "dmx-" in line


def _end(pid: int) -> None:
    try:
        os.kill(pid, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        return


def _reset_peak(pid: int) -> float:
    """Forget the peak of a process's resident memory; returns what it takes now, in MiB."""
    try:
        Path(f"/proc/{pid}/clear_refs").write_text("5", "ascii")
    except OSError:
        return float("inf")
    return _peak_mb(pid)


def _peak_mb(pid: int) -> float:
    for line in _lines(f"/proc/{pid}/status"):
        if line.startswith("VmHWM"):
            return int(line.split()[1]) / 1024
    return 0.0


def digest(path: Path) -> str:
    """The SHA-256 of a file; empty if there is none."""
    return hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else ""
