"""``make bench``: every module of this folder measures one hot path against the public way of doing the same work.

Each has ``run() -> {"ratio", "ours_s", "reference_s", "equal"}``: seconds are the minimum over interleaved repeats in
this process, and equality of the results is asserted before anything is timed. What else one measures is printed as
well. Writes ``build/bench.json``.
"""

from __future__ import annotations

import importlib
import json
import pkgutil
import sys
from pathlib import Path

OUT = Path("build/bench.json")
SHARED = ("ratio", "ours_s", "reference_s", "equal")


def main() -> int:
    names = [m.name for m in pkgutil.iter_modules([str(Path(__file__).parent)]) if not m.name.startswith("_")]
    results = json.loads(OUT.read_text()) if OUT.exists() else {}
    for name in names:
        results[name] = importlib.import_module(f"tests.bench.{name}").run()
        r = results[name]
        print(
            f"{name:16s} {r['ratio']:8.1f}x   ours {r['ours_s']:.4f} s   reference {r['reference_s']:.4f} s   "
            f"equal: {r['equal']}{''.join(f'   {key} {r[key]:.2f}' for key in r if key not in SHARED)}",
            flush=True,
        )
    OUT.parent.mkdir(exist_ok=True)
    OUT.write_text(json.dumps(results, indent=2) + "\n")
    return 0 if all(r["equal"] for r in results.values()) else 1


if __name__ == "__main__":
    sys.exit(main())
