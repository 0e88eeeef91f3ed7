from __future__ import annotations

from typing import Any

import pytest
import torch

from osbench.core.errors import UsageError
from osbench.generation.families import Generator, family_class
from osbench.generation.training.adversarial import AdversarialRecipe
from osbench.generation.training.discriminator import Discriminator
from osbench.generation.training.plan import Plan, load_plan, plan_names
from osbench.generation.training.teacher import Teacher

MODELS = {"progan", "stylegan", "stylegan2", "stylegan3", "projected_gan", "taming", "latent_diffusion"}


def build(plan: Plan, name: str) -> Generator:
    """The network of a recipe, without memory for its weights where the family allows that."""
    config: dict[str, Any] = dict(plan.recipe(name).config)
    if name == "latent_diffusion":
        config["classes"] = 24
    device = "cpu" if name in ("stylegan3", "latent_diffusion") else "meta"
    with torch.device(device):
        return family_class(name)(**config)


def file_bytes(network: Generator) -> int:
    """Of float16 weights; other tensors keep their type."""
    return sum(t.numel() * (2 if t.is_floating_point() else t.element_size()) for t in network.state_dict().values())


@pytest.mark.parametrize("suite", plan_names())
def test_every_model_fits_its_plan_and_four_megabytes(suite: str) -> None:
    plan = load_plan(suite)
    assert set(plan.models) == MODELS
    total = 0
    for name in plan.models:
        network = build(plan, name)
        assert network.resolution == plan.resolution
        recipe = plan.recipe(name)
        if isinstance(recipe, AdversarialRecipe):
            assert network.z_dim == plan.z_dim
        assert plan.minutes(name) > 0
        assert plan.needs_codes(name) == isinstance(recipe, AdversarialRecipe)
        assert file_bytes(network) < 3.98e6, name
        total += file_bytes(network)
    assert 2 * total < 60e6  # landscape and emoji


def test_the_second_zoo_is_larger() -> None:
    first, second = load_plan("mini-v1"), load_plan("mini-v2")
    assert (first.resolution, second.resolution) == (64, 128)
    for name in MODELS:
        assert file_bytes(build(second, name)) > file_bytes(build(first, name)), name
    assert second.recipe("projected_gan").discriminator == "projected"  # type: ignore[attr-defined]


@pytest.mark.parametrize("suite", plan_names())
def test_discriminators_and_teachers_take_the_planned_size(suite: str) -> None:
    plan = load_plan(suite)
    with torch.device("meta"):
        images = torch.zeros(2, 3, plan.resolution, plan.resolution)
        assert Discriminator(plan.resolution, 8)(images).shape == (2,)
        assert Teacher(plan.resolution, plan.z_dim, plan.teacher_width).encode(images)[0].shape == (2, plan.z_dim)


def test_unknown_names() -> None:
    with pytest.raises(UsageError, match="Did you mean 'stylegan2'"):
        load_plan("mini-v1").recipe("stylegan22")
    with pytest.raises(UsageError, match="unknown suite"):
        load_plan("maxi")
