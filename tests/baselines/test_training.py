import weakref

import pytest
import torch

from osbench.baselines.training import CHECKPOINT, Recipe, Validation, _Step, train_network
from osbench.core.errors import CheckpointError, RunError


def run(tmp_path, recipe, figures=None, *, loss=None, batch=8, lr=0.1):
    """Fits one weight to 3; ``figures`` are the validation results of the epochs."""
    model = torch.nn.Linear(1, 1, bias=False)
    torch.nn.init.zeros_(model.weight)
    seen = []
    optimizer = torch.optim.SGD([{"params": model.parameters()}], lr=lr)

    def batches(rng):
        seen.append(optimizer.param_groups[0]["lr"])
        x = torch.from_numpy(rng.random((batch, 1))).float()
        yield x, 3 * x

    weights = []

    def validate():
        weights.append(model.weight.item())
        return figures[len(weights) - 1] if figures else Validation(0.0, abs(model.weight.item() - 3))

    history = train_network(
        model,
        loss or (lambda x, y: (model(x) - y).square().mean()),
        optimizer,
        recipe,
        batches=batches,
        batch_count=1,
        validate=validate,
        folder=tmp_path,
        seed=0,
        description="test",
    )
    return model, history, seen, weights


def test_learning_rate_steps_and_warm_up(tmp_path):
    _, _, rates, _ = run(tmp_path, Recipe(6, lr_decay=0.6, decay_every=2, warmup_epochs=1))
    assert rates == pytest.approx([0, 0.1, 0.06, 0.06, 0.036, 0.036])


def test_the_best_epoch_is_kept(tmp_path):
    figures = [Validation(0.5, 1), Validation(0.9, 2), Validation(0.9, 1), Validation(0.7, 0.1)]
    model, history, _, weights = run(tmp_path, Recipe(4), figures)
    assert history == figures
    assert model.weight.item() == weights[2], "ties in accuracy are broken by the loss"


def test_early_stopping_on_the_loss(tmp_path):
    figures = [Validation(0, 1.0), Validation(1, 2.0), Validation(1, 3.0), Validation(1, 0.5)]
    model, history, _, weights = run(tmp_path, Recipe(4, monitor="loss", patience=2), figures)
    assert len(history) == 3
    assert model.weight.item() == weights[0]


def test_a_finished_training_is_not_repeated(tmp_path):
    model, history, _, _ = run(tmp_path, Recipe(3))
    again, same, seen, _ = run(tmp_path, Recipe(3))
    assert seen == []
    assert same == history
    assert torch.equal(model.weight, again.weight)


def test_a_foreign_checkpoint_is_refused(tmp_path):
    (tmp_path / CHECKPOINT).write_bytes(b"not a checkpoint")
    with pytest.raises(CheckpointError, match="delete it"):
        run(tmp_path, Recipe(1))


def test_out_of_memory_halves_once(tmp_path):
    sizes = []
    model = {}

    def hungry(limit):
        def loss(x, y):
            sizes.append(len(x))
            if len(x) > limit:
                raise torch.OutOfMemoryError("full")
            return (model["m"](x) - y).square().mean()

        return loss

    model["m"] = torch.nn.Linear(1, 1)
    run(tmp_path / "a", Recipe(2), loss=hungry(4))
    assert sizes == [8, 4, 4, 4, 4]
    with pytest.raises(RunError, match="too little memory even for batches of 4"):
        run(tmp_path / "b", Recipe(1), loss=hungry(2))


def test_what_a_step_without_room_had_allocated_is_free_before_the_next_try():
    held = []

    def loss(x, y):
        activations = x * 2
        held.append(weakref.ref(activations))
        if len(held) == 1:
            raise torch.OutOfMemoryError("full")
        assert held[0]() is None, "the error of the first try still holds its tensors"
        return (model(activations) - y).square().mean()

    model = torch.nn.Linear(1, 1)
    _Step(model, loss, torch.optim.SGD(model.parameters(), lr=0.1), None)(torch.ones(8, 1), torch.ones(8, 1))
    assert [reference() for reference in held] == [None] * 3


def test_halved_batches_give_the_same_gradient():
    def after_one_step(parts: int) -> torch.Tensor:
        model = torch.nn.Linear(1, 1)
        torch.nn.init.ones_(model.weight)
        torch.nn.init.zeros_(model.bias)
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        step = _Step(model, lambda x, y: (model(x) - y).square().mean(), optimizer, None)
        step.parts = parts
        x = torch.arange(9.0)[:, None] / 9
        step(x, 3 * x)
        return model.weight.detach()

    torch.testing.assert_close(after_one_step(2), after_one_step(1))
