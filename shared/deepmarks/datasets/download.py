"""Downloads that can be interrupted, resumed, and asked for twice at once."""

from __future__ import annotations

import errno
import hashlib
import http.client
import os
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from deepmarks.datasets.errors import ChecksumError, DataError, DiskFullError, OfflineError

ATTEMPTS = 4
"""Connections for one file before it is given up; each goes on where the last one broke."""
TIMEOUT = 30.0
"""Seconds without a byte after which a connection counts as broken."""
_CHUNK = 1 << 18
_FULL = (errno.ENOSPC, errno.EDQUOT)
_RANGE_IGNORED, _RANGE_TOO_FAR = 200, 416


@dataclass(frozen=True, slots=True)
class RemoteFile:
    """One file as it was published."""

    name: str
    md5: str
    urls: tuple[str, ...]
    """Folders on servers that have the file, best first; each ends with a slash."""


Progress = Callable[[str, int, int | None], None]
"""Told the file's name, the bytes that are there, and all bytes (None if unknown)."""


def fetch(
    file: RemoteFile,
    folder: Path,
    *,
    base_url: str | None = None,
    progress: Progress = lambda name, have, total: None,
    pause: float = 1.0,
) -> Path:
    """Download `file` into `folder` if it is not there yet, and return its path.

    What came before a break is kept as `NAME.part` and continued. The checksum is verified before the file gets its
    name, so a file with its name is whole. A second process waits for the first one and then finds the file.
    `base_url` replaces the servers; `pause` is the number of seconds between attempts. Raises OfflineError,
    ChecksumError, DiskFullError, or DataError if the folder cannot be written.
    """
    target = folder / file.name
    if target.is_file():
        return target
    urls = [base_url.rstrip("/") + "/"] if base_url else list(file.urls)
    with _disk_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
    with _only_one(folder / f".{file.name}.lock", folder):
        if target.is_file():
            return target
        part = folder / f"{file.name}.part"
        last = _download(file, urls, part, folder, progress, pause)
        found = md5_of(part)
        if found != file.md5:
            part.unlink(missing_ok=True)
            raise ChecksumError(
                f"{file.name} came from {last} with a wrong checksum (md5 {found} instead of {file.md5}), "
                f"so it was thrown away. Try again; if it happens again, {put_it(file, folder)}"
            )
        with _disk_errors(folder):
            os.replace(part, target)
    return target


def put_it(file: RemoteFile, folder: Path) -> str:
    """What to do by hand."""
    return (
        f"get the file another way, from {file.urls[0]}{file.name} for example, and put it at {folder / file.name} "
        f"(md5 {file.md5})."
    )


def md5_of(path: Path) -> str:
    """The MD5 sum of a file, in hex: a check against damage, not against malice."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()


def _download(file: RemoteFile, urls: Sequence[str], part: Path, folder: Path, progress: Progress, pause: float) -> str:
    """Complete `part`; the server that the last bytes came from. Raises OfflineError when all attempts failed."""
    reason = ""
    for attempt in range(ATTEMPTS * len(urls)):
        url = urls[attempt // ATTEMPTS]
        if attempt:
            time.sleep(pause)
        try:
            if _continue(url + file.name, part, folder, lambda have, total: progress(file.name, have, total)):
                return url
            reason = "the connection broke off"
        except urllib.error.HTTPError as error:
            reason = f"the server answered {error.code}"
        except (urllib.error.URLError, http.client.HTTPException, OSError) as error:
            reason = f"{getattr(error, 'reason', None) or error or type(error).__name__}"
    raise OfflineError(
        f"{file.name} could not be downloaded from {' or '.join(urls)}: {reason}. What came so far is kept, and the "
        f"next attempt goes on from there. Without a connection, {put_it(file, folder)} "
        'Or use source="offline", which needs no download.'
    )


def _continue(url: str, part: Path, folder: Path, progress: Callable[[int, int | None], None]) -> bool:
    """Ask for the bytes that are missing and append them to `part`; whether it is whole as far as the server says."""
    have = part.stat().st_size if part.is_file() else 0
    request = urllib.request.Request(url, headers={"Range": f"bytes={have}-"} if have else {})
    try:
        response = urllib.request.urlopen(request, timeout=TIMEOUT)
    except urllib.error.HTTPError as error:
        if error.code != _RANGE_TOO_FAR:
            raise
        if _size_in(error.headers.get("Content-Range")) in (have, None):
            return True  # nothing follows what is there
        part.unlink()  # longer than the file: left over from something else
        return False
    with response:
        if response.status == _RANGE_IGNORED:
            have = 0
        length = response.headers.get("Content-Length")
        total = have + int(length) if length and length.isdigit() else None
        with _disk_errors(folder):
            stream = part.open("ab" if have else "wb")
        with stream:
            while chunk := _read(response):
                with _disk_errors(folder):
                    stream.write(chunk)
                    stream.flush()
                have += len(chunk)
                progress(have, total)
    return total is None or have >= total


def _read(response: IO[bytes]) -> bytes:
    try:
        return response.read(_CHUNK)
    except http.client.IncompleteRead as error:
        return error.partial
    except (ConnectionError, TimeoutError):
        return b""  # what came is kept; the length tells that something is missing


def _size_in(content_range: str | None) -> int | None:
    size = (content_range or "").rpartition("/")[2]
    return int(size) if size.isdigit() else None


@contextmanager
def _disk_errors(folder: Path) -> Iterator[None]:
    """Turn what the file system says into a sentence."""
    try:
        yield
    except OSError as error:
        if isinstance(error, urllib.error.URLError | ConnectionError | TimeoutError):
            raise
        if error.errno in _FULL:
            raise DiskFullError(
                f"There is no room left on the disk of {folder}. Make room, or set the environment variable "
                "DEEPMARKS_DATA to a folder on another disk; the download then goes on."
            ) from error
        raise DataError(
            f"{folder} cannot be written ({error.strerror or error}). Set the environment variable DEEPMARKS_DATA to "
            "a folder of yours."
        ) from error


@contextmanager
def _only_one(lock: Path, folder: Path) -> Iterator[None]:
    """Hold the lock file; the system lets go of it when the process dies."""
    from filelock import FileLock  # torch depends on it

    guard = FileLock(str(lock))
    with _disk_errors(folder):
        guard.acquire()
    try:
        yield
    finally:
        guard.release()
