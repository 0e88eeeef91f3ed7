"""What a server answers to a request that it does not fulfil."""

from __future__ import annotations

from ...core.errors import OsbenchError


class RefusalError(OsbenchError):
    """A request that is refused: an HTTP status, and a code, a message and a remedy for people.

    Parameters
    ----------
    status : int
        HTTP status, 4xx or 5xx.
    code : str
        For programs.
    message : str
        What is wrong, in one line.
    remedy : str
        What to do.
    retry_after_s : int, optional
        When the same request may succeed.
    """

    def __init__(self, status: int, code: str, message: str, remedy: str, retry_after_s: int | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.remedy = remedy
        self.retry_after_s = retry_after_s

    def to_json(self) -> dict[str, dict[str, str]]:
        """The body of the answer."""
        return {"error": {"code": self.code, "message": self.message, "remedy": self.remedy}}
