"""``efficientnet-b4`` learns an easy problem, in the little that it can do in a minute on a CPU."""

import pytest
import torch

from osbench.baselines.methods.efficientnet_b4 import DropoutSoftmaxHead, EfficientNetB4Classifier
from osbench.core.errors import UsageError


def test_dropout_acts_on_the_loss_alone():
    torch.manual_seed(0)
    head = DropoutSoftmaxHead(64, 3, dropout=0.5)
    x, y = torch.randn(8, 64), torch.arange(8) % 3
    assert head.loss(x, y) != head.loss(x, y)
    torch.testing.assert_close(head.logits(x), head.logits(x))
    head.eval()
    torch.testing.assert_close(head.loss(x, y), torch.nn.functional.cross_entropy(head.logits(x), y))


def test_images_below_32_px_are_one_line():
    with pytest.raises(UsageError, match="at least 32 px"):
        EfficientNetB4Classifier().build(3, 31)
