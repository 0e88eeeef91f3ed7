"""Pictures that a generator made are found again; the place of the crop is found as well."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from osbench.baselines.resynthesis import inversion
from osbench.baselines.resynthesis.inversion import Inversion, Search
from osbench.core.errors import DatasetError, UsageError

from .tiny_suite import CROP, SILENT, candidates, spectrum

CPU = torch.device("cpu")
SEARCH = Search(space="w+", pool=32, starts=1, steps=8, rate=0.1)

pytestmark = pytest.mark.numeric


def queries(suite: Path, name: str, count: int) -> np.ndarray:
    """Crops of a source's own pictures, each somewhere else."""
    (one,) = candidates(suite, (name,))
    native = one.network(CPU).sample(range(900, 900 + count))
    return np.stack([image[i : i + CROP, 3 * i : 3 * i + CROP] for i, image in enumerate(native)])


def error(a: np.ndarray, b: np.ndarray) -> float:
    return float(np.sqrt(((a.astype(float) - b) ** 2).mean()))


@pytest.mark.parametrize("name", SILENT)
def test_a_search_comes_nearer_than_its_start(suite: Path, name: str) -> None:
    images = queries(suite, name, 4)
    found = [
        Inversion(candidates(suite, (name,)), spectrum(), Search("w+", 32, 1, steps, 0.1), 0, CPU)
        .show(0, images, [""] * 4)
        .pictures[:, 0]
        for steps in (1, 25)
    ]
    assert found[1].shape == images.shape
    assert error(found[1], images) < 0.95 * error(found[0], images)


def test_more_starts_never_end_further_away(suite: Path) -> None:
    images, errors = queries(suite, "progan", 3), []
    target = torch.from_numpy(images).permute(0, 3, 1, 2) / 127.5 - 1
    (one,) = candidates(suite, ("progan",))
    for starts in (1, 3):
        search = Search("z", 32, starts, 6, 0.1)
        start = inversion._Start.of(one.network(CPU), one, search, 0, CROP, slice(0, 64), CPU)
        errors.append(inversion._difference(start.sought(target), target))
    assert (errors[1] <= errors[0] + 1e-2).all()


def test_an_image_is_found_as_if_it_were_alone(suite: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    images = queries(suite, "stylegan2", 3)

    def found(some: np.ndarray, seed: int) -> np.ndarray:
        monkeypatch.setenv("OSBENCH_CACHE", str(tmp_path / f"cache of {len(some)} with seed {seed}"))
        way = Inversion(candidates(suite, ("stylegan2",)), spectrum(), SEARCH, seed, CPU)
        return way.show(0, some, [""] * len(some)).pictures[:, 0]

    together = found(images, 1)
    assert error(found(images[1:2], 1), together[1:2]) < 1
    assert error(found(images[1:2], 2), together[1:2]) > 1  # other random pictures to start from


def test_the_place_of_a_crop_is_where_it_was_cut() -> None:
    pictures = torch.rand(3, 3, 40, 36)
    corners = torch.tensor([[0, 0], [8, 3], [5, 4]])
    crops = inversion._cut(pictures, corners, 32)
    assert inversion._best_corners(pictures, crops).tolist() == corners.tolist()


def test_costs_are_sums_of_squared_differences() -> None:
    rng = np.random.default_rng(0)
    pictures, crops = rng.normal(size=(2, 3, 9, 8)), rng.normal(size=(2, 4, 3, 5, 5))
    found = inversion._costs(torch.from_numpy(pictures), torch.from_numpy(crops)).numpy()
    assert found.shape == (2, 4, 5, 4)
    for m, n, y, x in np.ndindex(found.shape):
        expected = ((pictures[m, :, y : y + 5, x : x + 5] - crops[m, n]) ** 2).sum()
        assert found[m, n, y, x] == pytest.approx(expected, abs=1e-9)


def test_an_autoencoder_is_asked_at_several_places(suite: Path) -> None:
    (one,) = candidates(suite, ("latent_flow",))
    images = np.random.default_rng(0).integers(0, 256, (3, CROP, CROP, 3), np.uint8)
    target = torch.from_numpy(images).permute(0, 3, 1, 2) / 127.5 - 1
    network = one.network(CPU)
    found = inversion._autoencoded(network, target, slice(0, 64))
    best = torch.full((3,), torch.inf)
    for y in (14, 15, 16, 17):
        for x in (14, 15, 16, 17):
            whole = F.pad(target, (x, 32 - x, y, 32 - y), mode="replicate")
            with torch.no_grad():
                again = network.decode(network.encode(whole))[:, :, y : y + CROP, x : x + CROP]  # type: ignore[operator]
            best = torch.minimum(best, (again - target).square().mean((1, 2, 3)))
    torch.testing.assert_close((found - target).square().mean((1, 2, 3)), best)
    whole_picture = torch.rand(2, 3, 64, 64) * 2 - 1
    assert inversion._autoencoded(network, whole_picture, slice(0, 64)).shape == whole_picture.shape


def test_sources_that_cannot_be_inverted_are_named(suite: Path) -> None:
    with pytest.raises(UsageError, match="pixel_diffusion/t can neither be inverted nor encode pictures"):
        Inversion(candidates(suite, ("progan", "pixel_diffusion")), spectrum(), SEARCH, 0, CPU)
    way = Inversion(candidates(suite, ("progan",)), spectrum(), SEARCH, 0, CPU)
    with pytest.raises(DatasetError, match="progan/t makes pictures of 64 px, too small for crops of 65 px"):
        way.show(0, np.zeros((1, 65, 65, 3), np.uint8), [""])
