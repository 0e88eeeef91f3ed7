"""A randomly initialised Stable Diffusion of a few thousand weights, as a folder: 16 px, words of single letters."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch


def write_tiny_pipeline(folder: Path) -> Path:
    """``save_pretrained`` of a StableDiffusionPipeline with a PNDM scheduler; returns the folder."""
    from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL
    from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel
    from diffusers.pipelines.stable_diffusion.pipeline_stable_diffusion import StableDiffusionPipeline
    from diffusers.schedulers.scheduling_pndm import PNDMScheduler
    from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer

    words = folder.with_name(f"{folder.name}-words")
    words.mkdir(parents=True)
    letters = [chr(code) for code in range(33, 127)]
    names = [*letters, *(f"{letter}</w>" for letter in letters), "<|startoftext|>", "<|endoftext|>"]
    (words / "vocab.json").write_text(json.dumps({name: k for k, name in enumerate(names)}))
    (words / "merges.txt").write_text("#version: 0.2\n")
    torch.manual_seed(0)
    text = CLIPTextConfig(
        vocab_size=len(names),
        hidden_size=16,
        intermediate_size=32,
        num_hidden_layers=1,
        num_attention_heads=2,
        bos_token_id=len(names) - 2,
        eos_token_id=len(names) - 1,
    )
    blocks: dict[str, Any] = {"block_out_channels": (8, 16), "norm_num_groups": 4}
    coder: dict[str, Any] = {"down_block_types": ["DownEncoderBlock2D"] * 2, "up_block_types": ["UpDecoderBlock2D"] * 2}
    schedule = {"beta_start": 0.00085, "beta_end": 0.012, "beta_schedule": "scaled_linear"}
    scheduler: Any = PNDMScheduler(**schedule, skip_prk_steps=True, steps_offset=1)  # type: ignore[arg-type]
    pipeline = StableDiffusionPipeline(
        vae=AutoencoderKL(**coder, **blocks),
        text_encoder=CLIPTextModel(text),
        tokenizer=CLIPTokenizer(str(words / "vocab.json"), str(words / "merges.txt"), model_max_length=77),
        unet=UNet2DConditionModel(
            sample_size=8,
            layers_per_block=1,
            down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
            up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
            cross_attention_dim=16,
            attention_head_dim=4,
            **blocks,
        ),
        scheduler=scheduler,
        safety_checker=None,  # type: ignore[arg-type]
        feature_extractor=None,  # type: ignore[arg-type]
        requires_safety_checker=False,
    )
    with torch.no_grad():  # a decoder fresh from its initialisation makes an almost flat grey
        pipeline.vae.decoder.conv_out.weight.mul_(20)
    pipeline.save_pretrained(str(folder))
    return folder
