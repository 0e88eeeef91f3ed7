"""``efficientnet-b4`` learns an easy problem, in the little that it can do in a minute on a CPU."""

import numpy as np
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


@pytest.mark.slow
def test_learns_an_easy_problem(train_set, val_set, test_set, make_context, tmp_path):
    """17.5 M parameters from scratch on 144 images of 32 px: well above chance (1/3)."""
    method = EfficientNetB4Classifier(batch_size=16, lr=2e-3, lr_decay=0.9, dropout=0.0)
    method.fit(train_set, val_set, make_context(epochs=10))
    seen = test_set.class_index >= 0
    found = method.predict(test_set.pixels)
    assert set(found) == set(method.rejections)
    assert (found["msp"].candidate[seen] == test_set.class_index[seen]).mean() > 0.55
    method.save(tmp_path)
    again = EfficientNetB4Classifier.load(tmp_path).predict(test_set.pixels)
    np.testing.assert_array_equal(again["energy"].known_score, found["energy"].known_score)
