"""Low-rank updates of a frozen network (Hu et al., ICLR 2022; peft), of which nothing else is trained."""

from __future__ import annotations

import re
from typing import Any

import torch
from torch import Tensor, nn

from ..core.errors import UsageError
from .encoders.efficientnet_lite0 import LAYERS, EfficientNetLite0Encoder
from .trained import AttributionModel

NO_PEFT = 'clip-lora needs peft: pip install "osbench[clip]".'
ATTENTION = ("q_proj", "k_proj", "v_proj")


class AdaptedModel(AttributionModel):
    """Its state is the trained part alone, so that neither checkpoints nor saved methods contain the frozen network."""

    def state_dict(self, *args: Any, **kwargs: Any) -> dict[str, Any]:
        trained = {name for name, parameter in self.named_parameters() if parameter.requires_grad}
        return {name: t for name, t in super().state_dict(*args, **kwargs).items() if name in trained}

    def load_state_dict(self, state_dict: Any, strict: bool = True, assign: bool = False) -> Any:
        expected = {name: t.shape for name, t in self.state_dict().items()}
        if {name: t.shape for name, t in state_dict.items()} != expected:
            raise RuntimeError("these low-rank matrices belong to another network or rank")
        return super().load_state_dict(state_dict, strict=False, assign=assign)


class AdaptedConvolutions(nn.Module):
    """EfficientNet-Lite0 up to a layer, with low-rank updates of its 1 x 1 convolutions: images to features (N, D).

    Batch normalisation keeps the statistics of the public weights, also while the updates are trained.
    """

    def __init__(self, encoder: EfficientNetLite0Encoder, layer: str, options: dict[str, Any]) -> None:
        super().__init__()
        network = encoder.load()
        names = network.convolutions(LAYERS.index(layer) + 1)
        self.network = with_lora(network, options, "|".join(map(re.escape, names)))
        self.layer = layer

    def train(self, mode: bool = True) -> AdaptedConvolutions:
        super().train(mode)
        for module in self.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.eval()
        return self

    def forward(self, images: Tensor) -> Tensor:
        (features,) = EfficientNetLite0Encoder.features_of(self.network, images, (self.layer,))
        # Unit norm, as the features of every frozen encoder have it.
        return torch.nn.functional.normalize(features, dim=1)


def with_lora(model: Any, options: dict[str, Any], targets: str | list[str]) -> Any:
    """A network with low-rank updates of some layers, of which nothing else is trainable.

    Parameters
    ----------
    model : torch.nn.Module
        Is changed.
    options : dict
        ``rank``, ``alpha``, ``dropout``.
    targets : str or list of str
        The layers: a regular expression of whole names, or the ends of names.

    Raises
    ------
    UsageError
        If peft is not installed.
    """
    try:
        from peft import LoraConfig, get_peft_model
    except ImportError as error:
        raise UsageError(NO_PEFT) from error
    config = LoraConfig(
        r=options["rank"], lora_alpha=options["alpha"], lora_dropout=options["dropout"], target_modules=targets
    )
    return get_peft_model(model, config).base_model.model
