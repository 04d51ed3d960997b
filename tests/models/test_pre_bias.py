"""What the encoder's inputs are taken about: none, the mean of the training samples, or the decoder bias."""

from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor

from spadam.models.autoencoder import SparseAutoencoder
from spadam.models.spec import AutoencoderSpec
from spadam.optim import LazyAdam
from spadam.spec import Document, dump, validate

B, D, L, K = 24, 12, 40, 4
MODES = ("none", "mean", "learned")
EXACT = 1e-10  # float64: what the executions round differently is about 1e-15
MEAN_D = torch.linspace(-1, 3, D, dtype=torch.float64)


def build(pre_bias: str = "mean", mean_D: Tensor = MEAN_D, **values: Any) -> SparseAutoencoder:
    text = {"latents": L, "rule": {"name": "top_k", "k": K}, "pre_bias": pre_bias, **values}
    spec = validate(AutoencoderSpec, Document(text, {}, "test"))
    model: SparseAutoencoder = spec.build(D, torch.Generator().manual_seed(1)).double()
    model.initialise(torch.Generator().manual_seed(1), mean_D)
    return model


def batch(seed: int = 0) -> Tensor:
    return torch.randn(B, D, generator=torch.Generator().manual_seed(seed), dtype=torch.float64) + MEAN_D


def gradients(model: SparseAutoencoder, x_BD: Tensor) -> dict[str, Tensor]:
    x_BD = x_BD.clone().requires_grad_()
    output = model(x_BD)
    ((output.reconstruction_BD - batch(7)).square().sum() + 0.1 * output.code.values_P.abs().sum()).backward()
    found = {"out": output.reconstruction_BD.detach()}
    for name, leaf in [("x", x_BD), *model.named_parameters()]:
        assert leaf.grad is not None
        found[name] = leaf.grad.to_dense()
    return found


@pytest.mark.parametrize("pre_bias", MODES)
@pytest.mark.parametrize("tied", [True, False])
@pytest.mark.parametrize("activation", ["linear", "relu"])
@pytest.mark.parametrize(
    ("execution", "rule"),
    [
        ("sparse", {"name": "top_k", "k": K}),
        ("sparse", {"name": "batch_top_k", "k": K}),
        ("sparse", {"name": "relu", "l1": 0.1}),
        ("gathered", {"name": "top_k", "k": K}),
    ],
)
def test_executions_agree_with_dense(
    execution: str, rule: dict[str, Any], pre_bias: str, tied: bool, activation: str
) -> None:
    ours, twin = (
        gradients(build(pre_bias, tied=tied, activation=activation, rule=rule, execution=how), batch())
        for how in (execution, "dense")
    )
    assert ours.keys() == twin.keys() >= {"x", "encoder_weight", "decoder_bias"}
    for name, value in twin.items():
        torch.testing.assert_close(ours[name], value, rtol=0, atol=EXACT)


@pytest.mark.parametrize("pre_bias", MODES)
@pytest.mark.parametrize("execution", ["sparse", "gathered", "gathered_union", "dense"])
def test_the_formula_and_its_gradients_by_hand(pre_bias: str, execution: str) -> None:
    """Pre-activations of x - p; in `learned` p is the decoder bias, and its gradient has both parts."""
    model = build(pre_bias, execution=execution, init_bias="zero")
    with torch.no_grad():
        model.decoder_bias.uniform_(-1, 1, generator=torch.Generator().manual_seed(3))
    names = ("encoder_weight", "encoder_bias", "decoder_bias")
    W, b, d = (model.get_parameter(name).detach().clone().requires_grad_() for name in names)
    p = {"none": torch.zeros(D, dtype=torch.float64), "mean": MEAN_D, "learned": d}[pre_bias]
    s = (batch() - p) @ W.T + b
    mask = torch.zeros_like(s).scatter(1, s.topk(K, dim=1).indices, 1.0)
    if execution == "gathered_union":
        mask = mask.amax(0, keepdim=True).expand_as(mask)
    z = s * mask
    ((z @ W + d - batch(7)).square().sum() + 0.1 * z.abs().sum()).backward()
    ours = gradients(model, batch())
    torch.testing.assert_close(ours["out"], (z @ W + d).detach(), rtol=0, atol=EXACT)
    for name, naive in zip(names, (W, b, d), strict=True):
        torch.testing.assert_close(ours[name], naive.grad, rtol=0, atol=EXACT)


def test_the_mean_is_kept_and_not_trained() -> None:
    model = build("mean")
    assert model.pre_bias is not None
    torch.testing.assert_close(model.pre_bias, MEAN_D)
    torch.testing.assert_close(model.decoder_bias.detach()[0], MEAN_D)
    assert "pre_bias" in model.state_dict()
    assert "pre_bias" not in dict(model.named_parameters())
    assert build("none").pre_bias is build("learned").pre_bias is None
    zero = build("mean", init_bias="zero")
    assert not zero.decoder_bias.any()
    torch.testing.assert_close(zero.pre_bias, MEAN_D)


@pytest.mark.parametrize("pre_bias", MODES)
@pytest.mark.parametrize("rule", [{"name": "top_k", "k": K}, {"name": "batch_top_k", "k": K}, {"name": "relu"}])
def test_evaluation_sees_what_training_saw(pre_bias: str, rule: dict[str, Any]) -> None:
    model = build(pre_bias, rule=rule)
    scores = (batch() - (0 if pre_bias == "none" else MEAN_D)) @ model.encoder_weight.T.detach()
    torch.testing.assert_close(model.scores(batch()), scores, rtol=0, atol=EXACT)
    trained = model.reconstruct_as_trained(batch())
    torch.testing.assert_close(trained.reconstruction_BD, model(batch()).reconstruction_BD.detach(), rtol=0, atol=EXACT)
    model.eval()
    torch.testing.assert_close(
        model.decode(model.encode(batch())), model(batch()).reconstruction_BD, rtol=0, atol=EXACT
    )


@pytest.mark.parametrize("pre_bias", MODES)
def test_the_certified_search_finds_the_same_while_the_bias_moves(pre_bias: str) -> None:
    codes = []
    for selection in ("float32", "certified"):
        model = build(pre_bias, selection=selection).float()
        optimizer = LazyAdam(model.parameters(), lr=0.05)
        found = []
        for seed in range(8):
            optimizer.zero_grad()
            output = model(batch(seed).float())
            (output.reconstruction_BD - batch(seed).float()).square().sum().backward()
            optimizer.step()
            found += [
                output.code.selection.latents_P,
                output.code.values_P.detach(),
                model.decoder_bias.clone(),
            ]
        codes.append(found)
    for ours, twin in zip(*codes, strict=True):
        assert torch.equal(ours, twin)


@pytest.mark.parametrize("pre_bias", MODES)
def test_a_folder_gives_it_back(pre_bias: str, tmp_path: Any) -> None:
    model = build(pre_bias).float()
    save_file(model.state_dict(), tmp_path / "model.safetensors")
    (tmp_path / "config.yaml").write_text(dump({"model": model.spec.model_dump(mode="json")}))
    x = batch().float()
    assert torch.equal(SparseAutoencoder.load(tmp_path)(x).reconstruction_BD, model.eval()(x).reconstruction_BD)


def test_a_folder_of_an_earlier_release_has_none(tmp_path: Any) -> None:
    model = build("none").float()
    save_file(model.state_dict(), tmp_path / "model.safetensors")
    (tmp_path / "config.yaml").write_text(dump({"model": model.spec.model_dump(mode="json", exclude={"pre_bias"})}))
    loaded = SparseAutoencoder.load(tmp_path)
    assert loaded.spec.pre_bias == "none"
    x = batch().float()
    assert torch.equal(loaded(x).reconstruction_BD, model.eval()(x).reconstruction_BD)
