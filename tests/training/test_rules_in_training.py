"""What a rule does over a whole training: its threshold at evaluations, its schedule, its epochs, and resuming."""

from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from spadam.config import RunConfig
from spadam.models.autoencoder import SparseAutoencoder
from spadam.training.run import run
from support.short_training import STEPS, Stop, config, rows, same, stop_at, weights

SCHEDULE = {"k_from": 20, "k_steps": STEPS + 9}
RULES: dict[str, dict[str, Any]] = {
    "calibrated": {"name": "batch_top_k", "k": 4, "threshold": "calibrated"},
    "ema, scheduled": {"name": "batch_top_k", "k": 4, "threshold": "ema", **SCHEDULE},
    "top_k, scheduled": {"name": "top_k", "k": 4, **SCHEDULE},
    "k_winners": {"name": "k_winners", "k": 4, "boost_strength_factor": 0.5, "k_inference_factor": 1.5},
}


def trained(rule: dict[str, Any], **overlay: Any) -> RunConfig:
    model = {"rule": rule, **overlay.pop("model", {})}
    return config(model=model, probe=None, **overlay)


def saved(folder: Path) -> dict[str, torch.Tensor]:
    return load_file(folder / "model.safetensors")


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize(("every", "stop"), [("epoch", STEPS + 3), (5, STEPS + 8), (1, STEPS)])
def test_it_resumes_to_the_last_bit(rule: str, every: str | int, stop: int, tmp_path: Path) -> None:
    wanted = trained(RULES[rule], trainer={"checkpoint_every": every, "epochs": 3})
    whole = run(wanted, tmp_path / "whole")
    with pytest.raises(Stop):
        run(wanted, tmp_path / "out", progress=stop_at(stop))
    assert same(run(wanted, tmp_path / "out"), whole)
    assert weights(tmp_path / "out") == weights(tmp_path / "whole")
    assert rows(tmp_path / "out") == rows(tmp_path / "whole")


@pytest.mark.parametrize("activation", ["linear", "relu"])
def test_the_calibrated_threshold_is_saved_and_loaded(activation: str, tmp_path: Path) -> None:
    wanted = trained(RULES["calibrated"], model={"activation": activation}, trainer={"epochs": 6})
    result = run(wanted, tmp_path)
    dataset = wanted.data.load()
    x = dataset.take(dataset.train)
    loaded = SparseAutoencoder.load(tmp_path)
    scores = loaded.scores(x).flatten().double()
    threshold = saved(tmp_path)["rule.threshold"]
    # one product over all samples may round the last digit of a score otherwise than one over a block of them
    assert threshold.item() == pytest.approx(scores.sort(descending=True).values[4 * len(x) - 1].item(), rel=1e-5)
    assert len(loaded.encode(x).values_P) / len(x) == pytest.approx(4, rel=0.01)
    code = loaded.encode(dataset.take(dataset.validation))
    assert len(code.values_P) / len(dataset.validation) == pytest.approx(result.metrics["sparsity/l0_eval"])
    assert result.metrics["train/fvu"] == pytest.approx(result.metrics["train/fvu_training_code"], rel=0.02)


def test_every_evaluation_is_calibrated_and_no_step_depends_on_it(tmp_path: Path) -> None:
    """With 1e-1 the scores run away: at every evaluation, step 0 included, another threshold keeps k a sample."""
    ends, l0s = {}, {}
    for source in ("calibrated", "mean", "ema"):
        rule = {"name": "batch_top_k", "k": 4, "threshold": source}
        model = {"pre_bias": "none"}
        result = run(trained(rule, model=model, optimizer={"lr": 1e-1}, trainer={"epochs": 4}), tmp_path / source)
        l0s[source] = [row["sparsity/l0_eval"] for row in result.evaluations]
        ends[source] = {name: value for name, value in saved(tmp_path / source).items() if "rule" not in name}
        assert ("l0_differs" in [warning["code"] for warning in result.warnings]) == (source != "calibrated")
    assert l0s["calibrated"] == pytest.approx([4] * 5, rel=0.15), "300 validation samples are not the training samples"
    assert max(abs(l0 / 4 - 1) for l0 in l0s["mean"][1:]) > 0.15
    assert all(torch.equal(ends["calibrated"][name], ends["mean"][name]) for name in ends["mean"])
    assert all(torch.equal(ends["calibrated"][name], ends["ema"][name]) for name in ends["mean"])


def test_where_k_a_sample_is_forced_nothing_is_calibrated(tmp_path: Path) -> None:
    result = run(trained(RULES["calibrated"], model={"evaluation": "per_sample_k"}), tmp_path)
    assert saved(tmp_path)["rule.threshold"].isinf()
    assert [row["sparsity/l0_eval"] for row in result.evaluations] == [4, 4, 4]


@pytest.mark.parametrize("name", ["top_k", "batch_top_k"])
def test_evaluations_use_the_k_of_their_moment(name: str, tmp_path: Path) -> None:
    rule = {"name": name, "k": 4, "k_from": 20, "k_steps": 2 * STEPS}
    result = run(trained(rule, trainer={"epochs": 3}), tmp_path)
    found = [row["sparsity/l0_eval"] for row in result.evaluations]
    if name == "top_k":
        assert found == [20, 12, 4, 4]
        assert [row["sparsity/l0_train"] for row in result.evaluations[2:]] == [pytest.approx(8.22, abs=0.3), 4]
    else:
        assert found == pytest.approx([20, 12, 4, 4], rel=0.15)
    assert saved(tmp_path)["rule.steps"] == 3 * STEPS
    assert SparseAutoencoder.load(tmp_path).rule.k == 4


def test_a_training_that_ends_before_its_schedule_is_judged_as_it_was_trained(tmp_path: Path) -> None:
    rule = {"name": "top_k", "k": 4, "k_from": 20, "k_steps": 4 * STEPS}
    result = run(trained(rule), tmp_path)
    assert result.metrics["sparsity/l0_eval"] == SparseAutoencoder.load(tmp_path).rule.k == 12
    assert "l0_differs" in [warning["code"] for warning in result.warnings], "in the last epoch it was 14 on average"


@pytest.mark.parametrize(
    ("trainer", "epochs"), [({"epochs": 3}, 3), ({"epochs": None, "steps": 2 * STEPS + 5}, 2), ({"epochs": 1}, 1)]
)
def test_the_boost_falls_after_each_whole_epoch(trainer: dict[str, Any], epochs: int, tmp_path: Path) -> None:
    run(trained(RULES["k_winners"], trainer=trainer), tmp_path)
    assert saved(tmp_path)["rule.boost_strength"] == 0.5**epochs


def test_a_code_that_is_judged_otherwise_than_trained_is_told(tmp_path: Path) -> None:
    lifetime = run(trained({"name": "lifetime", "rate": 0.1}))
    (warned,) = [warning for warning in lifetime.warnings if warning["code"] == "l0_differs"]
    assert warned["numbers"] == {name: lifetime.metrics[f"sparsity/{name}"] for name in ("l0_train", "l0_eval")}
    assert warned["text"].startswith("a sample has 64 latents on in evaluation and had ")
    plain = run(trained({"name": "top_k", "k": 4}))
    assert "l0_differs" not in [warning["code"] for warning in plain.warnings]
