"""Covariances that can always be inverted: shrunk as Ledoit and Wolf (J. Multivariate Analysis 88, 2004) say."""

from __future__ import annotations

import numpy as np
from scipy.linalg import cholesky, solve_triangular

from .feature_space import blocks

_LEAST_SHRINKAGE = 1e-6


def second_moment(rows: np.ndarray, centres: np.ndarray | None = None, labels: np.ndarray | None = None) -> np.ndarray:
    """X^T X / N (D, D) float64 of rows X (N, D), less their centres as in :func:`blocks`."""
    total = np.zeros((rows.shape[1],) * 2)
    for _, block in blocks(rows, centres, labels):
        total += block.T @ block
    return total / len(rows)


def shrunk_covariance(
    rows: np.ndarray, centres: np.ndarray | None = None, labels: np.ndarray | None = None
) -> np.ndarray:
    """(1 - rho) S + rho tr(S)/D I, (D, D) float64, from rows (N, D) that have mean zero (per class, if tied).

    ``centres`` and ``labels``: what is subtracted from the rows before, as in :func:`blocks`.
    rho minimises the expected squared error; it is at least 1e-6, so that the result is positive definite even for
    D > N, and for rows that are all zero the identity is returned.
    """
    n, d = rows.shape
    empirical = second_moment(rows, centres, labels)
    mean_variance = np.trace(empirical) / d
    if not mean_variance > 0:
        return np.eye(d)
    squared = float((empirical**2).sum())
    fourth = sum(float(((block**2).sum(1) ** 2).sum()) for _, block in blocks(rows, centres, labels)) / n
    noise, excess = (fourth - squared) / n, squared - d * mean_variance**2
    shrinkage = 1.0 if excess <= noise else max(noise / excess, _LEAST_SHRINKAGE)
    shrunk = (1.0 - shrinkage) * empirical
    shrunk[np.diag_indices(d)] += shrinkage * mean_variance
    return shrunk


def whitening(covariance: np.ndarray) -> np.ndarray:
    """Lower triangular W (D, D) with W covariance W^T = I: then x^T covariance^-1 x = |W x|^2."""
    factor = cholesky(covariance, lower=True)
    return solve_triangular(factor, np.eye(len(factor)), lower=True)
