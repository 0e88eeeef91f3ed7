from __future__ import annotations

import os
import time
from datetime import date
from pathlib import Path

import pytest
import yaml

from osbench.core.errors import UsageError
from osbench.core.yaml import YamlBudget, read_yaml


def write(folder: Path, text: str | bytes) -> Path:
    path = folder / "x.yaml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def laughs(levels: int, text: str = "lol") -> str:
    """``text`` repeated 10**levels times, in a few lines."""
    lines = [f"a0: &a0 {text}"]
    lines += [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]" for i in range(1, levels + 1)]
    return "\n".join(lines)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "a: [1, 2.5, x, null, true, 2020-01-02]\nb: {c: d}\n",
        "base: &b {x: 1, y: 2}\nchild: {<<: *b, y: 3}\nboth: [*b, *b]\n",
        "text: >\n  two\n  lines\n1: one\n",
        laughs(3),
    ],
)
def test_plain_documents_are_read_like_pyyaml_reads_them(tmp_path: Path, text: str) -> None:
    assert read_yaml(write(tmp_path, text), UsageError) == yaml.safe_load(text)
    assert read_yaml(write(tmp_path, "a: 2020-01-02"), UsageError) == {"a": date(2020, 1, 2)}


BAD = {
    "laughs": (laughs(14), "line [0-9]+: more than 20,000 values, aliases written out"),
    "laughs in mappings": (
        "a0: &a0 {x: 1}\n" + "\n".join(f"a{i}: &a{i} {{l: *a{i - 1}, r: *a{i - 1}}}" for i in range(1, 60)),
        "more than 20,000 values|nested deeper",
    ),
    "long text often": (f"a: &a {'x' * 100_000}\nb: [{', '.join(['*a'] * 20)}]", "characters, aliases"),
    "chain of aliases": (
        "a0: &a0 [x]\n" + "\n".join(f"a{i}: &a{i} [*a{i - 1}]" for i in range(1, 200)),
        "line 39: nested deeper than 40 levels",
    ),
    "contains itself": ("&a [*a]", "contains itself"),
    "contains itself below": ("a: &a {b: {c: [*a]}}", "contains itself"),
    "merges itself": ("&a {<<: *a}", "contains itself"),
    "brackets": ("[" * 5000, "nested deeper"),
    "braces": ("{a: " * 5000, "nested deeper"),
    "dashes": ("- " * 5000, "nested deeper"),
    "questions": ("? " * 5000, "nested deeper"),
    "a key twice": ("a: 1\nb: 2\na: 3\n", "line 3: the key 'a' a second time"),
    "digits": ("a: " + "1" * 5000, "a number of 5,000 characters"),
    "base 60": ("a: 1" + ":59" * 20_000, "a number of 60,001 characters"),
    "python object": ("!!python/object/apply:os.system [touch canary]", "could not determine a constructor"),
    "python name": ("!!python/name:os.system", "could not determine a constructor"),
    "bad date": ("a: 2020-13-41", "month must be in 1..12"),
    "bad time": ("a: !!timestamp never", "AttributeError|NoneType"),
    "bad int": ("a: !!int ''", "x.yaml"),
    "bad bool": ("a: !!bool perhaps", "perhaps"),
    "bad alias": ("a: *b", "undefined alias"),
    "two documents": ("a: 1\n---\nb: 2\n", "line 2"),
    "list as a key": ("? [a, b]\n: c", "unhashable"),
    "not YAML": ("a: [", "line 1"),
    "tab": ("\tx", "line 1"),
    "control characters": ("a: \x1b[31m", "x.yaml"),
    "no UTF-8": (b"a: \xff\xfe\xff", "x.yaml"),
    "many values": ("- 1\n" * 6_000 + "- &a [1]\n- *a\n", "x.yaml"),
    "too large": (b"#" * (1 << 19), "at most 262,144 are read"),
}


@pytest.mark.parametrize("name", sorted(BAD))
def test_what_is_no_document_is_refused_in_one_line(tmp_path: Path, name: str) -> None:
    text, message = BAD[name]
    budget = YamlBudget(nodes=2_000) if name == "many values" else None
    started = time.process_time()
    with pytest.raises(UsageError, match=message) as caught:
        read_yaml(write(tmp_path, text), UsageError, budget)
    assert time.process_time() - started < 10
    assert str(tmp_path) in str(caught.value)
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 500


@pytest.mark.parametrize("text", ["- a\n" * 19_000, "a" * 262_000, "[" + "a, " * 19_000 + "]", "#" * 262_000])
def test_the_largest_files_within_the_budget_take_seconds(tmp_path: Path, text: str) -> None:
    started = time.process_time()
    read_yaml(write(tmp_path, text), UsageError)
    assert time.process_time() - started < 10


def test_special_files_and_missing_ones(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.yaml")
    for path, text in (
        (tmp_path / "pipe.yaml", "a named pipe"),
        (Path("/dev/zero"), "a device"),
        (tmp_path, "a folder"),
        (tmp_path / "a\nb.yaml", "a b.yaml: cannot be read"),
    ):
        with pytest.raises(UsageError, match=text):
            read_yaml(path, UsageError)
