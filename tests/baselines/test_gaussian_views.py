"""Views with a Gaussian per class: distances, axes, fusion, and pictures of several tiles."""

import numpy as np
import pytest
from scipy.spatial.distance import mahalanobis

from osbench.baselines.gaussian_views import Views, discriminative_axes, dominant_axes, separability

pytestmark = pytest.mark.numeric


def blocks(labels: np.ndarray, seed: int, tiles: int) -> dict[str, np.ndarray]:
    """Two blocks; the first moves with the class, the second is noise."""
    rng = np.random.default_rng(seed)
    first = rng.normal(size=(len(labels), tiles, 6)) + 3.0 * np.eye(6)[labels][:, None]
    return {"odd": first, "even": rng.normal(size=(len(labels), tiles, 4))}


LABELS = np.repeat(np.arange(3), 40)
VIEWS = Views.fit(blocks(LABELS, 0, 2), LABELS, blocks(LABELS, 1, 2), LABELS, axes=3)


def test_distances_are_mahalanobis_distances():
    view = VIEWS.views["odd.dominant"]
    features = np.random.default_rng(0).normal(size=(4, len(view.mean)))
    at = (features - view.mean) @ view.axes
    for k in range(3):
        precision = view.white[k].T @ view.white[k]
        expected = [mahalanobis(row, view.centres[k], precision) for row in at]
        np.testing.assert_allclose(view.distances(features)[:, k], expected, rtol=1e-8)


def test_discriminative_axes_find_the_only_axis_that_differs():
    """Two classes that differ along one axis of small variance, hidden in strongly correlated features."""
    rng = np.random.default_rng(0)
    labels = np.repeat([0, 1], 400)
    hidden = rng.normal(size=(800, 5)) * [10, 5, 3, 1, 0.1]
    hidden[:, 4] += 0.5 * labels
    turn = np.linalg.qr(rng.normal(size=(5, 5)))[0]
    axes = discriminative_axes(hidden @ turn.T, labels)
    direction = turn.T @ axes[:, 0]
    assert abs(direction[4]) / np.linalg.norm(direction) > 0.999
    main = turn.T @ dominant_axes(hidden @ turn.T, 2)
    np.testing.assert_allclose(np.abs(main[:2]), np.eye(2), atol=0.1)


def test_separability():
    labels = np.array([0, 0, 1, 1])
    apart = np.array([[1.0, 9], [2, 8], [7, 1], [6, 2]])
    assert separability(apart, labels) == 1.0
    assert separability(np.ones((4, 2)), labels) == 0.0
    assert separability(-apart, labels) == 0.0
    # Class 1's distance confuses one of four pairs: AUROCs 1 and 3/4.
    mixed = np.array([[1.0, 9], [2, 1.5], [7, 1], [6, 2]])
    assert separability(mixed, labels) == pytest.approx(2 * (1 + 0.75) / 2 - 1)


def test_what_is_usual_is_measured_on_pictures_not_on_tiles():
    found = VIEWS.deviations(blocks(LABELS, 1, 2))
    for k in range(3):
        assert found[k == LABELS, k].mean() == pytest.approx(0, abs=1e-9)
        assert found[k == LABELS, k].std() == pytest.approx(1, abs=1e-9)
    assert (found.argmin(1) == LABELS).mean() > 0.9


def test_a_picture_is_the_mean_of_its_tiles():
    asked = blocks(LABELS, 2, 2)
    raw = Views(VIEWS.views, np.zeros(3), np.ones(3))
    tiles = [raw.deviations({name: block[:, [t]] for name, block in asked.items()}) for t in range(2)]
    np.testing.assert_allclose(raw.deviations(asked), np.mean(tiles, axis=0), rtol=1e-10)


def test_a_block_that_tells_nothing_counts_for_little():
    weights = {name: float(view.weight[0]) for name, view in VIEWS.views.items()}
    assert weights["odd.discriminative"] > 20 * weights["even.discriminative"]


def test_arrays_there_and_back():
    asked = blocks(LABELS, 3, 1)
    np.testing.assert_array_equal(Views.from_arrays(VIEWS.to_arrays()).deviations(asked), VIEWS.deviations(asked))
    with pytest.raises(KeyError):
        Views.from_arrays({})
