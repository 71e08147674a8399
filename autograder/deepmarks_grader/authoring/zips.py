"""What goes into the two zips of an assignment, and zips that are the same bytes every time."""

from __future__ import annotations

import json
import re
import zipfile
from collections.abc import Mapping
from importlib import resources
from pathlib import Path

from deepmarks.checks.probes import packed
from deepmarks.manifest import MANIFEST_NAME, Assignment
from deepmarks_grader.authoring.checks import CheckSet
from deepmarks_grader.authoring.master import Master
from deepmarks_grader.authoring.otter import OtterFiles
from deepmarks_grader.authoring.requirements import grader_requirements, read_pins, student_requirements
from deepmarks_grader.authoring.wheels import Wheels, student_wheel_name

EXECUTABLE = frozenset({"setup.sh", "run_autograder"})
PLUGIN = "deepmarks_grader.otter_plugin.DeepmarksPlugin"
_TIMESTAMP = (1980, 1, 1, 0, 0, 0)
_LEVEL = 9
_LOCAL_VERSION = re.compile(r"^(\s*[A-Za-z0-9._-]+\s*==\s*[^\s;#+]+)\+[^\s;#]+", re.MULTILINE)

Files = dict[str, bytes]
"""Path inside a folder or zip, with `/`, -> contents."""


def student_files(repo: Path, master: Master, checks: CheckSet, otter: OtterFiles) -> Files:
    """What a student receives, apart from the wheel. Nothing hidden is in it."""
    slug = master.assignment.slug
    files = {
        f"{slug}.ipynb": otter.notebook.encode(),
        MANIFEST_NAME: master.assignment.to_json().encode(),
        "requirements.txt": student_requirements(repo, student_wheel_name(repo), master.extras).encode(),
        "README.md": _readme(master.assignment, read_pins(repo), weights=checks.takes_checkpoint).encode(),
    }
    files |= {f"tests/{name}": text.encode() for name, text in otter.public_tests.items()}
    files |= _below(checks.folder / "public", "checks/public")
    files["checks/probes.py"] = packed(_bytes_or_empty(checks.folder / "probes.py"))
    return files


def autograder_files(repo: Path, master: Master, checks: CheckSet, otter: OtterFiles, wheels: Wheels) -> Files:
    """What Gradescope, or any runner of its layout, receives."""
    constraints = (repo / "constraints.txt").read_text(encoding="utf-8")
    files = {
        "setup.sh": _template("setup.sh").encode(),
        "run_autograder": _template("run_autograder.sh").encode(),
        "otter_config.json": _otter_config().encode(),
        "requirements.txt": grader_requirements(repo, master.extras).encode(),
        # A local version such as +cpu exists in one index only.
        "constraints.txt": _LOCAL_VERSION.sub(r"\1", constraints).encode(),
        f"bundle/{MANIFEST_NAME}": master.assignment.to_json().encode(),
        "bundle/solution.py": master.solution_source.encode(),
        "bundle/checks/probes.py": _bytes_or_empty(checks.folder / "probes.py"),
    }
    files |= {f"tests/{name}": text.encode() for name, text in otter.all_tests.items()}
    files |= _below(checks.folder / "public", "bundle/checks/public")
    files |= _below(checks.folder / "hidden", "bundle/checks/hidden")
    files |= {f"wheels/{wheel.name}": wheel.data for wheel in (wheels.student, wheels.grader)}
    return files


def write_zip(path: Path, files: Mapping[str, bytes]) -> None:
    """Write `files` to the zip `path`: sorted, with fixed times, permissions and compression."""
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(path.name + ".part")
    with zipfile.ZipFile(unfinished, "w") as archive:
        for name in sorted(files):
            info = zipfile.ZipInfo(name, _TIMESTAMP)
            info.create_system = 3  # Unix, whatever this machine is: the permissions below are Unix's
            info.external_attr = (0o100755 if name in EXECUTABLE else 0o100644) << 16
            archive.writestr(info, files[name], zipfile.ZIP_DEFLATED, _LEVEL)
    unfinished.replace(path)


def _below(folder: Path, target: str) -> Files:
    """All files below `folder`, data that checks carry included; no links, caches and hidden files."""
    files: Files = {}
    for path in sorted(folder.rglob("*")):
        parts = path.relative_to(folder).parts
        if any(part.startswith(".") or part == "__pycache__" for part in parts) or path.suffix in (
            ".pyc",
            ".pyo",
        ):
            continue
        if path.is_file() and not path.is_symlink():
            files[f"{target}/{'/'.join(parts)}"] = path.read_bytes()
    return files


def _bytes_or_empty(path: Path) -> bytes:
    return path.read_bytes() if path.exists() else b""


def _template(name: str) -> str:
    return resources.files("deepmarks_grader.authoring").joinpath("templates", name).read_text(encoding="utf-8")


def _otter_config() -> str:
    # Hidden checks show their sentence, which holds no values; printed output may hold hidden inputs.
    settings = {
        "plugins": [PLUGIN],
        "points_possible": None,
        "show_hidden": True,
        "show_stdout": False,
        "zips": False,
    }
    return json.dumps(settings, indent=2, sort_keys=True) + "\n"


def _readme(assignment: Assignment, pins: Mapping[str, str], *, weights: bool) -> str:
    rows = [f"| {q.name} | {q.title} | {q.points:g} |" for q in assignment.questions]
    hand_in = _template("hand_in_weights.txt" if weights else "hand_in_notebook.txt").format(slug=assignment.slug)
    return _template("student_readme.txt").format(
        hand_in=hand_in.strip(),
        title=assignment.title,
        slug=assignment.slug,
        points=f"{assignment.points:g}",
        count=len(assignment.questions),
        first=assignment.questions[0].name,
        torch=f"torch=={pins['torch']} torchvision=={pins['torchvision']}",
        table="\n".join(rows),
    )
