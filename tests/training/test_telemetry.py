"""What a look records, against whole matrices before and after the step it looks at."""

from typing import Any

import pytest

from spadam.config import RunConfig
from spadam.data import Batches
from spadam.diagnostics import weight_updates
from spadam.diagnostics.weight_updates import keep
from spadam.optim.inspection import view
from spadam.optim.rows.touched import touched_rows
from spadam.spec import Document, validate
from spadam.training import telemetry
from spadam.training.module import AutoencoderModule
from spadam.training.run import run

UNIT = {"tied": False, "decoder_norm": "unit"}


def config(optimizer: str, model: dict[str, Any]) -> RunConfig:
    document = {
        "seed": 3,
        "data": {"name": "digits", "batch_size": 64},
        "model": {"latents": 64, "rule": {"name": "top_k", "k": 2}, **model},
        "optimizer": {"name": optimizer, "lr": 1e-2, "eps": 1e-4},
        "probe": None,
        "trainer": {"epochs": None, "steps": 9},
        "tracking": {"mode": "disabled"},
    }
    return validate(RunConfig, Document(document, {}, "test"))


def naive(wanted: RunConfig, every: int) -> tuple[float, float]:
    """Both metrics over every ``every``-th step: whole matrices, element by element."""
    data = wanted.data.load()
    model = wanted.model.begin(data, wanted.seed).train()
    module = AutoencoderModule(model, wanted.optimizer)
    optimizer = wanted.optimizer.build(model.parameters())
    weights = [p for p in model.latent_parameters if p.dim() == 2]
    sizes, shares = [], []
    for n, batch in enumerate(Batches(data, data.train, 64, wanted.seed)):
        if n == 9:
            break
        optimizer.zero_grad()
        module.training_step(batch, n)["loss"].backward()
        module.on_after_backward()
        before = [w.detach().clone() for w in weights]
        rows = touched_rows(weights[0])
        optimizer.step()
        model.normalise(None if wanted.optimizer.moves_untouched else rows)
        moved = [w.detach() != old for w, old in zip(weights, before, strict=True)]
        steps = [w.detach() - old for w, old in zip(weights, before, strict=True)]
        count = sum(int(m.sum()) for m in moved)
        small = [view(optimizer).denominator(w, rows) < 2e-4 for w in weights]  # type: ignore[operator]
        touched = sum(int(m[rows].sum()) for m in moved)
        if n % every == 0:
            sizes.append((sum(float(s.double().square().sum()) for s in steps) / count) ** 0.5)
            shares.append(sum(int((m[rows] & s).sum()) for m, s in zip(moved, small, strict=True)) / touched)
    return sum(sizes) / len(sizes), sum(shares) / len(shares)


@pytest.mark.parametrize("model", [{}, UNIT], ids=["tied", "unit"])
@pytest.mark.parametrize("name", ["lazy_adam", "masked_adam", "rmsprop", "adagrad", "tf_sparse_adam", "adam"])
def test_a_look_says_what_whole_matrices_say(name: str, model: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(telemetry, "LOOK_EVERY", 4)
    wanted = config(name, model)
    size, share = naive(wanted, every=4)
    found = run(wanted, phase="search").metrics
    assert found["optim/update_rms"] == pytest.approx(size, rel=1e-9)
    assert found["optim/eps_bound"] == pytest.approx(share, rel=1e-9)


def test_only_rows_that_may_move_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    sizes: dict[str, list[int]] = {"lazy_adam": [], "adam": []}
    for name, kept in sizes.items():

        def seen(*args: Any, kept: list[int] = kept, **values: Any) -> Any:
            found = keep(*args, **values)
            kept.append(len(found.before_KD))
            return found

        with monkeypatch.context() as patch:
            patch.setattr(weight_updates, "keep", seen)
            run(config(name, {}), phase="search")
    assert sizes["adam"] == [64]
    assert 0 < sizes["lazy_adam"][0] < 64
