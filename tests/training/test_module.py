"""The LightningModule under a plain Trainer: its gradients, its probe, clipping, schedules, checkpoints."""

from typing import Any, get_args

import pytest
import pytorch_lightning as pl
import torch
from torch import Tensor
from torch.utils.data import DataLoader, TensorDataset

from spadam.models.autoencoder import SparseAutoencoder
from spadam.models.probe import LinearProbe
from spadam.models.spec import AutoencoderSpec
from spadam.optim import OPTIMIZERS
from spadam.sparsity import RULES
from spadam.spec import Document, validate
from spadam.training.module import AutoencoderModule

FEATURES, CLASSES, LATENTS = 10, 3, 24

pytestmark = [
    pytest.mark.filterwarnings("ignore:.*does not have many workers"),
    pytest.mark.filterwarnings("ignore:.*smaller than the logging interval"),
    pytest.mark.filterwarnings("ignore:.*no `val_dataloader`"),
    pytest.mark.filterwarnings("ignore:.*LeafSpec.*is deprecated:FutureWarning"),
]


def data(seed: int = 0) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    y = torch.randint(CLASSES, (96,), generator=generator)
    x = torch.rand(96, FEATURES, generator=generator) * 0.3
    x[torch.arange(96), y] += 1
    return x, y


def loader(labels: bool = True, batch: int = 16) -> DataLoader[Any]:
    x, y = data()
    return DataLoader(TensorDataset(x, y) if labels else x, batch_size=batch)  # type: ignore[arg-type]


def autoencoder(**values: Any) -> SparseAutoencoder:
    rule = {"name": "top_k", "k": 3}
    spec = validate(AutoencoderSpec, Document({"latents": LATENTS, "rule": rule, **values}, {}, "test"))
    return spec.build(FEATURES, torch.Generator().manual_seed(1))


def spec_of(name: str, **values: Any) -> Any:
    (member,) = [m for m in OPTIMIZERS if get_args(m.model_fields["name"].annotation)[0] == name]
    return member(name=name, **values)


def module(optimizer: str = "lazy_adam", probe: bool = True, model: Any = None, **values: Any) -> AutoencoderModule:
    values = {"lr": 1e-2, **values}
    return AutoencoderModule(
        model or autoencoder(), spec_of(optimizer, **values), LinearProbe(LATENTS, CLASSES) if probe else None
    )


def trainer(tmp_path: Any, epochs: int = 2, **values: Any) -> pl.Trainer:
    return pl.Trainer(
        **{
            "max_epochs": epochs,
            "accelerator": "cpu",
            "logger": False,
            "enable_checkpointing": False,
            "enable_progress_bar": False,
            "enable_model_summary": False,
            "default_root_dir": tmp_path,
            **values,
        }
    )


def fit(tmp_path: Any, under_test: AutoencoderModule, batches: Any = None, **values: Any) -> pl.Trainer:
    plain = trainer(tmp_path, **values)
    plain.fit(under_test, loader() if batches is None else batches)
    return plain


def weights(under_test: AutoencoderModule) -> list[Tensor]:
    return [value.clone() for value in under_test.autoencoder.state_dict().values()]


def equal(a: list[Tensor], b: list[Tensor]) -> bool:
    return all(torch.equal(x, y) for x, y in zip(a, b, strict=True))


OPTIMIZER_NAMES = [name for m in OPTIMIZERS if (name := get_args(m.model_fields["name"].annotation)[0]) != "custom"]


@pytest.mark.parametrize("execution", ["sparse", "dense"])
@pytest.mark.parametrize("name", OPTIMIZER_NAMES)
def test_every_optimizer_trains_in_either_execution(name: str, execution: str, tmp_path: Any) -> None:
    lr = {"sgd": 1.0, "signum": 1e-3, "adagrad": 0.1, "rowwise_adagrad": 0.1}.get(name, 1e-2)
    under_test = module(name, model=autoencoder(execution=execution), lr=lr)
    x, _ = data()
    before = under_test.loss(x, under_test(x)).item()
    plain = fit(tmp_path, under_test, epochs=5)
    assert plain.global_step == 5 * 6, "the probe's steps are not counted"
    assert under_test.loss(x, under_test(x)).item() < before


@pytest.mark.parametrize("name", ["adam", "tf_sparse_adam", "lazy_adam", "active_adam", "rowwise_adagrad"])
def test_both_executions_give_one_trajectory(name: str, tmp_path: Any) -> None:
    """In float64 and over 12 steps, roundings of 1e-16 stay below 1e-9."""
    ends = []
    for execution in ("sparse", "dense"):
        under_test = module(name, probe=False, model=autoencoder(execution=execution).double())
        fit(tmp_path, under_test, batches=DataLoader(data()[0].double(), batch_size=16))
        ends.append(weights(under_test))
    for a, b in zip(*ends, strict=True):
        torch.testing.assert_close(a, b, rtol=0, atol=1e-9)


@pytest.mark.parametrize("rule", [get_args(m.model_fields["name"].annotation)[0] for m in RULES])
def test_every_rule_trains_without_labels(rule: str, tmp_path: Any) -> None:
    options = {"k": 3} if rule in ("top_k", "batch_top_k", "k_winners") else {}
    under_test = module(model=autoencoder(rule={"name": rule, **options}))
    start = weights(under_test)
    fit(tmp_path, under_test, batches=loader(labels=False))
    assert not equal(weights(under_test), start)


def test_images_are_flattened(tmp_path: Any) -> None:
    flat, images = module(probe=False), module(probe=False)
    x, _ = data()
    fit(tmp_path, flat, batches=DataLoader(x, batch_size=16))
    fit(tmp_path, images, batches=DataLoader(x.reshape(-1, 1, 2, 5), batch_size=16))
    assert equal(weights(flat), weights(images))


def test_the_probe_learns_and_gives_the_autoencoder_no_gradient(tmp_path: Any) -> None:
    with_probe, without = module(), module(probe=False)
    fit(tmp_path, with_probe, epochs=10)
    fit(tmp_path, without, epochs=10)
    assert equal(weights(with_probe), weights(without))
    x, y = data()
    assert with_probe.probe is not None
    code = with_probe.autoencoder.encode(x, with_probe.autoencoder.spec.probe_k)
    assert (with_probe.probe(code).argmax(1) == y).float().mean() > 0.9, "three separated classes"


def test_norm_clipping_bounds_the_step(tmp_path: Any) -> None:
    """Plain gradient descent of lr 1 moves by the gradient, so by the clipped norm at most."""
    under_test = module("sgd", probe=False, lr=1.0, momentum=0.0)
    before = weights(under_test)
    fit(tmp_path, under_test, epochs=1, limit_train_batches=1, gradient_clip_val=1e-3)
    moved = torch.cat([(b - a).flatten() for a, b in zip(before, weights(under_test), strict=True)])
    assert moved.norm().item() == pytest.approx(1e-3, rel=1e-4)  # float32 sums of 500 squares


@pytest.mark.parametrize(
    ("schedule", "expected"),
    [
        ({"name": "constant"}, [1.0] * 6),
        ({"name": "constant", "warmup_steps": 4}, [0.25, 0.5, 0.75, 1.0, 1.0, 1.0]),
        ({"name": "linear"}, [1.0, 5 / 6, 4 / 6, 3 / 6, 2 / 6, 1 / 6]),
        ({"name": "cosine", "warmup_steps": 2}, [0.5, 1.0, 1.0, 0.8535533905932737, 0.5, 0.14644660940672624]),
    ],
)
def test_schedules_multiply_the_lr_of_each_step(schedule: Any, expected: list[float], tmp_path: Any) -> None:
    seen: list[float] = []

    class Watch(pl.Callback):
        def on_before_optimizer_step(self, trainer: Any, pl_module: Any, optimizer: Any) -> None:
            seen.append(optimizer.param_groups[0]["lr"])

    fit(tmp_path, module(schedule=schedule), epochs=1, callbacks=[Watch()])
    assert seen == pytest.approx([1e-2 * factor for factor in expected])


def test_a_constant_lr_needs_no_scheduler(tmp_path: Any) -> None:
    """It is asked for in every step, and the lr is what it was."""
    constant = fit(tmp_path, module(), epochs=1)
    warmed = fit(tmp_path, module(schedule={"name": "constant", "warmup_steps": 2}), epochs=1)
    assert [len(plain.lr_scheduler_configs) for plain in (constant, warmed)] == [0, 1]


def test_validation_and_test_log_the_evaluation_code(tmp_path: Any) -> None:
    under_test, plain = module(), trainer(tmp_path)
    plain.fit(under_test, loader(), loader())
    x, _ = data()
    under_test.eval()
    with torch.no_grad():
        error = ((under_test(x).reconstruction_BD - x) ** 2).double().sum()
    fvu = (error / ((x - x.mean(0)) ** 2).double().sum()).item()
    assert float(plain.callback_metrics["val/fvu"]) == pytest.approx(fvu, rel=1e-5)  # logged as float32
    (tested,) = plain.test(under_test, loader(), verbose=False)
    assert tested["test/fvu"] == pytest.approx(fvu, rel=1e-5)


def test_a_checkpoint_resumes_to_the_last_bit_probe_included(tmp_path: Any) -> None:
    whole, first, second = module(), module(), module()
    fit(tmp_path, whole, epochs=3)
    half = fit(tmp_path, first, epochs=1)
    half.save_checkpoint(tmp_path / "half.ckpt")
    trainer(tmp_path, epochs=3).fit(second, loader(), ckpt_path=tmp_path / "half.ckpt", weights_only=True)
    assert equal(weights(second), weights(whole))
    assert second.probe is not None
    assert whole.probe is not None
    assert torch.equal(second.probe.weight, whole.probe.weight)


def test_unit_rows_stay_unit_and_held_rows_stay_bit_for_bit(tmp_path: Any) -> None:
    model = autoencoder(tied=False, decoder_norm="unit", rule={"name": "top_k", "k": 1})
    before = model.decoder_weight.detach().clone()
    fit(tmp_path, module("lazy_adam", model=model), epochs=1, limit_train_batches=1)
    norms = model.decoder_weight.norm(dim=1)
    torch.testing.assert_close(norms, torch.ones_like(norms))
    with torch.no_grad():
        touched = autoencoder(rule={"name": "top_k", "k": 1}).eval().encode(data()[0][:16]).selection.latents_P.unique()
    held = torch.ones(LATENTS, dtype=torch.bool).index_fill(0, touched, False)
    assert held.any()
    assert torch.equal(model.decoder_weight[held], before[held])
    assert not torch.equal(model.decoder_weight[touched], before[touched])


def test_accumulation_is_refused(tmp_path: Any) -> None:
    with pytest.raises(ValueError, match="accumulate_grad_batches must be 1"):
        fit(tmp_path, module(), accumulate_grad_batches=2)


def test_a_schedule_without_an_end_is_refused(tmp_path: Any) -> None:
    with pytest.raises(ValueError, match="a cosine schedule needs a limit"):
        fit(tmp_path, module(schedule={"name": "cosine"}), epochs=-1)
