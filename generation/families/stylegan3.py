"""StyleGAN3, configurations T and R: Karras et al., "Alias-Free Generative Adversarial Networks" (NeurIPS 2021).

Parameter and buffer names are upstream's. Two computations are arranged differently, with equal results up to
float rounding: modulated convolutions scale the feature maps and share one weight, and the filters run without
zero insertion (:func:`upsample_fir`, :func:`downsample_fir`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import ceil, log2, pi, sqrt
from typing import Any, ClassVar

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ...core.errors import UsageError
from .base import Generator, NoiseMode, register_family, truncating_uint8
from .stylegan2 import FullyConnected, MappingNetwork


def lowpass_filter(taps: int, cutoff: float, width: float, rate: float, radial: bool = False) -> Tensor | None:
    """Kaiser low-pass filter of section 3.2 and appendix C.1, float32 of sum 1; None for a single tap.

    Shape (taps,) if separable, (taps, taps) if radial (jinc). ``cutoff``, transition ``width`` and sampling
    ``rate`` share one unit.
    """
    import scipy.signal  # takes a second to import, and only this family needs it
    import scipy.special

    if taps == 1:
        return None
    if not radial:
        return torch.as_tensor(scipy.signal.firwin(taps, cutoff, width=width, fs=rate), dtype=torch.float32)
    x = (np.arange(taps) - (taps - 1) / 2) / rate
    r = np.hypot(*np.meshgrid(x, x))
    kaiser = np.kaiser(taps, scipy.signal.kaiser_beta(scipy.signal.kaiser_atten(taps, width / (rate / 2))))
    f = scipy.special.j1(2 * cutoff * pi * r) / (pi * r) * np.outer(kaiser, kaiser)
    return torch.as_tensor(f / f.sum(), dtype=torch.float32)


def filter_matrix(f: Tensor, side: int, up: int, down: int, pad: tuple[int, int]) -> Tensor:
    """One axis of zero insertion, padding, filter ``up * f`` and decimation as a dense matrix (out, side).

    Equal to :func:`upsample_fir` with ``down`` 1, and to :func:`downsample_fir` with ``up`` 1 and no padding, up to
    rounding. On a CPU two such products train several times faster than depthwise convolutions.
    """
    taps = f.numel()
    length = side * up + pad[0] + pad[1] - taps + 1
    out = torch.arange(0, length, down, device=f.device)
    tap = out[:, None] - torch.arange(side, device=f.device) * up - pad[0] + taps - 1
    inside = (tap >= 0) & (tap < taps)
    return torch.where(inside, f[tap.clamp(0, taps - 1)] * up, 0)


def upsample_fir(x: Tensor, f: Tensor | None, up: int, pad: tuple[int, int]) -> Tensor:
    """Insert ``up - 1`` zeros after each sample, pad (may be negative) and convolve with ``up * f`` on both axes.

    x (N, C, S, S), f (taps,) or None -> (N, C, M, M), ``M = S * up + pad[0] + pad[1] - taps + 1``. Runs as one
    depthwise transposed convolution per axis, which never touches the zeros.
    """
    if f is None:
        return F.pad(x, [*pad, *pad]) if any(pad) else x
    taps = f.numel()
    f = (f * up).to(x.dtype)
    crop = taps - 1 - pad[0], taps - up - pad[1]  # of the full transposed convolution
    shared = max(min(crop), 0)
    channels = x.shape[1]
    column = f[None, None, :, None].expand(channels, -1, -1, -1)
    x = F.conv_transpose2d(x, column, stride=(up, 1), padding=(shared, 0), groups=channels)
    x = F.conv_transpose2d(x, column.transpose(2, 3), stride=(1, up), padding=(0, shared), groups=channels)
    rest = [shared - crop[0], shared - crop[1]]
    return F.pad(x, rest * 2) if any(rest) else x


def downsample_fir(x: Tensor, f: Tensor | None, down: int, gain: float = 1.0) -> Tensor:
    """Convolve with f, (taps,) on both axes or (taps, taps), without padding; keep every ``down``-th sample.

    The result is multiplied by ``gain``, which costs nothing when it is part of the filter.
    """
    if f is None:
        return x[:, :, ::down, ::down] * gain
    channels = x.shape[1]
    f = f.flip(list(range(f.ndim))).to(x.dtype)
    if f.ndim == 2:
        return F.conv2d(x, (f * gain)[None, None].expand(channels, -1, -1, -1), stride=down, groups=channels)
    column = (f * sqrt(gain))[None, None, :, None].expand(channels, -1, -1, -1)
    x = F.conv2d(x, column, stride=(down, 1), groups=channels)
    return F.conv2d(x, column.transpose(2, 3), stride=(1, down), groups=channels)


class SynthesisInput(nn.Module):
    """Fourier features (section 3.2), rotated and shifted by an affine function of w."""

    freqs: Tensor
    phases: Tensor
    transform: Tensor

    def __init__(self, w_dim: int, channels: int, size: int, rate: float, bandwidth: float) -> None:
        super().__init__()
        self.size, self.rate, self.bandwidth = size, rate, bandwidth
        freqs = torch.randn(channels, 2)
        radii = freqs.square().sum(1, keepdim=True).sqrt()
        freqs = freqs / (radii * radii.square().exp().pow(0.25)) * bandwidth
        self.weight = nn.Parameter(torch.randn(channels, channels))
        self.affine = FullyConnected(w_dim, 4)
        nn.init.zeros_(self.affine.weight)
        self.affine.bias.data = torch.tensor([1.0, 0.0, 0.0, 0.0])
        self.register_buffer("transform", torch.eye(3))
        self.register_buffer("freqs", freqs)
        self.register_buffer("phases", torch.rand(channels) - 0.5)

    def forward(self, w: Tensor) -> Tensor:
        t = self.affine(w)
        t = t / t[:, :2].norm(dim=1, keepdim=True)
        cos, sin, shift = t[:, 0], t[:, 1], -t[:, 2:, None]
        rotation = torch.stack([torch.stack([cos, -sin], 1), torch.stack([sin, cos], 1)], 1)
        moved = torch.cat([rotation, rotation @ shift], 2)  # R @ T, without its constant last row
        moved = moved @ self.transform
        phases = self.phases + (self.freqs @ moved[:, :, 2:]).squeeze(2)
        freqs = self.freqs @ moved[:, :, :2]
        amplitudes = (1 - (freqs.norm(dim=2) - self.bandwidth) / (self.rate / 2 - self.bandwidth)).clamp(0, 1)
        centres = (torch.arange(self.size, device=w.device, dtype=w.dtype) + 0.5) * 2 / self.size - 1
        grid = (centres * (0.5 * self.size / self.rate))[None, :, None]
        # sin(a + b) of the column and row parts: 2S instead of S * S calls of the sine per channel
        a = 2 * pi * (grid * freqs[:, None, :, 0] + phases[:, None])
        b = 2 * pi * (grid * freqs[:, None, :, 1])
        row = torch.stack([a.sin(), a.cos()], 1) * amplitudes[:, None, None]
        column = torch.stack([b.cos(), b.sin()], 1)
        x = row[:, 0, None] * column[:, 0, :, None] + row[:, 1, None] * column[:, 1, :, None]
        return F.linear(x, self.weight / sqrt(len(self.weight))).permute(0, 3, 1, 2)


@dataclass(frozen=True)
class Band:
    """One row of the layer table: what the output of a layer may hold (units: cycles per image, pixels)."""

    size: int
    channels: int
    rate: float
    cutoff: float
    half_width: float


def layer_table(
    img_resolution: int,
    img_channels: int = 3,
    channel_base: int = 32768,
    channel_max: int = 512,
    num_layers: int = 14,
    num_critical: int = 2,
    first_cutoff: float = 2.0,
    first_stopband: float = 2**2.1,
    last_stopband_rel: float = 2**0.3,
    margin_size: int = 10,
) -> list[Band]:
    """Bands of the ``num_layers + 1`` layers, the last being ToRGB (appendix C, figure 4)."""
    last_cutoff = img_resolution / 2
    last_stopband = last_cutoff * last_stopband_rel
    bands = []
    for i in range(num_layers + 1):
        e = min(i / (num_layers - num_critical), 1)
        cutoff = first_cutoff * (last_cutoff / first_cutoff) ** e
        stopband = first_stopband * (last_stopband / first_stopband) ** e
        rate = 2.0 ** ceil(log2(min(stopband * 2, img_resolution)))
        size = img_resolution if i >= num_layers - 1 else int(rate) + 2 * margin_size
        channels = img_channels if i == num_layers else round(min(channel_base / 2 / cutoff, channel_max))
        bands.append(Band(size, channels, rate, cutoff, max(stopband, rate / 2) - cutoff))
    return bands


class SynthesisLayer(nn.Module):
    """Modulated convolution, then a leaky ReLU between an up- and a downsampling filter (figure 4b)."""

    magnitude_ema: Tensor
    up_filter: Tensor | None
    down_filter: Tensor | None

    def __init__(
        self,
        w_dim: int,
        source: Band,
        target: Band,
        is_torgb: bool,
        is_critical: bool,
        conv_kernel: int,
        filter_size: int,
        lrelu_upsampling: int,
        use_radial_filters: bool,
        conv_clamp: float | None,
        magnitude_ema_beta: float,
    ) -> None:
        super().__init__()
        self.is_torgb, self.conv_clamp, self.magnitude_ema_beta = is_torgb, conv_clamp, magnitude_ema_beta
        self.kernel = 1 if is_torgb else conv_kernel
        self.affine = FullyConnected(w_dim, source.channels, bias=1.0)
        self.weight = nn.Parameter(torch.randn(target.channels, source.channels, self.kernel, self.kernel))
        self.bias = nn.Parameter(torch.zeros(target.channels))
        self.register_buffer("magnitude_ema", torch.ones([]))

        rate = max(source.rate, target.rate) * (1 if is_torgb else lrelu_upsampling)
        self.up, self.down = round(rate / source.rate), round(rate / target.rate)
        up_taps, down_taps = (1 if k == 1 or is_torgb else filter_size * k for k in (self.up, self.down))
        up_filter = lowpass_filter(up_taps, source.cutoff, source.half_width * 2, rate)
        radial = use_radial_filters and not is_critical
        down_filter = lowpass_filter(down_taps, target.cutoff, target.half_width * 2, rate, radial)
        self.register_buffer("up_filter", up_filter)
        self.register_buffer("down_filter", down_filter)

        total = (target.size - 1) * self.down + 1 - (source.size + self.kernel - 1) * self.up + up_taps + down_taps - 2
        low = (total + self.up) // 2
        self.pad = low, total - low

    def forward(self, x: Tensor, w: Tensor) -> Tensor:
        if self.training:
            magnitude = x.detach().square().mean(dtype=torch.float32)
            self.magnitude_ema.copy_(magnitude.lerp(self.magnitude_ema, self.magnitude_ema_beta))
        gain = self.magnitude_ema.rsqrt()
        styles = self.affine(w)
        if self.is_torgb:
            styles = styles * (gain / sqrt(self.weight[0].numel()))
            x = F.conv2d(x * styles[:, :, None, None], self.weight, self.bias)
            return x if self.conv_clamp is None else x.clamp(-self.conv_clamp, self.conv_clamp)
        weight = self.weight * self.weight.square().mean([1, 2, 3], keepdim=True).rsqrt()
        # Upstream scales styles by their batch mean, which demodulation cancels; per image it stays batch-free.
        styles = styles * styles.square().mean(1, keepdim=True).rsqrt()
        demodulation = (styles.square() @ weight.square().sum([2, 3]).t() + 1e-8).rsqrt()
        x = F.conv2d(x * (styles * gain)[:, :, None, None].to(x.dtype), weight, padding=self.kernel - 1)
        x = torch.addcmul(self.bias[:, None, None].to(x.dtype), x, demodulation[:, :, None, None].to(x.dtype))
        x = self._upsample(x)
        x = F.leaky_relu(x, 0.2)  # its gain of sqrt 2 is applied by the filter below
        if self.conv_clamp is not None:
            x = x.clamp(-self.conv_clamp / sqrt(2), self.conv_clamp / sqrt(2))
        return self._downsample(x) if self.training else downsample_fir(x, self.down_filter, self.down, gain=sqrt(2))

    def _upsample(self, x: Tensor) -> Tensor:
        """:func:`upsample_fir`; while training as matrix products, which are faster and round differently."""
        if not self.training or self.up_filter is None:
            return upsample_fir(x, self.up_filter, self.up, self.pad)
        matrix = filter_matrix(self.up_filter, x.shape[2], self.up, 1, self.pad)
        return matrix @ (x @ matrix.t())

    def _downsample(self, x: Tensor) -> Tensor:
        if self.down_filter is None or self.down_filter.ndim == 2:
            return downsample_fir(x, self.down_filter, self.down, gain=sqrt(2))
        matrix = filter_matrix(self.down_filter * 2**0.25, x.shape[2], 1, self.down, (0, 0))
        return matrix @ (x @ matrix.t())


class SynthesisNetwork(nn.Module):
    """One style (N, w_dim), or one for the input and each layer (N, num_ws, w_dim), to images (N, planes, R, R)."""

    def __init__(
        self,
        w_dim: int,
        img_resolution: int,
        img_channels: int = 3,
        num_layers: int = 14,
        num_critical: int = 2,
        output_scale: float = 0.25,
        conv_kernel: int = 3,
        filter_size: int = 6,
        lrelu_upsampling: int = 2,
        use_radial_filters: bool = False,
        conv_clamp: float | None = 256,
        magnitude_ema_beta: float = 0.999,
        **table: Any,
    ) -> None:
        super().__init__()
        self.output_scale = output_scale
        bands = layer_table(img_resolution, img_channels, num_layers=num_layers, num_critical=num_critical, **table)
        first = bands[0]
        self.input = SynthesisInput(w_dim, first.channels, first.size, first.rate, first.cutoff)
        self.layer_names = []
        for i, target in enumerate(bands):
            layer = SynthesisLayer(
                w_dim,
                bands[max(i - 1, 0)],
                target,
                is_torgb=i == num_layers,
                is_critical=i >= num_layers - num_critical,
                conv_kernel=conv_kernel,
                filter_size=filter_size,
                lrelu_upsampling=lrelu_upsampling,
                use_radial_filters=use_radial_filters,
                conv_clamp=conv_clamp,
                magnitude_ema_beta=magnitude_ema_beta,
            )
            self.layer_names.append(f"L{i}_{target.size}_{target.channels}")
            self.add_module(self.layer_names[-1], layer)

    @property
    def num_ws(self) -> int:
        return len(self.layer_names) + 1

    def forward(self, w: Tensor) -> Tensor:
        first, *rest = w.unbind(1) if w.ndim == 3 else [w] * self.num_ws
        x = self.input(first)
        for name, style in zip(self.layer_names, rest, strict=True):
            x = self.get_submodule(name)(x, style)
        return x * self.output_scale


@register_family("stylegan3")
class StyleGAN3(Generator):
    """StyleGAN3 generator, T or R by config.

    Config: upstream's ``init_kwargs`` under their own names: ``z_dim, c_dim, w_dim, img_resolution, img_channels``,
    ``mapping_kwargs`` (``num_layers`` 2, ``lr_multiplier`` 0.01, ``w_avg_beta`` 0.998) and, flat, those of
    :class:`SynthesisNetwork` and :func:`layer_table`. R is ``conv_kernel=1, channel_base=65536, channel_max=1024,
    use_radial_filters=True``. UsageError on an unknown keyword; ``num_fp16_res`` is accepted and dropped, since
    everything runs in float32.

    There is no noise: ``noise_mode`` and ``seeds`` change nothing. In training mode every forward pass moves
    ``mapping.w_avg`` and each layer's ``magnitude_ema`` by one step of their moving averages.
    """

    latent_spaces: ClassVar[tuple[str, ...]] = ("z", "w", "w+")

    def __init__(
        self,
        z_dim: int = 512,
        c_dim: int = 0,
        w_dim: int = 512,
        img_resolution: int = 1024,
        img_channels: int = 3,
        mapping_kwargs: Mapping[str, Any] | None = None,
        **synthesis: Any,
    ) -> None:
        super().__init__()
        synthesis.pop("num_fp16_res", None)
        self.config = {
            "z_dim": z_dim,
            "c_dim": c_dim,
            "w_dim": w_dim,
            "img_resolution": img_resolution,
            "img_channels": img_channels,
            "mapping_kwargs": dict(mapping_kwargs or {}),
            **synthesis,
        }
        self.z_dim, self.c_dim, self.resolution = z_dim, c_dim, img_resolution
        self.mapping = MappingNetwork(z_dim, c_dim, w_dim, **{"num_layers": 2, **(mapping_kwargs or {})})
        try:
            self.synthesis = SynthesisNetwork(w_dim, img_resolution, img_channels, **synthesis)
        except TypeError as error:
            raise UsageError(f"unknown StyleGAN3 synthesis keyword ({error}).") from error

    def to_space(self, z: Tensor, space: str) -> Tensor:
        """z itself, one style (N, w_dim), or one style for the input and each layer (N, num_ws, w_dim)."""
        if space == "z":
            return z
        w = self.mapping(z, None)
        return w if space == "w" else w[:, None].repeat(1, self.synthesis.num_ws, 1)

    def from_space(
        self, codes: Tensor, space: str, *, noise_mode: NoiseMode = "const", seeds: Sequence[int] | None = None
    ) -> Tensor:
        """Pictures (N, 3, H, W) of codes in "z", "w" or "w+"."""
        return self(codes) if space == "z" else self.synthesis(codes)

    def forward(
        self,
        z: Tensor,
        c: Tensor | None = None,
        *,
        truncation_psi: float = 1.0,
        noise_mode: NoiseMode = "const",
        seeds: Sequence[int] | None = None,
    ) -> Tensor:
        """Latents (N, z_dim) and one-hot classes (N, c_dim) (None = zeros) to images (N, 3, H, W)."""
        w = self.mapping(z, c)
        return self.synthesis(w if truncation_psi == 1 else self.mapping.w_avg.lerp(w, truncation_psi))

    def to_uint8(self, images: np.ndarray) -> np.ndarray:
        """``x * 127.5 + 128`` clamped to 0..255 and truncated."""
        return truncating_uint8(127.5, 128.0)(images)
