"""A tiny random BLIP."""

import numpy as np
import pytest
import torch
from transformers import BertTokenizer, BlipConfig, BlipForConditionalGeneration

from osbench.baselines.describers.blip import BLIP, Blip
from osbench.core.errors import CheckpointError

pytestmark = pytest.mark.numeric


def images(count=3):
    return np.random.default_rng(0).integers(0, 256, (count, 16, 16, 3), np.uint8)


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
        Blip(BLIP, torch.device("cpu"))
