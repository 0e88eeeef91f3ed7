"""A dataset repository on the Hugging Face Hub, or on a server that speaks its language, as a target.

One submission is one pull request, made by one ``create_commit``; maintainers merge it. (``upload_folder`` would open a
new draft at every retry.) The endpoint and the token come from the environment: ``HF_ENDPOINT``, ``HF_TOKEN``, or the
token that ``hf auth login`` stored.
"""

from __future__ import annotations

import importlib
import io
import os
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
from .submission import ALREADY_SUBMITTED, SUBMITTED, Receipt, Submission

#: How much of the digest stands in the title of a pull request: enough to find it again.
_TITLE_DIGITS = 16


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
        """Open one pull request, unless the same files are on main or in an open one."""
        with _one_line_errors(self.repo_id, self.api.endpoint):
            if self._holds(submission, "main"):
                return Receipt(ALREADY_SUBMITTED, self._page(submission))
            waiting = self._open_pull_request(submission)
            if waiting:
                return Receipt(ALREADY_SUBMITTED, waiting)
            commit = self.api.create_commit(
                self.repo_id,
                _additions(submission),
                commit_message=f"Submit {submission.title} [{submission.digest[:_TITLE_DIGITS]}]",
                commit_description=f"`{submission.path}`, made by `osbench submit`.",
                repo_type="dataset",
                create_pr=True,
            )
            # Without an address nothing was committed: the files came to main between the check and the commit.
            if commit.pr_url is None:
                return Receipt(ALREADY_SUBMITTED, self._page(submission))
            return Receipt(SUBMITTED, commit.pr_url)

    def _holds(self, submission: Submission, revision: str) -> bool:
        """Whether all files of the submission are in the repository at a revision."""
        paths = [f"{submission.path}/{name}" for name in submission.files]
        found = self.api.get_paths_info(self.repo_id, paths, revision=revision, repo_type="dataset")
        return {str(PurePosixPath(info.path)) for info in found} >= set(paths)

    def _open_pull_request(self, submission: Submission) -> str | None:
        """Address of an open pull request with these files, None if there is none."""
        mark = f"[{submission.digest[:_TITLE_DIGITS]}]"
        for discussion in self.api.get_repo_discussions(
            self.repo_id, repo_type="dataset", discussion_type="pull_request", discussion_status="open"
        ):
            is_candidate = discussion.is_pull_request and discussion.status in ("open", "draft")
            if is_candidate and mark in discussion.title and self._pull_request_holds(submission, discussion.num):
                return discussion.url
        return None

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
            f"{where} cannot be reached ({_first_line(cause)}): check the network and HF_ENDPOINT."
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
        return "too many requests; wait a while and submit again."
    return f"refused with status {status}: {_first_line(error)}"


def _first_line(error: BaseException) -> str:
    lines = str(error).strip().splitlines()
    return lines[0] if lines else type(error).__name__
