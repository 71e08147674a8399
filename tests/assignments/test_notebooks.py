"""Every notebook, with its solutions filled in, runs from top to bottom in a student's folder, without a network."""

from __future__ import annotations

import base64
import re
import resource
import shutil
import time
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

from deepmarks_grader.authoring import list_slugs, load_master, solved_notebook
from deepmarks_grader.proof.weights import REFERENCE, checkpoint_of
from tests.conftest import REPOSITORY

QUICK = "a7_positional_encoding"
SLUGS = [slug if slug == QUICK else pytest.param(slug, marks=pytest.mark.slow) for slug in list_slugs(REPOSITORY)]
SECONDS = 120
"""Of one notebook, on two cores."""
_ALL_PASSED = re.compile(r": (all \d+|1) public checks? passed, ")


@pytest.mark.timeout(900)
@pytest.mark.parametrize("slug", SLUGS)
def test_solved_notebook_runs_offline(
    slug: str, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / slug
    shutil.copytree(REPOSITORY / "assignments" / slug, folder)
    master = load_master(REPOSITORY / "solutions" / slug / "master.py")
    weights = checkpoint_of(slug, REPOSITORY, REFERENCE, master.solution_source)
    if weights is not None:
        (folder / weights.name).write_bytes(weights.data)
    monkeypatch.setenv("DEEPMARKS_DATA", str(tmp_path / "no-data"))
    for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")  # nothing listens there
    notebook = nbformat.reads(solved_notebook(master), as_version=4)
    client = NotebookClient(notebook, timeout=600, kernel_name="python3", resources={"metadata": {"path": str(folder)}})
    before, started = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    client.execute()  # raises what a cell raises
    after, wall = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic() - started
    busy = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    print(f"{slug}: {wall:.1f} s, {busy:.1f} s of processor time")
    assert min(wall, busy) < SECONDS
    pictures = _pictures(notebook)
    kept = tmp_path_factory.getbasetemp() / "pictures"
    kept.mkdir(exist_ok=True)
    for number, picture in enumerate(pictures):
        (kept / f"{slug}-{number:02d}.png").write_bytes(picture)  # to be looked at
    assert len(pictures) >= 3
    assert not any(output.get("name") == "stderr" and "Error" in output.text for output in _outputs(notebook))
    assert _checks_that_failed(notebook) == []


def _outputs(notebook: nbformat.NotebookNode) -> list[nbformat.NotebookNode]:
    return [output for cell in notebook.cells for output in cell.get("outputs", [])]


def _pictures(notebook: nbformat.NotebookNode) -> list[bytes]:
    found = [output.data["image/png"] for output in _outputs(notebook) if "image/png" in output.get("data", {})]
    return [base64.b64decode(text) for text in found]


def _checks_that_failed(notebook: nbformat.NotebookNode) -> list[str]:
    """The text of every `grader.check(...)` that did not say that all is well."""
    failed = []
    for cell in notebook.cells:
        if cell.cell_type == "code" and cell.source.startswith("grader.check("):
            said = "".join(str(output.get("data", {}).get("text/plain", "")) for output in cell.outputs)
            if not _ALL_PASSED.search(said.split("\n")[0]):
                failed.append(f"{cell.source}: {said}")
    return failed
