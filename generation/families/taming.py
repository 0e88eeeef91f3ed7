"""Taming transformers: a VQGAN and an autoregressive transformer over its codes.

Esser et al., "Taming Transformers for High-Resolution Image Synthesis" (CVPR 2021). The networks are
``diffusers.VQModel`` and ``transformers.GPT2LMHeadModel``, which equal upstream's after a renaming:
:func:`gpt2_from_mingpt` and :func:`vqmodel_from_taming`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from ...core.errors import UsageError
from .base import Generator, NoiseMode, register_family
from .noise import image_generator

if TYPE_CHECKING:  # importing them takes seconds, so the running code does it on construction
    from diffusers.models.autoencoders.vq_model import VQModel
    from transformers import GPT2LMHeadModel


def build_vqgan(
    *,
    resolution: int,
    n_embed: int,
    embed_dim: int,
    z_channels: int,
    ch: int,
    ch_mult: Sequence[int],
    num_res_blocks: int = 2,
    attn_resolutions: Sequence[int] = (),
    in_channels: int = 3,
    out_ch: int = 3,
    norm_num_groups: int = 32,
) -> VQModel:
    """A VQModel from upstream's ``ddconfig`` keywords (plus ``n_embed``, ``embed_dim``, and the norm groups)."""
    from diffusers.models.autoencoders.vq_model import VQModel

    sides = [resolution // 2**i for i in range(len(ch_mult))]
    attends = [side in attn_resolutions for side in sides]
    return VQModel(
        in_channels=in_channels,
        out_channels=out_ch,
        down_block_types=tuple("AttnDownEncoderBlock2D" if a else "DownEncoderBlock2D" for a in attends),
        up_block_types=tuple("AttnUpDecoderBlock2D" if a else "UpDecoderBlock2D" for a in reversed(attends)),
        block_out_channels=tuple(ch * m for m in ch_mult),
        layers_per_block=num_res_blocks,
        latent_channels=z_channels,
        sample_size=resolution,
        num_vq_embeddings=n_embed,
        vq_embed_dim=embed_dim,
        norm_num_groups=norm_num_groups,
    )


def build_gpt(
    *, vocab_size: int, block_size: int, n_layer: int, n_head: int, n_embd: int, dropout: float = 0.0
) -> GPT2LMHeadModel:
    """A GPT-2 that computes what upstream's minGPT does: exact GELU, untied head."""
    from transformers import GPT2Config, GPT2LMHeadModel

    config = GPT2Config(
        vocab_size=vocab_size,
        n_positions=block_size,
        n_embd=n_embd,
        n_layer=n_layer,
        n_head=n_head,
        activation_function="gelu",
        resid_pdrop=dropout,
        embd_pdrop=dropout,
        attn_pdrop=dropout,
        layer_norm_epsilon=1e-5,
        tie_word_embeddings=False,
        bos_token_id=0,
        eos_token_id=0,
    )
    return GPT2LMHeadModel(config)


def next_token_probabilities(
    logits: Tensor, temperature: float = 1.0, top_k: int | None = None, top_p: float = 1.0
) -> Tensor:
    """Sampling distribution (N, V) from logits (N, V): temperature, then the k largest, then the nucleus.

    Ties with the k-th logit stay. The nucleus (Holtzman et al., ICLR 2020) is the shortest prefix of the sorted
    distribution whose mass exceeds ``top_p``.
    """
    logits = logits / temperature
    if top_k is not None:
        kth = logits.topk(min(top_k, logits.shape[-1])).values[:, -1:]
        logits = logits.masked_fill(logits < kth, -torch.inf)
    if top_p < 1:
        ordered, order = logits.sort(descending=True)
        probabilities = ordered.softmax(-1)
        outside = probabilities.cumsum(-1) > top_p
        outside = F.pad(outside[:, :-1], (1, 0))  # the token that crosses the threshold stays
        logits = logits.masked_fill(outside.scatter(1, order, outside), -torch.inf)
    return logits.softmax(-1)


@register_family("taming")
class TamingTransformer(Generator):
    """VQGAN codes drawn by a transformer.

    ``z_dim`` is 0: the only randomness are the tokens, drawn on the CPU from one generator per image, seeded with
    the image's seed. ``truncation_psi`` and ``noise_mode`` change nothing.

    Parameters
    ----------
    vqgan : Mapping[str, Any]
        Keywords of :func:`build_vqgan`.
    transformer : Mapping[str, Any]
        Keywords of :func:`build_gpt`; ``block_size`` is the number of codes of an image.
    classes : int, optional
        Number of classes, of which a sequence starts with its own; 0: every sequence starts with ``sos_token``.
    sos_token : int, optional
        First token without classes.
    top_k : int or None, optional
        Tokens that may be drawn, the most likely ones; None for all.
    top_p : float, optional
        Share of the probability that may be drawn, from the most likely token on; 1.0 for all.
    temperature : float, optional
        Divides the logits.
    """

    autoencodes: ClassVar[bool] = True

    def __init__(
        self,
        vqgan: Mapping[str, Any],
        transformer: Mapping[str, Any],
        classes: int = 0,
        sos_token: int = 0,
        top_k: int | None = None,
        top_p: float = 1.0,
        temperature: float = 1.0,
    ) -> None:
        super().__init__()
        self.config = {
            "vqgan": dict(vqgan),
            "transformer": dict(transformer),
            "classes": classes,
            "sos_token": sos_token,
            "top_k": top_k,
            "top_p": top_p,
            "temperature": temperature,
        }
        self.z_dim, self.c_dim, self.resolution = 0, classes, int(vqgan["resolution"])
        self.side = self.resolution // 2 ** (len(vqgan["ch_mult"]) - 1)
        if transformer["block_size"] != self.side**2:
            raise UsageError(f"block_size is {transformer['block_size']}, but an image has {self.side}**2 codes.")
        if transformer["vocab_size"] < max(vqgan["n_embed"], classes, sos_token + 1):
            raise UsageError(f"vocab_size {transformer['vocab_size']} is too small for the codes or start tokens.")
        self.sos_token, self.top_k, self.top_p, self.temperature = sos_token, top_k, top_p, temperature
        self.vqgan = build_vqgan(**vqgan)
        self.transformer = build_gpt(**transformer)

    def encode(self, images: Tensor) -> Tensor:
        """Images (N, 3, R, R) in [-1, 1] to token ids (N, side * side), row by row; no gradient."""
        with torch.no_grad():
            latents = self.vqgan.quant_conv(self.vqgan.encoder(images))
            flat = latents.permute(0, 2, 3, 1).flatten(0, 2)
            ids = torch.cdist(flat, self.vqgan.quantize.embedding.weight).argmin(1)
        return ids.view(len(images), -1)

    def decode(self, tokens: Tensor) -> Tensor:
        """Token ids (N, side * side) to images (N, 3, R, R)."""
        # A transformer may have a larger vocabulary than the codebook; upstream's would fail there.
        codes = self.vqgan.quantize.embedding(tokens.clamp(max=self.config["vqgan"]["n_embed"] - 1))
        codes = codes.view(len(tokens), self.side, self.side, -1).permute(0, 3, 1, 2).contiguous()
        return self.vqgan.decoder(self.vqgan.post_quant_conv(codes))

    def reconstruct(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Images through encoder, codebook (straight-through) and decoder: (images, codebook loss) for training."""
        codes, loss, _ = self.vqgan.quantize(self.vqgan.quant_conv(self.vqgan.encoder(images)))
        return self.vqgan.decoder(self.vqgan.post_quant_conv(codes)), loss

    def start_tokens(self, count: int, c: Tensor | None = None) -> Tensor:
        """First input token of each sequence (N, 1): the class if there are any, else ``sos_token``."""
        device = self.vqgan.quantize.embedding.weight.device
        if not self.c_dim:
            return torch.full((count, 1), self.sos_token, device=device)
        if c is None:
            raise UsageError("this taming model is class-conditional: give a class for every image.")
        return c.argmax(1, keepdim=True).to(device)

    def logits(self, tokens: Tensor, c: Tensor | None = None) -> Tensor:
        """Logits (N, T, V) of tokens (N, T), each from the ones before it (teacher forcing, equation 10)."""
        inputs = torch.cat([self.start_tokens(len(tokens), c), tokens[:, :-1]], 1)
        return self.transformer(input_ids=inputs, use_cache=False).logits

    @torch.no_grad()
    def draw_tokens(self, seeds: Sequence[int], c: Tensor | None = None) -> Tensor:
        """Token ids (N, side * side) with a key-value cache; row i is drawn from ``seeds[i]`` alone."""
        generators = [image_generator(s) for s in seeds]
        tokens = [self.start_tokens(len(seeds), c)]
        cache = None
        for _ in range(self.side**2):
            out = self.transformer(input_ids=tokens[-1], past_key_values=cache, use_cache=True)
            cache = out.past_key_values
            probabilities = next_token_probabilities(
                out.logits[:, -1].float(), self.temperature, self.top_k, self.top_p
            ).cpu()
            drawn = [torch.multinomial(p, 1, generator=g) for p, g in zip(probabilities, generators, strict=True)]
            tokens.append(torch.stack(drawn).to(tokens[0].device))
        return torch.cat(tokens[1:], 1)

    def forward(
        self,
        z: Tensor,
        c: Tensor | None = None,
        *,
        truncation_psi: float = 1.0,
        noise_mode: NoiseMode = "const",
        seeds: Sequence[int] | None = None,
    ) -> Tensor:
        """Images (N, 3, H, W) for N seeds and optional one-hot classes (N, c_dim); z (N, 0) is ignored."""
        if seeds is None:
            raise UsageError("taming draws its tokens from seeds: give one seed for every image.")
        return self.decode(self.draw_tokens(seeds, c))

    def to_uint8(self, images: np.ndarray) -> np.ndarray:
        """``255 * (x + 1) / 2`` clamped to 0..255 and truncated: upstream adds no half."""
        pixels = np.clip(255 * (np.asarray(images, np.float32) + 1) / 2, 0, 255)
        return np.ascontiguousarray(pixels.astype(np.uint8).transpose(0, 2, 3, 1))


_GPT_NAMES = {
    "tok_emb.weight": "transformer.wte.weight",
    "head.weight": "lm_head.weight",
    "ln_f.weight": "transformer.ln_f.weight",
    "ln_f.bias": "transformer.ln_f.bias",
}
_GPT_LAYERS = {
    "ln1": "ln_1",
    "ln2": "ln_2",
    "attn.proj": "attn.c_proj",
    "mlp.0": "mlp.c_fc",
    "mlp.2": "mlp.c_proj",
}


def gpt2_from_mingpt(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """State dict of :func:`build_gpt`'s network from upstream's minGPT (names without their ``transformer.``).

    GPT-2 keeps its linear weights transposed and query, key and value in one matrix; the causal masks are dropped.
    """
    renamed = {new: state[old] for old, new in _GPT_NAMES.items()}
    renamed["transformer.wpe.weight"] = state["pos_emb"][0]
    layers = {name.split(".")[1] for name in state if name.startswith("blocks.")}
    for i in layers:
        old, new = f"blocks.{i}", f"transformer.h.{i}"
        for part in ("weight", "bias"):
            for a, b in _GPT_LAYERS.items():
                tensor = state[f"{old}.{a}.{part}"]
                renamed[f"{new}.{b}.{part}"] = tensor.t().contiguous() if tensor.ndim == 2 else tensor
            qkv = torch.cat([state[f"{old}.attn.{n}.{part}"] for n in ("query", "key", "value")])
            renamed[f"{new}.attn.c_attn.{part}"] = qkv.t().contiguous() if qkv.ndim == 2 else qkv
    return renamed


_VQ_SUBSTITUTIONS = [
    (r"\bmid\.block_1\b", "mid_block.resnets.0"),
    (r"\bmid\.block_2\b", "mid_block.resnets.1"),
    (r"\bmid\.attn_1\b", "mid_block.attentions.0"),
    (r"\bdown\.(\d+)\.block\b", r"down_blocks.\1.resnets"),
    (r"\bdown\.(\d+)\.attn\b", r"down_blocks.\1.attentions"),
    (r"\bdown\.(\d+)\.downsample\b", r"down_blocks.\1.downsamplers.0"),
    (r"\bup\.(\d+)\.block\b", r"up_blocks.\1.resnets"),
    (r"\bup\.(\d+)\.attn\b", r"up_blocks.\1.attentions"),
    (r"\bup\.(\d+)\.upsample\b", r"up_blocks.\1.upsamplers.0"),
    (r"\bnin_shortcut\b", "conv_shortcut"),
    (r"^(encoder|decoder)\.norm_out\b", r"\1.conv_norm_out"),
]
_VQ_ATTENTION = {"norm": "group_norm", "q": "to_q", "k": "to_k", "v": "to_v", "proj_out": "to_out.0"}


def vqmodel_from_taming(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """State dict of :func:`build_vqgan`'s network from upstream's VQGAN (names without their ``first_stage_model.``).

    Upstream counts the decoder's levels from fine to coarse, diffusers from coarse to fine; attention projections
    turn from 1x1 convolutions into linear layers. Tensors of the training loss (``loss.``) are dropped.
    """
    levels = 1 + max(int(name.split(".")[2]) for name in state if name.startswith("decoder.up."))
    renamed = {}
    for old, tensor in state.items():
        if old.startswith("loss."):
            continue
        new = re.sub(r"(?<=^decoder\.up\.)\d+", lambda m: str(levels - 1 - int(m[0])), old)
        for pattern, replacement in _VQ_SUBSTITUTIONS:
            new = re.sub(pattern, replacement, new)
        if match := re.fullmatch(r"(.*\.attentions\.\d+)\.(\w+)\.(weight|bias)", new):
            new = f"{match[1]}.{_VQ_ATTENTION[match[2]]}.{match[3]}"
            tensor = tensor.flatten(1) if tensor.ndim == 4 else tensor
        renamed[new] = tensor
    return renamed
