"""What a few images tell of a new class, completed by what is usual for the classes that are known.

A mean of n images is off by sigma / sqrt(n), and a variance of few images is hardly known at all. So every variance
here is a mean of two: what the images show, which counts by their number, and what the known classes have, which counts
like a fixed number of images (the posterior mean under a conjugate prior; Gelman et al., Bayesian Data Analysis,
section 2.6).
"""

from __future__ import annotations

import numpy as np

PRIOR_IMAGES = 5.0
"""The known classes count like so many images of the new one."""


def shared_variance(squares: float, n: int, usual: float, prior: float = PRIOR_IMAGES) -> float:
    """A variance from n images and from what is usual.

    Parameters
    ----------
    squares : float
        Sum of the n squared distances to their mean; has n - 1 degrees of freedom.
    n : int
        At least 1.
    usual : float
        The mean variance of the known classes.
    prior : float
        How many images that counts for.
    """
    return (prior * usual + squares) / (prior + n - 1)


def reference_of(embeddings: np.ndarray, sigmas: np.ndarray) -> tuple[np.ndarray, float]:
    """Centroid (D,) and sigma of a new class, as eqs. 4 and 7 of paper 1 have them for the known ones.

    Sigma grows by sqrt(1 + 1 / n): by so much farther are new images of the class from the mean of n of them.

    Parameters
    ----------
    embeddings : numpy.ndarray
        (n, D), n >= 1.
    sigmas : numpy.ndarray
        (K,) of the known classes.
    """
    rows = embeddings.astype(np.float64)
    n, centroid = len(rows), rows.mean(0)
    variance = shared_variance(float(((rows - centroid) ** 2).sum()), n, float(np.mean(sigmas**2)))
    return centroid, float(np.sqrt(variance * (1 + 1 / n)))


def usual_of_few(values: np.ndarray, usual: np.ndarray, sigma: np.ndarray) -> tuple[float, float]:
    """Mean and standard deviation of a new class's distances.

    Parameters
    ----------
    values : numpy.ndarray
        (n,) distances of its images, each held out; may be empty.
    usual, sigma : numpy.ndarray
        (K,) mean and standard deviation of each known class's held-out distances.
    """
    mean = (PRIOR_IMAGES * float(usual.mean()) + float(values.sum())) / (PRIOR_IMAGES + len(values))
    variance = shared_variance(float(((values - mean) ** 2).sum()), len(values) + 1, float((sigma**2).mean()))
    return mean, float(np.sqrt(variance))
