"""Folders that are either complete or not there."""

from __future__ import annotations

import errno
import os
import shutil
import tarfile
import tempfile
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path, PurePosixPath

from deepmarks.datasets.errors import DataError, DiskFullError


def made_once(folder: Path, make: Callable[[Path], None]) -> Path:
    """`folder`, filled by `make` if it is not there yet.

    `make` fills a temporary folder, which then gets its name; of two processes the second one waits. Raises
    DiskFullError or DataError if that cannot be written.
    """
    if folder.is_dir():
        return folder
    from filelock import FileLock  # torch depends on it

    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(str(folder.parent / f".{folder.name}.lock")):
            if folder.is_dir():
                return folder
            unfinished = Path(tempfile.mkdtemp(dir=folder.parent, prefix=f".{folder.name}-"))
            try:
                unfinished.chmod(0o755)
                make(unfinished)
                os.replace(unfinished, folder)
            finally:
                shutil.rmtree(unfinished, ignore_errors=True)
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise DiskFullError(f"There is no room left on the disk of {folder}. Make room and try again.") from error
        raise DataError(f"{folder} cannot be written ({error.strerror or error}).") from error
    return folder


def unpack(archive: Path, top: str, folder: Path) -> Path:
    """`folder`, with what the zip or tar `archive` holds below its folder `top`; DataError if it is damaged."""

    def make(unfinished: Path) -> None:
        try:
            if archive.suffix == ".zip":
                with zipfile.ZipFile(archive) as packed:
                    packed.extractall(unfinished)
            else:
                with tarfile.open(archive) as packed_tar:
                    _extract_files(packed_tar, unfinished)
        except (zipfile.BadZipFile, tarfile.TarError, zlib.error, EOFError, ValueError) as error:
            raise DataError(f"{archive} is damaged ({error}). Delete it and load the data again.") from error
        inner = unfinished / top
        if not inner.is_dir():
            raise DataError(f"{archive} holds no folder {top}: it is another file than expected.")
        for entry in inner.iterdir():
            os.replace(entry, unfinished / entry.name)
        inner.rmdir()

    return made_once(folder, make)


def _extract_files(archive: tarfile.TarFile, folder: Path) -> None:
    """Write the archive's plain files; the filters of tarfile came with patches of Python 3.11 that some lack."""
    for member in archive:
        name = PurePosixPath(member.name)
        stream = archive.extractfile(member) if member.isreg() else None
        if stream is None or name.is_absolute() or ".." in name.parts:
            continue
        target = folder.joinpath(*name.parts)
        target.parent.mkdir(parents=True, exist_ok=True)
        with stream, target.open("wb") as file:
            shutil.copyfileobj(stream, file)
