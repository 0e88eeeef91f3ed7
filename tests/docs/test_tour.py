"""The notebook of the site runs, and is stored without what it printed."""

from __future__ import annotations

import ast
import os
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

from .pages import ROOT

TOUR = ROOT / "docs" / "tour.ipynb"


def test_it_is_stored_clean() -> None:
    notebook = nbformat.read(TOUR, as_version=4)
    nbformat.validate(notebook)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert len(code) >= 10
    for cell in code:
        assert not cell.outputs
        assert cell.execution_count is None
        ast.parse(cell.source)


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_it_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OSBENCH_TOUR_COUNT", "40")
    monkeypatch.setenv("OSBENCH_TOUR_FOLDER", str(tmp_path / "tour"))
    monkeypatch.setenv("OSBENCH_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")]))
    notebook = nbformat.read(TOUR, as_version=4)
    client = NotebookClient(
        notebook, timeout=300, kernel_name="python3", resources={"metadata": {"path": str(tmp_path)}}
    )
    done = client.execute()
    assert (tmp_path / "tour" / "site" / "index.html").is_file()
    pictures = [
        output for cell in done.cells for output in cell.get("outputs", []) if "image/png" in output.get("data", {})
    ]
    assert len(pictures) == 2
    shown = "".join(str(cell.get("outputs", "")) for cell in done.cells)
    assert "Interval(" in shown
    assert "latent_diffusion" in shown
