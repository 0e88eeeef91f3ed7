from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import nn

from osbench.core.errors import DatasetError, UsageError
from osbench.generation.efficientnet_lite0 import EfficientNetLite0
from osbench.generation.training import game as game_module
from osbench.generation.training.game import Game, Rules
from osbench.generation.training.hardware import Hardware

from ...float64 import rounding_of
from .conftest import SIDE

pytestmark = pytest.mark.numeric


@pytest.fixture(scope="module")
def features(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Weights as they lie on disk, here random (and large enough that a signal gets through)."""
    torch.manual_seed(0)
    network = EfficientNetLite0()
    for module in network.modules():
        if isinstance(module, torch.nn.Conv2d):
            torch.nn.init.kaiming_normal_(module.weight)
    path = tmp_path_factory.mktemp("features") / "lite0.pth"
    torch.save(network.state_dict(), path)
    return path


@pytest.fixture(params=["plain", "projected", "augmented"])
def game(request: pytest.FixtureRequest, features: Path) -> Game:
    torch.manual_seed(1)
    kind = "projected" if request.param == "projected" else "plain"
    rules = Rules(kind, width=8, rate=5e-3 if kind == "projected" else 2e-3, augment=request.param == "augmented")
    return Game(rules, SIDE, Hardware(), features)


def pictures(level: float, seed: int = 0) -> torch.Tensor:
    noise = torch.randn(2, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(seed))
    return level + 0.1 * noise


def test_fooling_moves_the_images_alone(game: Game) -> None:
    fake = pictures(0.0).requires_grad_(True)
    game.generator_loss(fake).backward()
    assert fake.grad is not None
    assert fake.grad.abs().sum() > 0
    assert all(p.grad is None for p in game.discriminator.parameters())


def test_learning_tells_real_from_fake(game: Game) -> None:
    fake = pictures(-0.5, 1).requires_grad_(True)
    before = {k: v.clone() for k, v in game.discriminator.state_dict().items()}
    trained = {id(p) for p in game.trained}
    steps = 12 if game.rules.kind == "projected" else 32
    losses = [game.learn(pictures(0.5, i), fake, step=i).item() for i in range(steps)]
    assert sum(losses[-4:]) < 0.8 * sum(losses[:4])
    assert fake.grad is None
    for name, p in game.discriminator.named_parameters():
        assert torch.equal(p, before[name]) == (id(p) not in trained), name


def test_penalty_is_lazy(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []
    real = game_module.r1_penalty
    monkeypatch.setattr(game_module, "r1_penalty", lambda *a: asked.append(1) or real(*a))
    plain = Game(Rules(width=4), SIDE, Hardware())
    for step in range(17):
        plain.learn(pictures(0.5), pictures(-0.5), step)
    assert len(asked) == 3  # steps 0, 8, 16


def test_projected_parts(features: Path) -> None:
    game = Game(Rules("projected", width=8), SIDE, Hardware(), features)
    discriminator = game.discriminator.train()
    assert not discriminator.get_submodule("backbone").training
    frozen = [n for n, p in discriminator.named_parameters() if not p.requires_grad]
    assert {n.partition(".")[0] for n in frozen} == {"backbone", "across_channels", "across_scales"}
    with torch.no_grad():
        logits = discriminator(pictures(0.0))
    # Patches per scale: 56 and 28 px shrink to 7, 14 to 7, 7 stays; a 4x4 kernel gives 4x4 logits on each.
    assert logits.shape == (2, 4 * 16)


def test_projected_heads_stay_in_float32(features: Path) -> None:
    logits, discriminator = [], None
    for mixed in (False, True):
        torch.manual_seed(2)
        game = Game(Rules("projected", width=8), SIDE, Hardware(mixed=mixed, channels_last=mixed), features)
        seen: list[torch.dtype] = []
        for i in range(4):
            game.discriminator.get_submodule(f"heads.{i}").register_forward_hook(_note_type(seen))
        logits.append(game._logits(pictures(0.0)).detach())
        assert seen == 4 * [torch.float32]
        discriminator = discriminator or game.discriminator
    assert discriminator is not None
    # Autocast rounds weights and inputs of a layer to bfloat16, by half a step each; the sums are of float32.
    tolerance = rounding_of(discriminator, lambda network: network(pictures(0.0).double()), torch.bfloat16, roundings=1)
    assert tolerance < 0.5 * float(logits[0].abs().max())
    torch.testing.assert_close(logits[1], logits[0], rtol=0, atol=tolerance)


def _note_type(seen: list[torch.dtype]) -> Callable[[nn.Module, object, torch.Tensor], None]:
    return lambda module, inputs, output: seen.append(output.dtype)


def test_unknown_kind_and_missing_weights() -> None:
    with pytest.raises(UsageError, match="unknown discriminator 'wise'"):
        Game(Rules("wise"), SIDE, Hardware())
    with pytest.raises(DatasetError, match="EfficientNet-Lite0"):
        Game(Rules("projected"), SIDE, Hardware())
