"""The LightningModule under a plain Trainer: its gradients, its probe, clipping, schedules, checkpoints."""

from typing import Any, get_args

import pytest
import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import GradientAccumulationScheduler
from pytorch_lightning.strategies import SingleDeviceStrategy
from pytorch_lightning.tuner import Tuner
from torch import Tensor
from torch.utils.data import DataLoader, TensorDataset

from spadam.models.autoencoder import SparseAutoencoder
from spadam.models.probe import LinearProbe
from spadam.models.spec import AutoencoderSpec
from spadam.optim import OPTIMIZERS
from spadam.sparsity import RULES
from spadam.spec import Document, InputError, validate
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
    lr = {"sgd": 1.0, "signum": 1e-3, "sign_sgd": 1e-3, "adagrad": 0.1, "rowwise_adagrad": 0.1}.get(name, 1e-2)
    under_test = module(name, model=autoencoder(execution=execution), lr=lr)
    x, _ = data()
    before = under_test.loss(x, under_test(x)).item()
    plain = fit(tmp_path, under_test, epochs=5)
    assert plain.global_step == 5 * 6, "the probe's steps are not counted"
    assert under_test.loss(x, under_test(x)).item() < before


@pytest.mark.parametrize("name", OPTIMIZER_NAMES)
def test_whoever_follows_the_weights_sees_every_step(name: str, tmp_path: Any, caplog: Any) -> None:
    """torch's fused optimizers do not count their changes: the certified search then looked at weights of long ago."""
    ends = []
    for selection in ("float32", "certified"):
        under_test = module(name, probe=False, model=autoencoder(selection=selection))
        plain = trainer(tmp_path, epochs=2)
        plain.fit(under_test, loader(), loader())
        ends.append(weights(under_test))
    assert equal(*ends)
    assert not [record for record in caplog.records if record.name.startswith("spadam")]


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


class Later(pl.Callback):
    """Accumulates from the second epoch on, as no argument tells."""

    def on_train_epoch_start(self, trainer: Any, pl_module: Any) -> None:
        trainer.accumulate_grad_batches = 1 + trainer.current_epoch


@pytest.mark.parametrize(
    ("values", "steps"),
    [
        ({"accumulate_grad_batches": 2}, 0),
        ({"callbacks": [GradientAccumulationScheduler({0: 2})]}, 0),
        ({"callbacks": [GradientAccumulationScheduler({0: 1, 1: 2})]}, 0),
        ({"callbacks": [Later()]}, 6),
    ],
)
def test_accumulation_is_refused_however_it_comes(values: Any, steps: int, tmp_path: Any) -> None:
    """Before the first step where that can be known, else before the first that would be part of a sum."""
    under_test, plain = module(), trainer(tmp_path, **values)
    before = weights(under_test)
    with pytest.raises(InputError, match=r"accumulate_grad_batches = 2: accumulate_grad_batches must be 1.*larger"):
        plain.fit(under_test, loader())
    assert plain.global_step == steps
    assert equal(weights(under_test), before) == (steps == 0)


def test_more_than_one_device_is_refused(tmp_path: Any) -> None:
    class Many(SingleDeviceStrategy):
        """As if other processes trained along."""

        def __init__(self) -> None:
            super().__init__(torch.device("cpu"))
            self.world_size = 2

    plain = trainer(tmp_path, strategy=Many())
    with pytest.raises(InputError, match=r"world_size = 2: one training runs on one device.*devices=1.*sweep run"):
        plain.fit(module(), loader())


class Decaying(AutoencoderModule):
    """Its loss reaches every row of the weights."""

    def training_step(self, batch: Any, batch_idx: int) -> Any:
        result = super().training_step(batch, batch_idx)
        result["loss"] = result["loss"] + 1e-2 * self.autoencoder.encoder_weight.square().sum()
        return result


@pytest.mark.parametrize("execution", ["sparse", "dense"])
def test_a_row_with_a_gradient_that_nobody_listed_is_an_error(execution: str, tmp_path: Any) -> None:
    """It would be dropped; an optimizer that takes dense gradients gets all of it."""
    model = autoencoder(execution=execution, rule={"name": "top_k", "k": 1})
    under_test = Decaying(model, spec_of("lazy_adam", lr=1e-2))
    before = weights(under_test)
    with pytest.raises(InputError, match=r"list every row that has a gradient; it lacks row \d+.*dense gradients"):
        fit(tmp_path, under_test)
    assert equal(weights(under_test), before)

    model = autoencoder(execution=execution, rule={"name": "top_k", "k": 1})
    start = model.encoder_weight.detach().clone()
    fit(tmp_path, Decaying(model, spec_of("sgd", lr=1.0, momentum=0.0)), epochs=1, limit_train_batches=1)
    assert (model.encoder_weight != start).any(1).all()


# ---------------------------------------------------------------- batches


def collated(form: str) -> DataLoader[Any]:
    x, y = data()
    number = torch.arange(len(x))
    rows: list[Any] = {
        "tuple of one": [(a,) for a in x],
        "three": list(zip(x, y, number, strict=True)),
        "dictionary": [{"x": a, "y": b, "i": n} for a, b, n in zip(x, y, number, strict=True)],
        "without classes": [{"x": a} for a in x],
    }[form]
    return DataLoader(rows, batch_size=16)  # type: ignore[arg-type]


@pytest.mark.parametrize("form", ["tuple of one", "three", "dictionary", "without classes"])
def test_batches_of_several_forms_are_taken(form: str, tmp_path: Any) -> None:
    under_test, plain = module(), module()
    labels = form in ("three", "dictionary")
    fit(tmp_path, under_test, batches=collated(form))
    fit(tmp_path, plain, batches=loader(labels))
    assert equal(weights(under_test), weights(plain))
    assert under_test.probe is not None
    assert bool((under_test.probe.weight != 0).any()) == labels
    found = trainer(tmp_path).predict(under_test, collated(form))
    x, _ = data()
    torch.testing.assert_close(found[0].reconstruction_BD, under_test.autoencoder(x[:16]).reconstruction_BD)  # type: ignore[index,union-attr]


@pytest.mark.parametrize(
    ("batch", "said"),
    [
        ({"image": torch.ones(4, FEATURES)}, "keys image.*a batch is samples"),
        ((), "NoneType.*a batch is samples"),
        ("text", "str.*a batch is samples"),
        ((torch.ones(4, FEATURES), torch.ones(4)), r"classes.*torch.float32.*one whole number a sample, \(4,\)"),
        ((torch.ones(4, FEATURES), torch.ones(3).long()), r"\(3,\).*one whole number a sample"),
        ((torch.ones(4, FEATURES), ["a"] * 4), "list.*one whole number a sample"),
        (torch.ones(4, FEATURES + 1), rf"x = \(4, 11\): samples must be \(samples, {FEATURES}\); use x.reshape"),
        (torch.ones(4, 3, FEATURES), rf"x = \(4, 30\).*use x.reshape\(-1, {FEATURES}\)"),
        (torch.ones(FEATURES), r"x = \(10,\)"),
        (torch.ones(0, FEATURES), "must have a sample"),
    ],
)
def test_batches_that_are_none_are_refused(batch: Any, said: str) -> None:
    with pytest.raises(InputError, match=said):
        module().training_step(batch, 0)


def test_classes_are_not_asked_after_without_a_probe() -> None:
    module(probe=False).training_step((torch.ones(4, FEATURES), torch.ones(4)), 0)


# ---------------------------------------------------------------- what Lightning can be asked for


def test_several_loaders_have_a_suffix_each(tmp_path: Any) -> None:
    under_test, plain = module(), trainer(tmp_path, epochs=1)
    x, y = data(1)
    other = DataLoader(TensorDataset(x * 2, y), batch_size=16)
    plain.fit(under_test, loader(), [loader(), other])
    alone = plain.validate(under_test, loader(), verbose=False)[0]["val/fvu"]
    found = plain.validate(under_test, [loader(), other], verbose=False)
    assert found[0]["val/fvu/dataloader_idx_0"] == alone != found[1]["val/fvu/dataloader_idx_1"]
    assert len(plain.test(under_test, [loader(), other], verbose=False)) == 2


def test_an_lr_that_a_tuner_sets_is_used(tmp_path: Any) -> None:
    under_test = module()
    assert under_test.lr == 1e-2
    plain = trainer(tmp_path, epochs=20)
    found = Tuner(plain).lr_find(under_test, loader(), num_training=60, min_lr=1e-4, max_lr=1e-1)
    assert found is not None
    assert under_test.lr == under_test.optimizer_spec.lr == found.suggestion() != 1e-2
    again = fit(tmp_path, under_test, epochs=1)
    assert again.optimizers[0].param_groups[0]["lr"] == found.suggestion()


@pytest.mark.parametrize("execution", ["sparse", "dense"])
@pytest.mark.parametrize("name", ["lazy_adam", "adam", "sgd"])
def test_clipping_by_value_is_that_of_the_dense_gradient(name: str, execution: str, tmp_path: Any) -> None:
    ends = []
    for clip in (None, 1e-4):
        under_test = module(name, probe=False, model=autoencoder(execution=execution), lr=1e-2)
        seen: list[Tensor] = []

        class Watch(pl.Callback):
            def on_train_batch_end(self, *_: Any, seen: list[Tensor] = seen, under_test: Any = under_test) -> None:
                grad = under_test.autoencoder.encoder_weight.grad
                seen.append(grad.to_dense() if grad.is_sparse else grad.clone())

        fit(
            tmp_path, under_test, epochs=1, limit_train_batches=1, gradient_clip_val=clip,
            gradient_clip_algorithm="value", callbacks=[Watch()],
        )  # fmt: skip
        ends.append(seen[0])
    assert ends[0].abs().max() > 1e-4
    assert torch.equal(ends[1], ends[0].clamp(-1e-4, 1e-4))


RULES_HERE: list[dict[str, Any]] = [
    {"name": "top_k", "k": 3},
    {"name": "top_k", "k": 3, "lifetime": True},
    {"name": "batch_top_k", "k": 3},
    {"name": "k_winners", "k": 3},
    {"name": "lifetime", "rate": 0.1},
    {"name": "relu"},
]


@pytest.mark.parametrize("execution", ["sparse", "dense", "gathered", "gathered_union"])
@pytest.mark.parametrize("rule", RULES_HERE, ids=str)
def test_autocast_changes_no_bit(rule: Any, execution: str, tmp_path: Any) -> None:
    """What wins, and the sparse products, are computed in full precision whatever autocast asks for."""
    if execution.startswith("gathered") and rule["name"] != "top_k":
        return
    ends = []
    for precision in ("32-true", "bf16-mixed"):
        under_test = module(model=autoencoder(rule=rule, execution=execution))
        plain = trainer(tmp_path, epochs=1, precision=precision)
        plain.fit(under_test, loader(), loader())
        ends.append((weights(under_test), float(plain.callback_metrics["val/fvu"])))
        assert under_test.probe is not None
        ends[-1][0].append(under_test.probe.weight.detach())
    assert equal(ends[0][0], ends[1][0])
    assert ends[0][1] == ends[1][1]


def test_a_backward_pass_within_autocast_is_the_same() -> None:
    x, _ = data()
    grads = []
    for enabled in (False, True):
        model = autoencoder()
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=enabled):
            (model(x).reconstruction_BD - x).square().mean().backward()
        assert model.encoder_weight.grad is not None
        grads.append(model.encoder_weight.grad.to_dense())
    assert torch.equal(*grads)


# ---------------------------------------------------------------- checkpoints of another module


@pytest.mark.parametrize(
    ("saver", "loader_of", "said"),
    [
        ({"probe": False}, {}, "checkpoint.probe.weight: the checkpoint lacks it.*build the module as it was"),
        ({}, {"probe": False}, "checkpoint.probe.weight: this module has nothing of that name"),
        ({"latents": 32}, {}, r"checkpoint.autoencoder.encoder_weight = \(32, 10\): its shape must be \(24, 10\)"),
        ({"tied": False}, {}, "checkpoint.autoencoder.decoder_weight: this module has nothing"),
        ({"rule": {"name": "batch_top_k", "k": 3}}, {}, "checkpoint.autoencoder.rule.*nothing of that name"),
        ({"optimizer": "rowwise_adam"}, {}, "another optimizer than LazyAdam"),
    ],
)
def test_a_checkpoint_of_another_module_is_refused(saver: Any, loader_of: Any, said: str, tmp_path: Any) -> None:
    def made(probe: bool = True, optimizer: str = "lazy_adam", **model: Any) -> AutoencoderModule:
        built = autoencoder(**model)
        spec = spec_of(optimizer, lr=1e-2)
        return AutoencoderModule(built, spec, LinearProbe(built.spec.latents, CLASSES) if probe else None)

    fit(tmp_path, made(**saver), epochs=1).save_checkpoint(tmp_path / "one.ckpt")
    under_test = made(**loader_of)
    before = weights(under_test)
    with pytest.raises(InputError, match=said):
        trainer(tmp_path).fit(under_test, loader(), ckpt_path=tmp_path / "one.ckpt", weights_only=True)
    assert equal(weights(under_test), before) or "optimizer" in saver


def test_a_schedule_without_an_end_is_refused(tmp_path: Any) -> None:
    with pytest.raises(ValueError, match="a cosine schedule needs a limit"):
        fit(tmp_path, module(schedule={"name": "cosine"}), epochs=-1)
