"""A hub in one file: what the huggingface_hub client reads of the Hub's answers, over a real socket, and no more.

It proves that the shipping client (its routes, uploads, pull requests, error mapping) and osbench work together over
HTTP. It does not prove anything about the real Hub's permissions, rate limits, merge conflicts or web pages.

Try it by hand::

    python tests/leaderboard/loopback_hub.py --port 8777
    HF_ENDPOINT=http://127.0.0.1:8777 HF_TOKEN=hf_loopback osbench submit RUN --to hf://datasets/osbench/submissions
"""

from __future__ import annotations

import argparse
import base64
import hashlib
import json
import re
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

TOKEN = "hf_loopback"
READ_TOKEN = "hf_loopback_read"
REPOSITORY = "osbench/submissions"
WHEN = "2025-01-01T00:00:00.000Z"
REPO = r"(?P<repo>[\w.-]+/[\w.-]+)"


class HubError(Exception):
    """An answer that is an error: status, and the code that the client's exceptions follow."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status, self.code = status, code


@dataclass
class Trouble:
    """Requests whose path holds ``path`` fail with ``status``, so many times; ``after``: only their answer is lost."""

    path: str
    status: int
    times: int
    headers: dict[str, str] = field(default_factory=dict)
    after: bool = False


@dataclass
class Repository:
    """Revision name -> path -> content; pull requests live in ``refs/pr/N``."""

    revisions: dict[str, dict[str, bytes]] = field(default_factory=lambda: {"main": {}})
    discussions: list[dict[str, Any]] = field(default_factory=list)
    lfs_paths: set[str] = field(default_factory=set)

    def files(self, revision: str) -> dict[str, bytes]:
        for name, files in self.revisions.items():
            if revision in (name, commit_id(files)):
                return files
        raise HubError(404, "RevisionNotFound", f"no revision {revision}")


def commit_id(files: dict[str, bytes]) -> str:
    """40 hex digits that name a state of a repository."""
    state = sorted((path, hashlib.sha1(data).hexdigest()) for path, data in files.items())
    return hashlib.sha1(json.dumps(state).encode()).hexdigest()


def git_id(data: bytes) -> str:
    return hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()


class LoopbackHub(ThreadingHTTPServer):
    """The server; ``with LoopbackHub() as hub:`` serves ``hub.url`` until the block ends.

    Attributes
    ----------
    requests: "METHOD path" of everything that was asked. unknown: those that no route knows. trouble: what fails.
    """

    daemon_threads = True

    def __init__(self, port: int = 0, repositories: tuple[str, ...] = (REPOSITORY,)) -> None:
        super().__init__(("127.0.0.1", port), Handler)
        self.url = f"http://127.0.0.1:{self.server_address[1]}"
        self.repositories = {name: Repository() for name in repositories}
        self.lfs: dict[str, bytes] = {}
        self.requests: list[str] = []
        self.unknown: list[str] = []
        self.trouble: list[Trouble] = []
        self.lock = threading.Lock()

    def __enter__(self) -> LoopbackHub:
        threading.Thread(target=self.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(self, *error: object) -> None:
        self.shutdown()
        self.server_close()

    def repository(self, name: str) -> Repository:
        if name not in self.repositories:
            raise HubError(404, "RepoNotFound", "Repository not found")
        return self.repositories[name]


Route = tuple[str, re.Pattern[str], Callable[..., Any]]
ROUTES: list[Route] = []


def route(method: str, pattern: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    def register(function: Callable[..., Any]) -> Callable[..., Any]:
        ROUTES.append((method, re.compile(pattern + r"\Z"), function))
        return function

    return register


class Handler(BaseHTTPRequestHandler):
    """Finds the route, checks the token, answers JSON (or bytes) and the error headers that the client reads."""

    protocol_version = "HTTP/1.1"
    server: LoopbackHub

    def log_message(self, format: str, *args: Any) -> None:
        pass

    def token(self) -> str:
        return self.headers.get("Authorization", "").removeprefix("Bearer ")

    def need_write(self) -> None:
        if self.token() == READ_TOKEN:
            raise HubError(403, "Forbidden", "this token can only read")

    def answer(self) -> None:
        address = urlsplit(self.path)
        self.query = {key: values[0] for key, values in parse_qs(address.query).items()}
        self.body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.server.requests.append(f"{self.command} {address.path}")
        try:
            # An upload address is secret enough and comes without a token, as on the Hub.
            if self.token() not in (TOKEN, READ_TOKEN) and not address.path.startswith("/lfs/"):
                raise HubError(401, "Unauthorized", "Invalid credentials in Authorization header")
            with self.server.lock:
                trouble = next((t for t in self.server.trouble if t.times and t.path in address.path), None)
                if trouble is None or trouble.after:
                    found = self.dispatch(address.path)
                if trouble is not None:
                    trouble.times -= 1
                    self.reply(trouble.status, {"error": "trouble"}, trouble.headers)
                else:
                    self.reply(200, found)
        except HubError as refusal:
            headers = {"X-Error-Code": refusal.code, "X-Error-Message": str(refusal)}
            self.reply(refusal.status, {"error": str(refusal)}, headers)

    do_GET = do_POST = do_PUT = do_HEAD = answer  # noqa: N815

    def dispatch(self, path: str) -> Any:
        for method, pattern, function in ROUTES:
            match = pattern.match(path)
            if match and self.command in method.split():
                return function(self, **{key: unquote(value) for key, value in match.groupdict().items()})
        self.server.unknown.append(f"{self.command} {path}")
        raise HubError(404, "RouteNotFound", f"this hub has no route {path}")

    def reply(self, status: int, content: Any, headers: dict[str, str] | None = None) -> None:
        data, extra = content if isinstance(content, tuple) else (json.dumps(content).encode(), {})
        self.send_response(status)
        for name, value in {**(headers or {}), **extra, "Content-Length": str(len(data))}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":  # a body here would put the next answer out of step
            self.wfile.write(data)


@route("GET", r"/api/whoami-v2")
def whoami(handler: Handler) -> Any:
    role = "write" if handler.token() == TOKEN else "read"
    return {"name": "visitor", "type": "user", "auth": {"type": "access_token", "accessToken": {"role": role}}}


@route("POST", r"/api/repos/create")
def create_repository(handler: Handler) -> Any:
    handler.need_write()
    wish = json.loads(handler.body)
    name = f"{wish.get('organization') or 'visitor'}/{wish['name']}"
    if name in handler.server.repositories:
        raise HubError(409, "RepoExists", f"{name} exists")
    handler.server.repositories[name] = Repository()
    return {"url": f"{handler.server.url}/datasets/{name}"}


@route("POST", r"/api/validate-yaml")
def validate_yaml(handler: Handler) -> Any:
    return {"errors": [], "warnings": []}


@route("POST", rf"/api/datasets/{REPO}/preupload/(?P<revision>[^/]+)")
def preupload(handler: Handler, repo: str, revision: str) -> Any:
    handler.need_write()
    repository = handler.server.repository(repo)
    held = repository.files(revision)
    answers = []
    for file in json.loads(handler.body)["files"]:
        path, mode = file["path"], "lfs" if file["path"].endswith(".parquet") else "regular"
        answer = {"path": path, "uploadMode": mode, "shouldIgnore": False}
        if path in held:
            data = held[path]
            answer["oid"] = hashlib.sha256(data).hexdigest() if mode == "lfs" else git_id(data)
        answers.append(answer)
    return {"files": answers}


@route("POST", rf"/datasets/{REPO}\.git/info/lfs/objects/batch")
def lfs_batch(handler: Handler, repo: str) -> Any:
    handler.server.repository(repo)
    objects = []
    for wanted in json.loads(handler.body)["objects"]:
        answer = {"oid": wanted["oid"], "size": wanted["size"]}
        if wanted["oid"] not in handler.server.lfs:
            base = f"{handler.server.url}/lfs"
            answer["actions"] = {
                "upload": {"href": f"{base}/{wanted['oid']}", "header": {}},
                "verify": {"href": f"{base}/verify", "header": {}},
            }
        objects.append(answer)
    return {"transfer": "basic", "objects": objects}


@route("PUT", r"/lfs/(?P<oid>[0-9a-f]{64})")
def lfs_upload(handler: Handler, oid: str) -> Any:
    if hashlib.sha256(handler.body).hexdigest() != oid:
        raise HubError(400, "BadDigest", "the content is not what its name says")
    handler.server.lfs[oid] = handler.body
    return {}


@route("POST", r"/lfs/verify")
def lfs_verify(handler: Handler) -> Any:
    wanted = json.loads(handler.body)
    if len(handler.server.lfs.get(wanted["oid"], b"")) != wanted["size"]:
        raise HubError(404, "ObjectNotFound", "not uploaded")
    return {}


@route("POST", rf"/api/datasets/{REPO}/commit/(?P<revision>[^/]+)")
def commit(handler: Handler, repo: str, revision: str) -> Any:
    handler.need_write()
    repository, server = handler.server.repository(repo), handler.server
    lines = [json.loads(line) for line in handler.body.splitlines() if line]
    header = next(line["value"] for line in lines if line["key"] == "header")
    base = repository.files(revision)
    parent = header.get("parentCommit")
    is_pull_request = handler.query.get("create_pr") == "1"
    if parent and parent != commit_id(base) and not is_pull_request:
        raise HubError(412, "PreconditionFailed", "the branch has moved")
    files = dict(base)
    for line in lines:
        value = line["value"]
        if line["key"] == "file":
            files[value["path"]] = base64.b64decode(value["content"])
        elif line["key"] == "lfsFile":
            if value["oid"] not in server.lfs:
                raise HubError(400, "ObjectNotFound", f"{value['path']} was never uploaded")
            files[value["path"]] = server.lfs[value["oid"]]
            repository.lfs_paths.add(value["path"])
        elif line["key"] == "deletedFile":
            files.pop(value["path"], None)
    url = None
    if is_pull_request:
        number = len(repository.discussions) + 1
        repository.revisions[f"refs/pr/{number}"] = files
        repository.discussions.append(discussion(repo, number, header["summary"]))
        url = f"{server.url}/datasets/{repo}/discussions/{number}"
    else:
        repository.revisions[revision] = files
    oid = commit_id(files)
    return {"commitUrl": f"{server.url}/datasets/{repo}/commit/{oid}", "commitOid": oid, "pullRequestUrl": url}


def discussion(repo: str, number: int, title: str) -> dict[str, Any]:
    return {
        "num": number,
        "title": title,
        "status": "open",
        "isPullRequest": True,
        "author": {"name": "visitor"},
        "createdAt": WHEN,
        "repo": {"name": repo, "type": "dataset"},
        "changes": {"base": "refs/heads/main"},
        "filesWithConflicts": [],
        "events": [],
    }


@route("GET", rf"/api/datasets/{REPO}/discussions")
def discussions(handler: Handler, repo: str) -> Any:
    wanted = handler.query.get("status", "all")
    found = [d for d in handler.server.repository(repo).discussions if wanted in ("all", d["status"])]
    start = int(handler.query.get("p", 0)) * 10
    return {"discussions": found[start : start + 10], "count": len(found), "start": start}


def find_discussion(handler: Handler, repo: str, number: str) -> dict[str, Any]:
    for found in handler.server.repository(repo).discussions:
        if found["num"] == int(number):
            return found
    raise HubError(404, "DiscussionNotFound", f"no discussion {number}")


@route("GET", rf"/api/datasets/{REPO}/discussions/(?P<number>\d+)")
def one_discussion(handler: Handler, repo: str, number: str) -> Any:
    return find_discussion(handler, repo, number)


@route("POST", rf"/api/datasets/{REPO}/discussions/(?P<number>\d+)/(?P<deed>merge|status)")
def change_discussion(handler: Handler, repo: str, number: str, deed: str) -> Any:
    handler.need_write()
    found, repository = find_discussion(handler, repo, number), handler.server.repository(repo)
    status = "merged" if deed == "merge" else json.loads(handler.body)["status"]
    found["status"] = status
    if status == "merged":
        repository.revisions["main"] = repository.revisions["main"] | repository.revisions[f"refs/pr/{number}"]
    event = {"id": "1", "type": "status-change", "createdAt": WHEN, "author": {"name": "visitor"}}
    return {"newStatus": event | {"data": {"status": status}}}


def entry(repository: Repository, path: str, data: bytes) -> dict[str, Any]:
    described: dict[str, Any] = {"type": "file", "path": path, "size": len(data), "oid": git_id(data)}
    if path in repository.lfs_paths:
        oid = hashlib.sha256(data).hexdigest()
        described["lfs"] = {"oid": oid, "size": len(data), "pointerSize": 130}
    return described


@route("POST", rf"/api/datasets/{REPO}/paths-info/(?P<revision>[^/]+)")
def paths_info(handler: Handler, repo: str, revision: str) -> Any:
    repository = handler.server.repository(repo)
    files = repository.files(revision)
    wanted = parse_qs(handler.body.decode()).get("paths", [])
    return [entry(repository, path, files[path]) for path in wanted if path in files]


@route("GET", rf"/api/datasets/{REPO}/tree/(?P<revision>[^/]+)")
def tree(handler: Handler, repo: str, revision: str) -> Any:
    repository = handler.server.repository(repo)
    return [entry(repository, path, data) for path, data in sorted(repository.files(revision).items())]


@route("GET", rf"/api/datasets/{REPO}(/revision/(?P<revision>[^/]+))?")
def information(handler: Handler, repo: str, revision: str | None = None) -> Any:
    files = handler.server.repository(repo).files(revision or "main")
    siblings = [{"rfilename": path} for path in sorted(files)]
    return {"id": repo, "sha": commit_id(files), "siblings": siblings, "private": False, "tags": [], "downloads": 0}


@route("GET", rf"/api/datasets/{REPO}/refs")
def refs(handler: Handler, repo: str) -> Any:
    repository = handler.server.repository(repo)
    branch = {"name": "main", "ref": "refs/heads/main", "targetCommit": commit_id(repository.files("main"))}
    return {"branches": [branch], "converts": [], "tags": []}


@route("GET HEAD", rf"/datasets/{REPO}/resolve/(?P<revision>[^/]+)/(?P<path>.+)")
def resolve(handler: Handler, repo: str, revision: str, path: str) -> Any:
    files = handler.server.repository(repo).files(revision)
    if path not in files:
        raise HubError(404, "EntryNotFound", f"no file {path}")
    data = files[path]
    return data, {"X-Repo-Commit": commit_id(files), "ETag": f'"{git_id(data)}"', "X-Linked-Size": str(len(data))}


def main() -> None:
    parser = argparse.ArgumentParser(description="A small local hub to submit to.")
    parser.add_argument("--port", type=int, default=8777)
    parser.add_argument("--repo", default=REPOSITORY, help="dataset repository that exists (default: %(default)s)")
    arguments = parser.parse_args()
    with LoopbackHub(arguments.port, (arguments.repo,)) as hub:
        print(
            f"HF_ENDPOINT={hub.url} HF_TOKEN={TOKEN} osbench submit RUN --to hf://datasets/{arguments.repo}", flush=True
        )
        print("Ctrl-C ends the hub.", flush=True)
        try:
            threading.Event().wait()
        except KeyboardInterrupt:
            print("pull requests:", *(d["title"] for r in hub.repositories.values() for d in r.discussions), sep="\n  ")


if __name__ == "__main__":
    main()
