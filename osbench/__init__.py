"""osbench: the open benchmark for open-set synthetic image source attribution.

>>> import osbench
>>> sorted(osbench.__all__)[:3]
['Board', 'Comparison', 'Dataset']

From images to a board::

    data = osbench.generate("mini", "data")            # or osbench.load("data")
    manifest = data.split("fang2023")                  # or data.split(unseen=["stylegan", "latent_diffusion"])
    runs = osbench.evaluate("proposed", manifest, seeds=3)
    score = runs.score(rule="native")
    score.auc_af1_crr                                  # Interval(estimate, low, high)
    osbench.compare("proposed", "resnet50").verdict
    board = osbench.leaderboard("runs")
    board.save("site")
    osbench.attribute("photo.png", run=runs[0])

Importing this package imports nothing heavy: every name is loaded when it is asked for.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .asking import attribute
    from .benchmark.attribution import Attribution, NotAttributed
    from .benchmark.experiment import Experiment, load_experiment
    from .benchmark.manifest import Manifest
    from .benchmark.metrics.intervals import Interval
    from .benchmark.runs import Run
    from .benchmark.score import Score
    from .core.errors import OsbenchError
    from .data import Dataset, audit, generate, import_dataset, load
    from .leaderboard.board import Board, leaderboard
    from .leaderboard.compare import Comparison, compare
    from .library import Runs, discover, enroll, evaluate
    from .pipeline import run

    __version__: str

_PLACES = {
    "Attribution": ".benchmark.attribution",
    "Board": ".leaderboard.board",
    "Comparison": ".leaderboard.compare",
    "Dataset": ".data",
    "Experiment": ".benchmark.experiment",
    "Interval": ".benchmark.metrics.intervals",
    "Manifest": ".benchmark.manifest",
    "NotAttributed": ".benchmark.attribution",
    "OsbenchError": ".core.errors",
    "Run": ".benchmark.runs",
    "Runs": ".library",
    "Score": ".benchmark.score",
    "attribute": ".asking",
    "audit": ".data",
    "compare": ".leaderboard.compare",
    "discover": ".library",
    "enroll": ".library",
    "evaluate": ".library",
    "generate": ".data",
    "import_dataset": ".data",
    "leaderboard": ".leaderboard.board",
    "load": ".data",
    "load_experiment": ".benchmark.experiment",
    "run": ".pipeline",
}

__all__ = [
    "Attribution",
    "Board",
    "Comparison",
    "Dataset",
    "Experiment",
    "Interval",
    "Manifest",
    "NotAttributed",
    "OsbenchError",
    "Run",
    "Runs",
    "Score",
    "__version__",
    "attribute",
    "audit",
    "compare",
    "discover",
    "enroll",
    "evaluate",
    "generate",
    "import_dataset",
    "leaderboard",
    "load",
    "load_experiment",
    "run",
]


def __getattr__(name: str) -> Any:
    if name == "__version__":
        value: Any = _version()
    elif name in _PLACES:
        value = getattr(importlib.import_module(_PLACES[name], __name__), name)
    else:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


def _version() -> str:
    """Of the installed package; of a bare clone, what its ``pyproject.toml`` says."""
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version("osbench")
    except PackageNotFoundError:
        import tomllib
        from pathlib import Path

        file = Path(__file__).resolve().parent.parent / "pyproject.toml"
        return str(tomllib.loads(file.read_text("utf-8"))["project"]["version"])
