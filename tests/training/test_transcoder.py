"""Whole trainings on targets: against a training without, against naive recomputation, resumed, and in Lightning."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import pytorch_lightning as pl
import torch
from safetensors import safe_open
from safetensors.torch import load_file
from torch import Tensor
from torch.utils.data import DataLoader

from spadam.data.dataset import Dataset
from spadam.data.samples import Samples
from spadam.data.splits import Splits
from spadam.diagnostics import outliers
from spadam.models.autoencoder import SparseAutoencoder
from spadam.models.spec import AutoencoderSpec
from spadam.optim import LazyAdamSpec
from spadam.sparsity import TopKSpec
from spadam.spec import InputError
from spadam.tasks.autoencoder import AutoencoderTask
from spadam.training.gradient_scale import gradient_rms
from spadam.training.module import AutoencoderModule
from spadam.training.run import run
from spadam.training.view import pictures_of
from support.short_training import config, run_until, same, timeless, weights

SAMPLES, D, E = 600, 12, 20


@pytest.fixture
def arrays(tmp_path: Path) -> dict[str, np.ndarray[Any, Any]]:
    """Samples about no centre, and targets that follow from them, of another size and about another place."""
    random = np.random.default_rng(0)
    x = random.normal(size=(SAMPLES, D)).astype(np.float32) + 2
    target = 30 * np.maximum(x @ random.normal(size=(D, E)), 0).astype(np.float32) - 5
    arrays = {"x": x, "t": target, "y": np.arange(SAMPLES) % 3}
    for name, array in arrays.items():
        np.save(tmp_path / f"{name}.npy", array)
    return arrays


def wanted(folder: Path, **overlay: Any) -> Any:
    data = {"name": "array", "root": str(folder), "file": "x.npy", "labels": "y.npy", "batch_size": 32}
    model = {"tied": False, **overlay.pop("model", {})}
    return config(data={**data, "target": "t.npy", **overlay.pop("data", {})}, model=model, **overlay)


@pytest.mark.parametrize("scale", ["none", "unit_sq"])
def test_samples_as_targets_give_the_bits_of_a_training_without(
    scale: str, tmp_path: Path, arrays: dict[str, Any]
) -> None:
    own, with_target = (
        run(wanted(tmp_path, data={"target": target, "scale": scale}), tmp_path / name)
        for name, target in (("own", None), ("target", "x.npy"))
    )
    twins = zip(*(load_file(tmp_path / name / "model.safetensors").items() for name in ("own", "target")), strict=True)
    assert all(a == b and torch.equal(ours, twin) for (a, ours), (b, twin) in twins)
    of_target = with_target.metrics.pop("data/target_scale")
    assert of_target == own.metrics["data/scale"]
    assert same(own, with_target)


@pytest.mark.parametrize("rule", [{"name": "top_k", "k": 4}, {"name": "batch_top_k", "k": 4}])
def test_metrics_are_of_targets(rule: dict[str, Any], tmp_path: Path, arrays: dict[str, Any]) -> None:
    asked = wanted(tmp_path, data={"scale": "unit_sq"}, model={"rule": rule})
    result = run(asked, tmp_path / "out")
    data = asked.data.load()
    model = SparseAutoencoder.load(tmp_path / "out")
    assert (model.features, model.targets) == (D, E)
    model.requires_grad_(False)
    for split, rows in (("val", data.validation), ("test", data.test), ("train", data.train)):
        target = torch.from_numpy(arrays["t"])[rows].double()
        found = model(torch.from_numpy(arrays["x"])[rows]).reconstruction_BD.double()  # of samples as they are
        errors = (found - target).square()
        fvu = float(errors.sum() / (target - target.mean(0)).square().sum())
        assert result.metrics[f"{split}/fvu"] == pytest.approx(fvu, rel=1e-4)
        assert result.metrics[f"{split}/mse"] == pytest.approx(float(errors.mean()) * data.target_scale**2, rel=1e-4)
        if split == "val":
            median = target.float().median(0).values.double()
            fractions = errors.sum(1) / (target - median).square().sum(1)
            naive = float(np.median(fractions.numpy()))
            assert result.metrics["val/fvu_median_sample"] == pytest.approx(naive, rel=1e-4)
    train = arrays["x"][data.train].astype(np.float64)
    assert result.metrics["data/gamma"] == pytest.approx(
        np.linalg.norm(train.mean(0)) / np.linalg.norm(train.std(0)), rel=1e-9
    )
    scales = (result.metrics["data/scale"], result.metrics["data/target_scale"])
    assert scales == (data.scale, data.target_scale)
    with safe_open(tmp_path / "out" / "model.safetensors", "pt") as file:
        assert file.metadata() == {"trained with data/scale, data/target_scale": ", ".join(map(repr, scales))}
    assert result.metrics["val/fvu"] < 0.5 * result.evaluations[0]["val/fvu"]
    assert {"probe/baseline_pixels", "probe/test_accuracy"} <= result.metrics.keys()


def test_a_scale_of_targets_changes_nothing_but_units(tmp_path: Path, arrays: dict[str, Any]) -> None:
    """With `data.scale` an lr means the same: targets a thousand times as large train to the same fvu."""
    np.save(tmp_path / "t1024.npy", arrays["t"] * 1024)
    one, other = (run(wanted(tmp_path, data={"target": t, "scale": "sqrt_d"})) for t in ("t.npy", "t1024.npy"))
    assert other.metrics["data/target_scale"] == one.metrics["data/target_scale"] / 1024
    assert other.metrics["val/mse"] == one.metrics["val/mse"]
    assert other.metrics["val/fvu"] == one.metrics["val/fvu"]


@pytest.mark.parametrize(
    "overlay",
    [
        {"optimizer": {"name": "masked_adam", "lr": 0.01}},
        {"optimizer": {"name": "schedule_free", "lr": 0.01}},
        {"optimizer": {"name": "lazy_adam", "lr": 0.01, "ema": {"decay": 0.9}}, "model": {"decoder_norm": "unit"}},
        {"optimizer": {"name": "adam", "lr": 0.01}, "model": {"rule": {"name": "relu", "l1": 0.01}}},
    ],
    ids=str,
)
def test_resumed_it_has_the_same_bits(overlay: dict[str, Any], tmp_path: Path, arrays: dict[str, Any]) -> None:
    asked = wanted(tmp_path, **overlay, data={"scale": "unit_sq"}, trainer={"checkpoint_every": 5})
    whole = run(asked, tmp_path / "whole")
    resumed = run(asked, run_until(12, asked, tmp_path / "cut"))
    assert same(whole, resumed)
    assert weights(tmp_path / "whole") == weights(tmp_path / "cut")
    assert whole.status == "complete"


def test_sparse_and_dense_train_to_the_same(tmp_path: Path, arrays: dict[str, Any]) -> None:
    found = [
        run(wanted(tmp_path, data={"scale": "unit_sq"}, model={"execution": execution})).metrics["val/fvu"]
        for execution in ("sparse", "dense", "gathered")
    ]
    assert found == pytest.approx([found[0]] * 3, rel=1e-3)  # float32, thirty steps


def test_it_has_a_scale_of_gradient(tmp_path: Path, arrays: dict[str, Any]) -> None:
    assert gradient_rms(wanted(tmp_path, data={"scale": "unit_sq"})) > 0


def test_pictures_are_of_targets_that_are_images(tmp_path: Path, arrays: dict[str, Any]) -> None:
    np.save(tmp_path / "t.npy", arrays["t"].reshape(SAMPLES, 4, 5))
    asked = wanted(tmp_path)
    run(asked, tmp_path / "images")
    drawn = pictures_of(asked, tmp_path / "images")
    assert drawn.keys() == {"pictures/decoder", "pictures/reconstructions"}
    np.save(tmp_path / "t.npy", arrays["t"])
    np.save(tmp_path / "x.npy", arrays["x"].reshape(SAMPLES, 3, 4))
    run(asked, tmp_path / "none")
    assert pictures_of(asked, tmp_path / "none") == {}


def test_the_picture_shows_targets_above_their_reconstructions(tmp_path: Path) -> None:
    random = torch.Generator().manual_seed(0)
    x, target = torch.rand(40, 6, generator=random), torch.rand(40, 8, generator=random)
    rows = torch.arange(40)
    samples = Samples(x, target=Samples(target, image_shape=(2, 4)))
    data = Dataset(samples, Splits(rows[:30], rows[30:], rows[:0]))
    spec = AutoencoderSpec(latents=16, tied=False, rule=TopKSpec(k=3))
    model = spec.begin(data, 0).eval()
    picture = AutoencoderTask(model).pictures(data)["pictures/reconstructions"]
    cell = 255 * target[30].reshape(2, 4)
    factor = 14  # a cell is 56 pixels wide
    shown = picture[2 : 2 + 2 * factor : factor, 2 : 2 + 4 * factor : factor]
    np.testing.assert_array_equal(shown, np.rint(cell.numpy()).astype(np.uint8))


def test_outliers_are_told_of_both() -> None:
    random = torch.Generator().manual_seed(0)
    plain, long = (torch.randn(1000, 8, generator=random) for _ in range(2))
    long[::64] *= 30
    rows = torch.arange(1000)

    def told(x: Tensor, target: Tensor) -> list[str]:
        samples = Samples(x, target=Samples(target))
        found = outliers.warn(Dataset(samples, Splits(rows, rows[:0], rows[:0])))
        assert {warned.code for warned in found} <= {"outliers"}
        return [warned.text for warned in found]

    assert told(plain, plain) == []
    [of_targets] = told(plain, long)
    assert "of the targets of the training samples" in of_targets
    assert "mse and fvu are mostly about them; leave their samples out with data.exclude.mask" in of_targets
    [of_samples] = told(long, plain)
    assert "of the training samples" in of_samples
    assert "mse" not in of_samples
    assert len(told(long, long)) == 2


def module(targets: int | None = E) -> AutoencoderModule:
    spec = AutoencoderSpec(latents=32, tied=False, rule=TopKSpec(k=4))
    return AutoencoderModule(spec.build(D, torch.Generator().manual_seed(0), targets=targets), LazyAdamSpec(lr=0.01))


def batch(**changes: Any) -> dict[str, Any]:
    return {"x": torch.rand(8, D), "target": torch.rand(8, E), **changes}


@pytest.mark.filterwarnings("ignore:.*does not have many workers", "ignore:.*no `val_dataloader`")
def test_a_loader_of_dictionaries_trains_it(arrays: dict[str, Any]) -> None:
    pairs = [{"x": x, "target": t} for x, t in zip(arrays["x"], arrays["t"].reshape(-1, 4, 5), strict=True)]
    loader, own = DataLoader(pairs, batch_size=50), module()  # type: ignore[arg-type,var-annotated]
    quiet: dict[str, Any] = {"logger": False, "enable_checkpointing": False, "enable_progress_bar": False}
    trainer = pl.Trainer(max_epochs=2, accelerator="cpu", enable_model_summary=False, **quiet)
    before = trainer.validate(own, loader, verbose=False)[0]["val/fvu"]
    trainer.fit(own, loader)
    after = trainer.validate(own, loader, verbose=False)[0]["val/fvu"]
    x, target = torch.from_numpy(arrays["x"]), torch.from_numpy(arrays["t"])
    naive = (own.eval()(x).reconstruction_BD - target).square().sum() / (target - target.mean(0)).square().sum()
    assert after == pytest.approx(float(naive.detach()), rel=1e-4)
    assert after < before


@pytest.mark.parametrize(
    ("given", "targets", "message"),
    [
        ((torch.rand(8, D), torch.rand(8, E)), E, f"targets of {E} features, and the batch holds none; give a dict"),
        (batch(target=None), E, "the batch holds none"),
        (batch(), None, "the model reconstructs its samples, and the batch holds targets; build the model with"),
        (batch(target=torch.rand(8, E + 1)), E, rf"= '\(8, {E + 1}\) of torch.float32': targets must be real numbers"),
        (batch(target=torch.rand(7, E)), E, rf"targets must be real numbers, \(8, {E}\)"),
        (batch(target=torch.ones(8, E).long()), E, "of torch.int64': targets must be real numbers"),
        (batch(target=[0.0] * 8), E, "= 'list': targets must be real numbers"),
        (batch(target=torch.tensor(1.0)), E, "targets must be real numbers"),
        (batch(target=torch.rand(8)), E, r"= '\(8,\) of torch.float32': targets must be real numbers"),
    ],
)
def test_a_batch_that_does_not_serve_is_told(given: Any, targets: int | None, message: str) -> None:
    with pytest.raises(InputError, match=message):
        module(targets).training_step(given, 0)


def test_to_predict_takes_no_targets() -> None:
    own, x = module(), torch.rand(8, D)
    found = own.eval().predict_step(x, 0).reconstruction_BD
    assert torch.equal(found, own.predict_step({"x": x, "target": torch.rand(8, E)}, 0).reconstruction_BD)
    assert found.shape == (8, E)


def test_what_is_stored_says_nothing_of_targets_without_any(tmp_path: Path, arrays: dict[str, Any]) -> None:
    plain = wanted(tmp_path, data={"target": None})
    assert not [key for key in plain.facts()["data"] if "target" in key]
    assert plain.identity() != wanted(tmp_path).identity()
    result = run(plain)
    assert "data/target_scale" not in result.metrics
    assert timeless(result.metrics) == timeless(run(plain).metrics)
