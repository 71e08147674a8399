"""The progress bar of downloads."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from deepmarks.datasets.download import Progress


@contextmanager
def progress_bar() -> Iterator[Progress]:
    """A bar on the standard error stream, one line a file; in a notebook, below the cell."""
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, TextColumn, TimeRemainingColumn, TransferSpeedColumn
    from rich.progress import Progress as Bar

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
    )
    with Bar(*columns, console=Console(stderr=True)) as bar:
        tasks = {}

        def report(name: str, have: int, total: int | None) -> None:
            if name not in tasks:
                tasks[name] = bar.add_task(name, total=total)
            bar.update(tasks[name], completed=have, total=total)

        yield report
