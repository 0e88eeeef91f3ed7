"""Every published layout, written by the test itself, read back into the right network."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from osbench.generation import CheckpointError, LoadedGenerator, load_generator
from osbench.generation.families.progan import ProGAN
from osbench.generation.families.projected_gan import ProjectedGAN
from osbench.generation.families.stylegan import StyleGAN
from osbench.generation.families.stylegan2 import StyleGAN2
from osbench.generation.families.stylegan3 import StyleGAN3

BUFFERS = {
    "w_avg", "noise_const", "resample_filter", "magnitude_ema", "up_filter", "down_filter", "transform", "freqs",
    "phases", "running_mean", "running_var", "num_batches_tracked", "weight_u", "weight_v",
}  # fmt: skip
FIR = torch.outer(torch.tensor([1.0, 3, 3, 1]), torch.tensor([1.0, 3, 3, 1])) / 64


def randomised(network: torch.nn.Module) -> dict[str, torch.Tensor]:
    """State dict of a network whose every floating tensor is drawn anew, also those that start at 0 or 1."""
    torch.manual_seed(1)
    for name, tensor in network.state_dict().items():
        if tensor.is_floating_point() and not name.endswith("_filter"):
            tensor.copy_(
                torch.randn(tensor.shape).abs() + 0.1 if name.endswith(("ema", "var")) else torch.randn(tensor.shape)
            )
    return network.eval().state_dict()


def write(path: Path, data: bytes) -> LoadedGenerator:
    path.write_bytes(data)
    return load_generator(path, cache=False)


def same_images(network: Any, loaded: LoadedGenerator, tolerance: float = 1e-5, **keywords: Any) -> None:
    z = network.latents([1, 2])
    keywords = {"seeds": [1, 2], **keywords}
    expected = network.synthesize(z, **keywords)
    np.testing.assert_allclose(loaded.synthesize(z, **keywords), expected, rtol=tolerance, atol=tolerance)


def same_tensors(loaded: LoadedGenerator, stored: dict[str, Any]) -> None:
    tensors = loaded.tensors()
    assert set(tensors) == set(stored)
    for name, value in stored.items():
        array = value.numpy() if isinstance(value, torch.Tensor) else np.asarray(value)
        assert tensors[name].dtype == array.dtype
        np.testing.assert_array_equal(tensors[name], array)


# --- persistence: StyleGAN2 and StyleGAN3 -------------------------------------------------------------------------


def stylegan2_state(network: StyleGAN2) -> dict[str, torch.Tensor]:
    state = dict(randomised(network))
    for name in list(state):
        if name.endswith(("noise_const", "conv1.bias")):
            state[name.rsplit(".", 1)[0] + ".resample_filter"] = FIR
    return state


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
@pytest.mark.parametrize(
    "form",
    [
        {"synthesis_kwargs": {"channel_base": 128, "channel_max": 8, "num_fp16_res": 4, "conv_clamp": 256}},
        {"channel_base": 128, "channel_max": 8, "num_fp16_res": 0, "fused_modconv_default": "inference_only"},
    ],
    ids=["ada", "stylegan3-repository"],
)
def test_stylegan2(files: Any, tmp_path: Path, form: dict[str, Any], protocol: int) -> None:
    config = {"z_dim": 6, "c_dim": 3, "w_dim": 5, "img_resolution": 16, "img_channels": 3}
    config = {**config, "mapping_kwargs": {"num_layers": 2}, **form}
    network = StyleGAN2(**config)
    state = stylegan2_state(network)
    tree = files.module_tree(state, BUFFERS, files.persistent, {"_init_args": (), "_init_kwargs": config})
    loaded = write(tmp_path / "sg2.pkl", files.dump(files.snapshot(tree), protocol))
    assert (loaded.family, loaded.layout, loaded.config) == ("stylegan2", "persistence", config)
    same_tensors(loaded, state)
    c = np.eye(3, dtype=np.float32)[:2]
    calls: tuple[dict[str, Any], ...] = (
        {"c": c},
        {"c": c, "truncation_psi": 0.5, "noise_mode": "none"},
        {"noise_mode": "random"},
    )
    for keywords in calls:
        same_images(network, loaded, **keywords)


@pytest.mark.parametrize("architecture", ["skip", "resnet", "orig"])
def test_stylegan2_architectures_and_attributes_of_the_layers(files: Any, tmp_path: Path, architecture: str) -> None:
    """Settings that the arguments leave to defaults are taken from the layers themselves."""
    synthesis = {"channel_base": 64, "channel_max": 8, "architecture": architecture, "conv_clamp": 0.7}
    network = StyleGAN2(4, 0, 4, 16, synthesis_kwargs=synthesis)
    state = stylegan2_state(network)

    def wrap(name: str, attributes: dict[str, Any]) -> Any:
        if "noise_const" in attributes["_buffers"]:
            attributes = {**attributes, "conv_clamp": 0.7, "activation": "lrelu", "use_noise": True}
        if "conv1" in attributes["_modules"]:
            attributes = {**attributes, "architecture": architecture}
        return files.persistent(name, attributes)

    given: dict[str, Any] = {"z_dim": 4, "c_dim": 0, "w_dim": 4, "img_resolution": 16, "img_channels": 3}
    given["synthesis_kwargs"] = {"channel_base": 64, "channel_max": 8}
    tree = files.module_tree(state, BUFFERS, wrap, {"_init_kwargs": given})
    loaded = write(tmp_path / "sg2.pkl", files.dump(files.snapshot(tree)))
    assert loaded.config == given
    same_images(network, loaded)


def test_another_resampling_filter_than_stated_is_refused(files: Any, tmp_path: Path) -> None:
    network = StyleGAN2(4, 0, 4, 8, channel_base=32)
    state = {**stylegan2_state(network), "synthesis.b8.resample_filter": FIR.roll(1, 0)}
    tree = files.module_tree(state, BUFFERS, files.persistent, {"_init_kwargs": network.config})
    with pytest.raises(CheckpointError, match="resample_filter"):
        write(tmp_path / "sg2.pkl", files.dump(files.snapshot(tree)))


@pytest.mark.parametrize("kind", [{}, {"conv_kernel": 1, "use_radial_filters": True}], ids=["translation", "rotation"])
def test_stylegan3(files: Any, tmp_path: Path, kind: dict[str, Any]) -> None:
    config = {
        "z_dim": 6, "c_dim": 0, "w_dim": 5, "img_resolution": 16, "img_channels": 3, "channel_base": 128,
        "channel_max": 8, "num_layers": 6, "margin_size": 4, "magnitude_ema_beta": 0.99, **kind,
    }  # fmt: skip
    network = StyleGAN3(**config)
    state = {**randomised(network), "synthesis.input.transform": torch.eye(3)}
    network.load_state_dict(state)
    given = {**config, "num_fp16_res": 4}
    tree = files.module_tree(state, BUFFERS, files.persistent, {"_init_kwargs": given})
    loaded = write(tmp_path / "sg3.pkl", files.dump(files.snapshot(tree), 4))
    assert (loaded.family, loaded.config) == ("stylegan3", given)
    same_tensors(loaded, state)
    same_images(network, loaded, truncation_psi=0.6)


def test_a_file_with_just_the_network(files: Any, tmp_path: Path) -> None:
    network = StyleGAN2(4, 0, 4, 8, channel_base=32)
    tree = files.module_tree(stylegan2_state(network), BUFFERS, files.persistent, {"_init_kwargs": network.config})
    same_images(network, write(tmp_path / "bare.pkl", files.dump(tree)))


# --- Projected GAN ------------------------------------------------------------------------------------------------


def fastgan_state(network: ProjectedGAN) -> dict[str, torch.Tensor]:
    """Upstream's names: every convolution with the triplet of spectral norm, batch norm as it is."""
    generator = torch.Generator().manual_seed(3)
    state: dict[str, torch.Tensor] = {}
    for name, tensor in randomised(network).items():
        if not name.endswith("weight") or tensor.ndim != 4:
            state[name] = tensor
            continue
        matrix = (tensor.transpose(0, 1) if ".init.init.0" in name else tensor).flatten(1)
        u, v = torch.randn(matrix.shape[0], generator=generator), torch.randn(matrix.shape[1], generator=generator)
        state[f"{name}_u"], state[f"{name}_v"] = u, v
        # Any scale will do for the stored weight; the network is then given what upstream's hook would compute.
        state[f"{name}_orig"] = tensor
        tensor.copy_(tensor / torch.dot(u, matrix @ v))
        state[f"{name}_orig"] = tensor * 1.5
    return state


def fastgan_file(files: Any, network: ProjectedGAN, wrap: Any) -> tuple[dict[str, torch.Tensor], Any]:
    state = fastgan_state(network)
    for name in [n for n in state if n.endswith("weight_orig")]:
        base = name.removesuffix("_orig")
        matrix = (state[name].transpose(0, 1) if ".init.init.0" in name else state[name]).flatten(1)
        folded = state[name] / torch.dot(state[f"{base}_u"], matrix.contiguous() @ state[f"{base}_v"])
        network.state_dict()[base].copy_(folded)
    attributes = {"z_dim": network.z_dim, "c_dim": 0, "w_dim": 0, "img_channels": 3, "training": False}
    attributes["img_resolution"] = network.resolution
    return state, files.module_tree(state, BUFFERS, wrap, attributes)


@pytest.mark.parametrize("blocks", ["big", "lite", ["big", "lite", "big", "lite", "big"]], ids=["big", "lite", "mixed"])
@pytest.mark.parametrize("writer", ["plain", "dill"])
def test_fastgan(files: Any, tmp_path: Path, blocks: Any, writer: str) -> None:
    def by_value(name: str, attributes: dict[str, Any]) -> Any:
        kind = files.Reduced(files.Global("dill._dill", "_load_type"), ("type",))
        made = files.Reduced(files.Global("dill._dill", "_create_type"), (kind, name, (), {"forward": None}))
        return files.Reduced(files.Global("copyreg", "__newobj__"), (made,), attributes)

    network = ProjectedGAN(z_dim=6, img_resolution=128, ngf=2, blocks=blocks).eval()
    state, tree = fastgan_file(files, network, files.plain_module if writer == "plain" else by_value)
    loaded = write(tmp_path / "fastgan.pkl", files.dump(files.snapshot(tree)))
    assert loaded.family == "projected_gan"
    settings = {"blocks": blocks} if isinstance(blocks, list) else {"lite": blocks == "lite"}
    assert loaded.config == {
        "z_dim": 6, "c_dim": 0, "w_dim": 0, "img_resolution": 128, "img_channels": 3, "ngf": 2, "cond": 0,
        "synthesis_kwargs": settings,
    }  # fmt: skip
    same_tensors(loaded, state)
    same_images(network, loaded, 1e-4, noise_mode="random")
    same_images(network, loaded, 1e-4, noise_mode="none")


# --- TensorFlow ---------------------------------------------------------------------------------------------------


def hwio(weight: torch.Tensor, flip: bool = False) -> np.ndarray:
    return (weight.flip(2, 3) if flip else weight).permute(2, 3, 1, 0).contiguous().numpy()


@pytest.mark.parametrize("fused", [False, True])
def test_tensorflow_progan(files: Any, tmp_path: Path, fused: bool) -> None:
    network = ProGAN(16, 6, [8, 6, 4])
    p = randomised(network)
    variables: dict[str, Any] = {
        "lod": np.float32(0),
        "4x4/Dense/weight": p["dense.weight"].T.numpy(),
        "4x4/Dense/bias": p["dense.bias"].numpy(),
        "4x4/Conv/weight": hwio(p["conv.weight"]),
        "4x4/Conv/bias": p["conv_bias"].numpy(),
        "ToRGB_lod0/weight": hwio(p["to_rgb.weight"]),
        "ToRGB_lod0/bias": p["rgb_bias"].numpy(),
        "ToRGB_lod1/weight": np.zeros((1, 1, 6, 3), np.float32),
        "ToRGB_lod1/bias": np.zeros(3, np.float32),
    }
    for i, side in enumerate((8, 16)):
        up = p[f"blocks.{i}.conv0.weight"]
        name = f"{side}x{side}/Conv0{'_up' if fused else ''}"
        variables[f"{name}/weight"] = hwio(up, True).swapaxes(2, 3) if fused else hwio(up)
        variables[f"{name}/bias"] = p[f"blocks.{i}.bias0"].numpy()
        variables[f"{side}x{side}/Conv1/weight"] = hwio(p[f"blocks.{i}.conv1.weight"])
        variables[f"{side}x{side}/Conv1/bias"] = p[f"blocks.{i}.bias1"].numpy()
    settings = {"num_channels": 3, "resolution": 16, "label_size": 0, "fused_scale": fused, "latent_size": 6}
    gs = files.tf_network(variables, settings)
    loaded = write(tmp_path / "progan.pkl", files.dump((files.tf_network({}, {}), files.tf_network({}, {}), gs)))
    assert (loaded.family, loaded.config) == ("progan", settings)
    same_tensors(loaded, variables)
    same_images(network, loaded)


@pytest.mark.parametrize("fused_scale", [None, "auto", True, False])
@pytest.mark.parametrize("resolution", [16, 128])
def test_tensorflow_stylegan(files: Any, tmp_path: Path, fused_scale: Any, resolution: int) -> None:
    widths = [6, 6, 4, 4, 2, 2][: int(math.log2(resolution)) - 1]
    network = StyleGAN(resolution, z_dim=6, w_dim=7, channels=widths, mapping_layers=3, mapping_width=5)
    p = randomised(network)
    synthesis: dict[str, Any] = {
        "lod": np.float32(0),
        "4x4/Const/const": p["const"].numpy(),
        "4x4/Conv/weight": hwio(p["conv.weight"]),
        "ToRGB_lod0/weight": hwio(p["to_rgb.weight"]),
        "ToRGB_lod0/bias": p["rgb_bias"].numpy(),
    }

    def epilogue(ours: str, theirs: str, noise: int) -> None:
        synthesis[f"{theirs}/bias"] = p[f"{ours}.bias"].numpy()
        synthesis[f"{theirs}/Noise/weight"] = p[f"{ours}.noise_weight"].numpy()
        synthesis[f"{theirs}/StyleMod/weight"] = p[f"{ours}.style.weight"].T.numpy()
        synthesis[f"{theirs}/StyleMod/bias"] = p[f"{ours}.style.bias"].numpy()
        synthesis[f"noise{noise}"] = p[f"{ours}.noise_const"].numpy()

    epilogue("epilogue0", "4x4/Const", 0)
    epilogue("epilogue1", "4x4/Conv", 1)
    for i in range(len(widths) - 1):
        side = 8 << i
        fused = side >= 128 if fused_scale in (None, "auto") else fused_scale
        synthesis[f"{side}x{side}/Conv0_up/weight"] = hwio(p[f"blocks.{i}.conv0.weight"], fused)
        synthesis[f"{side}x{side}/Conv1/weight"] = hwio(p[f"blocks.{i}.conv1.weight"])
        epilogue(f"blocks.{i}.epilogue0", f"{side}x{side}/Conv0_up", 2 * i + 2)
        epilogue(f"blocks.{i}.epilogue1", f"{side}x{side}/Conv1", 2 * i + 3)
    mapping = {}
    for i in range(3):
        mapping[f"Dense{i}/weight"] = p[f"mapping_network.layers.{i}.weight"].T.numpy()
        mapping[f"Dense{i}/bias"] = p[f"mapping_network.layers.{i}.bias"].numpy()
    settings: dict[str, Any] = {"resolution": resolution, "mapping_layers": 3, "label_size": 0}
    settings.update({} if fused_scale is None else {"fused_scale": fused_scale})
    top = {"lod": np.float32(0), "dlatent_avg": p["w_avg"].numpy()}
    components = {"synthesis": files.tf_network(synthesis, {}), "mapping": files.tf_network(mapping, {})}
    gs = files.tf_network(top, settings, components)
    loaded = write(tmp_path / "stylegan.pkl", files.dump((gs, gs, gs)))
    assert (loaded.family, loaded.config) == ("stylegan", settings)
    parts = (("top", top), ("mapping", mapping), ("synthesis", synthesis))
    same_tensors(loaded, {f"{prefix}/{name}": v for prefix, part in parts for name, v in part.items()})
    same_images(network, loaded, 1e-4)
    same_images(network, loaded, 1e-4, truncation_psi=0.7, noise_mode="random")


@pytest.mark.parametrize("architecture", ["skip", "resnet", "orig"])
def test_tensorflow_stylegan2(files: Any, tmp_path: Path, architecture: str) -> None:
    synthesis_kwargs = {"channel_base": 64, "channel_max": 6, "architecture": architecture}
    network = StyleGAN2(6, 0, 7, 16, 3, {"num_layers": 2, "layer_features": 5}, synthesis_kwargs)
    p = randomised(network)
    synthesis: dict[str, Any] = {"4x4/Const/const": p["synthesis.b4.const"].numpy()[None]}

    def modulated(ours: str, theirs: str, flip: bool = False) -> None:
        synthesis[f"{theirs}/weight"] = hwio(p[f"synthesis.{ours}.weight"], flip)
        synthesis[f"{theirs}/bias"] = p[f"synthesis.{ours}.bias"].numpy()
        synthesis[f"{theirs}/mod_weight"] = p[f"synthesis.{ours}.affine.weight"].T.numpy()
        synthesis[f"{theirs}/mod_bias"] = p[f"synthesis.{ours}.affine.bias"].numpy() - np.float32(1)
        if f"synthesis.{ours}.noise_strength" in p:
            synthesis[f"{theirs}/noise_strength"] = p[f"synthesis.{ours}.noise_strength"].numpy()

    for side in (4, 8, 16):
        level, name = int(math.log2(side)), f"{side}x{side}"
        if side > 4:
            modulated(f"b{side}.conv0", f"{name}/Conv0_up", flip=True)
            synthesis[f"noise{2 * level - 5}"] = p[f"synthesis.b{side}.conv0.noise_const"].numpy()[None, None]
        modulated(f"b{side}.conv1", f"{name}/{'Conv1' if side > 4 else 'Conv'}")
        synthesis[f"noise{2 * level - 4}"] = p[f"synthesis.b{side}.conv1.noise_const"].numpy()[None, None]
        if f"synthesis.b{side}.torgb.weight" in p:
            modulated(f"b{side}.torgb", f"{name}/ToRGB")
        if f"synthesis.b{side}.skip.weight" in p:
            synthesis[f"{name}/Skip/weight"] = hwio(p[f"synthesis.b{side}.skip.weight"], flip=True)
    mapping = {}
    for i in range(2):
        mapping[f"Dense{i}/weight"] = p[f"mapping.fc{i}.weight"].T.numpy()
        mapping[f"Dense{i}/bias"] = p[f"mapping.fc{i}.bias"].numpy()
    settings = {"resolution": 16, "fmap_base": 32, "fmap_max": 6, "label_size": 0, "architecture": architecture}
    components = {"synthesis": files.tf_network(synthesis, {}), "mapping": files.tf_network(mapping, {})}
    gs = files.tf_network({"lod": np.float32(0), "dlatent_avg": p["mapping.w_avg"].numpy()}, settings, components)
    loaded = write(tmp_path / "sg2.pkl", files.dump((gs, gs, gs)))
    assert (loaded.family, loaded.config) == ("stylegan2", settings)
    same_images(network, loaded, 1e-4)
    same_images(network, loaded, 1e-4, truncation_psi=0.5)


def test_unsupported_tensorflow_settings_are_refused(files: Any, tmp_path: Path) -> None:
    network = files.tf_network({"4x4/Dense/weight": np.zeros((4, 64), np.float32)}, {"tanh_at_end": True})
    with pytest.raises(CheckpointError, match="tanh_at_end=True"):
        write(tmp_path / "tanh.pkl", files.dump((network, network, network)))


# --- ProGAN state dicts, each against its own repository's forward pass --------------------------------------------


def pixel_norm(x: torch.Tensor) -> torch.Tensor:
    return x / (x.square().mean(1, keepdim=True) + 1e-8).sqrt()


def doubled(x: torch.Tensor) -> torch.Tensor:
    return F.interpolate(x, scale_factor=2, mode="nearest")


WIDTHS = [8, 8, 6, 6, 4, 4]  # of the convolutions at 4, 4, 8, 8, 16, 16


def convolutions() -> list[tuple[torch.Tensor, torch.Tensor]]:
    torch.manual_seed(5)
    inputs = [6, *WIDTHS[:-1]]
    return [
        (torch.randn(o, i, 4 if k == 0 else 3, 4 if k == 0 else 3), torch.randn(o))
        for k, (i, o) in enumerate(zip(inputs, WIDTHS, strict=True))
    ]


def stack(layers: list[tuple[torch.Tensor, torch.Tensor]], rgb: Any, z: torch.Tensor) -> torch.Tensor:
    """genforce and gandissect: a 4x4 convolution of the latent padded by 3, then pairs of 3x3 convolutions."""
    x = z.float()[:, :, None, None]
    for i, (weight, bias) in enumerate(layers):
        x = doubled(x) if i >= 2 and i % 2 == 0 else x
        scale = math.sqrt(2) / (4 * math.sqrt(6)) if i == 0 else math.sqrt(2 / weight[0].numel())
        x = F.conv2d(pixel_norm(x), weight * scale, padding=3 if i == 0 else 1)
        x = F.leaky_relu(x + bias[:, None, None], 0.2)
    weight, bias = rgb
    return F.conv2d(pixel_norm(x), weight / math.sqrt(weight.shape[1])) + bias[:, None, None]


@pytest.mark.parametrize("dialect", ["genforce", "gandissect", "gandissect-old"])
@pytest.mark.parametrize("zip_file", [False, True])
def test_progan_state_dicts(tmp_path: Path, dialect: str, zip_file: bool) -> None:
    layers, rgb = convolutions(), (torch.randn(3, 4, 1, 1), torch.randn(3))
    state: dict[str, torch.Tensor] = {}
    for i, (weight, bias) in enumerate(layers):
        if dialect == "genforce":
            state.update({f"layer{i}.weight": weight, f"layer{i}.bias": bias})
        else:
            name = f"layer{i + 1}" if dialect == "gandissect" else f"features.{i}"
            state.update({f"{name}.conv.weight": weight, f"{name}.wscale.b": bias})
    if dialect == "genforce":
        state.update({"lod": torch.zeros([]), "output2.weight": rgb[0], "output2.bias": rgb[1]})
        state.update({"output0.weight": torch.randn(3, 8, 1, 1), "output0.bias": torch.randn(3)})
        state.update({"output1.weight": torch.randn(3, 6, 1, 1), "output1.bias": torch.randn(3)})
        tree: Any = {"generator": {}, "discriminator": {}, "generator_smooth": state}
    else:
        name = "output_16x16" if dialect == "gandissect" else "output"
        state.update({f"{name}.conv.weight": rgb[0], f"{name}.wscale.b": rgb[1]})
        tree = state
    path = tmp_path / "progan.pth"
    torch.save(tree, path, _use_new_zipfile_serialization=zip_file)
    loaded = load_generator(path, cache=False)
    assert loaded.config == {"resolution": 16, "z_dim": 6, "channels": [8, 6, 4], "image_channels": 3}
    same_tensors(loaded, state)
    z = torch.from_numpy(loaded.latents([1, 2]))
    np.testing.assert_allclose(loaded.synthesize(z.numpy()), stack(layers, rgb, z), atol=1e-5)


class BaseConfig:
    """Stands for the settings object that the GAN Zoo pickles into its files."""

    def __init__(self) -> None:
        self.depth = 3


def test_gan_zoo(tmp_path: Path) -> None:
    torch.manual_seed(6)
    state = {
        "formatLayer.module.weight": torch.randn(8 * 16, 6),
        "formatLayer.module.bias": torch.randn(8 * 16),
        "groupScale0.0.module.weight": torch.randn(8, 8, 3, 3),
        "groupScale0.0.module.bias": torch.randn(8),
    }
    for i, (inputs, outputs) in enumerate(((8, 6), (6, 4))):
        for j in range(2):
            state[f"scaleLayers.{i}.{j}.module.weight"] = torch.randn(outputs, outputs if j else inputs, 3, 3)
            state[f"scaleLayers.{i}.{j}.module.bias"] = torch.randn(outputs)
    for i, width in enumerate((8, 6, 4)):
        state[f"toRGBLayers.{i}.module.weight"] = torch.randn(3, width, 1, 1)
        state[f"toRGBLayers.{i}.module.bias"] = torch.randn(3)
    path = tmp_path / "zoo.pth"
    torch.save(
        {"config": BaseConfig(), "netD": {}, "netG": {}, "avgG": state}, path, _use_new_zipfile_serialization=False
    )
    loaded = load_generator(path, cache=False)
    same_tensors(loaded, state)

    def layer(name: str, x: torch.Tensor) -> torch.Tensor:
        weight, bias = state[f"{name}.module.weight"], state[f"{name}.module.bias"]
        y = F.linear(x, weight, bias) if weight.ndim == 2 else F.conv2d(x, weight, bias, padding=weight.shape[2] // 2)
        return y * math.sqrt(2 / weight[0].numel())

    z = torch.from_numpy(loaded.latents([1, 2])).float()
    x = pixel_norm(F.leaky_relu(layer("formatLayer", pixel_norm(z)), 0.2).view(2, 8, 4, 4))
    x = pixel_norm(F.leaky_relu(layer("groupScale0.0", x), 0.2))
    for i in range(2):
        x = doubled(x)
        for j in range(2):
            x = pixel_norm(F.leaky_relu(layer(f"scaleLayers.{i}.{j}", x), 0.2))
    np.testing.assert_allclose(loaded.synthesize(z.numpy()), layer("toRGBLayers.2", x), atol=2e-5)


# --- taming -------------------------------------------------------------------------------------------------------


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
        {"epoch": 3, "callbacks": {BaseConfig: {"best": BaseConfig()}}, "state_dict": {**state, **noise}, **extra}, path
    )
    return state


def test_lightning(tmp_path: Path) -> None:
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
    same_tensors(loaded, state)
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
