"""`deepmarks-grader calibrate` and `deepmarks-grader pack-data`."""

from __future__ import annotations

import datetime
import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Table

if TYPE_CHECKING:
    from deepmarks_grader.calibration import Calibrated

Slug = Annotated[str, typer.Argument(help="The assignment.")]


def calibrate(
    slug: Slug,
    seeds: Annotated[int, typer.Option(help="How many seeds; more than 20 make the bands tighter.")] = 20,
    device: Annotated[str, typer.Option(help="cpu, cuda or auto.")] = "cpu",
    only: Annotated[list[str] | None, typer.Option(help="Run this case only: reference, or a variant.")] = None,
    source: Annotated[str, typer.Option(help="Which of the assignment's data sources.")] = "offline",
    fresh: Annotated[bool, typer.Option("--fresh", help="Forget earlier runs of these cases.")] = False,
    keep: Annotated[bool, typer.Option("--keep", help="Keep earlier runs though the solution changed.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON for programs.")] = False,
    plot: Annotated[bool, typer.Option(help="Draw docs/images/calibration-SLUG.png.")] = True,
    date: Annotated[str, typer.Option(help="The date to record; today if left out.")] = "",
    variant_seeds: Annotated[int | None, typer.Option(help="How many seeds the known-bad variants get.")] = None,
) -> None:
    """Measure the reference and known-bad variants over seeds and derive the bands; exit code 1 if they overlap."""
    from deepmarks_grader.authoring import find_repo
    from deepmarks_grader.calibration import Plan
    from deepmarks_grader.calibration import calibrate as run_calibration

    console = Console(highlight=False)
    plan = Plan(seeds, device, only, source, fresh, keep, date or datetime.date.today().isoformat(), variant_seeds)

    def heard(case: str, seed: int, metrics: dict[str, float]) -> None:
        if not as_json:
            values = ", ".join(f"{name} {value:.4g}" for name, value in metrics.items())
            console.print(f"{case}, seed {seed}: {values}", markup=False)

    repo = find_repo(Path.cwd())
    result = run_calibration(slug, repo, plan, heard)
    if as_json:
        typer.echo(json.dumps(_summary(result)))
    else:
        _show(console, result)
    if plot and result.complete and not result.overlaps:
        from deepmarks_grader.calibration.plot import draw

        path = draw(result, repo / "docs" / "images" / f"calibration-{slug}.png")
        if not as_json:
            console.print(f"wrote {path}")
    if result.overlaps:
        raise typer.Exit(1)


def pack_data(
    slug: Slug,
    source: Annotated[str, typer.Option(help="official, offline or auto.")] = "official",
    count: Annotated[int | None, typer.Option(help="At most so many images, balanced over the classes.")] = None,
) -> None:
    """Pack test images for the hidden checks into a file that is not committed."""
    from deepmarks_grader.authoring import find_repo
    from deepmarks_grader.calibration.packing import pack_data as pack

    path, images = pack(slug, find_repo(Path.cwd()), source, count)
    Console(highlight=False).print(f"wrote {path}: {len(images)} images, {images.source}")


def _summary(result: Calibrated) -> dict[str, object]:
    from deepmarks_grader.calibration.store import public_metric

    metrics = {name: public_metric(result.definition, result.record, name) for name in result.definition.metrics}
    return {
        "slug": result.slug,
        "source": result.record.source,
        "complete": result.complete,
        "overlaps": list(result.overlaps),
        "metrics": metrics,
    }


def _show(console: Console, result: Calibrated) -> None:
    from deepmarks_grader.calibration.store import public_metric

    for name in result.definition.metrics:
        public = public_metric(result.definition, result.record, name)
        scale = ", ".join(f"{band['name']} {band['threshold']:.4g}" for band in public["bands"])
        table = Table(title=f"{name}: {scale}")
        for column in ("case", "seeds", "mean", "sd", "low", "high"):
            table.add_column(column, justify="left" if column == "case" else "right")
        for case, row in {"reference": public["reference"], **public["variants"]}.items():
            cells = [f"{row[key]:.4g}" for key in ("mean", "sd", "low", "high")]
            table.add_row(case, str(row["count"]), *cells)
        console.print(table)
    for variant in result.overlaps:
        console.print(f"[red]{variant} may pass the top band: no bands were written.[/red]")
    if not result.complete:
        console.print("Some cases lack seeds: no bands were written. Run it without --only.")
