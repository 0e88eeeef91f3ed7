"""Downloads against a real HTTP server on the loopback interface: broken, lying and changing ones."""

from __future__ import annotations

import hashlib
import json
import shutil
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from osbench.core.errors import CheckpointError
from osbench.generation import downloads
from osbench.generation.catalog import WeightFile
from osbench.generation.downloads import Downloader, cached_file, lock_file, read_lock, weights_folder

CONTENT = b"\x80" + bytes(range(1, 256)) * 12_000  # 3 MB
SHA256 = hashlib.sha256(CONTENT).hexdigest()


class Publisher(ThreadingHTTPServer):
    """Answers ``/name`` by ``answers[name]`` and remembers the requests."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.answers: dict[str, Callable[[_Handler], None]] = {}
        self.requests: list[tuple[str, str | None]] = []

    def url(self, name: str) -> str:
        return f"http://127.0.0.1:{self.server_port}/{name}"


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Publisher

    def do_GET(self) -> None:
        name = self.path.strip("/")
        self.server.requests.append((name, self.headers.get("Range")))
        self.server.answers.get(name, not_found)(self)
        self.close_connection = True

    def log_message(self, format: str, *args: object) -> None:
        pass

    def reply(self, status: int, body: bytes, length: int | None = None, **headers: str) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body) if length is None else length))
        for key, value in headers.items():
            self.send_header(key.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(body)


def not_found(request: _Handler) -> None:
    request.reply(404, b"<html>gone</html>", Content_Type="text/html")


def quota_page(request: _Handler) -> None:
    request.reply(200, b"<!DOCTYPE html><html>Quota exceeded</html>" + b" " * 10_000, Content_Type="text/html")


def disguised_page(request: _Handler) -> None:
    request.reply(200, b"\n <html>Sign in</html>", Content_Type="application/octet-stream")


def whole(content: bytes = CONTENT, etag: str = '"v1"') -> Callable[[_Handler], None]:
    """A proper server: ranges of the version that the client has."""

    def answer(request: _Handler) -> None:
        start = request.headers.get("Range", "").removeprefix("bytes=").rstrip("-")
        if start and int(start) >= len(content):
            request.reply(416, b"", Content_Range=f"bytes */{len(content)}")
        elif start and request.headers.get("If-Range") == etag:
            span = f"bytes {start}-{len(content) - 1}/{len(content)}"
            request.reply(206, content[int(start) :], Content_Range=span, ETag=etag)
        else:
            request.reply(200, content, ETag=etag)

    return answer


def broken_off(after: int, then: Callable[[_Handler], None]) -> Callable[[_Handler], None]:
    """The first answer ends early although it announced everything."""
    first = iter([True])

    def answer(request: _Handler) -> None:
        if next(first, False):
            request.reply(200, CONTENT[:after], length=len(CONTENT), ETag='"v1"')
        else:
            then(request)

    return answer


@pytest.fixture
def publisher(monkeypatch: pytest.MonkeyPatch) -> Iterator[Publisher]:
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    server = Publisher()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


pytestmark = pytest.mark.usefixtures("home")


@pytest.fixture
def downloader() -> Downloader:
    return Downloader(timeout=5, retry_seconds=0)


def weight_file(publisher: Publisher, *names: str, **changes: object) -> WeightFile:
    urls = tuple(publisher.url(name) for name in names)
    values = {"file": "lab/net.pkl", "container": "pickle", "megabytes": 3, "urls": urls, "sha256": None, **changes}
    return WeightFile(**values)  # type: ignore[arg-type]


def left_over(home: Path) -> list[str]:
    """Everything below the user's folder."""
    return sorted(path.relative_to(home).as_posix() for path in home.rglob("*")) if home.exists() else []


def test_first_download_is_remembered_and_done_once(publisher: Publisher, downloader: Downloader, home: Path) -> None:
    publisher.answers["a"] = whole()
    file = weight_file(publisher, "a")
    assert cached_file(file) is None
    path = downloader.fetch(file)
    assert path == cached_file(file) == weights_folder() / "lab/net.pkl"
    assert path.read_bytes() == CONTENT
    assert read_lock() == {"lab/net.pkl": {"sha256": SHA256, "bytes": len(CONTENT), "url": publisher.url("a")}}
    assert downloader.fetch(file) == path
    assert len(publisher.requests) == 1
    assert left_over(home) == [
        "cache",
        "cache/weights",
        "cache/weights/lab",
        "cache/weights/lab/net.pkl",
        lock_file().name,
    ]


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (not_found, "HTTP 404"),
        (quota_page, "a web page instead of the file"),
        (disguised_page, "a web page instead of the file"),
        (whole(b"PK" + CONTENT), "does not begin like a pickle"),
        (whole(b""), "does not begin like a pickle"),
        (whole(CONTENT[:500_000]), "500,000 bytes instead of about 3,000,000"),
        (whole(CONTENT * 5), "bytes instead of about"),
        (
            lambda r: r.reply(302, b"", Location="http://example.invalid/x"),
            "refused: http://example.invalid is not HTTPS",
        ),
        (lambda r: r.reply(302, b"", Location="file:///etc/passwd"), "file"),
        (lambda r: r.reply(500, b""), "HTTP 500"),
        (broken_off(1_000_000, not_found), "HTTP 404"),
    ],
    ids=["404", "quota", "login", "zip", "empty", "short", "long", "redirect", "file url", "500", "broken then gone"],
)
def test_a_bad_answer_leaves_nothing_and_the_next_address_is_tried(
    publisher: Publisher, downloader: Downloader, home: Path, answer: Callable[[_Handler], None], reason: str
) -> None:
    publisher.answers |= {"bad": answer, "good": whole()}
    with pytest.raises(CheckpointError) as caught:
        downloader.fetch(weight_file(publisher, "bad"))
    assert reason in str(caught.value)
    assert "\n" not in str(caught.value)
    assert cached_file(weight_file(publisher, "bad")) is None
    assert not lock_file().exists()
    names = [name for name in left_over(home) if not name.endswith((".part", ".part.json"))]
    assert [name for name in names if (home / name).is_file()] == []
    assert downloader.fetch(weight_file(publisher, "bad", "good")).read_bytes() == CONTENT


def test_a_bad_answer_leaves_no_folder(publisher: Publisher, downloader: Downloader, home: Path) -> None:
    publisher.answers["bad"] = quota_page
    with pytest.raises(CheckpointError):
        downloader.fetch(weight_file(publisher, "bad"))
    assert left_over(home) == []


@pytest.mark.parametrize("after", [1, 1_000_000, len(CONTENT) - 1])
def test_a_broken_download_is_continued(publisher: Publisher, downloader: Downloader, after: int) -> None:
    publisher.answers["a"] = broken_off(after, whole())
    assert downloader.fetch(weight_file(publisher, "a")).read_bytes() == CONTENT
    assert publisher.requests == [("a", None), ("a", f"bytes={after}-")]


@pytest.mark.parametrize("chunks", [0, 1, 2], ids=["early", "late", "after the last byte"])
def test_an_interrupted_download_never_looks_whole_and_is_continued_later(
    publisher: Publisher, downloader: Downloader, monkeypatch: pytest.MonkeyPatch, chunks: int
) -> None:
    publisher.answers["a"] = whole()
    file, original, left = weight_file(publisher, "a"), downloads._copy, iter(range(chunks))

    def interrupted(first: bytes, response: object, handle: object, bar: object) -> None:
        class Dying:
            def read(self, size: int) -> bytes:
                if next(left, None) is None:
                    raise KeyboardInterrupt
                return response.read(size)  # type: ignore[attr-defined]

        original(first, Dying(), handle, bar)  # type: ignore[arg-type]

    with monkeypatch.context() as patch:
        patch.setattr(downloads, "_copy", interrupted)
        with pytest.raises(KeyboardInterrupt):
            downloader.fetch(file)
    assert cached_file(file) is None
    (part,) = weights_folder().rglob("*.part")
    assert part.name.startswith(".")
    assert part.stat().st_size == min((chunks + 1) << 20, len(CONTENT))
    assert Downloader(timeout=5).fetch(file).read_bytes() == CONTENT
    assert publisher.requests == [("a", None), ("a", f"bytes={min((chunks + 1) << 20, len(CONTENT))}-")]
    assert not list(weights_folder().rglob("*.part*"))


@pytest.mark.parametrize("later", ["another version", "no ranges", "wrong place"])
def test_a_part_is_only_continued_by_the_very_same_file(
    publisher: Publisher, downloader: Downloader, later: str
) -> None:
    new = CONTENT[:1] + CONTENT[1:][::-1]
    answers = {
        "another version": whole(new, '"v2"'),
        "no ranges": lambda request: request.reply(200, new),
        "wrong place": _wrong_place(new),
    }
    publisher.answers["a"] = broken_off(1_000_000, answers[later])
    assert downloader.fetch(weight_file(publisher, "a")).read_bytes() == new


def _wrong_place(content: bytes) -> Callable[[_Handler], None]:
    def answer(request: _Handler) -> None:
        if request.headers.get("Range"):
            request.reply(206, content[7:], Content_Range=f"bytes 7-{len(content) - 1}/{len(content)}")
        else:
            request.reply(200, content)

    return answer


def test_without_a_length_only_a_chunked_answer_is_trusted(publisher: Publisher, downloader: Downloader) -> None:
    def no_length(request: _Handler) -> None:
        request.send_response(200)
        request.end_headers()
        request.wfile.write(CONTENT)

    def chunked(request: _Handler) -> None:
        request.send_response(200)
        request.send_header("Transfer-Encoding", "chunked")
        request.end_headers()
        request.wfile.write(f"{len(CONTENT):x}\r\n".encode() + CONTENT + b"\r\n0\r\n\r\n")

    publisher.answers |= {"none": no_length, "chunked": chunked}
    with pytest.raises(CheckpointError, match="does not say how long"):
        downloader.fetch(weight_file(publisher, "none"))
    assert downloader.fetch(weight_file(publisher, "chunked")).read_bytes() == CONTENT


def test_redirects_and_cookies_are_followed(publisher: Publisher, downloader: Downloader) -> None:
    def hop(request: _Handler) -> None:
        request.reply(302, b"", Location=publisher.url("end"), Set_Cookie="seen=yes; Path=/")

    def end(request: _Handler) -> None:
        (whole() if request.headers.get("Cookie") == "seen=yes" else quota_page)(request)

    publisher.answers |= {"start": hop, "end": end}
    assert downloader.fetch(weight_file(publisher, "start")).read_bytes() == CONTENT


def test_documented_hashes(publisher: Publisher, downloader: Downloader, home: Path) -> None:
    publisher.answers["a"] = whole()
    for wrong in ("0" * 64, "00000000"):
        with pytest.raises(CheckpointError, match=r"SHA-256 begins with .*, the documented one with 00000000"):
            downloader.fetch(weight_file(publisher, "a", sha256=wrong))
        assert not [name for name in left_over(home) if "net.pkl" in name]
    assert downloader.fetch(weight_file(publisher, "a", sha256=SHA256[:8])).is_file()


def test_a_file_that_changed_since_the_first_download_is_refused(publisher: Publisher, downloader: Downloader) -> None:
    publisher.answers["a"] = whole()
    file = weight_file(publisher, "a")
    downloader.fetch(file).unlink()
    publisher.answers["a"] = whole(CONTENT[:-1] + b"!", '"v2"')
    with pytest.raises(CheckpointError, match="differs from the first download's"):
        downloader.fetch(file)
    assert cached_file(file) is None
    assert read_lock()["lab/net.pkl"]["sha256"] == SHA256


@pytest.mark.parametrize("text", ["", "[1]", '{"a": 1}', '{"a": {}}'])
def test_a_damaged_lock_file_is_not_forgotten(publisher: Publisher, downloader: Downloader, text: str) -> None:
    publisher.answers["a"] = whole()
    lock_file().parent.mkdir(parents=True)
    lock_file().write_text(text)
    with pytest.raises(CheckpointError, match=r"weights\.lock\.json: damaged"):
        downloader.fetch(weight_file(publisher, "a"))
    assert lock_file().read_text() == text


def test_a_host_that_cannot_be_reached_is_asked_once(downloader: Downloader, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []
    original = downloader._opener.open

    def count(request: object, timeout: float) -> object:
        asked.append(request)
        return original(request, timeout=timeout)  # type: ignore[arg-type]

    monkeypatch.setattr(downloader._opener, "open", count)
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    for name in ("a", "b"):
        file = WeightFile(f"lab/{name}.pkl", "pickle", 3, urls=("http://127.0.0.1:9/x", "http://127.0.0.1:9/y"))
        with pytest.raises(CheckpointError, match=r"127\.0\.0\.1:9: cannot be reached"):
            downloader.fetch(file)
    assert len(asked) == 1


def test_plain_http_is_refused(downloader: Downloader) -> None:
    with pytest.raises(CheckpointError, match="not HTTPS"):
        downloader.fetch(WeightFile("lab/a.pkl", "pickle", 3, urls=("http://example.invalid/a.pkl",)))


def test_a_full_disk_is_seen_before_the_first_byte(
    publisher: Publisher, downloader: Downloader, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = shutil.disk_usage("/")._replace(free=1000)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)
    publisher.answers["a"] = whole()
    with pytest.raises(CheckpointError, match="needs 3 MB in"):
        downloader.fetch(weight_file(publisher, "a"))
    assert left_over(home) == []


def test_two_downloads_of_one_file_are_one(publisher: Publisher) -> None:
    publisher.answers["a"] = whole()
    file = weight_file(publisher, "a")
    threads = [threading.Thread(target=Downloader(timeout=5).fetch, args=(file,)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert cached_file(file) is not None
    assert len(publisher.requests) == 1


def test_the_note_of_a_part_is_data(publisher: Publisher, downloader: Downloader) -> None:
    """A tampered note cannot make half a file whole: the part is thrown away."""
    publisher.answers["a"] = whole()
    file = weight_file(publisher, "a")
    part = weights_folder() / "lab/.net.pkl.part"
    part.parent.mkdir(parents=True)
    for note in ("", "[]", '{"url": 3}', json.dumps({"url": publisher.url("b"), "validator": '"v1"'})):
        part.write_bytes(b"\x80rubbish")
        part.with_name(".net.pkl.part.json").write_text(note)
        path = downloader.fetch(file)
        assert path.read_bytes() == CONTENT
        path.unlink()
