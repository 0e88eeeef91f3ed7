from __future__ import annotations

import torch

from osbench.generation.training.augment import SHIFT, augment


def test_every_image_has_its_own_change() -> None:
    torch.manual_seed(0)
    x = torch.rand(1, 3, 16, 16).expand(6, -1, -1, -1) * 2 - 1
    y = augment(x)
    assert y.shape == x.shape
    assert all(not torch.equal(y[i], y[j]) for i in range(6) for j in range(i))


def test_shifts_reach_an_eighth_each_way() -> None:
    """A white dot on black: colours change its value, translation its place, by 2 of 16 px at most."""
    torch.manual_seed(0)
    x = torch.full((400, 3, 16, 16), -1.0)
    x[:, :, 8, 8] = 1.0
    y = augment(x).mean(1)
    inner = y - y.flatten(1).median(1).values[:, None, None]
    places = inner[:, 3:14, 3:14].flatten(1).argmax(1)
    moves = {(int(p) // 11 + 3 - 8, int(p) % 11 + 3 - 8) for p in places}
    reach = int(16 * SHIFT + 0.5)
    assert moves == {(i, j) for i in range(-reach, reach + 1) for j in range(-reach, reach + 1)}


def test_colours_by_literal_formula() -> None:
    x = torch.rand(5, 3, 8, 8) * 2 - 1
    torch.manual_seed(3)
    y = augment(x)
    torch.manual_seed(3)
    brightness, saturation, contrast = torch.rand(3, 5, 1, 1, 1)
    rows, columns = torch.randint(0, 3, (2, 5, 1))
    for i in range(5):
        image = x[i] + brightness[i] - 0.5
        grey = image.mean(0, keepdim=True)
        image = grey + (image - grey) * 2 * saturation[i]
        image = image.mean() + (image - image.mean()) * (0.5 + contrast[i])
        expected = torch.full((3, 10, 10), -1.0)
        expected[:, 1:9, 1:9] = image
        top, left = int(rows[i]), int(columns[i])
        torch.testing.assert_close(y[i], expected[:, top : top + 8, left : left + 8])


def test_gradients_pass() -> None:
    x = torch.zeros(2, 3, 8, 8, requires_grad=True)
    augment(x).square().sum().backward()
    assert x.grad is not None
    assert x.grad.abs().sum() > 0
