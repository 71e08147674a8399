"""Downloads against a server on this machine that breaks in every way."""

from __future__ import annotations

import errno
import hashlib
import multiprocessing
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from deepmarks.datasets import download
from deepmarks.datasets.download import RemoteFile, fetch
from deepmarks.datasets.errors import ChecksumError, DataError, DiskFullError, OfflineError

CONTENT = bytes(range(256)) * 4096  # 1 MiB
MD5 = hashlib.md5(CONTENT).hexdigest()


class Server(ThreadingHTTPServer):
    """Serves CONTENT under every name; `cuts` says after how many bytes each of the next answers breaks off."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.cuts: list[int] = []
        self.content = CONTENT
        self.ranges = True
        self.status = 0
        self.asked: list[str | None] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/"


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        server = self.server
        wanted = self.headers.get("Range")
        server.asked.append(wanted)
        if server.status:
            self.send_error(server.status)
            return
        start = int(wanted.removeprefix("bytes=").rstrip("-")) if wanted and server.ranges else 0
        if start >= len(server.content):
            self.send_response(416)
            self.send_header("Content-Range", f"bytes */{len(server.content)}")
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        body = server.content[start:]
        self.send_response(206 if start else 200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body[: server.cuts.pop(0)] if server.cuts else body)

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as running:
        thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield running
        running.shutdown()
        thread.join()


@pytest.fixture
def file(server: Server) -> RemoteFile:
    return RemoteFile("data.bin", MD5, (server.url,))


def test_a_file_is_downloaded_once_and_progress_is_told(server, file, tmp_path):
    told = []
    path = fetch(file, tmp_path, progress=lambda name, have, total: told.append((name, have, total)))
    assert path.read_bytes() == CONTENT
    assert told[-1] == ("data.bin", len(CONTENT), len(CONTENT))
    assert fetch(file, tmp_path) == path
    assert len(server.asked) == 1
    assert not list(tmp_path.glob("*.part"))


def test_a_broken_connection_is_resumed_where_it_broke(server, file, tmp_path):
    server.cuts = [300_000, 200_000]
    assert fetch(file, tmp_path, pause=0).read_bytes() == CONTENT
    assert server.asked == [None, "bytes=300000-", "bytes=500000-"]


def test_what_came_is_kept_for_the_next_run(server, file, tmp_path):
    server.cuts = [1000] * download.ATTEMPTS
    with pytest.raises(OfflineError, match=r"broke off.*kept.*put it at .*data\.bin.*offline"):
        fetch(file, tmp_path, pause=0)
    assert (tmp_path / "data.bin.part").stat().st_size == 1000 * download.ATTEMPTS
    assert not (tmp_path / "data.bin").exists()
    assert fetch(file, tmp_path, pause=0).read_bytes() == CONTENT


def test_a_server_without_ranges_sends_everything_again(server, file, tmp_path):
    server.ranges = False
    server.cuts = [300_000]
    assert fetch(file, tmp_path, pause=0).read_bytes() == CONTENT


def test_a_whole_part_that_was_not_renamed_is_taken(server, file, tmp_path):
    (tmp_path / "data.bin.part").write_bytes(CONTENT)
    assert fetch(file, tmp_path, pause=0).read_bytes() == CONTENT


def test_a_part_longer_than_the_file_is_thrown_away(server, file, tmp_path):
    (tmp_path / "data.bin.part").write_bytes(CONTENT + b"more")
    assert fetch(file, tmp_path, pause=0).read_bytes() == CONTENT


def test_a_wrong_checksum_throws_the_file_away_and_says_so(server, file, tmp_path):
    server.content = CONTENT[:-1] + b"!"
    with pytest.raises(ChecksumError, match=f"wrong checksum.*{MD5}.*thrown away.*put it at"):
        fetch(file, tmp_path, pause=0)
    assert not (tmp_path / "data.bin").exists()
    assert not (tmp_path / "data.bin.part").exists()
    server.content = CONTENT
    assert fetch(file, tmp_path, pause=0).read_bytes() == CONTENT


def test_without_a_server_the_sentence_says_what_to_put_where(tmp_path):
    file = RemoteFile("data.bin", MD5, ("http://127.0.0.1:9/",))
    with pytest.raises(OfflineError, match=rf"refused.*put it at {tmp_path / 'data.bin'} \(md5 {MD5}\)"):
        fetch(file, tmp_path, pause=0)


def test_a_second_server_is_asked_when_the_first_has_failed(server, tmp_path):
    file = RemoteFile("data.bin", MD5, ("http://127.0.0.1:9/", server.url))
    assert fetch(file, tmp_path, pause=0).read_bytes() == CONTENT


def test_an_error_of_the_server_is_named(server, file, tmp_path):
    server.status = 503
    with pytest.raises(OfflineError, match="the server answered 503"):
        fetch(file, tmp_path, pause=0)


def test_base_url_replaces_the_servers(server, tmp_path):
    file = RemoteFile("data.bin", MD5, ("http://127.0.0.1:9/",))
    assert fetch(file, tmp_path, base_url=server.url.rstrip("/"), pause=0).read_bytes() == CONTENT


def test_a_full_disk_is_said_and_the_download_goes_on_when_there_is_room(server, file, tmp_path, monkeypatch):
    true_open = Path.open

    def open_full(path: Path, mode: str = "r", *args: object, **kwargs: object):
        stream = true_open(path, mode, *args, **kwargs)
        return FullDisk(stream) if path.suffix == ".part" and mode in ("wb", "ab") else stream

    with monkeypatch.context() as patched:
        patched.setattr(Path, "open", open_full)
        with pytest.raises(DiskFullError, match=r"no room left.*DEEPMARKS_DATA"):
            fetch(file, tmp_path, pause=0)
    assert not (tmp_path / "data.bin").exists()
    assert fetch(file, tmp_path, pause=0).read_bytes() == CONTENT
    assert server.asked[-1] == f"bytes={FullDisk.ROOM}-"


class FullDisk:
    """A file on a disk with room for little."""

    ROOM = 1 << 18

    def __init__(self, stream) -> None:
        self.stream = stream
        self.left = self.ROOM

    def write(self, data: bytes) -> int:
        if len(data) > self.left:
            raise OSError(errno.ENOSPC, "No space left on device")
        self.left -= len(data)
        return self.stream.write(data)

    def flush(self) -> None:
        self.stream.flush()

    def __enter__(self):
        return self

    def __exit__(self, *error: object) -> None:
        self.stream.close()


def test_a_folder_that_cannot_be_made_is_named(file, tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(DataError, match=r"cannot be written.*DEEPMARKS_DATA"):
        fetch(file, tmp_path / "file" / "folder")


def test_two_processes_at_once_download_it_once(server, file, tmp_path):
    context = multiprocessing.get_context("spawn")
    workers = [context.Process(target=fetch, args=(file, tmp_path)) for _ in range(2)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(60)
    assert [worker.exitcode for worker in workers] == [0, 0]
    assert (tmp_path / "data.bin").read_bytes() == CONTENT
    assert len(server.asked) == 1
