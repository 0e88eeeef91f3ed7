"""Pages without scripts, and what those who run a server ask."""

from __future__ import annotations

import re
import socket
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path

import pytest
import requests

from osbench.benchmark.manifest import Manifest
from osbench.core.publish import write_atomically

from ..synthetic_runs import Drawn
from .served import Server, archive


class _Page(HTMLParser):
    """Elements by tag, and whether any of them would run or fetch something."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.tags if name == tag]


@pytest.fixture(scope="module")
def token(server: Server) -> str:
    return server.token("alpha")


@pytest.mark.parametrize("path", ["/", "/submit", "/mine", "/nowhere", "/submissions/" + "0" * 64])
def test_a_page_is_whole_and_runs_nothing_of_others(server: Server, path: str) -> None:
    answer = server.get(path)
    assert answer.status_code == (200 if path in ("/", "/submit", "/mine") else 404)
    policy = answer.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    page = _Page(answer.text)
    assert page.all("html")[0]["lang"] == "en"
    assert len(page.all("h1")) == len(page.all("main")) == len(page.all("title")) == 1
    labels = {item["for"] for item in page.all("label")}
    fields = [item for item in page.all("input") + page.all("select") if item.get("type") != "hidden"]
    assert {item["id"] for item in fields} <= labels
    assert not any(name.startswith("on") or name == "style" for _, attributes in page.tags for name in attributes)
    for item in page.all("link") + page.all("script"):
        address = item.get("href") or item.get("src")
        assert address is not None
        assert server.get(address).status_code == 200


def test_the_form_submits_without_scripts(server: Server, token: str, manifest: Manifest, tmp_path: Path) -> None:
    digest, data = archive(tmp_path, manifest)

    def send(text: str, content: bytes) -> requests.Response:
        files = {"archive": ("runs.zip", content)}
        return requests.post(f"{server.address}/submit", data={"token": text}, files=files, timeout=60)

    wrong = send("nonsense", data)
    assert wrong.status_code == 401
    assert "this token is not known here" in wrong.text
    bad = send(token, b"no archive")
    assert bad.status_code == 422
    assert "is not a ZIP file" in bad.text
    done = send(token, data)
    assert done.url == f"{server.address}/submissions/{digest}"
    assert [answer.status_code for answer in done.history] == [303]
    server.verified(digest)
    assert "on the board" in server.get(f"/submissions/{digest}").text
    mine = requests.post(f"{server.address}/mine", data={"token": token}, timeout=30)
    assert f"/submissions/{digest}" in mine.text
    assert token not in mine.text
    assert requests.post(f"{server.address}/mine", data={"token": "x"}, timeout=30).status_code == 401
    server.board(digest)
    front = _Page(server.get("/?rule=native").text)
    assert f"/submissions/{digest}" in [item["href"] for item in front.all("a")]
    assert f"/submissions/{digest}" not in server.get("/?rule=never").text


def test_names_of_strangers_are_text(server: Server, token: str, manifest: Manifest, tmp_path: Path) -> None:
    for team in ("<script>alert(1)</script>", "a\nb", "", "x" * 65, "../.."):
        done = requests.get(f"{server.address}/", timeout=30)
        assert done.status_code == 200
        with pytest.raises(AssertionError, match="write at most 64"):
            server.token(team)
    for path in ("/?rule=<script>alert(1)</script>", "/?manifest=<b>", "/<script>alert(1)</script>"):
        assert "<script>alert" not in server.get(path).text


def test_health_and_numbers(server: Server, token: str, manifest: Manifest, tmp_path: Path) -> None:
    assert server.get("/healthz").json() == {"status": "ok", "database": True, "queue": True}
    digest, data = archive(tmp_path, manifest, Drawn("repmix", 0.5, {"msp": 1.0}))
    server.upload(data, token)
    server.verified(digest)
    text = server.get("/metrics").text
    assert re.search(r'osbench_submissions\{status="accepted"\} [1-9]', text)
    assert re.search(r'osbench_uploads_total\{result="submitted"\} [1-9]', text)
    assert re.search(r'osbench_requests_total\{method="POST",route="/api/v1/submissions",status="202"\} [1-9]', text)


def test_the_interface_is_described(server: Server) -> None:
    document = server.get("/openapi.json").json()
    assert document["openapi"].startswith("3.")
    paths = document["paths"]
    assert set(paths) == {
        "/api/v1/submissions",
        "/api/v1/submissions/{digest}",
        "/api/v1/leaderboard",
        "/healthz",
        "/metrics",
    }
    post = paths["/api/v1/submissions"]["post"]
    assert "multipart/form-data" in post["requestBody"]["content"]
    assert {"200", "202", "4XX", "5XX"} <= set(post["responses"])
    assert post["security"] == [{"token": []}]
    assert document["components"]["securitySchemes"]["token"] == {"type": "http", "scheme": "bearer"}


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/api/v1/submissions", 401),
        ("GET", "/api/v1/submissions/x", 404),
        ("GET", "/api/v1/submissions/%2e%2e%2f%2e%2e%2fetc%2fpasswd", 404),
        ("GET", "/api/v1/leaderboard?manifest=nothing", 404),
        ("GET", "/static/..%2f..%2fboard.db", 404),
        ("GET", "/manifests", 404),
        ("DELETE", "/api/v1/submissions", 405),
        ("POST", "/healthz", 405),
    ],
)
def test_nothing_else_is_served(server: Server, method: str, path: str, status: int) -> None:
    answer = requests.request(method, f"{server.address}{path}", timeout=30)
    assert answer.status_code == status
    if path.startswith(("/api", "/healthz")):
        assert set(answer.json()["error"]) == {"code", "message", "remedy"}


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (b"", "multipart/form-data; boundary=x"),
        (b"nonsense", "multipart/form-data; boundary=x"),
        (b"nonsense", "multipart/form-data"),
        (
            b'--x\r\nContent-Disposition: form-data; name="archive"\r\n\r\ntext\r\n--x--\r\n',
            "multipart/form-data; boundary=x",
        ),
        (b'--x\r\nContent-Disposition: form-data; name="' + b"a" * 10_000, "multipart/form-data; boundary=x"),
        (b"archive=1", "application/x-www-form-urlencoded"),
        (b"{}", "application/json"),
    ],
)
def test_a_body_that_is_no_form_is_4xx(server: Server, token: str, body: bytes, kind: str) -> None:
    headers = {"Authorization": f"Bearer {token}", "Content-Type": kind}
    before = server.files()
    answer = requests.post(f"{server.address}/api/v1/submissions", data=body, headers=headers, timeout=30)
    assert 400 <= answer.status_code < 500, answer.text
    assert answer.json()["error"]["remedy"]
    assert server.files() == before


def test_who_sends_nothing_is_answered_and_let_go(serve: Callable[..., Server]) -> None:
    server = serve("--silence", "1")
    token = server.token("alpha")
    head = (
        f"POST /api/v1/submissions HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\n"
        "Content-Type: multipart/form-data; boundary=b\r\nContent-Length: 1000\r\n\r\n"
    )
    for text, answered in ((head + "--b\r\n", True), ("GET / HTTP/1.1\r\nHost:", False), ("", False)):
        with socket.create_connection(("127.0.0.1", server.port), 10) as slow:
            slow.settimeout(90)
            slow.sendall(text.encode())
            data = b""
            while piece := slow.recv(65536):
                data += piece
            assert (b" 408 " in data.split(b"\r\n")[0]) == answered, (text, data)
    assert server.get("/healthz").status_code == 200


def test_a_disk_that_cannot_be_written_is_a_5xx(
    serve: Callable[..., Server], manifest: Manifest, tmp_path: Path
) -> None:
    server = serve()
    token = server.token("alpha")
    _, data = archive(tmp_path, manifest)
    (server.folder / "uploads").rmdir()
    write_atomically(server.folder / "uploads", b"in the way")
    answer = server.upload(data, token)
    assert (answer.status_code, answer.json()["error"]["code"]) == (507, "disk")
    (server.folder / "uploads").unlink()
    (server.folder / "uploads").mkdir()
    assert server.upload(data, token).status_code == 202
