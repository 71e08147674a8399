"""The demonstration: builds every assignment and grades four sample submissions of each with the built zips."""

from __future__ import annotations

import re
import sys
import zipfile
from pathlib import Path

import jupytext
import nbformat
from rich.console import Console

from deepmarks.submission import Attachment
from deepmarks_grader.authoring import build, find_repo, list_slugs, load_master
from deepmarks_grader.authoring.master import Master
from deepmarks_grader.bundle import Bundle
from deepmarks_grader.cli import print_grades
from deepmarks_grader.grading.grade import weak_isolation_allowed
from deepmarks_grader.grading.many import grade_paths
from deepmarks_grader.proof.weights import REFERENCE, checkpoint_of


def main(slugs: list[str] | None = None, out: Path = Path("dist")) -> None:
    """Build, grade and print a gradebook for each assignment."""
    console = Console()
    repo = find_repo()
    chosen = slugs or list_slugs(repo)
    for built in build(chosen, out, repo, update_assignments=False):
        slug = built.assignment.slug
        console.print(f"\n[bold]{slug}[/bold]: {built.student_zip}, {built.autograder_zip}", highlight=False)
        master = load_master(repo / "solutions" / slug / "master.py")
        folder = out / "demo" / slug
        bundle = unpack_bundle(built.autograder_zip, folder)
        weights = checkpoint_of(slug, repo, REFERENCE, master.solution_source)
        # One endless loop shows what becomes of it; each takes its time limit, several times over.
        samples = write_samples(master, folder / "submissions", weights, endless=slug == chosen[0])
        weak = weak_isolation_allowed()
        grades = grade_paths(bundle, samples, folder / "results", allow_weak_isolation=weak)
        print_grades(list(grades))


def unpack_bundle(autograder_zip: Path, folder: Path) -> Bundle:
    """The bundle inside an autograder zip, unpacked below `folder`."""
    with zipfile.ZipFile(autograder_zip) as archive:
        members = [name for name in archive.namelist() if name.startswith("bundle/")]
        archive.extractall(folder, members)
    return Bundle.load(folder / "bundle")


def write_samples(
    master: Master, folder: Path, weights: Attachment | None = None, *, endless: bool = True
) -> list[Path]:
    """Four hand-ins as students might make them: right, untouched, half right, broken.

    Where the assignment asks for trained `weights`, each but the untouched one is a zip with the notebook and them.
    """
    folder.mkdir(parents=True, exist_ok=True)
    samples = {
        "reference": master.solution_source,
        "skeleton": master.skeleton_source,
        "half_right": half_right(master),
        "broken": broken(master, endless),
    }
    paths = []
    for name, source in samples.items():
        notebook = nbformat.writes(jupytext.reads(source, fmt="py:percent"))
        if weights is None or name == "skeleton":
            path = folder / f"{name}.ipynb"
            path.write_text(notebook, encoding="utf-8")
        else:
            path = folder / f"{name}.zip"
            with zipfile.ZipFile(path, "w") as archive:
                archive.writestr(f"{master.assignment.slug}.ipynb", notebook)
                archive.writestr(weights.name, weights.data)
        paths.append(path)
    return paths


def half_right(master: Master) -> str:
    """The solution with the second half of the questions left as stubs."""
    questions = master.assignment.questions
    undone = [name for question in questions[len(questions) // 2 :] for name in question.names]
    stubs = [f"def {name}(*args, **kwargs):\n    raise NotImplementedError" for name in undone]
    return "\n\n".join([master.solution_source, "# %%", *stubs, ""])


def broken(master: Master, endless: bool = True) -> str:
    """The solution with a syntax error in q1's cell, an endless loop (or an exception) in q2 and a crash in q3."""
    first, second, third = (question.names[0] for question in master.assignment.questions[:3])
    source = re.sub(rf"^(def|class) {first}\b", rf"\1 {first} oops", master.solution_source, count=1, flags=re.M)
    return "\n\n".join(
        [
            source,
            "# %%",
            f"def {second}(*args, **kwargs):\n    {'while True: pass' if endless else 'return 1 / 0'}",
            "# %%",
            f"def {third}(*args, **kwargs):\n    import os\n    os._exit(1)\n",
        ]
    )


if __name__ == "__main__":
    main(sys.argv[1:] or None)
