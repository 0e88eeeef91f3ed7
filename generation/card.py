"""The dataset card."""

from __future__ import annotations

from .dataset import Dataset


def write_card(dataset: Dataset) -> None:
    """Placeholder until the card is written."""
