"""Caption files, and a tiny random BLIP."""

import json

import numpy as np
import pytest
import torch
from transformers import BertTokenizer, BlipConfig, BlipForConditionalGeneration

from osbench.baselines import captions
from osbench.baselines.captions import Blip, CaptionFile, read_captions
from osbench.core.errors import CheckpointError, DatasetError
from osbench.generation.pixels import pixel_sha256

pytestmark = pytest.mark.numeric


def images(count=3):
    return np.random.default_rng(0).integers(0, 256, (count, 16, 16, 3), np.uint8)


def write_captions(path, some, texts):
    rows = [{"pixel_sha256": pixel_sha256(x), "caption": text} for x, text in zip(some, texts, strict=True)]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def test_captions_follow_the_image_not_its_place(tmp_path):
    path = write_captions(tmp_path / "captions.jsonl", images(), ["one", "two", "three"])
    assert CaptionFile(path).of(images()[[2, 0]]) == ["three", "one"]


def test_missing_captions_and_bad_lines_are_named(tmp_path):
    path = write_captions(tmp_path / "captions.jsonl", images(2), ["one", "two"])
    with pytest.raises(DatasetError, match="no caption for 1 of 3"):
        CaptionFile(path).of(images())
    path.write_text('{"caption": "no image"}\n')
    with pytest.raises(DatasetError, match="line 1"):
        CaptionFile(path)
    with pytest.raises(DatasetError, match="cannot be read"):
        CaptionFile(tmp_path / "nowhere")


def test_a_last_line_that_was_cut_off_is_left_out(tmp_path):
    path = write_captions(tmp_path / "captions.jsonl", images(2), ["one", "two"])
    path.write_text(path.read_text()[:-9])
    assert list(read_captions(path).values()) == ["one"]


def write_tiny_blip(folder):
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "[DEC]", "[ENC]", *"abcdefghij"]
    folder.mkdir()
    (folder / "vocab.txt").write_text("\n".join(words) + "\n")
    BertTokenizer(str(folder / "vocab.txt")).save_pretrained(folder)
    layer = {"hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2}
    text = {**layer, "vocab_size": len(words), "encoder_hidden_size": 16, "bos_token_id": 5, "sep_token_id": 3}
    text |= {"eos_token_id": 3, "pad_token_id": 0, "max_position_embeddings": 80}
    with torch.random.fork_rng():
        torch.manual_seed(0)
        config = BlipConfig(text_config=text, vision_config={**layer, "image_size": 32, "patch_size": 8})
        BlipForConditionalGeneration(config).save_pretrained(folder)
    return folder


def test_blip_writes_captions_once(tmp_path, monkeypatch):
    monkeypatch.setenv("OSBENCH_CACHE", str(tmp_path / "cache"))
    folder = write_tiny_blip(tmp_path / "blip")
    texts = Blip(str(folder), torch.device("cpu")).of(images())
    assert len(texts) == 3
    assert all(isinstance(text, str) and text for text in texts)

    def refuse(self, some):
        raise AssertionError("described again")

    monkeypatch.setattr(Blip, "_describe", refuse)
    assert Blip(str(folder), torch.device("cpu")).of(images()[::-1]) == texts[::-1]


def test_missing_weights_say_how_to_get_them(tmp_path, monkeypatch):
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path))
    with pytest.raises(CheckpointError, match="hf download Salesforce/blip"):
        Blip(captions.BLIP, torch.device("cpu"))
