"""Fetch published weight files, and let nothing into the cache that is not the whole, right file.

A file lies under its final name only after its length, first bytes, size and SHA-256 were checked. What a broken
connection left is a hidden ``.NAME.part`` with a note of where it came from; it is continued (HTTP Range), never used.
The first download of a file without a documented hash is trusted, and its hash kept in ``weights.lock.json``: a later
download must be the same file.
"""

from __future__ import annotations

import contextlib
import hashlib
import http.client
import http.cookiejar
import json
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from ..core.disk import shortage
from ..core.errors import CheckpointError
from ..core.hashing import file_sha256
from ..core.locking import exclusive
from ..core.progress import Bar, get_logger, progress_bar
from ..core.publish import publish, write_atomically
from ..core.user_folders import cache_folder, config_folder
from .catalog.published import MAGIC, WeightFile

TIMEOUT_SECONDS = 20.0
ATTEMPTS = 3
RETRY_SECONDS = 2.0
_CHUNK = 1 << 20
_SIZE_FACTOR = 4
"""Catalogued sizes are approximate; a file further off than this is another file."""


class DownloadError(CheckpointError):
    """One address did not give the file. ``retry``: whether asking again may help."""

    def __init__(self, message: str, retry: bool = False) -> None:
        super().__init__(message)
        self.retry = retry


def weights_folder() -> Path:
    """Where downloaded weight files lie."""
    return cache_folder() / "weights"


def lock_file() -> Path:
    """The hashes of first downloads, JSON: file -> {sha256, bytes, url}."""
    return config_folder() / "weights.lock.json"


def read_lock() -> dict[str, dict[str, Any]]:
    """Content of the lock file; CheckpointError if it is damaged, for it must not be forgotten in silence."""
    path = lock_file()
    if not path.exists():
        return {}
    try:
        lock = json.loads(path.read_text("utf-8"))
        if not all(isinstance(entry["sha256"], str) for entry in lock.values()):
            raise TypeError
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise CheckpointError(f"{path}: damaged. Mend it, or delete it to trust the next downloads anew.") from error
    return lock


def cached_file(file: WeightFile) -> Path | None:
    """The file if it was downloaded before."""
    path = weights_folder() / file.file
    return path if path.is_file() else None


class Downloader:
    """Downloads for one command: it remembers which hosts cannot be reached, so that no one waits for them again."""

    def __init__(self, timeout: float = TIMEOUT_SECONDS, retry_seconds: float = RETRY_SECONDS) -> None:
        self._timeout, self._retry_seconds = timeout, retry_seconds
        self._unreachable: dict[str, str] = {}
        # Some publishers' redirects only work with the cookie they set on the way.
        cookies = urllib.request.HTTPCookieProcessor(http.cookiejar.CookieJar())
        self._opener = urllib.request.build_opener(_SafeRedirects, cookies)

    def fetch(self, file: WeightFile) -> Path:
        """The cached file, downloaded if need be. CheckpointError saying what every address answered."""
        path = weights_folder() / file.file
        reasons = []
        with _locked(path):
            if path.is_file():
                return path
            for url in file.urls:
                try:
                    self._fetch_url(file, url, path)
                    for reason in reasons:
                        get_logger().info("%s: %s; another address had it.", file.file, reason)
                    return path
                except DownloadError as error:
                    reasons.append(f"{_host(url)}: {error}")
        raise CheckpointError("; ".join(dict.fromkeys(reasons)) or "has no address for a program")

    def check_reachable(self, url: str) -> None:
        """DownloadError if nobody answers at this address; any answer will do."""
        _check_address(url)
        try:
            self._opener.open(urllib.request.Request(url, method="HEAD"), timeout=self._timeout).close()
        except urllib.error.HTTPError:
            pass
        except (OSError, http.client.HTTPException) as error:
            raise DownloadError(f"cannot be reached ({_short(getattr(error, 'reason', error))})") from error

    def _fetch_url(self, file: WeightFile, url: str, path: Path) -> None:
        _check_address(url)
        host = _host(url)
        if host in self._unreachable:
            raise DownloadError(self._unreachable[host])
        part = _Part(path, url)
        for attempt in range(1, ATTEMPTS + 1):
            try:
                self._transfer(file, url, part)
                break
            except DownloadError as error:
                if not error.retry or attempt == ATTEMPTS:
                    raise
            time.sleep(self._retry_seconds * attempt)
        try:
            sha256 = _check_complete(file, part.path)
        except DownloadError:
            part.discard()  # a wrong file is no beginning of the right one
            raise
        _remember(file, sha256, part.path.stat().st_size, url)
        publish(part.path, path)
        part.discard()

    def _transfer(self, file: WeightFile, url: str, part: _Part) -> None:
        """Append to the part until the server says that it is whole."""
        headers = {"User-Agent": "osbench", "Referer": f"https://{_host(url)}/", "Accept-Encoding": "identity"}
        headers |= part.range_headers()
        try:
            with self._opener.open(urllib.request.Request(url, headers=headers), timeout=self._timeout) as response:
                _receive(file, response, part)
        except urllib.error.HTTPError as error:
            if error.code == 416:
                if error.headers.get("Content-Range") == f"bytes */{part.size}":
                    return  # all of it was here already
                part.discard()
            raise DownloadError(f"HTTP {error.code} {error.reason}", error.code in {416, 500, 502, 503, 504}) from error
        except urllib.error.URLError as error:
            reason = f"cannot be reached ({_short(error.reason)})"
            self._unreachable[_host(url)] = reason
            raise DownloadError(reason) from error
        except (TimeoutError, ConnectionError, http.client.HTTPException) as error:
            raise DownloadError(f"the connection broke ({_short(error)})", retry=True) from error


class _SafeRedirects(urllib.request.HTTPRedirectHandler):
    """Follows redirects to HTTPS only."""

    def redirect_request(self, req: Any, fp: Any, code: Any, msg: Any, headers: Any, newurl: str) -> Any:
        _check_address(newurl)
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def _check_address(url: str) -> None:
    parts = urllib.parse.urlsplit(url)
    if parts.scheme != "https" and not (parts.scheme == "http" and parts.hostname in {"127.0.0.1", "::1", "localhost"}):
        raise DownloadError(f"refused: {parts.scheme}://{parts.hostname} is not HTTPS")


class _Part:
    """What has arrived so far of one file, and from which version of which address."""

    def __init__(self, final: Path, url: str) -> None:
        self.path = final.with_name(f".{final.name}.part")
        self._note = final.with_name(f".{final.name}.part.json")
        self._url = url

    @property
    def size(self) -> int:
        return self.path.stat().st_size if self.path.exists() else 0

    def range_headers(self) -> dict[str, str]:
        """Ask for the rest, but only of the very same version; discards a part that cannot be continued."""
        try:
            note = json.loads(self._note.read_text("utf-8"))
            same = note["url"] == self._url and note["validator"]
        except (OSError, ValueError, KeyError, TypeError):
            same, note = False, {}
        if not same or not self.size:
            self.discard()
            return {}
        return {"Range": f"bytes={self.size}-", "If-Range": note["validator"]}

    def begin(self, validator: str | None) -> None:
        """Start from nothing; without a strong validator the part cannot be continued later."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self.path.write_bytes(b"")
        self._note.write_text(json.dumps({"url": self._url, "validator": validator}), "utf-8")

    def discard(self) -> None:
        for path in (self.path, self._note):
            path.unlink(missing_ok=True)


def _receive(file: WeightFile, response: Any, part: _Part) -> None:
    total = _total_bytes(response)
    if response.status == 206:
        if _range_start(response) != part.size:
            part.discard()
            raise DownloadError("the server continued at another place", retry=True)
    else:
        part.discard()
    first = response.read(_CHUNK)
    if part.size == 0:
        _check_beginning(file, first, response)
        if total is None and response.headers.get("Transfer-Encoding") != "chunked":
            raise DownloadError("the server does not say how long the file is, so a broken one would go unnoticed")
        _check_size(file, total)
        _check_disk(total)
        etag = response.headers.get("ETag", "")
        part.begin(etag if etag.startswith('"') else response.headers.get("Last-Modified"))
    with part.path.open("ab") as handle, progress_bar(file.name, total, "B") as bar:
        bar.update(part.size)
        _copy(first, response, handle, bar)
    if total is not None and part.size < total:
        raise DownloadError(f"the connection broke after {part.size:,} of {total:,} bytes", retry=True)
    if total is not None and part.size > total:
        part.discard()
        raise DownloadError("more bytes than announced", retry=True)


def _copy(first: bytes, response: Any, handle: IO[bytes], bar: Bar) -> None:
    chunk = first
    while chunk:
        handle.write(chunk)
        bar.update(len(chunk))
        chunk = response.read(_CHUNK)


def _total_bytes(response: Any) -> int | None:
    """Length of the whole file, None if the server does not say."""
    if response.status == 206:
        total = response.headers.get("Content-Range", "").rpartition("/")[2]
    else:
        total = response.headers.get("Content-Length", "")
    return int(total) if total.isdigit() else None


def _range_start(response: Any) -> int:
    start = response.headers.get("Content-Range", "").removeprefix("bytes ").partition("-")[0]
    return int(start) if start.isdigit() else -1


def _check_beginning(file: WeightFile, first: bytes, response: Any) -> None:
    if first.lstrip()[:1] == b"<" or "text/html" in response.headers.get("Content-Type", ""):
        raise DownloadError("a web page instead of the file (a quota, consent or login page?)")
    if not first.startswith(MAGIC[file.container]):
        raise DownloadError(f"does not begin like a {file.container} file")


def _check_size(file: WeightFile, size: int | None) -> None:
    expected = file.megabytes * 1e6
    if size is not None and not expected / _SIZE_FACTOR <= size <= expected * _SIZE_FACTOR:
        raise DownloadError(f"{size:,} bytes instead of about {expected:,.0f}")


def _check_disk(size: int | None) -> None:
    lacking = None if size is None else shortage(weights_folder(), size)
    if lacking:
        raise DownloadError(f"needs {lacking}")


def _check_complete(file: WeightFile, path: Path) -> str:
    """The SHA-256 of a whole file; DownloadError if it is not the one that is documented or was seen before."""
    _check_size(file, path.stat().st_size)
    found = file_sha256(path)
    if file.sha256 and not found.startswith(file.sha256):
        raise DownloadError(f"SHA-256 begins with {found[: len(file.sha256)]}, the documented one with {file.sha256}")
    before = read_lock().get(file.file)
    if before and before["sha256"] != found:
        raise DownloadError(f"SHA-256 {found} differs from the first download's, {before['sha256']} ({lock_file()})")
    return found


def _remember(file: WeightFile, sha256: str, size: int, url: str) -> None:
    lock = read_lock()
    if file.file not in lock:
        lock[file.file] = {"sha256": sha256, "bytes": size, "url": url}
        lock_file().parent.mkdir(parents=True, exist_ok=True)
        write_atomically(lock_file(), (json.dumps(dict(sorted(lock.items())), indent=2) + "\n").encode())


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """One download of a file at a time; a second process waits and then finds the file."""
    folder = cache_folder() / "locks"
    created = [p for p in (folder, *folder.parents) if not p.exists()]
    try:
        with exclusive(folder / hashlib.sha256(str(path).encode()).hexdigest()[:16]):
            yield
    finally:
        for empty in created:  # a download that brought nothing leaves nothing
            with contextlib.suppress(OSError):
                empty.rmdir()


def _host(url: str) -> str:
    return urllib.parse.urlsplit(url).netloc


def _short(reason: Any) -> str:
    return " ".join(str(getattr(reason, "strerror", None) or reason).split())[:120] or type(reason).__name__
