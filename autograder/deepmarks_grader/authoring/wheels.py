"""The two wheels: `deepmarks` for students, `deepmarks_grader` for those who grade.

The repository installs both packages at once; for shipping each is built alone, from a temporary tree, with
setuptools and without a network.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

SOURCE_DATE_EPOCH = "315532800"
"""1980-01-01, the earliest date that a zip member can have; the same wheel comes out every time."""
_IGNORED = shutil.ignore_patterns("__pycache__", "*.py[co]", ".*")
_STUDENT_EXTRAS = ("notebook", "transfer")


class WheelError(RuntimeError):
    """A wheel could not be built; the message holds what the builder said."""


@dataclass(frozen=True, slots=True)
class Wheel:
    """A wheel's file name and bytes."""

    name: str
    data: bytes


@dataclass(frozen=True, slots=True)
class Wheels:
    """Both wheels of one version."""

    version: str
    student: Wheel
    grader: Wheel


def read_project(repo: Path) -> dict[str, Any]:
    """The repository's pyproject.toml."""
    return tomllib.loads((repo / "pyproject.toml").read_text(encoding="utf-8"))


def student_wheel_name(repo: Path) -> str:
    """The file name of the student's wheel, known without building it."""
    return f"deepmarks-{read_project(repo)['project']['version']}-py3-none-any.whl"


def build_wheels(repo: Path) -> Wheels:
    """Build both wheels from the checkout `repo`; WheelError if setuptools refuses."""
    data = read_project(repo)
    project = data["project"]
    extras = project["optional-dependencies"]
    package_data = data["tool"]["setuptools"].get("package-data", {})
    student = {
        "name": "deepmarks",
        "dependencies": project["dependencies"],
        "optional-dependencies": {name: extras[name] for name in _STUDENT_EXTRAS if name in extras},
    }
    grader = {
        "name": "deepmarks_grader",
        "dependencies": [f"deepmarks=={project['version']}", *extras["grader"]],
    }
    return Wheels(
        project["version"],
        _build(repo, repo / "shared" / "deepmarks", "deepmarks", student, project, package_data),
        _build(repo, repo / "autograder" / "deepmarks_grader", "deepmarks-grader", grader, project, package_data),
    )


def _build(
    repo: Path, package: Path, script: str, own: dict[str, Any], project: dict[str, Any], data: dict[str, Any]
) -> Wheel:
    with tempfile.TemporaryDirectory(prefix="deepmarks-wheel-") as folder:
        tree, out = Path(folder) / "tree", Path(folder) / "out"
        shutil.copytree(package, tree / package.name, ignore=_IGNORED)
        shutil.copyfile(repo / "LICENSE", tree / "LICENSE")
        (tree / "pyproject.toml").write_text(_pyproject(package.name, script, own, project, data), encoding="utf-8")
        # The zip records permissions, and a checkout's depend on the umask.
        for path in tree.rglob("*"):
            path.chmod(0o755 if path.is_dir() else 0o644)
        command = [sys.executable, "-m", "pip", "wheel", str(tree), "--wheel-dir", str(out)]
        command += ["--no-build-isolation", "--no-deps", "--no-index", "--no-cache-dir"]
        command += ["--disable-pip-version-check", "--quiet"]
        environment = {**os.environ, "SOURCE_DATE_EPOCH": SOURCE_DATE_EPOCH, "PYTHONDONTWRITEBYTECODE": "1"}
        done = subprocess.run(
            command, cwd=folder, env=environment, capture_output=True, text=True, umask=0o022, check=False
        )
        built = sorted(out.glob("*.whl"))
        if done.returncode or len(built) != 1:
            said = (done.stderr or done.stdout)[-2000:]
            raise WheelError(f"the wheel of {package.name} could not be built:\n{said}")
        return Wheel(built[0].name, built[0].read_bytes())


def _pyproject(package: str, script: str, own: dict[str, Any], project: dict[str, Any], data: dict[str, Any]) -> str:
    """A pyproject.toml for one package; JSON's strings and lists of strings are TOML's too."""
    lines = ["[build-system]", 'requires = ["setuptools>=77"]', 'build-backend = "setuptools.build_meta"', ""]
    lines += ["[project]", f"name = {json.dumps(own['name'])}"]
    for key in ("version", "description", "requires-python", "license", "license-files"):
        lines.append(f"{key} = {json.dumps(project[key])}")
    lines.append(f"dependencies = {json.dumps(own['dependencies'])}")
    lines += ["", "[project.optional-dependencies]"]
    lines += [f"{name} = {json.dumps(wanted)}" for name, wanted in own.get("optional-dependencies", {}).items()]
    lines += ["", "[project.scripts]", f"{script} = {json.dumps(project['scripts'][script])}"]
    lines += ["", "[tool.setuptools.packages.find]", f'include = ["{package}*"]', "namespaces = true"]
    lines += ["", "[tool.setuptools.package-data]"]
    lines += [f"{json.dumps(name)} = {json.dumps(patterns)}" for name, patterns in data.items() if name == package]
    return "\n".join(lines) + "\n"
