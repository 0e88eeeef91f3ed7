"""Whether a submission is in order: data alone, in a process with limits, and signed where it is.

:func:`verify` is what the command, a server and a CI job call. What a submission names is never imported or run.
"""

from __future__ import annotations

from .process import VerifyLimits, verify
from .verdict import Problem, Verdict

__all__ = ["Problem", "Verdict", "VerifyLimits", "verify"]
