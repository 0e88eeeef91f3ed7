"""A scene for virtual cameras to take pictures of."""

import numpy as np
import pytest

from osbench.baselines.cameras.scenes import ProceduralScenes


@pytest.fixture(scope="session")
def light() -> np.ndarray:
    """One procedural scene, linear light float32 (128, 128, 3)."""
    return ProceduralScenes(1, 96, seed=7).picture(0)
