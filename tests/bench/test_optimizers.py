"""The cases of optimizers alone: what is copied is what a step must move, and results are compared."""

import pytest
import torch

from spadam.bench import Settings, optimizers
from spadam.bench.optimizers import Copy, Stepper, draw_gradients, growth, holding, masked_over_lazy, step_over_copy
from spadam.bench.steps import Size
from spadam.bench.timing import Effort
from spadam.optim import LazyAdam

ONCE = Settings(Effort(least=2, slow=1, most=2, seconds=0.0, warmup=1))
ROWS, FEATURES = 10, 8

PASSES = {
    "masked_adam": 7,
    "lazy_adam": 7,
    "row_clock_adam": 7,
    "selective_adam": 7,
    "active_adam": 7,
    "rowwise_adam": 5,  # one second moment a row
    "rmsprop": 5,  # no first moment
    "adagrad": 5,
    "rowwise_adagrad": 3,  # neither
    "sign_sgd": 3,
    "schedule_free": 5,  # how far the average is away, around sign_sgd
}
"""How often an element of a touched row is read or written in a step."""


@pytest.fixture(autouse=True)
def _small(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in (("ROWS", ROWS), ("FEATURES", FEATURES), ("GROWN", 400)):
        monkeypatch.setattr(optimizers, name, value)
    monkeypatch.setattr(optimizers.draw_gradients, "__defaults__", (ROWS, FEATURES))


def test_a_copy_moves_the_bytes_of_a_step() -> None:
    found = {}
    for spec in holding():
        stepper = Stepper(torch.randn(50, FEATURES), spec().build, draw_gradients(50))
        copy = Copy(stepper, ROWS)
        for pair in copy.pairs:
            pair[0] = torch.randn(())
            copy.run()
        assert all(torch.equal(source, target) for source, target in copy.pairs)
        found[spec.model_fields["name"].default] = copy.nbytes / 4 / (ROWS * FEATURES)
    assert found == PASSES


def test_a_stepper_touches_what_its_gradients_list() -> None:
    gradients = draw_gradients(50)
    stepper = Stepper(torch.zeros(50, FEATURES), LazyAdam, gradients)
    stepper.step()
    rows_R = gradients[0].indices()[0]
    assert len(rows_R) == ROWS
    assert stepper.table.ne(0).any(1).nonzero()[:, 0].tolist() == rows_R.tolist()
    assert not torch.equal(rows_R, gradients[1].indices()[0])


def test_cases_run() -> None:
    for spec in holding():
        found = step_over_copy(spec, 50, ONCE)
        assert found.ratio > 0
        assert "GB/s" in found.note
    assert masked_over_lazy(50, ONCE).ratio > 0
    assert growth(LazyAdam, ONCE).ratio > 0


def test_sparse_adam_is_lazy_adam() -> None:
    found = optimizers.sparse_adam_over_lazy(Size(64, 3, 16, 24), ONCE)
    assert "the same result" in found.note


def test_another_result_is_not_a_measurement(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(optimizers, "LazyAdam", optimizers.MaskedAdam)
    with pytest.raises(AssertionError, match="not close"):
        optimizers.sparse_adam_over_lazy(Size(64, 3, 16, 24), ONCE)
