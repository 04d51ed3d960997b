"""A model that encodes samples and reconstructs targets of another space: weights, gradients, scales, refusals."""

from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor

from spadam.config import RunConfig
from spadam.data.splits import seeded
from spadam.models.autoencoder import SparseAutoencoder
from spadam.models.spec import AutoencoderSpec
from spadam.optim import LazyAdam
from spadam.spec import Document, InputError, dump, validate
from spadam.tasks.autoencoder import AutoencoderTask

B, D, E, L, K = 24, 12, 7, 40, 4
EXACT = 1e-10  # float64: what the executions round differently is about 1e-15
MEAN_D = torch.linspace(-1, 3, D, dtype=torch.float64)
MEAN_E = torch.linspace(5, 2, E, dtype=torch.float64)
RULES: list[dict[str, Any]] = [
    {"name": "top_k", "k": K},
    {"name": "batch_top_k", "k": K},
    {"name": "relu", "l1": 0.1},
    {"name": "lifetime", "rate": 0.1},
]


def spec(**values: Any) -> AutoencoderSpec:
    document = {"latents": L, "rule": {"name": "top_k", "k": K}, "tied": False, **values}
    return validate(AutoencoderSpec, Document(document, {}, "test"))


def build(targets: int = E, **values: Any) -> SparseAutoencoder:
    model: SparseAutoencoder = spec(**values).build(D, torch.Generator().manual_seed(1), targets=targets).double()
    model.initialise(torch.Generator().manual_seed(1), MEAN_D, MEAN_E if targets == E else None)
    return model


def samples(seed: int = 0) -> Tensor:
    return torch.randn(B, D, generator=torch.Generator().manual_seed(seed), dtype=torch.float64) + MEAN_D


def targets(seed: int = 0) -> Tensor:
    return torch.randn(B, E, generator=torch.Generator().manual_seed(100 + seed), dtype=torch.float64) + MEAN_E


def gradients(model: SparseAutoencoder) -> dict[str, Tensor]:
    """Of the loss, the rule's penalty with it, and of what else a code may be used for."""
    x = samples().requires_grad_()
    output = model(x)
    loss = AutoencoderTask(model).loss(targets(), output) + 0.1 * output.code.values_P.abs().sum()
    loss.backward()
    found = {"loss": loss.detach(), "out": output.reconstruction_BD.detach()}
    for name, leaf in [("x", x), *model.named_parameters()]:
        assert leaf.grad is not None
        found[name] = leaf.grad.to_dense()
    return found


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule["name"])
@pytest.mark.parametrize("activation", ["linear", "relu"])
@pytest.mark.parametrize("decoder_norm", ["free", "unit"])
def test_executions_agree_with_dense(rule: dict[str, Any], activation: str, decoder_norm: str) -> None:
    values = {"rule": rule, "activation": activation, "decoder_norm": decoder_norm}
    twin = gradients(build(**values, execution="dense"))
    assert twin["out"].shape == (B, E)
    for execution in ["sparse", "gathered"] if rule["name"] == "top_k" else ["sparse"]:
        ours = gradients(build(**values, execution=execution))
        assert ours.keys() == twin.keys() >= {"x", "encoder_weight", "decoder_weight", "decoder_bias"}
        for name, value in twin.items():
            torch.testing.assert_close(ours[name], value, rtol=0, atol=EXACT)


@pytest.mark.parametrize("pre_bias", ["none", "mean"])
@pytest.mark.parametrize("execution", ["sparse", "gathered", "gathered_union", "dense"])
@pytest.mark.parametrize("reduction", ["mean", "sample"])
def test_the_formula_and_its_gradients_by_hand(pre_bias: str, execution: str, reduction: str) -> None:
    model = build(pre_bias=pre_bias, execution=execution, reduction=reduction)
    names = ("encoder_weight", "encoder_bias", "decoder_weight", "decoder_bias")
    W, b, V, d = (model.get_parameter(name).detach().clone().requires_grad_() for name in names)
    s = (samples() - (MEAN_D if pre_bias == "mean" else 0)) @ W.T + b
    mask = torch.zeros_like(s).scatter(1, s.topk(K, dim=1).indices, 1.0)
    if execution == "gathered_union":
        mask = mask.amax(0, keepdim=True).expand_as(mask)
    z = s * mask
    errors = (z @ V + d - targets()).square().sum() / (B * (E if reduction == "mean" else 1))
    (errors + 0.1 * z.abs().sum()).backward()
    ours = gradients(model)
    torch.testing.assert_close(ours["out"], (z @ V + d).detach(), rtol=0, atol=EXACT)
    for name, naive in zip(names, (W, b, V, d), strict=True):
        torch.testing.assert_close(ours[name], naive.grad, rtol=0, atol=EXACT)


def test_the_penalty_is_reduced_as_the_error_is() -> None:
    for reduction, elements in (("mean", E), ("sample", 1)):
        model = build(rule={"name": "relu", "l1": 0.5}, reduction=reduction).eval()
        output = model(samples())
        sizes = output.code.dense(L).abs() @ model.decoder_weight.norm(dim=1)
        error = (output.reconstruction_BD - targets()).square().sum() / (B * elements)
        naive = error + 0.5 * sizes.mean() / elements
        torch.testing.assert_close(AutoencoderTask(model).loss(targets(), output), naive, rtol=0, atol=EXACT)


@pytest.mark.parametrize("execution", ["sparse", "dense"])
def test_a_loss_of_the_code_alone_reaches_the_encoder_alone(execution: str) -> None:
    model = build(execution=execution)
    model(samples()).code.values_P.square().sum().backward()
    s = (samples() - MEAN_D) @ model.encoder_weight.detach().T
    kept = torch.zeros_like(s).scatter(1, s.topk(K, dim=1).indices, 1.0) * s
    assert model.encoder_weight.grad is not None
    naive = 2 * kept.T @ (samples() - MEAN_D)
    torch.testing.assert_close(model.encoder_weight.grad.to_dense(), naive, rtol=0, atol=EXACT)
    decoder = model.decoder_weight.grad
    assert decoder is None or not decoder.to_dense().any()


def test_rows_that_are_touched_are_those_of_both_matrices() -> None:
    model = build()
    output = model(samples())
    output.reconstruction_BD.sum().backward()
    rows = output.code.selection.latents_P.unique()
    for parameter in model.latent_parameters:
        assert parameter.grad is not None
        assert torch.equal(parameter.grad._indices()[0], rows)
        assert torch.equal(parameter.row_samples[0], rows)
    assert model.decoder_weight.shape == (L, E)
    assert model.decoder_bias.shape == (1, E)


def test_fresh_weights() -> None:
    values = {"latents": 4000, "tied": False}
    generator = torch.Generator().manual_seed(0)
    big = AutoencoderSpec(**values).build(100, generator, torch.arange(100.0), 50, torch.arange(50.0))
    # the variance of 200,000 draws has a relative standard error of sqrt(2 / 200000) = 0.3 %
    assert big.decoder_weight.var().item() == pytest.approx(1 / 50, rel=0.015)
    assert torch.equal(big.decoder_bias, torch.arange(50.0)[None])
    assert torch.equal(big.pre_bias, torch.arange(100.0))
    own = AutoencoderSpec(**values).build(100, torch.Generator().manual_seed(0), torch.arange(100.0))
    assert torch.equal(big.encoder_weight, own.encoder_weight), "what has no targets begins with the same bits"
    again = AutoencoderSpec(**values).build(100, torch.Generator().manual_seed(0), targets=50)
    assert torch.equal(again.decoder_weight, big.decoder_weight)
    scaled = AutoencoderSpec(**values, init_scale=0.5).build(100, torch.Generator().manual_seed(0), targets=50)
    torch.testing.assert_close(scaled.decoder_weight, 0.5 * 50**0.5 * big.decoder_weight)
    zero = AutoencoderSpec(**values, init_bias="zero").build(100, torch.Generator(), None, 50, torch.arange(50.0))
    assert not zero.decoder_bias.any()
    unit = AutoencoderSpec(**values, decoder_norm="unit").build(100, torch.Generator(), targets=50)
    torch.testing.assert_close(unit.decoder_weight.norm(dim=1), torch.ones(4000))


def test_of_one_width_the_decoder_starts_as_a_copy() -> None:
    same = spec().build(D, torch.Generator().manual_seed(0), torch.ones(D), D, torch.zeros(D))
    assert torch.equal(same.decoder_weight, same.encoder_weight)
    assert not same.decoder_bias.any()
    assert same.pre_bias.all()


@pytest.mark.parametrize("width", [E, D])
def test_what_takes_both_for_one_space_is_refused(width: int) -> None:
    with pytest.raises(InputError, match=r"model.tied = true: .*even where both are of one width; set model.tied: f"):
        SparseAutoencoder(spec(tied=True), D, width)
    with pytest.raises(InputError, match=r"model.pre_bias = 'learned': .* samples are not taken about it; use mean or"):
        spec(pre_bias="learned").build(D, torch.Generator(), targets=width)


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (
            {},
            r"model.tied = true .*: the decoder of targets \(data.target\) has rows in ano.*set model.tied: false",
        ),
        (
            {"tied": False, "pre_bias": "learned"},
            "model.pre_bias = 'learned' .*: the decoder bias lies among",
        ),
    ],
)
def test_a_model_of_one_space_is_refused_before_anything_is_read(model: dict[str, Any], message: str) -> None:
    document = {
        "data": {"name": "array", "file": "x.npy", "target": "t.npy"},
        "model": model,
        "optimizer": {"name": "adam"},
    }
    with pytest.raises(InputError, match=message):
        validate(RunConfig, Document(document, {}, "test"))
    del document["data"]["target"]
    validate(RunConfig, Document(document, {}, "test"))


def test_the_certified_search_finds_the_same() -> None:
    codes = []
    for selection in ("float32", "certified"):
        model = build(selection=selection).float()
        optimizer = LazyAdam(model.parameters(), lr=0.05)
        found = []
        for seed in range(8):
            optimizer.zero_grad()
            output = model(samples(seed).float())
            (output.reconstruction_BD - targets(seed).float()).square().sum().backward()
            optimizer.step()
            found += [output.code.selection.latents_P, output.code.values_P.detach(), model.decoder_weight.clone()]
        codes.append(found)
    for ours, twin in zip(*codes, strict=True):
        assert torch.equal(ours, twin)


@pytest.mark.parametrize("width", [E, D])
def test_a_folder_gives_it_back(width: int, tmp_path: Any) -> None:
    model = build(width).float()
    save_file(model.state_dict(), tmp_path / "model.safetensors")
    config = {"model": model.spec.model_dump(mode="json"), "data": {"name": "array", "target": "t.npy"}}
    (tmp_path / "config.yaml").write_text(dump(config))
    loaded = SparseAutoencoder.load(tmp_path)
    assert (loaded.features, loaded.targets) == (D, width)
    x = samples().float()
    assert torch.equal(loaded(x).reconstruction_BD, model.eval()(x).reconstruction_BD)
    (tmp_path / "config.yaml").write_text(dump({"model": config["model"]}))
    assert SparseAutoencoder.load(tmp_path).targets == (None if width == D else E), "by the weights alone"


def test_a_folder_of_mixed_files_is_told(tmp_path: Any) -> None:
    model = build().float()
    save_file(model.state_dict() | {"decoder_bias": torch.zeros(1, D)}, tmp_path / "model.safetensors")
    (tmp_path / "config.yaml").write_text(dump({"model": model.spec.model_dump(mode="json")}))
    with pytest.raises(InputError, match="decoder_weight has the size"):
        SparseAutoencoder.load(tmp_path)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule["name"])
@pytest.mark.parametrize("decoder_norm", ["free", "unit"])
def test_folded_it_takes_samples_as_they_are_and_gives_targets_as_they_are(
    rule: dict[str, Any], decoder_norm: str
) -> None:
    """Trained on s x and t y: the same latents, codes and reconstructions divided by t, decoder rows as they were."""
    scale, target_scale = 0.37, 5.3
    model = build(rule=rule, decoder_norm=decoder_norm, activation="relu")
    model.normalise()  # to the last digit of float64
    with torch.no_grad():
        model.encoder_bias.copy_(torch.linspace(-0.3, 0.2, L, dtype=torch.float64))
    model(samples())  # the rule learns
    model.eval()
    x = samples(1)
    rows = model.decoder_weight.clone()
    before = model(x * scale)
    learned = None if model.rule.k is None else model.encode(x * scale, 3).selection
    model.fold_scale(scale, target_scale)
    after = model(x)
    for ours, twin in zip(after.code.selection, before.code.selection, strict=True):
        assert torch.equal(ours, twin)
    torch.testing.assert_close(after.code.values_P, before.code.values_P / target_scale, rtol=0, atol=EXACT)
    torch.testing.assert_close(after.reconstruction_BD, before.reconstruction_BD / target_scale, rtol=0, atol=EXACT)
    assert torch.equal(model.decoder_weight, rows)
    if learned is not None:
        assert torch.equal(model.encode(x, 3).selection.latents_P, learned.latents_P)


def test_the_page_finds_the_rows_that_moved_furthest() -> None:
    described = spec()
    start = described.build(D, seeded("weights", 3), targets=E)
    tensors = {name: value.clone().numpy() for name, value in start.state_dict().items()}
    tensors["decoder_weight"][5] += 2.0
    tensors["decoder_weight"][9] += 1.0
    rows_LE = described.rows_to_draw(tensors, 3)
    assert rows_LE is not None
    assert (rows_LE[:2] == tensors["decoder_weight"][[5, 9]]).all()
    assert (rows_LE[2:] == start.decoder_weight.detach().numpy()[[n for n in range(L) if n not in (5, 9)]]).all()
