"""How often somebody may ask: a bucket that refills, for every token or address."""

from __future__ import annotations

import threading
import time

from .refusal import RefusalError

_MOST = 10_000


class Rate:
    """At most ``per_minute`` requests of each key in a minute, and as many at once.

    Parameters
    ----------
    per_minute : int
        Requests.
    what : str
        What is limited, for the message.
    """

    def __init__(self, per_minute: int, what: str) -> None:
        self.per_minute = per_minute
        self.what = what
        self._left: dict[str, tuple[float, float]] = {}
        self._lock = threading.Lock()

    def check(self, key: str) -> None:
        """Count one request of a key; RefusalError 429 if there were too many."""
        now = time.monotonic()
        with self._lock:
            left, then = self._left.get(key, (float(self.per_minute), now))
            left = min(self.per_minute, left + (now - then) * self.per_minute / 60)
            if left < 1:
                wait = int((1 - left) * 60 / self.per_minute) + 1
                raise RefusalError(
                    429, "too-often", f"more than {self.per_minute} {self.what} in a minute.", f"Wait {wait} s.", wait
                )
            self._left[key] = (left - 1, now)
            if len(self._left) > _MOST:
                # Whoever has a full bucket need not be remembered.
                self._left = {k: v for k, v in self._left.items() if now - v[1] < 60}
