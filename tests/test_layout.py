"""What ``make lint`` says of files that break a promise of the folders, and of the same names where they belong."""

from __future__ import annotations

import pytest

from tests.layout import problems

BROKEN = {
    "lock": ("import fcntl\nfcntl.flock(1, fcntl.LOCK_EX)", "a file lock ('flock') outside core/locking.py"),
    "imported-lock": ("from fcntl import lockf as held", "a file lock ('lockf') outside core/locking.py"),
    "disk": (
        "import shutil\nshutil.disk_usage('.').free",
        "a check of free disk space ('disk_usage') outside core/disk",
    ),
    "hash": ("import hashlib\nhashlib.file_digest(open('a', 'rb'), 'md5')", "a hash of a file ('file_digest')"),
    "modules": ("from importlib.metadata import entry_points as points", "a search for modules ('entry_points')"),
    "yaml": ("import yaml\nyaml.safe_load('a: 1')", "a YAML reader ('safe_load')"),
    "cache": ("import os\nos.environ['XDG_CACHE_HOME']", "a cache folder ('XDG_CACHE_HOME')"),
    "table-rule": ('head = "|---" * 3 + "|"', "a Markdown table ('|---') outside core/markdown.py"),
    "table-rows": ('def line(cells):\n    return "| " + " | ".join(cells) + " |"', "a Markdown table ('|')"),
    "table-f-string": ("rows = ''.join(f\"| {' | '.join(row)} |\\n\" for row in [])", "a Markdown table ('|')"),
    "registry-class": ("class ColourRegistry:\n    pass", "a registry (class ColourRegistry) outside core/registry.py"),
    "registry-decorator": (
        "KNOWN: dict[str, int] = {}\ndef red(name):\n  def register(one):\n    KNOWN[name] = one\n    return one",
        "a registry ('register' fills KNOWN) outside core/registry.py",
    ),
    "registry-list": ("ALL = []\ndef listed(made):\n    ALL.append(made)\n    return made", "('listed' fills ALL)"),
    "registry-subclasses": (
        "KINDS = dict()\nclass Kind:\n    def __init_subclass__(cls):\n        KINDS[cls.__name__] = cls",
        "('__init_subclass__' fills KINDS)",
    ),
    "upward": ("from ..benchmark.runs import Run", "imports benchmark, which is above it"),
}


@pytest.mark.parametrize(("text", "message"), BROKEN.values(), ids=BROKEN)
def test_a_second_way_is_found(text: str, message: str) -> None:
    found = list(problems("generation/example.py", text))
    assert found, "nothing was found"
    assert all(message in line and line.startswith("generation/example.py:") for line in found)


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("core/locking.py", "import fcntl\nfcntl.flock(1, fcntl.LOCK_EX)"),
        ("core/markdown.py", 'rule = "|---|"'),
        ("core/registry.py", "class Registry:\n    pass"),
        ("generation/example.py", "CACHE = {}\ndef kept(key, make):\n    CACHE[key] = make()\n    return CACHE[key]"),
        ("generation/example.py", "def set_up(folder):\n    found = {}\n    found['a'] = folder\n    return folder"),
        ("generation/example.py", "import re\nre.compile('a|b').sub('---', 'a | b')"),
        ("benchmark/example.py", "from ..core.errors import RunError"),
    ],
)
def test_the_one_way_is_not(file: str, text: str) -> None:
    assert list(problems(file, text)) == []
