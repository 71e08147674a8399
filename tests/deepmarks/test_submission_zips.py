"""Paths and zips: what is opened, what is chosen, what is refused."""

from __future__ import annotations

import hashlib
import io
import json
import os
import stat
import warnings
import zipfile
from pathlib import Path

import pytest

from deepmarks.submission import Kind, Submission, limits, read_path

NOTEBOOK = json.dumps({"cells": [{"cell_type": "code", "source": "x = 1"}]})


def packed(*members: tuple[str | zipfile.ZipInfo, bytes | str]) -> bytes:
    stream = io.BytesIO()
    with warnings.catch_warnings(), zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        warnings.simplefilter("ignore")
        for name, content in members:
            archive.writestr(name, content)
    return stream.getvalue()


def read(tmp_path: Path, data: bytes, name: str = "a.zip") -> Submission:
    path = tmp_path / name
    path.write_bytes(data)
    return read_path(path)


def special(name: str, mode: int) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(name)
    info.create_system = 3
    info.external_attr = (mode | 0o644) << 16
    return info


def renamed(data: bytes, old: bytes, new: bytes) -> bytes:
    assert len(old) == len(new)
    return data.replace(old, new)


def test_a_plain_file(tmp_path: Path) -> None:
    submission = read(tmp_path, b"x = 1", "a.py")
    assert (submission.kind, submission.name, len(submission.units)) == (Kind.SCRIPT, "a.py", 1)


def test_what_is_no_regular_file_is_not_opened(tmp_path: Path) -> None:
    (tmp_path / "real.py").write_text("x = 1")
    (tmp_path / "link.py").symlink_to(tmp_path / "real.py")
    os.mkfifo(tmp_path / "fifo.py")
    causes = {name: read_path(tmp_path / name).cause for name in ("link.py", "fifo.py", "none.py", ".", "a\0b")}
    assert causes["link.py"] == "The submission cannot be opened: it is a symbolic link."
    assert causes["fifo.py"] == "The submission cannot be opened: it is not a regular file."
    assert causes["none.py"] == "The submission cannot be opened: it does not exist."
    assert causes["."] is not None
    assert causes["a\0b"] == "The submission cannot be opened: the system refuses."


def test_large_files_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "FILE_BYTES", 1 << 20)
    assert read(tmp_path, b"#" * ((1 << 20) + 1), "a.py").cause == "The file is larger than 1 MiB."
    monkeypatch.setattr(limits, "ZIP_BYTES", 1 << 20)
    assert read(tmp_path, b"#" * ((1 << 20) + 1), "a.zip").cause == "The file is larger than 1 MiB."


@pytest.mark.parametrize(
    ("names", "chosen"),
    [
        (["a.ipynb"], "a.ipynb"),
        (["a/a.ipynb", "__MACOSX/a/._a.ipynb", "a/.ipynb_checkpoints/a-checkpoint.ipynb"], "a.ipynb"),
        (["a.ipynb", "tests/b.ipynb", ".OTTER_LOG", "data.csv"], "a.ipynb"),
        (["a.ipynb", "helpers.py"], "a.ipynb"),
        (["a.py", "lib/helpers.py", "conftest.py", "tests/q1.py"], "a.py"),
        (["submission.py", "helpers.py"], "submission.py"),
    ],
)
def test_the_one_gradable_file_is_chosen(tmp_path: Path, names: list[str], chosen: str) -> None:
    data = packed(*((name, NOTEBOOK if name.endswith("nb") else "x = 1") for name in names))
    submission = read(tmp_path, data)
    assert submission.cause is None
    assert (submission.name, [unit.source for unit in submission.units]) == (chosen, ["x = 1"])
    assert submission.digest == hashlib.sha256(data).hexdigest()
    assert len(submission.ignored) == len(names) - 1
    helper = next((name for name in names if "helpers" in name), None)
    assert helper is None or f"The zip also holds {helper}" in submission.notices[0].replace("conftest.py, ", "")


@pytest.mark.parametrize(
    ("names", "cause"),
    [
        (["a.ipynb", "b.ipynb"], "The zip holds two notebooks (a.ipynb, b.ipynb); hand in one."),
        (["a.py", "b.py", "c.py"], "The zip holds three Python files (a.py, b.py, c.py); hand in one."),
        ([], "The zip holds no notebook and no Python file."),
        (["a.csv", "tests/a.py"], "The zip holds no notebook and no Python file."),
        (
            ["inner.zip"],
            "The zip holds no notebook and no Python file; it holds another zip (inner.zip), which is not opened.",
        ),
        (["/a.py"], "The zip holds /a.py, which is an absolute path."),
        (["a.py", "b/../../c"], "The zip holds b/../../c, which leads out of the zip by '..'."),
        (["a//b.py"], "The zip holds a//b.py, which has an empty part in its path."),
        (["C:a.py"], "The zip holds C:a.py, which has a drive letter in its name."),
        (["a\\b.py"], "The zip holds a\\b.py, which has a backslash in its name."),
        (["a.py", "a.py"], "The zip holds a.py twice."),
        (["a.py", "A.PY"], "The zip holds A.PY and a.py, the same name on some systems."),
        (["x/" * 13 + "a.py"], f"The zip holds {'x/' * 13}a.py, which lies more than 12 folders deep."),
    ],
)
def test_zips_that_are_refused_by_their_names(tmp_path: Path, names: list[str], cause: str) -> None:
    assert read(tmp_path, packed(*((name, "x = 1") for name in names))).cause == cause


def test_zips_that_are_refused_by_their_headers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def cause(data: bytes) -> str | None:
        return read(tmp_path, data).cause

    plain = packed(("abc.py", "x = 1"))
    assert cause(packed((special("a.py", stat.S_IFLNK), "/etc/passwd"))) == (
        "The zip holds a.py, which is a symbolic link."
    )
    assert cause(packed((special("a.py", stat.S_IFCHR), ""))) == (
        "The zip holds a.py, which is a device or a pipe, not a file."
    )
    assert cause(renamed(plain, b"abc.py", b"a\0c.py")) == "The zip holds a?c.py, which has a NUL byte in its name."
    assert cause(packed(("a.py", "x"), ("b.bin", bytes(5 << 20)))) == (
        "The zip holds b.bin, which is packed more than 200 to 1."
    )
    directory = plain.index(b"PK\x01\x02")
    encrypted = bytearray(plain)
    encrypted[directory + 8] |= 1
    assert cause(bytes(encrypted)) == "The zip holds abc.py, which is encrypted."
    method = bytearray(plain)
    method[directory + 10] = 14
    assert cause(bytes(method)) == "The zip holds abc.py, which is packed by a method other than deflate."
    utf8 = bytearray(renamed(plain, b"abc.py", b"a\xffc.py"))
    utf8[utf8.index(b"PK\x01\x02") + 9] |= 8
    assert cause(bytes(utf8)) == "The zip is damaged: a name in it is not valid UTF-8."
    assert cause(b"PK\x03\x04 no zip") == "The file is no zip, or a damaged one."
    many = packed(*((f"{index}.txt", "") for index in range(1001)))
    assert cause(many) == "The zip holds 1,001 entries; the limit is 1,000."
    monkeypatch.setattr(limits, "ZIP_SIGNATURES", 1000)
    assert cause(many) == "The zip holds more than 1,000 entries."
    monkeypatch.setattr(limits, "ZIP_TOTAL", 1 << 20)
    assert cause(packed(("a.py", "x"), ("b", os.urandom(1 << 20)))) == (
        "The zip unpacks to more than 1 MiB. Leave data sets out."
    )


def test_a_header_that_lies_about_the_size(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = bytearray(packed(("a.py", "#" * 100_000)))
    directory = data.index(b"PK\x01\x02")
    data[directory + 24 : directory + 28] = (10).to_bytes(4, "little")
    assert read(tmp_path, bytes(data)).cause == "a.py in the zip is damaged."
    monkeypatch.setattr(limits, "FILE_BYTES", 1 << 16)
    assert read(tmp_path, packed(("a.py", "#" * 100_000))).cause == "a.py in the zip is larger than 0 MiB."


def test_a_damaged_member(tmp_path: Path) -> None:
    data = bytearray(packed(("a.py", os.urandom(100))))
    data[60] ^= 255
    assert read(tmp_path, bytes(data)).cause == "a.py in the zip is damaged."


def test_checkpoints_are_attached_and_other_files_listed(tmp_path: Path) -> None:
    data = packed(
        ("a.ipynb", NOTEBOOK),
        ("model.safetensors", b"12345"),
        ("w/Net.PT", b"6"),
        ("__MACOSX/._x.pt", b"7"),
        ("data.npz", b"8"),
    )
    submission = read(tmp_path, data)
    assert [(a.name, a.size, a.data) for a in submission.attachments] == [
        ("model.safetensors", 5, b"12345"),
        ("w/Net.PT", 1, b"6"),
    ]
    assert submission.ignored == ("__MACOSX/._x.pt", "data.npz")
    assert submission.notices == ()
