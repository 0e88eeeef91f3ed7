"""``resnet50``: the plain closed-set classifier of paper 1's Table 3."""

from __future__ import annotations

from ...benchmark.method import MethodCard, register_method
from ..classifier import Classifier


@register_method("resnet50")
class ResNet50Classifier(Classifier):
    """ResNet-50 from scratch with cross-entropy on the seen generators."""

    network = "resnet50"
    card = MethodCard(
        title="ResNet-50 classifier",
        paper="He et al., Deep residual learning for image recognition, CVPR 2016; trained as in paper 1, Table 3",
        url="https://arxiv.org/abs/1512.03385",
        reproduction="partial",
        differs="from scratch; paper 1 does not say whether its own starts from ImageNet weights",
        faithful=[
            "architecture: 23.5 M parameters, 2048-d features, global average pooling",
            "closed-set training on the seen generators, crops without resampling, classes balanced by under-sampling",
        ],
        deviations=[
            (
                "paper 1 does not state initialisation, optimiser or batch size for this row: random initialisation "
                "(residual branches start at zero), paper 1's own schedule from scratch (AdamW 7e-4, x0.6 every 2 "
                "epochs, at most 30), batch 64, early stopping after 5 epochs without better validation accuracy"
            ),
            (
                "paper 1 never lets it reject (rule 'never'); the other rules are ours. For centroid-sigma the "
                "candidate stays the arg max of the logits, and the distance is measured to that class's centroid"
            ),
        ],
        licence="Apache-2.0 (own code)",
        published={"af1": 0.867, "crr": 0.0},
        input_range="-1..1",
    )
