"""The student's command line.

Exit codes: 0 if everything asked for passed, 1 if something did not pass, 2 if the command was wrong or something
around it is (no such assignment, a damaged installation), 130 after Ctrl-C.
"""

from __future__ import annotations

import json
import re
import shutil
import time
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from deepmarks.checks.outcomes import Outcome
from deepmarks.datasets.commands import app as data_app
from deepmarks.render.terminal import question_panel, summary_table
from deepmarks.render.words import Setting, points, printable
from deepmarks.workbench.errors import WorkbenchError
from deepmarks.workbench.folders import Place, find_place, places
from deepmarks.workbench.runner import Report, check_file

PASSED, NOT_PASSED, USAGE, INTERRUPTED = 0, 1, 2, 130
"""The exit codes."""

app = typer.Typer(
    name="deepmarks",
    help="Work on Deepmarks assignments: check your code, ask for hints, hand in.",
    epilog="Exit codes: 0 all passed, 1 something did not pass, 2 wrong use or a problem around it, 130 stopped.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.add_typer(data_app, name="data")
console = Console(highlight=False)
errors = Console(stderr=True, highlight=False)

Name = Annotated[str | None, typer.Argument(metavar="A", help="The assignment: its name, or the beginning of it.")]
_LEFT_BEHIND = shutil.ignore_patterns(".*", "__pycache__", "*.pyc", "*-submission.zip")


def main() -> None:
    """Run the command line; what the user can mend ends with a sentence and exit code 2."""
    try:
        app(standalone_mode=True)
    except WorkbenchError as error:
        _say(error)
        raise SystemExit(USAGE) from None


@app.command("list")
def list_assignments() -> None:
    """List the assignments in this folder."""
    found = places(Path.cwd())
    if not found:
        find_place(None, Path.cwd())  # says what to do
    table = Table(box=None, padding=(0, 2, 0, 0), show_header=False)
    for place in found:
        count = len(place.assignment.questions)
        table.add_row(
            Text(place.slug, "bold"),
            Text(place.assignment.title),
            f"{count} questions, {points(place.assignment.points)}",
            Text(str(place.folder.relative_to(Path.cwd())), "dim"),
        )
    console.print(table)


@app.command()
def check(
    assignment: Name = None,
    question: Annotated[str | None, typer.Argument(metavar="Q", help="A question, q1 say; all if left out.")] = None,
    file: Annotated[Path | None, typer.Option("--file", "-f", help="Check this file instead.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object a run, for programs.")] = False,
    watch: Annotated[bool, typer.Option("--watch", "-w", help="Check again whenever the file is saved.")] = False,
    traceback: Annotated[bool, typer.Option("--traceback", help="Show tracebacks of your code.")] = False,
) -> None:
    """Run the public checks of an assignment, or of one question, against your file."""
    place, question = _place_and_question(assignment, question)
    names = [place.question(question).name] if question else [q.name for q in place.assignment.questions]
    source = file or place.submission_file()
    if file is not None and not file.is_file():
        raise WorkbenchError(f"There is no file {file}.")
    code = PASSED
    try:
        if not watch:
            raise typer.Exit(_check_once(place, source, names, as_json, traceback))
        from deepmarks.workbench.watching import changes

        for _ in changes(source):
            if not as_json:
                console.clear()
            try:
                code = _check_once(place, source, names, as_json, traceback)
            except WorkbenchError as error:  # half an edit must not end the watch
                code = USAGE
                _say(error)
            if not as_json:
                now = time.strftime("%H:%M:%S")
                console.print(f"Checked at {now}. Watching {source.name}; Ctrl-C ends.", style="dim")
    except KeyboardInterrupt:
        errors.print("Stopped.")
        raise typer.Exit(code if watch else INTERRUPTED) from None


@app.command()
def hint(
    assignment: Annotated[str, typer.Argument(metavar="A", help="The assignment.")],
    question: Annotated[str, typer.Argument(metavar="Q", help="The question, q1 say.")],
    number: Annotated[int, typer.Argument(metavar="N", help="Which hint, from a nudge to nearly the answer.")] = 1,
) -> None:
    """Show a hint."""
    from deepmarks.workbench.hints import hint_text, hint_title

    place = find_place(assignment, Path.cwd())
    asked = place.question(question)
    text = hint_text(asked, number)
    console.print(Text(hint_title(asked, number), "bold"))
    console.print(Text(printable(text)))
    if number < len(asked.hints):
        console.print(Text(f"One more? deepmarks hint {place.slug} {asked.name} {number + 1}", "dim"))


@app.command()
def submit(
    assignment: Name = None,
    file: Annotated[Path | None, typer.Option("--file", "-f", help="Hand in this file instead.")] = None,
) -> None:
    """Make the zip to hand in."""
    from deepmarks.workbench.handin import hand_in

    place = find_place(assignment, Path.cwd())
    packed = hand_in(place, file)
    console.print(Text(packed.text(f"`deepmarks submit {place.slug}`")), soft_wrap=True)


@app.command()
def start(
    assignment: Annotated[str, typer.Argument(metavar="A", help="The assignment.")],
    to: Annotated[Path | None, typer.Option("--to", help="The new folder; ./A if left out.")] = None,
    course: Annotated[Path, typer.Option("--from", help="The folder of the course.")] = Path("."),
) -> None:
    """Copy a fresh assignment into a folder of your own."""
    place = find_place(assignment, course)
    target = to or Path(place.slug)
    if target.exists():
        raise WorkbenchError(f"{target} exists already; nothing was changed. Name another folder with --to.")
    shutil.copytree(place.folder, target, ignore=_LEFT_BEHIND)
    console.print(Text(f"{place.assignment.title} is in {target}. Begin with:"), soft_wrap=True)
    console.print(Text(f"  cd {target}\n  jupyter lab {place.slug}.ipynb", "cyan"), soft_wrap=True)


@app.command()
def doctor() -> None:
    """Look at the installation and say what is missing."""
    from deepmarks.workbench.installation import examine

    problems = 0
    for finding in examine(Path.cwd()):
        sign, style = ("ok", "green") if finding.ok else ("note", "yellow") if finding.optional else ("problem", "red")
        problems += sign == "problem"
        console.print(
            Text.assemble((f"{sign:<8}", style), (f"{finding.name:<18}", "bold"), finding.text), soft_wrap=True
        )
        if finding.remedy and not finding.ok:
            console.print(Text(f"{'':<26}{finding.remedy}", "cyan"), soft_wrap=True)
    if problems:
        console.print(f"{problems} problem{'s' if problems > 1 else ''} found.", style="bold red")
        raise typer.Exit(USAGE)
    console.print("Everything that the assignments need is there.", style="bold")


def _say(error: WorkbenchError) -> None:
    errors.print(Text.assemble(("error: ", "red"), printable(str(error))), soft_wrap=True)


def _place_and_question(assignment: str | None, question: str | None) -> tuple[Place, str | None]:
    """The assignment and the question; in its own folder, `deepmarks check q1` may leave the name out."""
    if assignment is not None and question is None and (Path.cwd() / "assignment.json").is_file():
        here = find_place(None, Path.cwd())
        if re.fullmatch(r"[qQ]\d+", assignment):
            return here, assignment
    return find_place(assignment, Path.cwd()), question


def _check_once(place: Place, file: Path, names: list[str], as_json: bool, traceback: bool) -> int:
    """Check once and print; the exit code."""
    if as_json:
        report = check_file(place, file, names)
        typer.echo(json.dumps(_as_data(place, file, report), ensure_ascii=False))
    else:
        with console.status("Starting ...") as status:
            report = check_file(place, file, names, lambda name: status.update(f"Checking {name} ..."))
        _show(place, file, report, traceback)
    return PASSED if all(q.outcome is Outcome.PASSED or not q.records for q in report.questions) else NOT_PASSED


def _show(place: Place, file: Path, report: Report, traceback: bool) -> None:
    console.print(Text.assemble((place.assignment.title, "bold"), (f"  {file}", "dim")), soft_wrap=True)
    for notice in report.notices:
        console.print(Text(f"! {printable(notice)}", "yellow"), soft_wrap=True)
    setting = Setting(place.slug)
    for question in report.questions:
        console.print(question_panel(question, setting, traceback=traceback))
    console.print(summary_table(report.questions))


def _as_data(place: Place, file: Path, report: Report) -> dict[str, Any]:
    """The report as JSON data."""
    return {
        "assignment": place.slug,
        "file": str(file),
        "points": sum(q.score for q in report.questions),
        "max_points": sum(q.max_score for q in report.questions),
        "notices": list(report.notices),
        "questions": [
            {"points": q.score, "max_points": q.max_score, "outcome": q.outcome, **asdict(q)} for q in report.questions
        ],
    }


if __name__ == "__main__":
    main()
