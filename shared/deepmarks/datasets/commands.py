"""`deepmarks data`: fetch official data, and say what is where."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.console import Console
from rich.text import Text

from deepmarks.workbench.errors import WorkbenchError

app = typer.Typer(help="Fetch official data, and see what is where.", no_args_is_help=True)


@app.command()
def fetch(
    names: Annotated[list[str], typer.Argument(metavar="NAME...", help="mnist, cifar10 or tiny-imagenet; or all.")],
    base_url: Annotated[str | None, typer.Option("--from", help="Another server with the same files.")] = None,
) -> None:
    """Download official data into the cache, or go on with a download that broke off."""
    from deepmarks.datasets import OFFICIAL_NAMES, DataError, fetch_official, is_there

    console = Console(highlight=False)
    try:
        for name in OFFICIAL_NAMES if names == ["all"] else names:
            path = is_there(name) if name in OFFICIAL_NAMES else None
            path = path or fetch_official(name, base_url=base_url)
            console.print(Text.assemble((f"{name:<14}", "bold"), str(path)), soft_wrap=True)
    except DataError as error:
        raise WorkbenchError(str(error)) from error


@app.command()
def where() -> None:
    """Say which official data are on this machine, and where."""
    from deepmarks.datasets import OFFICIAL_NAMES, data_folder, is_there, work_folder

    console = Console(highlight=False)
    for name in OFFICIAL_NAMES:
        path = is_there(name)
        note = str(path) if path else f"not here; `deepmarks data fetch {name}` downloads it, offline data stand in"
        console.print(Text.assemble((f"{name:<14}", "bold"), (note, "" if path else "dim")), soft_wrap=True)
    console.print(Text(f"official data: {data_folder()}   (DEEPMARKS_DATA names another folder)"), soft_wrap=True)
    console.print(Text(f"rendered data: {work_folder()}   (DEEPMARKS_CACHE names another folder)"), soft_wrap=True)
