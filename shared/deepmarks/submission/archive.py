"""A path to a `Submission`: one regular file, or a zip with one gradable file in it."""

from __future__ import annotations

import errno
import hashlib
import io
import os
import stat
import zipfile
import zlib
from dataclasses import replace
from pathlib import Path, PurePosixPath

from deepmarks.submission import limits
from deepmarks.submission.members import RefusedError, check_members, choose, is_hidden
from deepmarks.submission.reading import read_submission
from deepmarks.submission.records import Attachment, Kind, Submission, printable

ATTACHMENT_SUFFIXES = (".safetensors", ".pt", ".pth")
_CHUNK = 1 << 16
_OPEN_FAILURES = {
    errno.ENOENT: "it does not exist",
    errno.ELOOP: "it is a symbolic link",
    errno.EACCES: "reading it is not permitted",
    errno.ENXIO: "it is not a regular file",
}


def read_path(path: Path) -> Submission:
    """The submission in the file or zip at `path`. Never raises; links at `path` itself are not followed.

    For a zip, `name` is the chosen entry's and `digest` the zip's. The folders above `path` are the caller's:
    they must not be writable by the student.
    """
    name = printable(path.name)
    try:
        data = read_regular_file(path)
    except RefusedError as error:
        return Submission(name, Kind.UNREADABLE, cause=str(error))
    if data.startswith((b"PK\x03\x04", b"PK\x05\x06")) or (path.suffix.lower() == ".zip" and data):
        return _read_zip(data, name)
    return read_submission(data, path.name)


def read_regular_file(path: Path) -> bytes:
    """The bytes of the regular file at `path`; RefusedError for anything else, and beyond the size limit."""
    flags = os.O_RDONLY
    for flag in ("O_NOFOLLOW", "O_NONBLOCK", "O_CLOEXEC", "O_NOCTTY", "O_BINARY"):
        flags |= getattr(os, flag, 0)  # a FIFO would block; not every system has all of them
    try:
        descriptor = os.open(path, flags)
    except (OSError, ValueError) as error:
        number = error.errno if isinstance(error, OSError) else None
        why = _OPEN_FAILURES.get(number or 0, "the system refuses")
        raise RefusedError(f"The submission cannot be opened: {why}.") from error
    try:
        found = os.fstat(descriptor)
        if not stat.S_ISREG(found.st_mode):
            raise RefusedError("The submission cannot be opened: it is not a regular file.")
        with open(descriptor, "rb", closefd=False) as file:
            start = file.read(4)
            most = limits.ZIP_BYTES if start.startswith(b"PK") else limits.FILE_BYTES
            if found.st_size > most:  # nothing that is refused anyway is held in memory
                raise RefusedError(f"The file is larger than {most >> 20} MiB.")
            data = start + file.read(most - len(start))
    except OSError as error:
        raise RefusedError("The submission cannot be read: the disk fails.") from error
    finally:
        os.close(descriptor)
    return data


def _read_zip(data: bytes, name: str) -> Submission:
    digest = hashlib.sha256(data).hexdigest()
    try:
        return replace(_zip_submission(data), digest=digest)
    except RefusedError as error:
        return Submission(name, Kind.UNREADABLE, cause=str(error), digest=digest)


def _zip_submission(data: bytes) -> Submission:
    # Counted before the zip is opened, because its directory alone could fill the memory.
    if data.count(b"PK\x01\x02") > limits.ZIP_SIGNATURES:
        raise RefusedError(f"The zip holds more than {limits.ZIP_MEMBERS:,} entries.")
    try:
        archive = zipfile.ZipFile(io.BytesIO(data))
    except UnicodeDecodeError as error:
        raise RefusedError("The zip is damaged: a name in it is not valid UTF-8.") from error
    except (zipfile.BadZipFile, ValueError, NotImplementedError, EOFError, OverflowError, OSError) as error:
        raise RefusedError("The file is no zip, or a damaged one.") from error
    with archive:
        members = archive.infolist()
        check_members(members)
        files = [member for member in members if not member.is_dir()]
        chosen = choose([member.filename for member in files])
        rest = [member for member in files if member.filename != chosen]
        submission = read_submission(
            _unpack(archive, archive.getinfo(chosen), limits.FILE_BYTES), PurePosixPath(chosen).name
        )
        attachments, ignored, notices = _attachments(archive, rest)
    helpers = [entry for entry in ignored if entry.endswith(".py") and not is_hidden(entry)]
    if helpers:
        notices.append(
            f"The zip also holds {printable(', '.join(helpers))}; helper modules are not imported. "
            "Put everything into one file."
        )
    return replace(
        submission,
        notices=(*submission.notices, *notices),
        attachments=tuple(attachments),
        ignored=tuple(printable(entry) for entry in ignored),
    )


def _attachments(
    archive: zipfile.ZipFile, members: list[zipfile.ZipInfo]
) -> tuple[list[Attachment], list[str], list[str]]:
    """The checkpoints among `members`, the names of all others, and notices."""
    attachments: list[Attachment] = []
    ignored: list[str] = []
    notices: list[str] = []
    for member in members:
        if not member.filename.lower().endswith(ATTACHMENT_SUFFIXES) or is_hidden(member.filename):
            ignored.append(member.filename)
            continue
        try:
            content = _unpack(archive, member, limits.ATTACHMENT_BYTES)
        except RefusedError as error:
            ignored.append(member.filename)
            notices.append(str(error))
            continue
        attachments.append(Attachment(printable(member.filename), len(content), content))
    return attachments, ignored, notices


def _unpack(archive: zipfile.ZipFile, member: zipfile.ZipInfo, limit: int) -> bytes:
    """The member's bytes, counted as they come: its header may lie."""
    name = printable(member.filename)
    content = bytearray()
    try:
        with archive.open(member) as stream:
            while chunk := stream.read(_CHUNK):
                content += chunk
                if len(content) > limit:
                    raise RefusedError(f"{name} in the zip is larger than {limit >> 20} MiB.")
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError, ValueError) as error:
        if isinstance(error, RefusedError):
            raise
        raise RefusedError(f"{name} in the zip is damaged.") from error
    except (RuntimeError, NotImplementedError) as error:
        raise RefusedError(f"{name} in the zip is packed in a way that is not supported.") from error
    return bytes(content)
