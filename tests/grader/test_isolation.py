"""The layers around a worker: what they keep it from, what is left of it, and what the report says."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from deepmarks.checks.probes import Probes
from deepmarks.manifest import Limits
from deepmarks.submission import read_submission
from deepmarks_grader.bundle import Bundle
from deepmarks_grader.errors import UserError
from deepmarks_grader.grading import Grader
from deepmarks_grader.isolation import leftovers, processes, supervisor
from deepmarks_grader.isolation.channel import WorkerChannel
from deepmarks_grader.isolation.exits import explain_exit
from deepmarks_grader.isolation.judge import Findings, judge
from deepmarks_grader.isolation.strength import Strength, unguarded
from deepmarks_grader.isolation.supervisor import Zygote

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the layers are Linux's")
root_only = pytest.mark.skipif(os.geteuid() != 0, reason="needs root")

_LIMITS = Limits(cell_seconds=20, call_seconds=20, memory_mb=300)


@pytest.fixture(scope="module")
def zygote(tmp_path_factory) -> Iterator[Zygote]:
    secret = tmp_path_factory.mktemp("secret")
    (secret / "hidden.py").write_text("canary")
    with Zygote(["numpy"], hidden=[secret]) as zygote:
        yield zygote


class Ran:
    """What became of some code as a submission."""

    def __init__(self, zygote: Zygote, code: str, limits: Limits = _LIMITS) -> None:
        channel = WorkerChannel(zygote, read_submission(code.encode(), "code.py"), Probes(), limits)
        started = time.monotonic()
        channel.load()
        self.seconds = time.monotonic() - started
        self.output = channel.take_output()
        assert channel._worker is not None
        self.uid, self.scratch = channel._worker.uid, channel._worker.scratch
        channel.close()
        self.notices = channel.notices
        self.exits = channel.exits


def alive(uid: int | None) -> list[int]:
    return [int(name) for name in os.listdir("/proc") if name.isdigit() and processes.user_of(int(name)) == uid]


# ---------------------------------------------------------------------- report


def test_this_machine_is_guarded(zygote):
    report = zygote.report
    if report.strength is not Strength.FULL:
        pytest.skip(report.line())
    assert "system-call filter" in report.line()
    assert json.loads(json.dumps(report.to_data()))["strength"] == "FULL"


def test_a_layer_that_lets_an_attack_through_counts_as_off():
    good = {"no_new_privs": "", "seccomp": "", "landlock": ""}
    assert judge(Findings(1, "", good, None, 7)).strength is Strength.FULL
    for attack in ("secrets", "closed file", "memory of 1", "signal to 1", "network", "write packages", "no_new_privs"):
        report = judge(Findings(1, "", good, None, 7, {attack: "reached"}))
        assert report.strength is Strength.PARTIAL, attack
        assert attack in report.advice
    # In a container the own user is enough.
    report = judge(
        Findings(1, "", {**good, "landlock": "old kernel"}, None, 0, {"open file": "x", "write outside": "x"})
    )
    assert report.strength is Strength.FULL
    assert "Landlock: old kernel" in report.line()
    filter_off = {"no_new_privs": "", "seccomp": "no", "landlock": "no"}
    assert judge(Findings(None, "no", filter_off, "no", 0, {"secrets": "x"})).strength is Strength.NONE
    assert judge(Findings(1, "", good, None, 7, error="it died")).strength is Strength.NONE


def test_without_linux_nothing_is_claimed():
    report = unguarded("darwin")
    assert report.strength is Strength.NONE
    assert "Use Docker" in report.line()


def test_hidden_checks_are_refused_below_full(mini_folder, monkeypatch):
    monkeypatch.setattr(supervisor, "judge", lambda findings: unguarded("darwin"))
    with pytest.raises(UserError, match="--allow-weak-isolation"), Grader(Bundle.load(mini_folder)):
        pass
    with Grader(Bundle.load(mini_folder), allow_weak_isolation=True) as grader:
        assert grader.isolation.strength is Strength.NONE


def test_every_grade_says_what_guarded_it(mini_grader, mini_solution):
    grade = mini_grader.grade(read_submission(mini_solution.encode(), "solution.py"))
    assert grade.isolation == mini_grader.isolation.line()


# ----------------------------------------------------------------- out of reach


def test_nothing_outside_can_be_read_or_written(zygote, tmp_path):
    if zygote.report.strength is not Strength.FULL:
        pytest.skip(zygote.report.line())
    tmp_path.chmod(0o755)
    (tmp_path / "canary").write_text("the secret words")
    own = Path(__file__).resolve()
    code = f"""
import os
for path in [{str(tmp_path / "canary")!r}, {str(own)!r}, "/etc/shadow", "/proc/{os.getpid()}/mem",
             "/proc/{os.getpid()}/environ", "/proc/{os.getppid()}/environ", "/root/.bashrc", {str(own.parent)!r}]:
    try:
        os.close(os.open(path, os.O_RDONLY))
        print("READ", path)
    except OSError:
        pass
for path in [{str(tmp_path / "new")!r}, "/tmp/deepmarks-written", os.path.dirname(os.__file__) + "/new.py",
             os.path.join(os.path.dirname(__import__("numpy").__file__), "__init__.py"), "/dev/shm/../new"]:
    try:
        open(path, "a").close()
        print("WROTE", path)
    except OSError:
        pass
print("done")
"""
    assert Ran(zygote, code).output.strip() == "done"


def test_the_next_worker_is_another_user(zygote):
    code = "import os\nprint(os.getresuid(), os.getgroups())"
    first, second = Ran(zygote, code), Ran(zygote, code)
    if first.uid is not None:
        assert first.uid != second.uid
        assert first.output == f"({first.uid}, {first.uid}, {first.uid}) []\n"


def test_descriptors_environment_and_main(zygote):
    code = """
import os, sys
print(sorted(int(fd) for fd in os.listdir("/proc/self/fd"))[:5], len(os.listdir("/proc/self/fd")))
print([name for name in os.environ if "SECRET" in name or "SSH" in name], vars(sys.modules["__main__"]).get("__file__"))
print(open("/proc/self/status").read().count("NoNewPrivs:\\t1"))
"""
    output = Ran(zygote, code).output.splitlines()
    assert output[0].startswith("[0, 1, 2, 3")
    assert output[1:] == ["[] None", "1"]


def test_no_secret_in_memory(zygote):
    """The zygote has never seen what the grader knows."""
    marker = "canary-" + os.urandom(8).hex()
    halves = marker[:12], marker[12:]
    code = f"""
import re
wanted = ("{halves[0]}" + "{halves[1]}").encode()
found = 0
for line in open("/proc/self/maps"):
    first, last = (int(x, 16) for x in line.split()[0].split("-"))
    if " rw" in line and last - first < 1 << 28:
        import ctypes
        found += wanted in ctypes.string_at(first, last - first)
print("copies", found > 1)
"""
    os.environ["DEEPMARKS_COURSE_SECRET"] = marker
    try:
        # The pieces are put together once in the worker itself.
        assert "SECRET" not in Ran(zygote, "import os\nprint(list(os.environ))").output
        assert Ran(zygote, code).exits
    finally:
        del os.environ["DEEPMARKS_COURSE_SECRET"]


# ------------------------------------------------------------------- all is gone

REFORKING = """
import os, time
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        while True:
            if os.fork():
                os._exit(0)
            os.setsid()
            time.sleep(0.005)
    os._exit(0)
time.sleep(0.3)
"""


def test_a_daemon_that_forks_again_and_again_is_ended(zygote):
    before = set(os.listdir("/proc"))
    ran = Ran(zygote, REFORKING + "for _ in range(40):\n    if os.fork() == 0:\n        time.sleep(100)\n")
    assert not ran.notices
    _nothing_is_left(zygote, ran, before)


def test_a_fork_bomb_is_ended(zygote):
    before = set(os.listdir("/proc"))
    started = time.monotonic()
    bomb = """
import os
while True:
    try:
        os.fork()
    except OSError:
        pass
"""
    ran = Ran(zygote, bomb, Limits(cell_seconds=2, total_seconds=10))
    assert time.monotonic() - started < 20
    assert "left out" in ran.notices[0]
    _nothing_is_left(zygote, ran, before)


def _nothing_is_left(zygote: Zygote, ran: Ran, before: set[str]) -> None:
    assert not ran.scratch.exists()
    assert processes.children(zygote._process.pid) == [] or zygote.report.line().find("bubblewrap") >= 0
    if ran.uid is not None:
        assert alive(ran.uid) == []


def test_files_are_gone_however_they_are_locked_up(zygote, tmp_path):
    victim = tmp_path / "victim"
    victim.mkdir()
    (victim / "kept").write_text("kept")
    code = f"""
import os, tempfile, pathlib
os.mkdir("locked"); open("locked/x", "w").close(); os.chmod("locked", 0)
os.symlink({str(victim)!r}, "link")
open(b"odd\\xff\\n", "w").close()
for _ in range(60):
    os.mkdir("d"); os.chdir("d")
os.mkfifo("pipe")
try:
    open("/dev/shm/left-over-by-{os.getpid()}", "w").write("x")
except OSError:
    pass
"""
    ran = Ran(zygote, code)
    assert not ran.notices
    assert not ran.scratch.exists()
    assert (victim / "kept").read_text() == "kept"
    assert not Path(f"/dev/shm/left-over-by-{os.getpid()}").exists()


def test_remove_tree_follows_no_links(tmp_path):
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "kept").touch()
    tree = tmp_path / "tree"
    (tree / "a" / "b").mkdir(parents=True)
    (tree / "a" / "link").symlink_to(outside)
    (tree / ".moved-1").mkdir()
    (tree / "a" / "b" / "c").mkdir()
    at = os.open(tree / "a", os.O_RDONLY)
    for _ in range(3000):
        os.mkdir("deep", dir_fd=at)
        deeper = os.open("deep", os.O_RDONLY, dir_fd=at)
        os.close(at)
        at = deeper
    os.close(at)
    (tree / "a").chmod(0)
    leftovers.remove_tree(tree)
    assert not tree.exists()
    assert (outside / "kept").exists()
    top_link = tmp_path / "top"
    top_link.symlink_to(outside)
    leftovers.remove_tree(top_link)
    assert (outside / "kept").exists()
    assert not top_link.is_symlink()
    leftovers.remove_tree(tmp_path / "never was")


# ------------------------------------------------------------------------ limits

HOGS = {
    "one array": "import numpy as np\nkept = [np.ones(50 << 17) for _ in range(100)]",
    "children": """
import os, time
for _ in range(4):
    if os.fork() == 0:
        kept = b"x" * (200 << 20)
        time.sleep(30)
else:
    time.sleep(15)
""",
    "shared": """
import mmap, time
shared = mmap.mmap(-1, 1500 << 20)
for at in range(0, 1500 << 20, 4096):
    shared[at] = 1
    if at > 1400 << 20:
        time.sleep(15)
""",
}


@pytest.mark.parametrize("kind", HOGS)
def test_memory(zygote, kind):
    ran = Ran(zygote, HOGS[kind])
    assert "memory" in " ".join(ran.notices) or "MemoryError" in " ".join(ran.notices), ran.notices
    assert ran.seconds < 12


STORES = {
    "many files": "for i in range(30_000):\n    open(f'f{i}', 'w').close()\nelse:\n    import time; time.sleep(15)",
    "large files": """
block = b"x" * (1 << 20)
for i in range(4):
    with open(f"f{i}", "wb") as file:
        for _ in range(400):
            file.write(block)
else:
    import time; time.sleep(15)
""",
    "files without names": """
import os, time
block, kept = b"x" * (1 << 20), []
for i in range(4):
    file = open(f"/dev/shm/f{os.getpid()}-{i}", "wb")
    os.unlink(file.name)
    for _ in range(400):
        file.write(block)
    kept.append(file)
else:
    time.sleep(15)
""",
}


@pytest.mark.parametrize("kind", STORES)
def test_files(zygote, kind):
    ran = Ran(zygote, STORES[kind])
    assert "wrote more" in ran.notices[0]
    assert ran.seconds < 12


def test_one_file_is_limited(zygote):
    ran = Ran(zygote, "f = open('x', 'wb')\nf.truncate(2 << 30)")
    assert any("too large" in notice for notice in ran.notices)


def test_processor_time_of_what_runs_beside(zygote):
    assert "processor time" in explain_exit(-24).sentence
    assert "too many processes" in explain_exit(-9, "processes").sentence


# ---------------------------------------------------------------- other machines


@root_only
@pytest.mark.parametrize("wrapped", [True, False], ids=["bubblewrap", "landlock"])
def test_an_ordinary_user(wrapped):
    if shutil.which("setpriv") is None:
        pytest.skip("setpriv is not installed")
    report = _as_user(["--reuid=65534", "--regid=65534", "--clear-groups"], wrapped=wrapped)
    names = {layer["name"]: layer for layer in report["layers"]}
    assert not names["own user"]["on"]
    if names["Landlock"]["on"] or names["bubblewrap"]["on"]:
        assert report["strength"] == "FULL"
    if not wrapped:
        assert not names["bubblewrap"]["on"]


@root_only
def test_root_without_the_right_to_switch_users():
    if shutil.which("setpriv") is None:
        pytest.skip("setpriv is not installed")
    report = _as_user(["--bounding-set=-setuid", "--inh-caps=-setuid"], wrapped=False)
    names = {layer["name"]: layer for layer in report["layers"]}
    assert "CAP_SETUID" in names["own user"]["reason"]
    assert names["no capabilities"]["on"]
    if names["Landlock"]["on"]:
        assert report["strength"] == "FULL"


@root_only
def test_a_python_that_others_cannot_read(monkeypatch, tmp_path):
    closed = tmp_path / "home"
    closed.mkdir(mode=0o700)
    (closed / "library").mkdir()
    real = supervisor.paths.must_read
    monkeypatch.setattr(supervisor.paths, "must_read", lambda: [*real(), str(closed / "library")])
    with Zygote(["numpy"], hidden=[closed]) as zygote:
        names = {layer.name: layer for layer in zygote.report.layers}
        assert "cannot read" in names["own user"].reason
        assert names["no capabilities"].on
        if names["Landlock"].on:
            assert zygote.report.strength is Strength.FULL
        ran = Ran(zygote, REFORKING + "import wave, numpy\nprint(os.geteuid(), wave.__name__)\nos.chmod('/', 0o777)")
        assert ran.output == "0 wave\n"
        assert not ran.notices
        assert Path("/").stat().st_mode & 0o777 != 0o777
        assert processes.children(zygote._process.pid) == []
        assert "wrote more" in Ran(zygote, STORES["files without names"]).notices[0]
        assert "memory" in Ran(zygote, HOGS["shared"]).notices[0]


def _as_user(words: list[str], *, wrapped: bool) -> dict:
    code = (
        "import json, pathlib\n"
        "from deepmarks_grader.isolation import bubblewrap\n"
        "from deepmarks_grader.isolation.supervisor import Zygote\n"
        f"if not {wrapped}: bubblewrap.problem = lambda *a, **k: 'switched off'\n"
        f"with Zygote(['numpy'], hidden=[pathlib.Path({str(Path(__file__).parent)!r})]) as z:\n"
        "    z.end(z.spawn(256))\n"
        "    print(json.dumps(z.report.to_data()))\n"
    )
    environment = {"PATH": os.environ["PATH"], "HOME": "/"}
    command = ["setpriv", *words, sys.executable, "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, cwd="/", timeout=60, check=False)
    if "Permission denied" in done.stderr and "exec" in done.stderr:
        pytest.skip("this Python cannot be used by another user")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


# ---------------------------------------------------------------- command lines


def test_doctor(monkeypatch):
    from typer.testing import CliRunner

    from deepmarks_grader.cli import app

    told = CliRunner().invoke(app, ["doctor", "--json"])
    report = json.loads(told.stdout)
    assert told.exit_code == (report["strength"] != "FULL")
    assert {"hidden files", "system-call filter"} <= {layer["name"] for layer in report["layers"]}
    monkeypatch.setattr(supervisor, "judge", lambda findings: unguarded("darwin"))
    told = CliRunner().invoke(app, ["doctor"])
    assert told.exit_code == 1
    assert "Use Docker" in told.stdout


def test_gradescope_withholds_the_score_below_full(mini_folder, mini_solution, tmp_path, monkeypatch):
    from deepmarks_grader import gradescope

    monkeypatch.setattr(supervisor, "judge", lambda findings: unguarded("darwin"))
    monkeypatch.delenv("DEEPMARKS_ALLOW_WEAK_ISOLATION", raising=False)
    shutil.copytree(mini_folder, tmp_path / "source" / "bundle")
    (tmp_path / "submission").mkdir()
    (tmp_path / "submission" / "solution.py").write_text(mini_solution)
    assert gradescope.main(["--root", str(tmp_path), "--device", "cpu"]) == 1
    results = json.loads((tmp_path / "results" / "results.json").read_text())
    assert results["score"] == 0
    assert results["extra_data"]["withheld"]
    staff = [test for test in results["tests"] if test["visibility"] == "hidden"]
    assert "cannot guard the hidden checks" in staff[0]["output"]
    assert (tmp_path / "source" / "bundle").stat().st_mode & 0o077 == 0
    monkeypatch.setenv("DEEPMARKS_ALLOW_WEAK_ISOLATION", "1")
    assert gradescope.main(["--root", str(tmp_path), "--device", "cpu"]) == 0
    results = json.loads((tmp_path / "results" / "results.json").read_text())
    assert results["score"] > 0
    assert "isolation: NONE" in next(t["output"] for t in results["tests"] if t["visibility"] == "hidden")
