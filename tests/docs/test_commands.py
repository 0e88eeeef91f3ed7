"""Every command of README.md and of the site does what it says, in the order of its page."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from .pages import ROOT, blocks, commands, pages
from .sandbox import Sandbox

PAGES = [page for page in pages() if blocks(page)]

#: Pages that make a dataset of their own or fit more than once.
SLOW = {
    "README.md",
    "docs/concepts/intervals.md",
    "docs/concepts/robustness.md",
    "docs/extend/experiment.md",
    "docs/extend/suite.md",
    "docs/verbs/evaluate.md",
    "docs/verbs/audit.md",
    "docs/verbs/index.md",
    "docs/verbs/generate.md",
    "docs/verbs/plan.md",
    "docs/verbs/run.md",
    "docs/verbs/verify.md",
}


def names(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


def marked(page: Path) -> Any:
    return pytest.param(page, marks=[pytest.mark.slow] if names(page) in SLOW else [])


@pytest.mark.parametrize("page", map(marked, PAGES), ids=[names(page) for page in PAGES])
def test_the_blocks_of_a_page_run(page: Path, sandbox: Sandbox) -> None:
    for block in blocks(page):
        try:
            sandbox.run(block)
        except Exception as error:
            raise AssertionError(f"{names(page)}:{block.line}: {error}") from error


@pytest.mark.parametrize("page", PAGES, ids=names)
def test_a_block_says_why_it_is_not_run(page: Path) -> None:
    for block in blocks(page):
        assert not block.not_run or len(block.not_run.split()) >= 3
        assert block.language == "python" or commands(block.code)
