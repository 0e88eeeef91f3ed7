"""How ``tests/golden/runs-v2`` was made: ``python -m tests.golden.make_runs FOLDER``, from the root of the source tree.

The folder is kept for ever, so that every later version reads what this one wrote; it is never made again. A later
schema gets a folder of its own.
"""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path

from osbench.benchmark.evaluate import evaluate
from osbench.benchmark.manifest import build_manifest
from osbench.benchmark.robustness.asking import launder_runs
from osbench.benchmark.robustness.treatments import Grid
from osbench.generation.generate import generate
from tests.benchmark.tiny_dataset import CROP, GENERATORS, METHOD_FILE, write_sources

# A rule with candidates of its own: the second nearest class.
SECOND = """            "second": Scores(-distance, known, distance.argsort(axis=1)[:, 1]),
        }"""

GRID = Grid(quality=(None, 50), phase=(0,), resize=(1.0,), blur=(0.0,))


def make(out: Path) -> None:
    """Fit the small method of the tests with two seeds, launder its runs, and write down what they score."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        method = folder / "golden_colour.py"
        text = METHOD_FILE.replace("nearest-colour", "golden-colour").replace('"distance"', '"native"')
        text = text.replace('("native", "never")', '("native", "never", "second")')
        method.write_text(text.replace("        }\n", f"{SECOND}\n", 1))
        data = generate(str(write_sources(folder / "sources", GENERATORS, 40, CROP + 8)), folder / "data")
        manifest = build_manifest(data, "fang2023")
        runs = evaluate(str(method), data, manifest, seeds=[0, 1], out=out)
        launder_runs(runs, data, manifest, GRID)
    scores = {f"seed{run.seed}/{rule}": run.score(rule, bootstrap=100).to_json() for run in runs for rule in run.rules}
    out.with_suffix(".json").write_text(json.dumps(scores, indent=1, allow_nan=False) + "\n")


if __name__ == "__main__":
    make(Path(sys.argv[1]))
