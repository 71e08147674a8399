"""The instructor's command line."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer
from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from deepmarks_grader import calibration_commands
from deepmarks_grader.grading.grade import Grade

app = typer.Typer(
    name="deepmarks-grader",
    help="Build, grade and prove Deepmarks assignments.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.command()(calibration_commands.calibrate)
app.command("pack-data")(calibration_commands.pack_data)
console = Console()
errors = Console(stderr=True)

Slugs = Annotated[list[str] | None, typer.Argument(help="Assignments; all of them if none is named.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON, one object a line, for programs.")]
Device = Annotated[str, typer.Option(help="cpu, cuda or auto.")]
Weak = Annotated[
    bool, typer.Option("--allow-weak-isolation", help="Run hidden checks even where this machine cannot guard them.")
]


def main() -> None:
    """Run the command line; errors that the user can mend end with a sentence and exit code 2."""
    from deepmarks_grader.authoring import AuthoringError, RepositoryError
    from deepmarks_grader.errors import UserError

    try:
        app()
    except (UserError, AuthoringError, RepositoryError) as error:
        errors.print(f"[red]error:[/red] {error}", highlight=False)
        raise SystemExit(2) from None


@app.command()
def build(
    slugs: Slugs = None,
    out: Annotated[Path, typer.Option(help="Where the zips go.")] = Path("dist"),
    check: Annotated[bool, typer.Option("--check", help="Only say whether assignments/ is up to date.")] = False,
) -> None:
    """Make the student zip and the autograder zip of each assignment, and refresh assignments/."""
    from deepmarks_grader.authoring import build as build_zips
    from deepmarks_grader.authoring import check_stale, find_repo, list_slugs

    repo = find_repo()
    chosen = _known(slugs, list_slugs(repo))
    if check:
        stale = check_stale(chosen, repo)
        for path in stale:
            errors.print(f"stale: {path}", highlight=False)
        if stale:
            errors.print("Run `deepmarks-grader build` and commit the result.", highlight=False)
            raise typer.Exit(1)
        return
    for built in build_zips(chosen, out, repo):
        console.print(f"{built.student_zip}, {built.autograder_zip} and {built.solution}", highlight=False)


@app.command()
def grade(
    slug: Annotated[str, typer.Argument(help="The assignment.")],
    submissions: Annotated[list[Path], typer.Argument(help="Notebooks, scripts or zips.")],
    out: Annotated[Path, typer.Option(help="Where the results go, one folder a submission.")],
    as_json: Json = False,
    device: Device = "cpu",
    fresh_per_question: Annotated[
        bool, typer.Option("--fresh-per-question", help="Execute each submission anew for each question.")
    ] = False,
    allow_weak_isolation: Weak = False,
) -> None:
    """Grade submissions and write DIR/<submission>/results.json for each."""
    from deepmarks_grader.authoring import find_repo, list_slugs
    from deepmarks_grader.bundle import bundle_from_repo
    from deepmarks_grader.grading.many import grade_paths

    repo = find_repo()
    _known([slug], list_slugs(repo))
    bundle = bundle_from_repo(slug, repo)
    grades = []
    options = {"fresh_per_question": fresh_per_question, "allow_weak_isolation": allow_weak_isolation}
    for result in grade_paths(bundle, submissions, out, device, **options):
        grades.append(result)
        if as_json:
            typer.echo(json.dumps(result.summary()))
    if not as_json:
        print_grades(grades)


@app.command()
def prove(
    slugs: Slugs = None,
    as_json: Json = False,
    device: Device = "cpu",
    only: Annotated[list[str] | None, typer.Option(help="Only cases whose name contains this.")] = None,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Show what each mutant is told.")] = False,
    allow_weak_isolation: Weak = False,
) -> None:
    """Show that right answers win and known wrong ones lose; exit code 1 on any shortfall."""
    from deepmarks_grader.authoring import find_repo, list_slugs
    from deepmarks_grader.proof import CaseResult
    from deepmarks_grader.proof import prove as prove_checks

    def heard(result: CaseResult) -> None:
        if as_json or not (verbose or result.shortfalls or result.said is False):
            return
        mark = (
            "[red]SHORTFALL[/red]"
            if result.shortfalls
            else "[yellow]not named[/yellow]"
            if result.said is False
            else "ok"
        )
        console.print(f"{mark} {result.case.kind} {result.case.name}", highlight=False)
        for text in (*result.shortfalls, *(f'said: "{sentence}"' for sentence in result.heard)):
            console.print(f"    {text}", highlight=False, markup=False)

    repo = find_repo()
    failed = False
    for slug in _known(slugs, list_slugs(repo)):
        report = prove_checks(
            slug, repo, device=device, only=only, report=heard, allow_weak_isolation=allow_weak_isolation
        )
        summary = report.summary()
        failed = failed or bool(report.shortfalls)
        if as_json:
            typer.echo(json.dumps(summary))
            continue
        console.print(
            f"{slug}: mutants killed {summary['killed']} / {summary['mutants']}, mistake named {summary['named']} / "
            f"{summary['mutants']}, accepted variants {summary['accepted']}, shortfalls {len(report.shortfalls)}; "
            f"reference: {summary['reference_seconds']} s, {summary['reference_cpu_seconds']} s of processor time, "
            f"{summary['reference_peak_mb']} MiB",
            highlight=False,
        )
    if failed:
        raise typer.Exit(1)


@app.command("gradescope-run")
def gradescope_run(
    autograder_zip: Annotated[Path, typer.Argument(metavar="ZIP", help="The autograder zip.")],
    submission: Annotated[Path, typer.Argument(help="A notebook, script or zip.")],
    out: Annotated[Path, typer.Option(help="Where results.json goes.")],
    setup: Annotated[bool, typer.Option("--setup", help="Run the zip's setup.sh too (minutes).")] = False,
) -> None:
    """Run the zip's own run_autograder in Gradescope's layout."""
    from deepmarks_grader.gradescope_run import run_like_gradescope

    path = run_like_gradescope(autograder_zip, submission, out, setup=setup)
    console.print(f"wrote {path}", highlight=False)


@app.command()
def doctor(as_json: Json = False) -> None:
    """Say how well this machine can guard hidden checks, found out by attacking them; exit code 1 below FULL."""
    from deepmarks_grader.authoring import RepositoryError, find_repo
    from deepmarks_grader.isolation.strength import Strength
    from deepmarks_grader.isolation.supervisor import Zygote

    try:
        repo = find_repo()
        hidden = [repo / "autograder" / "checks", repo / "solutions"]
    except RepositoryError:
        hidden = []
    with Zygote(hidden=[path for path in hidden if path.exists()]) as zygote:
        report = zygote.report
    if as_json:
        typer.echo(json.dumps(report.to_data()))
    else:
        table = Table(title=f"Isolation: {report.strength}")
        for heading in ("layer", "", "why"):
            table.add_column(heading, overflow="fold")
        for layer in report.layers:
            table.add_row(layer.name, "[green]on[/green]" if layer.on else "[red]off[/red]", layer.reason)
        console.print(table)
        console.print(report.advice or f"Hidden checks are guarded. The self-check took {report.milliseconds:g} ms.")
    if report.strength is not Strength.FULL:
        raise typer.Exit(1)


def _known(chosen: list[str] | None, known: list[str]) -> list[str]:
    """The assignments asked for, all of them if none is; UserError if one does not exist."""
    from deepmarks_grader.errors import UserError

    unknown = [slug for slug in chosen or () if slug not in known]
    if unknown:
        raise UserError(f"there is no assignment {unknown[0]}; there are {', '.join(known)}")
    return chosen or known


def print_grades(grades: list[Grade]) -> None:
    """A row a submission, a column a question with its points; below, why submissions did not run to their end."""
    questions = {q.name: q.max_score for grade in grades for q in grade.questions}
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("submission", overflow="fold", min_width=12)
    table.add_column("score", justify="right", no_wrap=True)
    for name, most in questions.items():
        table.add_column(f"{name} /{most:g}", no_wrap=True)
    signs = {"passed": "", "failed": " ✗", "not attempted": " –", "broken": " !"}
    for grade in grades:
        by_name = {q.name: f"{q.score:g}{signs[str(q.outcome)]}" for q in grade.questions}
        cells = [by_name.get(name, "") for name in questions]
        table.add_row(escape(grade.submission), f"{grade.score:g}/{grade.max_score:g}", *cells)
    console.print(table)
    for grade in grades:
        if grade.cause:
            console.print(escape(f"{grade.submission}: {grade.cause}"), highlight=False)
