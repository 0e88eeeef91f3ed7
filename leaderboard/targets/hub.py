"""A dataset repository on the Hugging Face Hub, or on a server with the same API, as a target.

One submission is one pull request, made by one ``create_commit``; maintainers merge it. (``upload_folder`` would open a
new draft at every retry.) The endpoint and the token come from the environment: ``HF_ENDPOINT``, ``HF_TOKEN``, or the
token that ``hf auth login`` stored.
"""

from __future__ import annotations

import contextlib
import importlib
import io
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import PurePosixPath

import huggingface_hub
from huggingface_hub import CommitOperationAdd, HfApi
from huggingface_hub.errors import (
    HfHubHTTPError,
    HFValidationError,
    OfflineModeIsEnabled,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)
from huggingface_hub.utils import get_session
from huggingface_hub.utils import logging as hub_logging

from ...core.errors import RunError
from ...core.progress import get_logger
from ...core.text import printable
from ..submission import Submission
from .receipt import ALREADY_SUBMITTED, SUBMITTED, Receipt

#: How much of the digest stands in the title of a pull request: enough to find it again.
_TITLE_DIGITS = 16

#: After so long without an answer a request is given up, and repeated after a pause.
SILENCE_S = 30.0

#: Pauses between the attempts; where a hub asks for a longer one, the user repeats the command later.
PAUSES_S = (1.0, 3.0, 9.0)
_LONGEST_PAUSE_S = 30.0

_TRY_AGAIN = (408, 425, 429, 500, 502, 503, 504)


class HubTarget:
    """Submissions as pull requests on the dataset repository ``repo_id`` (``ORG/NAME``)."""

    def __init__(self, repo_id: str, api: HfApi) -> None:
        self.repo_id = repo_id
        self.api = api

    @classmethod
    def from_environment(cls, repo_id: str) -> HubTarget:
        """The repository at ``HF_ENDPOINT`` with the user's token; RunError if there is no token."""
        token = huggingface_hub.get_token()
        if not token:
            raise RunError("no token for the hub: set HF_TOKEN or run `hf auth login`.")
        return cls(repo_id, HfApi(endpoint=os.environ.get("HF_ENDPOINT") or None, token=token))

    def submit(self, submission: Submission) -> Receipt:
        """Open one pull request, unless the same files are on main or in an open one.

        A hub that fails or keeps silent is asked again, a few times and ever more slowly. Each attempt looks first, so
        that an answer that was lost on its way opens no second pull request. Of two that were opened at the same time
        the first stays and the other is closed.
        """
        with _one_line_errors(self.repo_id, self.api.endpoint), _time_limit():
            opened = False
            for pause in (*PAUSES_S, None):
                try:
                    found = self._find(submission)
                    if found is not None:
                        return Receipt(SUBMITTED if opened else ALREADY_SUBMITTED, found)
                    opened = True
                    return self._open(submission)
                except (HfHubHTTPError, _transport_error()) as error:
                    wait = _pause_before_next(error, pause)
                    if wait is None:
                        raise
                    get_logger().info(
                        "the hub does not answer well (%s); once more in %.0f s", _first_line(error), wait
                    )
                    time.sleep(wait)
        raise AssertionError("the last attempt returns or raises")

    def _find(self, submission: Submission) -> str | None:
        """Where these files are already: on main or in an open pull request; None if nowhere."""
        if self._holds(submission, "main"):
            return self._page(submission)
        waiting = self._open_pull_requests(submission)
        return waiting[min(waiting)] if waiting else None

    def _open(self, submission: Submission) -> Receipt:
        commit = self.api.create_commit(
            self.repo_id,
            _additions(submission),
            commit_message=f"Submit {submission.title} [{submission.digest[:_TITLE_DIGITS]}]",
            commit_description=f"`{submission.path}`, made by `osbench submit`.",
            repo_type="dataset",
            create_pr=True,
        )
        # Without an address nothing was committed: the files came to main between the look and the commit.
        if commit.pr_url is None or commit.pr_num is None:
            return Receipt(ALREADY_SUBMITTED, self._page(submission))
        earlier = {n: url for n, url in self._open_pull_requests(submission).items() if n < commit.pr_num}
        if not earlier:
            return Receipt(SUBMITTED, commit.pr_url)
        first = earlier[min(earlier)]
        # Without the right to close it, two of one content stay open; merging both is harmless.
        with contextlib.suppress(HfHubHTTPError):
            self.api.change_discussion_status(
                self.repo_id, commit.pr_num, "closed", comment=f"The same as {first}.", repo_type="dataset"
            )
        return Receipt(ALREADY_SUBMITTED, first)

    def _holds(self, submission: Submission, revision: str) -> bool:
        """Whether all files of the submission are in the repository at a revision."""
        paths = [f"{submission.path}/{name}" for name in submission.files]
        found = self.api.get_paths_info(self.repo_id, paths, revision=revision, repo_type="dataset")
        return {str(PurePosixPath(info.path)) for info in found} >= set(paths)

    def _open_pull_requests(self, submission: Submission) -> dict[int, str]:
        """Numbers and addresses of the open pull requests with these files."""
        mark = f"[{submission.digest[:_TITLE_DIGITS]}]"
        found = {}
        for discussion in self.api.get_repo_discussions(
            self.repo_id, repo_type="dataset", discussion_type="pull_request", discussion_status="open"
        ):
            is_candidate = discussion.is_pull_request and discussion.status in ("open", "draft")
            if is_candidate and mark in discussion.title and self._pull_request_holds(submission, discussion.num):
                found[discussion.num] = discussion.url
        return found

    def _pull_request_holds(self, submission: Submission, number: int) -> bool:
        try:
            return self._holds(submission, f"refs/pr/{number}")
        except RevisionNotFoundError:
            return False

    def _page(self, submission: Submission) -> str:
        return f"{self.api.endpoint}/datasets/{self.repo_id}/tree/main/{submission.path}"


def _additions(submission: Submission) -> list[CommitOperationAdd]:
    # As a stream rather than bytes: the client then uploads over plain HTTP, which every hub understands, and not
    # through Xet, whose chunk store gains nothing for a file that is never changed.
    return [
        CommitOperationAdd(f"{submission.path}/{name}", io.BytesIO(data)) for name, data in submission.files.items()
    ]


def _transport_error() -> type[Exception]:
    """The base class of network failures: of httpx, or of its successor, whichever huggingface_hub was built on."""
    library = importlib.import_module(type(get_session()).__module__.partition(".")[0])
    return library.HTTPError


@contextmanager
def _time_limit() -> Iterator[None]:
    """The client, which all of a process shares, waits for ever by itself."""
    session = get_session()
    before = session.timeout
    session.timeout = SILENCE_S
    try:
        yield
    finally:
        session.timeout = before


def _pause_before_next(error: Exception, pause: float | None) -> float | None:
    """Seconds to wait before another attempt; None if none would help, or if this was the last."""
    if pause is None:
        return None
    if not isinstance(error, HfHubHTTPError):
        return pause
    if error.response.status_code not in _TRY_AGAIN:
        return None
    try:
        asked = float(error.response.headers.get("Retry-After", 0))
    except ValueError:
        asked = 0.0
    return max(pause, asked) if asked <= _LONGEST_PAUSE_S else None


@contextmanager
def _one_line_errors(repo_id: str, endpoint: str) -> Iterator[None]:
    where = f"dataset repository {repo_id} on {endpoint}"
    verbosity = hub_logging.get_verbosity()
    hub_logging.set_verbosity_error()
    try:
        yield
    except HFValidationError as error:
        raise RunError(f"'{repo_id}' is no repository name: {_first_line(error)}") from error
    except OfflineModeIsEnabled as error:
        raise RunError(f"{where}: the hub client is offline; unset HF_HUB_OFFLINE.") from error
    except HfHubHTTPError as error:
        raise RunError(f"{where}: {_refusal(error)}") from error
    except (OSError, ValueError, RuntimeError, _transport_error()) as error:
        # Uploads wrap the network failure once more; the innermost one says what happened.
        cause = error.__cause__ or error
        raise RunError(
            f"{where} cannot be reached ({_first_line(cause)}): check the network and HF_ENDPOINT, or try again later; "
            "the same command goes on where this one stopped."
        ) from error
    finally:
        hub_logging.set_verbosity(verbosity)


def _refusal(error: HfHubHTTPError) -> str:
    status = error.response.status_code
    if status == 401:
        return "the token is not valid, or the repository does not exist: check HF_TOKEN and the name."
    if isinstance(error, RepositoryNotFoundError):
        return "there is none of that name, or the token may not see it."
    if status == 403:
        return "the token may not open pull requests here; use one with write permission."
    if status == 429:
        return "too many requests; try again later: the same command goes on where this one stopped."
    if status in _TRY_AGAIN:
        return f"it fails with status {status}; try again later: the same command goes on where this one stopped."
    return f"refused with status {status}: {_first_line(error)}"


def _first_line(error: BaseException) -> str:
    lines = str(error).strip().splitlines()
    return printable(lines[0]) if lines else type(error).__name__
