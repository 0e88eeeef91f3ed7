"""What a call or a command means where nothing is said."""

from __future__ import annotations

from pathlib import Path

SUITE = "mini-matched"
PROTOCOL = "fang2023"
EXPERIMENT = "mini-matched"
DATA = Path("data")
RUNS = Path("runs")
