"""Ten submissions graded by Deepmarks and by plain `otter run` of the same questions, in one run.

    python -m tests.benchmarks.grading [SLUG ...]

Prints seconds a submission for both, their ratio, and what one grading costs apart from its checks.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import jupytext
import nbformat
from tests.benchmarks.plain_otter import plain_otter_zip

from deepmarks_grader.authoring import build, find_repo
from deepmarks_grader.demo import unpack_bundle
from deepmarks_grader.grading import Grade
from deepmarks_grader.grading.many import grade_paths
from deepmarks_grader.proof.cases import CaseKind, read_cases

SUBMISSIONS = 10


def main(slugs: list[str]) -> None:
    for slug in slugs:
        with tempfile.TemporaryDirectory() as folder:
            benchmark(slug, Path(folder))


def benchmark(slug: str, folder: Path) -> None:
    """Grade the reference and nine mutants of one assignment both ways and print the comparison."""
    repo = find_repo()
    (built,) = build([slug], folder / "dist", repo, update_assignments=False)
    submissions = write_submissions(slug, repo, folder)

    started = time.perf_counter()
    bundle = unpack_bundle(built.autograder_zip, folder)
    command = [sys.executable, "-m", "tests.benchmarks.grading", "--ours", str(bundle.root), str(folder / "ours")]
    subprocess.run([*command, *map(str, submissions)], check=True)
    ours = time.perf_counter() - started
    grades = json.loads((folder / "ours" / "grades.json").read_text())

    plain_zip = plain_otter_zip(built.autograder_zip, folder / "plain.zip")
    otter = str(Path(sys.executable).parent / "otter")
    times, scores = [], []
    for submission in submissions:
        started = time.perf_counter()
        command = [otter, "run", "-a", str(plain_zip), "-o", str(folder), str(submission)]
        subprocess.run(command, check=True, capture_output=True, cwd=folder)
        times.append(time.perf_counter() - started)
        tests = json.loads((folder / "results.json").read_text())["tests"]
        scores.append(sum(test.get("score", 0) for test in tests))

    count = len(submissions)
    overhead = statistics.median(grade["seconds"] - grade["check_seconds"] for grade in grades)
    checks = statistics.median(grade["check_seconds"] for grade in grades)
    print(f"{slug}, {count} submissions, one after the other on one thread")
    print(f"  deepmarks     {ours / count:7.2f} s a submission, start-up included ({ours:.1f} s in all)")
    print(f"  plain otter   {sum(times) / count:7.2f} s a submission ({sum(times):.1f} s in all)")
    print(f"  ratio         {sum(times) / ours:7.1f}")
    print(f"  one grading   {checks:7.2f} s in checks and {overhead:.2f} s beside them (medians)")
    same = sum(abs(mine["score"] - theirs) < 1e-6 for mine, theirs in zip(grades, scores, strict=True))
    print(f"  same score    {same} of {count}")


def write_submissions(slug: str, repo: Path, folder: Path) -> list[Path]:
    """The reference and nine mutants, spread over the questions, as notebooks."""
    cases = read_cases(slug, repo)
    mutants = [case for case in cases if case.kind is CaseKind.MUTANT]
    chosen = [cases[0], *mutants[:: max(1, len(mutants) // (SUBMISSIONS - 1))][: SUBMISSIONS - 1]]
    paths = []
    for case in chosen:
        path = folder / f"{case.name}.ipynb"
        source = "\n\n".join(f"# %%\n{unit.source}" for unit in case.submission().units)
        nbformat.write(jupytext.reads(source, fmt="py:percent"), path)
        paths.append(path)
    return paths


def grade_ours(bundle_folder: Path, out: Path, submissions: list[Path]) -> None:
    """What the benchmark times as ours: a fresh process that grades all submissions and writes their results."""
    from deepmarks_grader.bundle import Bundle

    grades: list[Grade] = list(grade_paths(Bundle.load(bundle_folder), submissions, out))
    figures = [{"score": g.score, "seconds": g.seconds, "check_seconds": g.check_seconds} for g in grades]
    (out / "grades.json").write_text(json.dumps(figures))


if __name__ == "__main__":
    if sys.argv[1:2] == ["--ours"]:
        grade_ours(Path(sys.argv[2]), Path(sys.argv[3]), [Path(name) for name in sys.argv[4:]])
    else:
        main(sys.argv[1:] or ["a1_backprop", "a8_self_attention"])
