"""Randomly initialised text-to-image pipelines of a few thousand weights, one of each architecture, as folders.

Every folder is what ``save_pretrained`` of diffusers writes; the tokenizers know single letters.
"""

from __future__ import annotations

import importlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from .tiny_pipeline import write_tiny_pipeline

LETTERS = [chr(code) for code in range(33, 127)]
_BLOCKS: dict[str, Any] = {"block_out_channels": (8, 16), "norm_num_groups": 4}
_CODER: dict[str, Any] = {
    "down_block_types": ["DownEncoderBlock2D"] * 2,
    "up_block_types": ["UpDecoderBlock2D"] * 2,
    **_BLOCKS,
}


def _diffusers() -> Any:
    """It takes seconds to import, and exports its names in a way that type checkers do not follow."""
    return importlib.import_module("diffusers")


def _clip_tokenizer(folder: Path) -> Any:
    from transformers import CLIPTokenizer

    folder.mkdir(parents=True, exist_ok=True)
    names = [*LETTERS, *(f"{letter}</w>" for letter in LETTERS), "<|startoftext|>", "<|endoftext|>"]
    (folder / "vocab.json").write_text(json.dumps({name: k for k, name in enumerate(names)}))
    (folder / "merges.txt").write_text("#version: 0.2\n")
    return CLIPTokenizer(str(folder / "vocab.json"), str(folder / "merges.txt"), model_max_length=77)


def _t5_tokenizer() -> Any:
    from transformers import T5Tokenizer

    pieces = [(name, 0.0) for name in ("<pad>", "</s>", "<unk>")]
    return T5Tokenizer(vocab=[*pieces, *((letter, -1.0) for letter in ["▁", *LETTERS])], extra_ids=0)


def _llama_tokenizer() -> Any:
    from transformers import LlamaTokenizer

    names = ["<unk>", "<s>", "</s>", "▁", *LETTERS]
    return LlamaTokenizer(vocab={name: k for k, name in enumerate(names)}, merges=[], pad_token="<unk>")


def _bert_tokenizer() -> Any:
    from transformers import BertTokenizer

    names = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *LETTERS, *(f"##{letter}" for letter in LETTERS)]
    return BertTokenizer(vocab={name: k for k, name in enumerate(names)}, model_max_length=77)


def _clip_text(width: int, *, projected: bool) -> Any:
    from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection

    words = 2 * len(LETTERS) + 2
    config = CLIPTextConfig(
        vocab_size=words,
        hidden_size=width,
        intermediate_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        projection_dim=width,
        bos_token_id=words - 2,
        eos_token_id=words - 1,
        pad_token_id=words - 1,
    )
    return CLIPTextModelWithProjection(config) if projected else CLIPTextModel(config)


def _t5_text(width: int, umt5: bool = False) -> Any:
    from transformers import T5Config, T5EncoderModel, UMT5Config, UMT5EncoderModel

    sizes: dict[str, Any] = {
        "vocab_size": 128,
        "d_model": width,
        "d_kv": 8,
        "d_ff": 32,
        "num_layers": 1,
        "num_heads": 2,
    }
    return UMT5EncoderModel(UMT5Config(**sizes)) if umt5 else T5EncoderModel(T5Config(**sizes))


def _vae(latent_channels: int = 4, **options: Any) -> Any:
    vae = _diffusers().AutoencoderKL(latent_channels=latent_channels, **_CODER, **options)
    with torch.no_grad():  # a decoder fresh from its initialisation makes an almost flat grey
        vae.decoder.conv_out.weight.mul_(4)
    return vae


def _stable_diffusion_xl(folder: Path) -> Any:
    unet = _diffusers().UNet2DConditionModel(
        sample_size=8,
        layers_per_block=1,
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
        attention_head_dim=(2, 4),
        use_linear_projection=True,
        addition_embed_type="text_time",
        addition_time_embed_dim=4,
        transformer_layers_per_block=(1, 1),
        projection_class_embeddings_input_dim=6 * 4 + 16,
        cross_attention_dim=32,
        **_BLOCKS,
    )
    scheduler = _diffusers().EulerDiscreteScheduler(beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear")
    return _diffusers().StableDiffusionXLPipeline(
        vae=_vae(),
        text_encoder=_clip_text(16, projected=False),
        text_encoder_2=_clip_text(16, projected=True),
        tokenizer=_clip_tokenizer(folder / "words"),
        tokenizer_2=_clip_tokenizer(folder / "words"),
        unet=unet,
        scheduler=scheduler,
        add_watermarker=False,
    )


def _stable_diffusion_3(folder: Path) -> Any:
    transformer = _diffusers().SD3Transformer2DModel(
        sample_size=8,
        patch_size=1,
        in_channels=4,
        num_layers=1,
        attention_head_dim=8,
        num_attention_heads=4,
        caption_projection_dim=32,
        joint_attention_dim=32,
        pooled_projection_dim=32,
        out_channels=4,
    )
    return _diffusers().StableDiffusion3Pipeline(
        transformer=transformer,
        scheduler=_diffusers().FlowMatchEulerDiscreteScheduler(shift=3.0),
        vae=_vae(use_quant_conv=False, use_post_quant_conv=False, shift_factor=0.06, scaling_factor=1.5),
        text_encoder=_clip_text(16, projected=True),
        tokenizer=_clip_tokenizer(folder / "words"),
        text_encoder_2=_clip_text(16, projected=True),
        tokenizer_2=_clip_tokenizer(folder / "words"),
        text_encoder_3=_t5_text(32),
        tokenizer_3=_t5_tokenizer(),
    )


def _flux(folder: Path) -> Any:
    transformer = _diffusers().FluxTransformer2DModel(
        patch_size=1,
        in_channels=16,  # 4 latent channels in patches of 2 x 2
        num_layers=1,
        num_single_layers=1,
        attention_head_dim=16,
        num_attention_heads=2,
        joint_attention_dim=32,
        pooled_projection_dim=16,
        guidance_embeds=True,
        axes_dims_rope=(4, 4, 8),
    )
    return _diffusers().FluxPipeline(
        scheduler=_diffusers().FlowMatchEulerDiscreteScheduler(use_dynamic_shifting=True),
        vae=_vae(use_quant_conv=False, use_post_quant_conv=False, shift_factor=0.06, scaling_factor=1.5),
        text_encoder=_clip_text(16, projected=False),
        tokenizer=_clip_tokenizer(folder / "words"),
        text_encoder_2=_t5_text(32),
        tokenizer_2=_t5_tokenizer(),
        transformer=transformer,
    )


def _pixart(alpha: bool) -> Callable[[Path], Any]:
    def make(folder: Path) -> Any:
        transformer = _diffusers().PixArtTransformer2DModel(
            sample_size=8,
            num_layers=1,
            patch_size=2,
            attention_head_dim=8,
            num_attention_heads=3,
            caption_channels=32,
            in_channels=4,
            cross_attention_dim=24,
            out_channels=8,
            use_additional_conditions=False,
        )
        library = _diffusers()
        kind = library.PixArtAlphaPipeline if alpha else library.PixArtSigmaPipeline
        return kind(
            tokenizer=_t5_tokenizer(),
            text_encoder=_t5_text(32),
            vae=_vae(),
            transformer=transformer,
            scheduler=_diffusers().DPMSolverMultistepScheduler(),
        )

    return make


def _aura_flow(folder: Path) -> Any:
    transformer = _diffusers().AuraFlowTransformer2DModel(
        sample_size=8,
        patch_size=2,
        in_channels=4,
        num_mmdit_layers=1,
        num_single_dit_layers=1,
        attention_head_dim=8,
        num_attention_heads=4,
        caption_projection_dim=32,
        joint_attention_dim=32,
        pos_embed_max_size=256,
    )
    with torch.no_grad():  # fresh from its initialisation it hardly listens to the text
        for weight in transformer.parameters():
            weight.mul_(3)
    return _diffusers().AuraFlowPipeline(
        tokenizer=_llama_tokenizer(),
        text_encoder=_t5_text(32, umt5=True),
        vae=_vae(),
        transformer=transformer,
        scheduler=_diffusers().FlowMatchEulerDiscreteScheduler(),
    )


def _hunyuan_dit(folder: Path) -> Any:
    from transformers import BertConfig, BertModel

    transformer = _diffusers().HunyuanDiT2DModel(
        sample_size=8,
        num_layers=2,
        patch_size=2,
        attention_head_dim=8,
        num_attention_heads=3,
        in_channels=4,
        cross_attention_dim=32,
        cross_attention_dim_t5=32,
        pooled_projection_dim=16,
        hidden_size=24,
        activation_fn="gelu-approximate",
    )
    bert = BertConfig(vocab_size=256, hidden_size=32, num_hidden_layers=1, num_attention_heads=2, intermediate_size=32)
    return _diffusers().HunyuanDiTPipeline(
        vae=_vae(),
        text_encoder=BertModel(bert),
        tokenizer=_bert_tokenizer(),
        transformer=transformer,
        scheduler=_diffusers().DDPMScheduler(),
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
        text_encoder_2=_t5_text(32),
        tokenizer_2=_t5_tokenizer(),
    )


_MAKERS: dict[str, Callable[[Path], Any]] = {
    "StableDiffusionXLPipeline": _stable_diffusion_xl,
    "StableDiffusion3Pipeline": _stable_diffusion_3,
    "FluxPipeline": _flux,
    "PixArtAlphaPipeline": _pixart(alpha=True),
    "PixArtSigmaPipeline": _pixart(alpha=False),
    "AuraFlowPipeline": _aura_flow,
    "HunyuanDiTPipeline": _hunyuan_dit,
}
KINDS = ("StableDiffusionPipeline", *_MAKERS)


def write_tiny(kind: str, folder: Path) -> Path:
    """A pipeline of that class, saved into the folder ``folder / kind``, which is returned."""
    if kind == "StableDiffusionPipeline":
        return write_tiny_pipeline(folder / kind)
    torch.manual_seed(0)
    _MAKERS[kind](folder / f"{kind}-words").save_pretrained(str(folder / kind))
    return folder / kind
