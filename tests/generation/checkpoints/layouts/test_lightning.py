"""Taming checkpoints."""

from __future__ import annotations

import math
import os
import time
from pathlib import Path
from typing import Any

import pytest
import torch

from osbench.generation import CheckpointError, load_generator

pytestmark = pytest.mark.numeric


class Callback:
    """Stands for the callback objects that Lightning pickles into its files."""

    def __init__(self) -> None:
        self.depth = 3


def taming_state() -> dict[str, torch.Tensor]:
    """Upstream's names for 2 levels of 32 channels (8 px, 4x4 codes) and a transformer of 2 layers."""
    torch.manual_seed(7)
    state: dict[str, torch.Tensor] = {}

    def conv(name: str, inputs: int, outputs: int, kernel: int) -> None:
        state[f"{name}.weight"] = torch.randn(outputs, inputs, kernel, kernel) / math.sqrt(inputs * kernel**2)
        state[f"{name}.bias"] = torch.randn(outputs) * 0.1

    def norm(name: str, width: int) -> None:
        state[f"{name}.weight"], state[f"{name}.bias"] = torch.ones(width), torch.zeros(width)

    def resnet(name: str, width: int) -> None:
        for k in (1, 2):
            norm(f"{name}.norm{k}", width)
            conv(f"{name}.conv{k}", width, width, 3)

    def attention(name: str, width: int) -> None:
        norm(f"{name}.norm", width)
        for part in ("q", "k", "v", "proj_out"):
            conv(f"{name}.{part}", width, width, 1)

    vq = "first_stage_model"
    for half, blocks, resample in (("encoder", 1, "down"), ("decoder", 2, "up")):
        base = f"{vq}.{half}"
        conv(f"{base}.conv_in", 3 if half == "encoder" else 16, 32, 3)
        for level in range(2):
            for block in range(blocks):
                resnet(f"{base}.{resample}.{level}.block.{block}", 32)
                if level == 1:
                    attention(f"{base}.{resample}.{level}.attn.{block}", 32)
        sample = "0.downsample" if half == "encoder" else "1.upsample"
        conv(f"{base}.{resample}.{sample}.conv", 32, 32, 3)
        resnet(f"{base}.mid.block_1", 32)
        attention(f"{base}.mid.attn_1", 32)
        resnet(f"{base}.mid.block_2", 32)
        norm(f"{base}.norm_out", 32)
        conv(f"{base}.conv_out", 32, 16 if half == "encoder" else 3, 3)
    conv(f"{vq}.quant_conv", 16, 5, 1)
    conv(f"{vq}.post_quant_conv", 5, 16, 1)
    state[f"{vq}.quantize.embedding.weight"] = torch.randn(12, 5)
    state["transformer.tok_emb.weight"], state["transformer.pos_emb"] = torch.randn(12, 24), torch.randn(1, 16, 24)
    norm("transformer.ln_f", 24)
    state["transformer.head.weight"] = torch.randn(12, 24)
    for i in range(2):
        base = f"transformer.blocks.{i}"
        norm(f"{base}.ln1", 24)
        norm(f"{base}.ln2", 24)
        sizes = [(f"attn.{n}", 24, 24) for n in ("key", "query", "value", "proj")]
        for name, inputs, outputs in [*sizes, ("mlp.0", 24, 96), ("mlp.2", 96, 24)]:
            state[f"{base}.{name}.weight"] = torch.randn(outputs, inputs) / math.sqrt(inputs)
            state[f"{base}.{name}.bias"] = torch.randn(outputs) * 0.1
    return state


def lightning(path: Path, **extra: Any) -> dict[str, torch.Tensor]:
    """A Lightning checkpoint: callbacks keyed by a class, causal masks and parts of the training loss inside."""
    state = taming_state()
    noise = {"transformer.blocks.0.attn.mask": torch.ones(1, 1, 16, 16), "first_stage_model.loss.x": torch.ones(2)}
    torch.save(
        {"epoch": 3, "callbacks": {Callback: {"best": Callback()}}, "state_dict": {**state, **noise}, **extra}, path
    )
    return state


def test_lightning(files: Any, tmp_path: Path) -> None:
    path = tmp_path / "last.ckpt"
    state = lightning(path, hyper_parameters={"transformer_config": {"params": {"n_head": 3}}})
    loaded = load_generator(path, cache=False, settings={"top_k": 5})
    assert loaded.family == "taming"
    assert loaded.config["vqgan"] == {
        "resolution": 8, "n_embed": 12, "embed_dim": 5, "z_channels": 16, "ch": 32, "ch_mult": [1, 1],
        "num_res_blocks": 1, "attn_resolutions": [4], "in_channels": 3, "out_ch": 3,
    }  # fmt: skip
    assert loaded.network.config["transformer"]["n_head"] == 3
    assert loaded.network.config["top_k"] == 5
    files.same_tensors(loaded, state)
    assert loaded.sample([1, 2]).shape == (2, 8, 8, 3)
    first = loaded.network.get_parameter("transformer.transformer.h.0.attn.c_attn.weight")
    torch.testing.assert_close(first[:, :24], state["transformer.blocks.0.attn.query.weight"].T)


def test_heads_come_from_the_project_file_or_are_asked_for(tmp_path: Path) -> None:
    folder = tmp_path / "run" / "checkpoints"
    folder.mkdir(parents=True)
    lightning(folder / "last.ckpt")
    with pytest.raises(CheckpointError, match="project"):
        load_generator(folder / "last.ckpt", cache=False)
    (tmp_path / "run" / "configs").mkdir()
    (tmp_path / "run" / "configs" / "2021-project.yaml").write_text(
        "model:\n  params:\n    transformer_config:\n      params:\n        n_head: 4\n"
    )
    assert load_generator(folder / "last.ckpt", cache=False).network.config["transformer"]["n_head"] == 4


HEADS = "model: {params: {transformer_config: {params: {n_head: 4}}}}\n"
LAUGHS = "a0: &a0 [x]\n" + "".join(f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]\n" for i in range(1, 15))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (LAUGHS + HEADS, "aliases written out"),
        ("date: 2021-13-41\n" + HEADS, "month must be in"),
        ("a: &a [*a]\n" + HEADS, "contains itself"),
        ("!!python/object/apply:os.system [touch canary]", "could not determine a constructor"),
        (None, "a named pipe"),
    ],
    ids=["laughs", "date", "itself", "python", "pipe"],
)
def test_a_project_file_that_cannot_be_read_is_one_line(tmp_path: Path, text: str | None, message: str) -> None:
    lightning(tmp_path / "last.ckpt")
    project = tmp_path / "2021-project.yaml"
    if text is None:
        os.mkfifo(project)
    else:
        project.write_text(text)
    started = time.process_time()
    with pytest.raises(CheckpointError, match=rf"2021-project\.yaml: .*{message}") as caught:
        load_generator(tmp_path / "last.ckpt", cache=False)
    assert "\n" not in str(caught.value)
    assert time.process_time() - started < 10
    project.unlink()
    project.write_text(HEADS)
    assert load_generator(tmp_path / "last.ckpt", cache=False).network.config["transformer"]["n_head"] == 4


def test_laughs_among_the_hyper_parameters_end(tmp_path: Path) -> None:
    node: Any = ["lol"]
    for _ in range(14):
        node = [node] * 100
    lightning(tmp_path / "last.ckpt", hyper_parameters=node)
    started = time.process_time()
    with pytest.raises(CheckpointError, match="nodes in its settings"):
        load_generator(tmp_path / "last.ckpt", cache=False)
    assert time.process_time() - started < 10
