"""Bytes to text, for files from every editor and operating system."""

from __future__ import annotations

import codecs
import re

from deepmarks.submission.records import clean_text

_BOMS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32"),  # before UTF-16, whose mark is its first half
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_CODING = re.compile(rb"^[ \t\f]*#.*?coding[:=][ \t]*([-\w.]{1,40})", re.ASCII)
# Character sets only: codecs such as punycode or unicode_escape are slow or are no encodings of a file.
_CHARSET = re.compile(r"(utf-?8|iso|latin|l\d|cp\d|windows|koi8|mac|gb|big5|shift|sjis|euc|ascii|us-)", re.I)

_SIGNATURES = (
    (b"PK\x03\x04", "a zip archive"),
    (b"PK\x05\x06", "an empty zip archive"),
    (b"%PDF-", "a PDF"),
    (b"\x89PNG", "a picture"),
    (b"\xff\xd8\xff", "a picture"),
    (b"GIF89a", "a picture"),
    (b"\x1f\x8b", "a gzip archive"),
    (b"BZh91AY&SY", "a bzip2 archive"),
    (b"\xfd7zXZ", "an xz archive"),
    (b"7z\xbc\xaf", "a 7-Zip archive"),
    (b"Rar!", "a RAR archive"),
    (b"\x7fELF", "a program"),
    (b"\xd0\xcf\x11\xe0", "an Office document"),
    (b"\x89HDF", "an HDF5 file"),
)


def looks_like(data: bytes) -> str | None:
    """What a file that is no text is (`a PDF`), or None if it may be text."""
    for signature, what in _SIGNATURES:
        if data.startswith(signature):
            return what
    if data and not data.strip(b"\0"):
        return "nothing but NUL bytes"
    head = data[:4096]
    if any(data.startswith(mark) for mark, _ in _BOMS):
        return None
    controls = sum(byte < 32 and byte not in b"\0\t\n\f\r\v\x1a\x1b" for byte in head)
    return "binary data" if controls > len(head) // 10 else None


def decode(data: bytes) -> tuple[str, list[str]]:
    r"""The text in `data` with \n line ends, and notices about guesses. Never raises."""
    text, notices = _decode(data)
    if "\0" in text:
        notices.append("The file held NUL bytes; they were left out.")
    return clean_text(text), notices


def _decode(data: bytes) -> tuple[str, list[str]]:
    for mark, encoding in _BOMS:
        if data.startswith(mark):
            try:
                return data[len(mark) :].decode("utf-8") if encoding == "utf-8" else data.decode(encoding), []
            except UnicodeDecodeError:
                text = data.decode(encoding, "replace").removeprefix("\ufeff")
                return text, [f"The file is marked as {encoding.upper()} but holds other bytes; they became \ufffd."]
    notices = []
    declared = _declared(data)
    if declared is not None:
        try:
            return data.decode(declared), []
        except (UnicodeDecodeError, LookupError):
            notices.append(f"The file's first lines say that it is {declared}, which it is not.")
    try:
        return data.decode("utf-8"), notices
    except UnicodeDecodeError:
        pass
    for encoding, title in (("cp1252", "Windows-1252"), ("latin-1", "Latin-1")):
        try:
            text = data.decode(encoding)
        except UnicodeDecodeError:
            continue
        notices.append(f"The file is not UTF-8; it was read as {title}. Letters with accents may differ.")
        return text, notices
    raise AssertionError("Latin-1 decodes every byte")


def _declared(data: bytes) -> str | None:
    """The encoding that PEP 263 finds in the first two lines."""
    for line in re.split(rb"\r\n?|\n", data[:2000], maxsplit=2)[:2]:
        found = _CODING.match(line)
        if found is not None:
            name = found[1].decode("ascii")
            return name if _CHARSET.match(name) else None
        if line.strip() and not line.lstrip().startswith(b"#"):
            return None
    return None
