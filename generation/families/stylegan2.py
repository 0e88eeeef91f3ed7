"""StyleGAN2: Karras et al., "Analyzing and Improving the Image Quality of StyleGAN", CVPR 2020."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, ClassVar

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ...core.errors import UsageError
from .base import Generator, NoiseMode, register_family, truncating_uint8
from .noise import NoiseStream


@dataclass(frozen=True)
class SynthesisOptions:
    """Synthesis keywords that change the function; the names are upstream's."""

    channel_base: int = 32768
    channel_max: int = 512
    architecture: str = "skip"
    conv_clamp: float | None = None
    use_noise: bool = True
    activation: str = "lrelu"
    resample_filter: Sequence[int] = field(default=(1, 3, 3, 1))
    num_fp16_res: int = 0

    def half(self, side: int, resolution: int) -> bool:
        """Whether upstream computes this side in half precision: the ``num_fp16_res`` finest ones, never 4."""
        return self.num_fp16_res > 0 and side >= max(2 * resolution >> self.num_fp16_res, 8)

    def width(self, side: int) -> int:
        return min(self.channel_base // side, self.channel_max)


#: Upstream keywords that only choose how the same function is computed.
_EXECUTION_KEYWORDS = {"fp16_channels_last", "use_fp16", "fused_modconv_default"}


def synthesis_options(nested: Mapping[str, Any] | None, flat: Mapping[str, Any]) -> SynthesisOptions:
    """Options from either of the two published keyword forms.

    The ADA repository nests them in ``synthesis_kwargs`` (clamp off by default); the StyleGAN3 repository gives them
    flat (by default clamp 256, 4 resolutions in half precision). UsageError on an unknown keyword or value.
    """
    given = dict(nested) if nested is not None else {"conv_clamp": 256, "num_fp16_res": 4, **flat}
    known = {k: v for k, v in given.items() if k not in _EXECUTION_KEYWORDS}
    try:
        options = SynthesisOptions(**known)
    except TypeError as error:
        raise UsageError(f"unknown StyleGAN2 synthesis keyword ({error}).") from error
    if options.architecture not in ("skip", "resnet", "orig") or options.activation not in ("lrelu", "linear"):
        raise UsageError(f"StyleGAN2 with {options.architecture}/{options.activation} is not supported.")
    return options


def normalize_2nd_moment(x: Tensor) -> Tensor:
    """``x * rsqrt(mean over features of x**2 + 1e-8)`` for (N, C)."""
    return x * (x.square().mean(dim=1, keepdim=True) + 1e-8).rsqrt()


class FullyConnected(nn.Module):
    """Equalised dense layer; with ``activation`` followed by leaky ReLU times sqrt 2."""

    def __init__(self, inputs: int, outputs: int, activation: bool = False, lr: float = 1.0, bias: float = 0.0) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(outputs, inputs) / lr)
        self.bias = nn.Parameter(torch.full((outputs,), float(bias)))
        self.activation = activation
        self.scale = lr / math.sqrt(inputs)
        self.lr = lr

    def forward(self, x: Tensor) -> Tensor:
        x = F.linear(x, self.weight * self.scale, self.bias * self.lr)
        return F.leaky_relu(x, 0.2) * math.sqrt(2) if self.activation else x


class MappingNetwork(nn.Module):
    """(N, z_dim) and classes (N, c_dim) -> (N, w_dim)."""

    w_avg: Tensor

    def __init__(
        self,
        z_dim: int,
        c_dim: int,
        w_dim: int,
        *,
        num_layers: int = 8,
        embed_features: int | None = None,
        layer_features: int | None = None,
        activation: str = "lrelu",
        lr_multiplier: float = 0.01,
        w_avg_beta: float = 0.998,
    ) -> None:
        super().__init__()
        if activation != "lrelu":
            raise UsageError(f"StyleGAN2 mapping with activation '{activation}' is not supported.")
        embedding = (embed_features or w_dim) if c_dim else 0
        widths = [z_dim + embedding, *[layer_features or w_dim] * (num_layers - 1), w_dim]
        if c_dim:
            self.embed = FullyConnected(c_dim, embedding)
        for i, (a, b) in enumerate(pairwise(widths)):
            self.add_module(f"fc{i}", FullyConnected(a, b, activation=True, lr=lr_multiplier))
        self.num_layers = num_layers
        self.c_dim = c_dim
        self.w_avg_beta = w_avg_beta
        self.register_buffer("w_avg", torch.zeros(w_dim))

    def forward(self, z: Tensor, c: Tensor | None) -> Tensor:
        x = normalize_2nd_moment(z.float())
        if self.c_dim:
            c = x.new_zeros(len(x), self.c_dim) if c is None else c.float()
            x = torch.cat([x, normalize_2nd_moment(self.embed(c))], dim=1)
        for i in range(self.num_layers):
            x = self.get_submodule(f"fc{i}")(x)
        if self.training:
            self.w_avg.copy_(x.detach().mean(dim=0).float().lerp(self.w_avg, self.w_avg_beta))
        return x


def fir_kernel(taps: Sequence[int]) -> Tensor:
    """Outer product of the taps, normalised to sum 1 (k, k)."""
    tap = torch.tensor(list(taps), dtype=torch.float32)
    kernel = torch.outer(tap, tap) if tap.ndim == 1 else tap
    return kernel / kernel.sum()


def upsample_image(x: Tensor, fir: Tensor) -> Tensor:
    """Zero-insertion by 2 and the FIR with gain 4, as one depthwise transposed convolution: (N, C, H, W) -> 2H, 2W."""
    channels, taps = x.shape[1], fir.shape[0]
    kernel = (fir * 4).to(x.dtype).expand(channels, 1, taps, taps)
    x = F.conv_transpose2d(x, kernel, stride=2, groups=channels)
    # Zero-insertion pads (taps + 1) // 2 before and (taps - 2) // 2 after (+1 inserted zero at the end).
    before = taps - 1 - (taps + 1) // 2
    side = 2 * ((x.shape[2] - taps) // 2 + 1)
    return x[:, :, before : before + side, before : before + side]


class SynthesisLayer(nn.Module):
    """Modulated convolution (section 2.2 of the paper), noise, bias, leaky ReLU times sqrt 2, clamp.

    Modulation scales the input maps and demodulation the output maps, which equals scaling the weights of every
    sample and needs no grouped convolution.
    """

    noise_const: Tensor
    fir: Tensor

    def __init__(self, inputs: int, outputs: int, w_dim: int, side: int, options: SynthesisOptions, up: bool) -> None:
        super().__init__()
        self.affine = FullyConnected(w_dim, inputs, bias=1.0)
        self.weight = nn.Parameter(torch.randn(outputs, inputs, 3, 3))
        self.bias = nn.Parameter(torch.zeros(outputs))
        self.options = options
        self.up = up
        self.register_buffer("fir", fir_kernel(options.resample_filter), persistent=False)
        if options.use_noise:
            self.register_buffer("noise_const", torch.randn(side, side))
            self.noise_strength = nn.Parameter(torch.zeros([]))

    def forward(self, x: Tensor, w: Tensor, noise_mode: NoiseMode, stream: NoiseStream | None, gain: float) -> Tensor:
        style, weight = self.affine(w), self.weight
        if x.dtype == torch.float16:  # as upstream: keep the products in range, demodulation removes the scale
            largest = weight.abs().amax(dim=(1, 2, 3), keepdim=True)
            weight = weight * (1 / math.sqrt(weight[0].numel()) / largest)
            style = style / style.abs().amax(dim=1, keepdim=True)
        demodulation = (style.square() @ weight.square().sum(dim=(2, 3)).T + 1e-8).rsqrt()
        x = x * style[:, :, None, None].to(x.dtype)
        weight = weight.to(x.dtype)
        x = self._upsampling_conv(x, weight) if self.up else F.conv2d(x, weight, padding=1)
        demodulation = demodulation[:, :, None, None].to(x.dtype)
        if not self.options.use_noise or noise_mode == "none":
            x = x * demodulation
        else:
            plane = self.noise_const if stream is None else stream.plane(*self.noise_const.shape)
            plane = (plane * self.noise_strength).to(x.dtype)
            # In half precision upstream rounds once here, which shows.
            half = x.dtype == torch.float16
            x = torch.addcmul(plane, x, demodulation) if half else x * demodulation + plane
        x = x + self.bias.view(1, -1, 1, 1).to(x.dtype)
        activation_gain = 1.0
        if self.options.activation == "lrelu":
            x, activation_gain = F.leaky_relu(x, 0.2), math.sqrt(2)
        return clamp(x * (activation_gain * gain), self.options.conv_clamp, gain)

    def _upsampling_conv(self, x: Tensor, weight: Tensor) -> Tensor:
        x = F.conv_transpose2d(x, weight.transpose(0, 1), stride=2)
        channels, taps = x.shape[1], self.fir.shape[0]
        # The transposed convolution yields 2H + 1; the FIR and this padding bring it back to 2H, centred.
        total = taps - 2
        x = F.pad(x, ((total + 1) // 2, total // 2) * 2)
        return F.conv2d(x, (self.fir * 4).to(x.dtype).expand(channels, 1, taps, taps), groups=channels)


def clamp(x: Tensor, limit: float | None, gain: float = 1.0) -> Tensor:
    """Clamp to ``limit * gain`` on both sides; None = leave."""
    return x if limit is None else x.clamp(-limit * gain, limit * gain)


class ToRGB(nn.Module):
    """Modulated 1x1 convolution without demodulation, plus bias and clamp."""

    def __init__(self, inputs: int, outputs: int, w_dim: int, conv_clamp: float | None) -> None:
        super().__init__()
        self.affine = FullyConnected(w_dim, inputs, bias=1.0)
        self.weight = nn.Parameter(torch.randn(outputs, inputs, 1, 1))
        self.bias = nn.Parameter(torch.zeros(outputs))
        self.scale = 1 / math.sqrt(inputs)
        self.conv_clamp = conv_clamp

    def forward(self, x: Tensor, w: Tensor) -> Tensor:
        style = self.affine(w) * self.scale
        x = F.conv2d(x * style[:, :, None, None].to(x.dtype), self.weight.to(x.dtype))
        return clamp(x + self.bias.view(1, -1, 1, 1).to(x.dtype), self.conv_clamp).float()


class SkipConv(nn.Module):
    """The residual branch of the ``resnet`` architecture: 1x1 convolution without bias, then FIR doubling."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(outputs, inputs, 1, 1))
        self.scale = 1 / math.sqrt(inputs)

    def forward(self, x: Tensor, fir: Tensor) -> Tensor:
        return upsample_image(F.conv2d(x, (self.weight * self.scale).to(x.dtype)), fir)


class SynthesisBlock(nn.Module):
    """All layers at one side."""

    fir: Tensor

    def __init__(self, inputs: int, side: int, w_dim: int, planes: int, last: bool, options: SynthesisOptions) -> None:
        super().__init__()
        outputs = options.width(side)
        self.options = options
        self.dtype = torch.float32
        self.num_conv = 2 if inputs else 1
        if inputs:
            self.conv0 = SynthesisLayer(inputs, outputs, w_dim, side, options, up=True)
        else:
            self.const = nn.Parameter(torch.randn(outputs, side, side))
        self.conv1 = SynthesisLayer(outputs, outputs, w_dim, side, options, up=False)
        self.has_rgb = last or options.architecture == "skip"
        if self.has_rgb:
            self.torgb = ToRGB(outputs, planes, w_dim, options.conv_clamp)
        if inputs and options.architecture == "resnet":
            self.skip = SkipConv(inputs, outputs)
        self.register_buffer("fir", fir_kernel(options.resample_filter), persistent=False)

    def forward(
        self, x: Tensor | None, image: Tensor | None, ws: Tensor, noise_mode: NoiseMode, stream: NoiseStream | None
    ) -> tuple[Tensor, Tensor | None]:
        x = None if x is None else x.to(self.dtype)
        if x is None:
            x = self.conv1(self.const.expand(len(ws), -1, -1, -1), ws[:, 0], noise_mode, stream, 1.0)
        elif self.options.architecture == "resnet":
            residual = self.skip(x, self.fir) * math.sqrt(0.5)
            x = self.conv0(x, ws[:, 0], noise_mode, stream, 1.0)
            x = residual + self.conv1(x, ws[:, 1], noise_mode, stream, math.sqrt(0.5))
        else:
            x = self.conv0(x, ws[:, 0], noise_mode, stream, 1.0)
            x = self.conv1(x, ws[:, 1], noise_mode, stream, 1.0)
        assert x is not None
        if image is not None:
            image = upsample_image(image, self.fir)
        if self.has_rgb:
            rgb = self.torgb(x, ws[:, self.num_conv])
            image = rgb if image is None else image + rgb
        return x, image


class SynthesisNetwork(nn.Module):
    """Styles (N, num_ws, w_dim) -> images (N, planes, R, R).

    A ``sketch`` (N, C, S, S) is added to the feature maps at its side.
    """

    def __init__(self, w_dim: int, resolution: int, planes: int, options: SynthesisOptions) -> None:
        super().__init__()
        self.sides = [4 << i for i in range(int(math.log2(resolution)) - 1)]
        for side in self.sides:
            inputs = options.width(side // 2) if side > 4 else 0
            self.add_module(f"b{side}", SynthesisBlock(inputs, side, w_dim, planes, side == resolution, options))
        self.num_ws = 2 * len(self.sides)

    def forward(
        self,
        ws: Tensor,
        noise_mode: NoiseMode = "const",
        seeds: Sequence[int] | None = None,
        sketch: Tensor | None = None,
    ) -> Tensor:
        stream = NoiseStream(len(ws), ws.device, seeds) if noise_mode == "random" else None
        x = image = None
        first = 0
        for side in self.sides:
            block = self.get_submodule(f"b{side}")
            assert isinstance(block, SynthesisBlock)
            x, image = block(x, image, ws[:, first : first + block.num_conv + 1], noise_mode, stream)
            if sketch is not None and sketch.shape[-1] == side:
                x = x + sketch
            first += block.num_conv
        assert image is not None
        return image


@register_family("stylegan2")
class StyleGAN2(Generator):
    """StyleGAN2 of Karras et al., CVPR 2020, in the arguments of both official PyTorch repositories.

    The width at side R is ``min(channel_base // R, channel_max)``. Parameter names are upstream's. In training mode
    every call moves ``mapping.w_avg`` towards the batch mean (decay ``w_avg_beta``).

    Parameters
    ----------
    z_dim, c_dim, w_dim : int
        Lengths of latent, class vector (0 = unconditional) and intermediate latent.
    img_resolution, img_channels : int
        Output side (a power of two >= 8) and planes.
    mapping_kwargs : Mapping[str, Any] or None, optional
        ``num_layers`` (8), ``embed_features``, ``layer_features``, ``lr_multiplier``, ``w_avg_beta``.
    synthesis_kwargs : Mapping[str, Any] or None, optional
        Nested form of the ADA repository: ``channel_base`` (32768), ``channel_max`` (512),
        ``architecture`` (skip | resnet | orig), ``conv_clamp`` (None), ``use_noise``, ``resample_filter``.
    **synthesis : Any
        The same keywords given flat, as the StyleGAN3 repository does (``conv_clamp`` then defaults to 256).
    precision : str, optional
        ``float32``, or ``official``: the ``num_fp16_res`` finest sides (0 by default in the nested form, 4 in
        the flat one) in half precision, as upstream samples on a GPU. Meant for evaluation.
    """

    latent_spaces: ClassVar[tuple[str, ...]] = ("z", "w", "w+")

    def __init__(
        self,
        z_dim: int,
        c_dim: int,
        w_dim: int,
        img_resolution: int,
        img_channels: int = 3,
        mapping_kwargs: Mapping[str, Any] | None = None,
        synthesis_kwargs: Mapping[str, Any] | None = None,
        precision: str = "float32",
        **synthesis: Any,
    ) -> None:
        super().__init__()
        if img_resolution < 8 or img_resolution & (img_resolution - 1):
            raise UsageError(f"StyleGAN2 needs a side that is a power of two >= 8, not {img_resolution}.")
        self.config = {
            "z_dim": z_dim,
            "c_dim": c_dim,
            "w_dim": w_dim,
            "img_resolution": img_resolution,
            "img_channels": img_channels,
            "mapping_kwargs": dict(mapping_kwargs or {}),
            **({} if synthesis_kwargs is None else {"synthesis_kwargs": dict(synthesis_kwargs)}),
            **({} if precision == "float32" else {"precision": precision}),
            **synthesis,
        }
        self.z_dim, self.c_dim, self.resolution = z_dim, c_dim, img_resolution
        options = synthesis_options(synthesis_kwargs, synthesis)
        self.mapping = MappingNetwork(z_dim, c_dim, w_dim, **dict(mapping_kwargs or {}))
        self.synthesis = SynthesisNetwork(w_dim, img_resolution, img_channels, options)
        if precision not in ("float32", "official"):
            raise UsageError(f"unknown precision '{precision}'. Known: float32, official.")
        for side in self.synthesis.sides:
            block = self.synthesis.get_submodule(f"b{side}")
            if precision == "official" and isinstance(block, SynthesisBlock) and options.half(side, img_resolution):
                block.dtype = torch.float16

    def styles(
        self,
        z: Tensor,
        c: Tensor | None = None,
        truncation_psi: float = 1.0,
        truncation_cutoff: int | None = None,
    ) -> Tensor:
        """(N, num_ws, w_dim); the first ``truncation_cutoff`` (None = all) are pulled towards ``mapping.w_avg``."""
        ws = self.mapping(z, c)[:, None].repeat(1, self.synthesis.num_ws, 1)
        if truncation_psi == 1:
            return ws
        cutoff = self.synthesis.num_ws if truncation_cutoff is None else truncation_cutoff
        return torch.cat([self.mapping.w_avg.lerp(ws[:, :cutoff], truncation_psi), ws[:, cutoff:]], dim=1)

    def to_space(self, z: Tensor, space: str) -> Tensor:
        """z itself, one style (N, w_dim), or one style for each layer (N, num_ws, w_dim)."""
        if space == "z":
            return z
        return self.mapping(z, None) if space == "w" else self.styles(z)

    def from_space(
        self, codes: Tensor, space: str, *, noise_mode: NoiseMode = "const", seeds: Sequence[int] | None = None
    ) -> Tensor:
        """Pictures (N, 3, R, R) of codes in "z", "w" or "w+"."""
        if space == "z":
            return self(codes, noise_mode=noise_mode, seeds=seeds)
        ws = codes[:, None].expand(-1, self.synthesis.num_ws, -1) if space == "w" else codes
        return self.synthesis(ws, noise_mode, seeds)

    def forward(
        self,
        z: Tensor,
        c: Tensor | None = None,
        *,
        truncation_psi: float = 1.0,
        noise_mode: NoiseMode = "const",
        seeds: Sequence[int] | None = None,
        truncation_cutoff: int | None = None,
    ) -> Tensor:
        """(N, z_dim) and one-hot classes (N, c_dim) (None = zeros) -> (N, 3, R, R)."""
        return self.synthesis(self.styles(z, c, truncation_psi, truncation_cutoff), noise_mode, seeds)

    def to_uint8(self, images: np.ndarray) -> np.ndarray:
        """``x * 127.5 + 128`` clamped to 0..255 and truncated."""
        return truncating_uint8(127.5, 128)(images)
