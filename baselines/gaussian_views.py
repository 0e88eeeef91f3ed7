"""Views of features with one Gaussian per class on each, and distances in standard deviations from the usual."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Self

import numpy as np

from .few_images import usual_of_few
from .rejection.covariance import shrunk_covariance, whitening

TRUST = 3
"""A view counts with this power of how well it separates the seen classes: half as well, an eighth as much."""


@dataclass(frozen=True)
class View:
    """Some axes of a part of the features, and on them one Gaussian per class.

    Attributes
    ----------
    mean, axes : numpy.ndarray
        (D,) and (D, d): features f become (f - mean) @ axes.
    centres, white : numpy.ndarray
        (K, d) and (K, d, d): mean of each class, and the whitening of its shrunk covariance.
    usual, sigma : numpy.ndarray
        (K,) each: mean and standard deviation of the distance of a class's own held-out images.
    weight : numpy.ndarray
        (1,): how much the view counts.
    """

    mean: np.ndarray
    axes: np.ndarray
    centres: np.ndarray
    white: np.ndarray
    usual: np.ndarray
    sigma: np.ndarray
    weight: np.ndarray

    def distances(self, features: np.ndarray) -> np.ndarray:
        """Mahalanobis distances (N, K) of features (N, D) to the classes."""
        at = (features - self.mean) @ self.axes
        pairs = zip(self.centres, self.white, strict=True)
        return np.stack([np.sqrt((((at - centre) @ white.T) ** 2).sum(1)) for centre, white in pairs], axis=1)

    def deviations(self, features: np.ndarray) -> np.ndarray:
        """The distances in standard deviations from what is usual for the class; (N, K), 0 is usual, larger is odd."""
        return (self.distances(features) - self.usual) / self.sigma

    @property
    def usual_covariance(self) -> np.ndarray:
        """(d, d): mean of the classes' covariances."""
        factors = np.linalg.inv(self.white)
        return (factors @ factors.transpose(0, 2, 1)).mean(0)

    def whitened(self, features: np.ndarray) -> np.ndarray:
        """Features (N, D) on the axes (N, d), with the identity as the mean covariance of the classes."""
        return (features - self.mean) @ self.axes @ whitening(self.usual_covariance).T

    def with_class(self, features: np.ndarray) -> tuple[View, np.ndarray]:
        """This view with one class more, and the mean deviation of each of its pictures, which is left out for it.

        The covariance of the class is a mean of what its tiles show and of the known classes' mean covariance, which
        counts like one tile for each axis; what is usual for its distances likewise (:mod:`.few_images`).

        Parameters
        ----------
        features : numpy.ndarray
            (n, T, D), of the T tiles of n pictures of the class.

        Returns
        -------
        view : View
        deviations : numpy.ndarray
            (n,), or (0,) for a single picture, which cannot be left out.
        """
        n, usual_covariance = len(features), self.usual_covariance
        at = (features - self.mean) @ self.axes
        centre, white = _gaussian_of_few(at, usual_covariance)
        distances = np.zeros((n if n > 1 else 0, at.shape[1]))
        for i in range(len(distances)):
            other_centre, other_white = _gaussian_of_few(np.delete(at, i, axis=0), usual_covariance)
            distances[i] = np.linalg.norm((at[i] - other_centre) @ other_white.T, axis=1)
        usual, sigma = usual_of_few(distances.ravel(), self.usual * np.sqrt(1 + 1 / n), self.sigma)
        joined = replace(
            self,
            centres=np.vstack([self.centres, centre]),
            white=np.concatenate([self.white, white[None]]),
            usual=np.append(self.usual, usual),
            sigma=np.append(self.sigma, sigma),
        )
        return joined, ((distances - usual) / sigma).mean(1)


@dataclass(frozen=True)
class Views:
    """Two views of every block of features, fused into one deviation per class.

    A picture may have several tiles: the deviations of its tiles are averaged, and what is usual for a class is taken
    from the averages of held-out pictures, because a mean of four tiles varies less than one tile.

    Attributes
    ----------
    views : dict of str to View
        ``BLOCK.discriminative`` and ``BLOCK.dominant``.
    usual, sigma : numpy.ndarray
        (K,) each: mean and standard deviation of the fused deviation of a class's own held-out pictures.
    """

    views: dict[str, View]
    usual: np.ndarray
    sigma: np.ndarray

    @classmethod
    def fit(
        cls,
        learned: Mapping[str, np.ndarray],
        labels: np.ndarray,
        held_out: Mapping[str, np.ndarray],
        held_out_labels: np.ndarray,
        axes: int,
    ) -> Self:
        """Fit the Gaussians on training pictures, and what is usual on held-out ones.

        Parameters
        ----------
        learned, held_out : mapping of str to numpy.ndarray
            Block -> features float64 (N, T, D) of T tiles of N pictures.
        labels, held_out_labels : numpy.ndarray
            int64 (N,).
        axes : int
            Dominant axes of every block.
        """
        views: dict[str, View] = {}
        for block, features in learned.items():
            a, at = _tiles(features, labels)
            b, held_at = _tiles(held_out[block], held_out_labels)
            mean, scale = a.mean(0), a.std(0).clip(1e-6)
            standard = (a - mean) / scale
            for kind, directions in (
                ("discriminative", discriminative_axes(standard, at)),
                ("dominant", dominant_axes(standard, axes)),
            ):
                views[f"{block}.{kind}"] = fit_view(mean, directions / scale[:, None], a, at, b, held_at)
        n_classes = int(labels.max()) + 1
        raw = cls(views, np.zeros(n_classes), np.ones(n_classes))
        return cls(views, *usual_distances(raw.deviations(held_out), held_out_labels))

    def deviations(self, blocks: Mapping[str, np.ndarray]) -> np.ndarray:
        """Fused deviations (N, K) of pictures from their features, block -> (N, T, D)."""
        total, weight = 0.0, 0.0
        for name, view in self.views.items():
            features = blocks[name.rpartition(".")[0]]
            tiles = view.deviations(features.reshape(-1, features.shape[-1]))
            total = total + view.weight[0] * tiles.reshape(*features.shape[:2], -1).mean(1)
            weight += view.weight[0]
        return (total / weight - self.usual) / self.sigma

    def with_class(self, blocks: Mapping[str, np.ndarray]) -> Self:
        """These views with one class more, from the features (n, T, D) of a few of its pictures, by block."""
        views: dict[str, View] = {}
        deviations: list[np.ndarray] = []
        for name, view in self.views.items():
            views[name], found = view.with_class(blocks[name.rpartition(".")[0]])
            deviations.append(found)
        weights = [view.weight[0] for view in self.views.values()]
        fused = np.average(deviations, axis=0, weights=weights)
        usual, sigma = usual_of_few(fused, self.usual, self.sigma)
        return type(self)(views, np.append(self.usual, usual), np.append(self.sigma, sigma))

    def embeddings(self, blocks: Mapping[str, np.ndarray]) -> np.ndarray:
        """Pictures (N, D) on the axes of all views, from their features (N, T, D) by block; a mean over the tiles."""
        parts: list[np.ndarray] = []
        for name, view in self.views.items():
            features = blocks[name.rpartition(".")[0]]
            tiles = view.whitened(features.reshape(-1, features.shape[-1]))
            parts.append(tiles.reshape(*features.shape[:2], -1).mean(1))
        return np.concatenate(parts, axis=1)

    def to_arrays(self) -> dict[str, np.ndarray]:
        """Everything by name, for safetensors."""
        arrays = {f"{name}.{key}": array for name, view in self.views.items() for key, array in asdict(view).items()}
        arrays |= {"usual": self.usual, "sigma": self.sigma}
        return {key: np.ascontiguousarray(array) for key, array in arrays.items()}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, np.ndarray]) -> Self:
        """What :meth:`to_arrays` gave; KeyError or TypeError for anything else."""
        grouped: dict[str, dict[str, np.ndarray]] = {}
        for key, array in arrays.items():
            name, _, field = key.rpartition(".")
            if name:
                grouped.setdefault(name, {})[field] = array
        return cls({name: View(**fields) for name, fields in grouped.items()}, arrays["usual"], arrays["sigma"])


def _gaussian_of_few(at: np.ndarray, usual: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Centre (d,) and whitening (d, d) from tiles (n, T, d); ``usual`` (d, d) counts like d of them."""
    rows, d = at.reshape(-1, at.shape[-1]), len(usual)
    centre = rows.mean(0)
    scatter = (rows - centre).T @ (rows - centre)
    return centre, whitening((d * usual + scatter) / (d + len(rows) - 1))


def _tiles(features: np.ndarray, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Features (N T, D) and labels (N T,) of all tiles."""
    return features.reshape(-1, features.shape[-1]), np.repeat(labels, features.shape[1])


def discriminative_axes(features: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """(D, K - 1): orthonormal after whitening with the pooled covariance, through the class means."""
    means = class_means(features, labels)
    white = whitening(shrunk_covariance(features - means[labels]))
    between = (means - means.mean(0)) @ white.T
    axes = np.linalg.svd(between, full_matrices=False)[2][: len(means) - 1]
    return white.T @ axes.T


def dominant_axes(features: np.ndarray, count: int) -> np.ndarray:
    """(D, count) principal axes of largest variance; fewer if there are fewer features or images."""
    count = min(count, features.shape[1], len(features) - 1)
    return np.linalg.eigh(np.cov(features.T))[1][:, ::-1][:, :count]


def separability(distances: np.ndarray, labels: np.ndarray) -> float:
    """How well a class's distance tells its own images from those of another seen class, mean over ordered pairs.

    2 AUROC - 1 of distances (N, K), clipped to 0..1: 1 = always, 0 = not at all.
    """
    classes = range(distances.shape[1])
    aurocs = [_auroc(distances[labels == j, k], distances[labels == k, k]) for k in classes for j in classes if j != k]
    return float(np.clip(2.0 * np.mean(aurocs) - 1.0, 0.0, 1.0))


def _auroc(larger: np.ndarray, smaller: np.ndarray) -> float:
    ordered = np.sort(smaller)
    below, up_to = (np.searchsorted(ordered, larger, side=side) for side in ("left", "right"))
    return float((below + up_to).mean() / (2 * len(ordered)))


def fit_view(
    mean: np.ndarray,
    axes: np.ndarray,
    features: np.ndarray,
    labels: np.ndarray,
    held_out: np.ndarray,
    held_out_labels: np.ndarray,
) -> View:
    """One view: Gaussians of features (N, D) on axes (D, d), calibrated on held-out features (M, D)."""
    at = (features - mean) @ axes
    centres = class_means(at, labels)
    white = np.stack([whitening(shrunk_covariance(at[labels == k] - centre)) for k, centre in enumerate(centres)])
    raw = View(mean, axes, centres, white, np.zeros(len(centres)), np.ones(len(centres)), np.ones(1))
    distances = raw.distances(held_out)
    usual, sigma = usual_distances(distances, held_out_labels)
    # The weight stays above zero, because the mean over views divides by the sum of weights.
    weight = max(separability(distances, held_out_labels), 0.01) ** TRUST
    return View(mean, axes, centres, white, usual, sigma, np.array([weight]))


def usual_distances(distances: np.ndarray, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean and standard deviation (K,) of each class's own distances."""
    own = [distances[labels == k, k] for k in range(distances.shape[1])]
    return np.array([d.mean() for d in own]), np.array([max(float(d.std()), 1e-6) for d in own])


def class_means(features: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Means (K, D) of features (N, D)."""
    return np.stack([features[labels == k].mean(0) for k in range(labels.max() + 1)])
