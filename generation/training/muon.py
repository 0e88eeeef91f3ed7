"""Muon: momentum whose direction is made orthogonal, for the matrices inside a network (Jordan et al., 2024).

On small transformers and U-Nets it needs about half of Adam's steps, at a tenth more time each.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor, nn

_COEFFICIENTS = (3.4445, -4.7750, 2.0315)
_ITERATIONS = 5


def orthogonal(x: Tensor) -> Tensor:
    """Matrices (N, R, C), R <= C, with about the same singular vectors and all singular values between 0.6 and 1.3.

    Newton-Schulz iterations in bfloat16; the coefficients are those of the paper.
    """
    a, b, c = _COEFFICIENTS
    x = x.bfloat16()
    x = x / (x.norm(dim=(1, 2), keepdim=True) + 1e-7)
    for _ in range(_ITERATIONS):
        gram = x @ x.transpose(1, 2)
        x = a * x + (b * gram + c * gram @ gram) @ x
    return x


class Muon(torch.optim.Optimizer):
    """Nesterov momentum, orthogonal, with steps as large as Adam's; a convolution is a matrix of its output channels.

    Parameters
    ----------
    parameters : iterable of nn.Parameter
        With at least two dimensions.
    lr : float
        Root mean square of a step is 0.2 of it, as with Adam (Liu et al., "Muon is Scalable for LLM Training", 2025).
    momentum, decay : float
        Of the gradient's average; of the weights, in units of ``lr``.
    """

    def __init__(
        self, parameters: Iterable[nn.Parameter], lr: float, momentum: float = 0.95, decay: float = 0.01
    ) -> None:
        super().__init__(parameters, {"lr": lr, "momentum": momentum, "decay": decay})

    @torch.no_grad()
    def step(self, closure: Any = None) -> None:  # type: ignore[override]
        """One step from the gradients; matrices of one shape go together."""
        assert closure is None
        for group in self.param_groups:
            alike: dict[tuple[int, ...], list[tuple[nn.Parameter, Tensor]]] = defaultdict(list)
            for parameter in group["params"]:
                if parameter.grad is None:
                    continue
                state = self.state[parameter]
                if not state:
                    state["average"] = torch.zeros_like(parameter)
                average = state["average"].lerp_(parameter.grad, 1 - group["momentum"])
                matrix = parameter.grad.lerp(average, group["momentum"]).flatten(1)
                alike[tuple(sorted(matrix.shape))].append((parameter, matrix))
            for (rows, columns), members in alike.items():
                wide = [m if m.shape == (rows, columns) else m.T for _, m in members]
                found = orthogonal(torch.stack(wide)).float()
                for (parameter, matrix), direction in zip(members, found, strict=True):
                    direction = direction if matrix.shape == (rows, columns) else direction.T
                    parameter.mul_(1 - group["lr"] * group["decay"])
                    parameter.add_(direction.reshape(parameter.shape), alpha=-0.2 * group["lr"] * columns**0.5)
