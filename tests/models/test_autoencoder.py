"""The autoencoder: four executions of one code, its gradients, its evaluation code, and loading it again."""

from typing import Any, get_args

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor

from spadam import kernels
from spadam.models.autoencoder import SparseAutoencoder
from spadam.models.spec import AutoencoderSpec
from spadam.optim import LazyAdam
from spadam.sparsity import RuleSpec, TopKSpec
from spadam.spec import Document, InputError, dump, validate

B, D, L = 24, 12, 40
RULES: dict[str, dict[str, Any]] = {
    "top_k": {"name": "top_k", "k": 4},
    "top_k lifetime": {"name": "top_k", "k": 4, "lifetime": True},
    "lifetime": {"name": "lifetime", "rate": 0.1},
    "batch_top_k": {"name": "batch_top_k", "k": 3},
    "k_winners": {"name": "k_winners", "k": 3},
    "relu": {"name": "relu", "l1": 0.1},
}
EXACT = 1e-10  # float64: what the two executions round differently is about 1e-15


def spec(**values: Any) -> AutoencoderSpec:
    return validate(AutoencoderSpec, Document({"latents": L, **values}, {}, "test"))


def build(**values: Any) -> SparseAutoencoder:
    return spec(**values).build(D, torch.Generator().manual_seed(1)).double()


def batch(seed: int = 0) -> Tensor:
    return torch.rand(B, D, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def dense(gradient: Tensor | None) -> Tensor:
    assert gradient is not None
    return gradient.to_dense()


def value_and_gradients(model: SparseAutoencoder, x: Tensor) -> list[Tensor]:
    x = x.clone().requires_grad_()
    output = model(x)
    loss = (output.reconstruction_BD - x.detach()).square().sum() + 0.1 * output.code.values_P.abs().sum()
    loss.backward()
    return [
        loss.detach(),
        output.reconstruction_BD.detach(),
        dense(x.grad),
        *(dense(p.grad) for p in model.parameters()),
    ]


def test_every_rule_is_tested() -> None:
    assert {rule["name"] for rule in RULES.values()} == {
        get_args(member.model_fields["name"].annotation)[0] for member in get_args(get_args(RuleSpec)[0])
    }


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("tied", [True, False])
@pytest.mark.parametrize("activation", ["linear", "relu"])
def test_executions_agree_in_value_and_every_gradient(rule: str, tied: bool, activation: str) -> None:
    def run(execution: str) -> list[Tensor]:
        return value_and_gradients(
            build(rule=RULES[rule], tied=tied, activation=activation, execution=execution), batch()
        )

    plain = run("dense")
    for execution in ["sparse", "gathered"] if RULES[rule]["name"] == "top_k" else ["sparse"]:
        for ours, twin in zip(run(execution), plain, strict=True):
            torch.testing.assert_close(ours, twin, rtol=0, atol=EXACT)


@pytest.mark.parametrize("execution", ["sparse", "gathered", "gathered_union"])
@pytest.mark.parametrize("tied", [True, False])
def test_gradients_are_row_sparse_over_the_touched_rows(execution: str, tied: bool) -> None:
    model = build(execution=execution, tied=tied, rule=RULES["top_k"])
    model(batch()).reconstruction_BD.sum().backward()
    with torch.no_grad():
        rows = model.rule.training_selection(model.scores(batch())).latents_P.unique()
    for parameter in model.latent_parameters:
        assert parameter.grad is not None
        assert parameter.grad.is_sparse
        assert torch.equal(parameter.grad._indices()[0], rows)
        assert torch.equal(parameter.row_samples[0], rows)


def test_dense_execution_by_hand() -> None:
    model = build(rule=RULES["top_k"], execution="dense", tied=False)
    x = batch()
    scores = x @ model.encoder_weight.T + model.encoder_bias
    kept = torch.zeros_like(scores)
    for b in range(B):
        for latent in scores[b].sort(descending=True).indices[:4]:
            kept[b, latent] = scores[b, latent]
    expected = kept @ model.decoder_weight + model.decoder_bias
    torch.testing.assert_close(model(x).reconstruction_BD, expected, rtol=0, atol=EXACT)


def test_touched_rows_count_samples_and_the_decoder_bias_is_one_row() -> None:
    model = build(rule=RULES["top_k"])
    output = model(batch())
    latents = output.code.selection.latents_P.tolist()
    rows, counts, size = model.encoder_weight.row_samples
    assert {r: latents.count(r) for r in set(latents)} == dict(zip(rows.tolist(), counts.tolist(), strict=True))
    assert size == B
    assert [t.tolist() if isinstance(t, Tensor) else t for t in model.decoder_bias.row_samples] == [[0], [B], B]


def test_a_selected_zero_is_touched() -> None:
    model = build(rule=RULES["top_k"], activation="relu")
    with torch.no_grad():
        model.encoder_bias.fill_(-100)
    output = model(batch())
    assert torch.equal(output.code.values_P, torch.zeros_like(output.code.values_P))
    assert len(model.encoder_weight.row_samples[0]) == len(output.code.selection.latents_P.unique()) > 0


def test_gathered_union_keeps_every_latent_of_the_union() -> None:
    model = build(rule=RULES["top_k"], execution="gathered_union")
    x = batch()
    output = model(x)
    scores = model.scores(x)
    rows = model.rule.training_selection(scores).latents_P.unique()
    expected = scores[:, rows] @ model.encoder_weight[rows] + model.decoder_bias
    torch.testing.assert_close(output.reconstruction_BD, expected, rtol=0, atol=EXACT)
    assert len(output.code.values_P) == B * len(rows)
    assert set(model.encoder_weight.row_samples[1].tolist()) == {B}


def test_lifetime_with_the_union_is_the_dense_autoencoder() -> None:
    model = build(rule=RULES["top_k lifetime"], execution="gathered_union")
    x = batch()
    output = model(x)
    expected = model.scores(x) @ model.encoder_weight + model.decoder_bias
    torch.testing.assert_close(output.reconstruction_BD, expected, rtol=0, atol=EXACT)


@pytest.mark.parametrize(
    ("rule", "evaluation", "per_sample"),
    [
        ("top_k", "native", 4),
        ("top_k lifetime", "native", 4),
        ("k_winners", "native", 3),
        ("lifetime", "native", L),
        ("lifetime", "per_sample_k", 4),  # round(0.1 x 40)
        ("batch_top_k", "per_sample_k", 3),
    ],
)
def test_evaluation_code(rule: str, evaluation: str, per_sample: int) -> None:
    model = build(rule=RULES[rule], evaluation=evaluation).eval()
    counts = torch.bincount(model(batch()).code.selection.samples(), minlength=B)
    assert counts.tolist() == [per_sample] * B


def test_evaluation_changes_nothing_and_needs_no_batch() -> None:
    model = build(rule=RULES["top_k lifetime"]).eval()
    state = {name: value.clone() for name, value in model.state_dict().items()}
    whole = model(batch()).reconstruction_BD
    single = torch.cat([model(x[None]).reconstruction_BD for x in batch()])
    torch.testing.assert_close(whole, single, rtol=0, atol=EXACT)
    assert all(torch.equal(state[name], value) for name, value in model.state_dict().items())
    model.reconstruct_as_trained(batch())
    assert all(torch.equal(state[name], value) for name, value in model.state_dict().items())


def test_encode_decode_is_the_evaluation_pass() -> None:
    model = build(rule=RULES["top_k"]).eval()
    torch.testing.assert_close(
        model.decode(model.encode(batch())), model(batch()).reconstruction_BD, rtol=0, atol=EXACT
    )
    code = model.encode(batch(), k=7)
    assert ((code.dense(L) != 0).sum(1) == 7).all()


@pytest.mark.parametrize(("rule", "k"), [("top_k", 12), ("lifetime", 12), ("relu", None)])
def test_probe_sees_eval_factor_times_k(rule: str, k: int | None) -> None:
    assert spec(rule=RULES[rule], eval_factor=3.0).probe_k == k


def test_probe_sees_at_most_everything() -> None:
    assert spec(rule=RULES["top_k"], eval_factor=100.0).probe_k == L


def test_fresh_weights() -> None:
    big = AutoencoderSpec(latents=2000).build(100, torch.Generator().manual_seed(0), torch.arange(100.0))
    # the variance of 200,000 draws has a relative standard error of sqrt(2 / 200000) = 0.3 %
    assert big.encoder_weight.var().item() == pytest.approx(1 / 100, rel=0.015)
    assert torch.equal(big.encoder_bias, torch.zeros(2000))
    assert torch.equal(big.decoder_bias, torch.arange(100.0)[None])
    zero = AutoencoderSpec(latents=30, init_bias="zero").build(100, torch.Generator(), torch.arange(100.0))
    assert torch.equal(zero.decoder_bias, torch.zeros(1, 100))
    untied = spec(tied=False).build(D, torch.Generator().manual_seed(0))
    assert torch.equal(untied.decoder_weight, untied.encoder_weight)


@pytest.mark.parametrize("execution", ["sparse", "dense"])
def test_unit_decoder_rows(execution: str) -> None:
    model = build(tied=False, decoder_norm="unit", rule=RULES["top_k"], execution=execution)
    model.normalise()  # to the last digit of float64
    optimizer = LazyAdam(model.parameters(), lr=0.1)
    norms = model.decoder_weight.norm(dim=1)
    torch.testing.assert_close(norms, torch.ones_like(norms))
    before = model.decoder_weight.detach().clone()
    model(batch()).reconstruction_BD.square().sum().backward()
    rows = model.encoder_weight.row_samples[0]
    model.project_gradient()
    gradient = dense(model.decoder_weight.grad)
    along = (gradient * before).sum(1)
    torch.testing.assert_close(along, torch.zeros_like(along), rtol=0, atol=EXACT)
    assert gradient.abs().max() > 0
    optimizer.step()
    model.normalise(rows)
    torch.testing.assert_close(model.decoder_weight.norm(dim=1), norms)
    untouched = torch.ones(L, dtype=torch.bool).index_fill(0, rows, False)
    assert untouched.any()
    assert torch.equal(model.decoder_weight[untouched], before[untouched])


@pytest.mark.parametrize(
    ("values", "argument"),
    [
        ({"execution": "gathered", "rule": RULES["relu"]}, "model.execution"),
        ({"execution": "gathered_union", "rule": RULES["lifetime"]}, "model.execution"),
        ({"decoder_norm": "unit"}, "model.decoder_norm"),
        ({"evaluation": "per_sample_k", "rule": RULES["relu"]}, "model.evaluation"),
        ({"rule": {"name": "top_k", "k": L + 1}}, "model.rule.k"),
    ],
)
def test_what_does_not_go_together_is_refused(values: dict[str, Any], argument: str) -> None:
    with pytest.raises(InputError) as caught:
        spec(**values)
    assert caught.value.argument == argument


def test_load_reads_a_runs_folder(tmp_path) -> None:
    model = spec(rule=RULES["batch_top_k"], tied=False).build(D, torch.Generator().manual_seed(2))
    x = batch().float()
    model(x)  # the rule learns a threshold
    save_file(model.state_dict(), tmp_path / "model.safetensors")
    (tmp_path / "config.yaml").write_text(dump({"model": model.spec.model_dump(mode="json")}))
    loaded = SparseAutoencoder.load(tmp_path)
    assert not loaded.training
    assert torch.equal(loaded(x).reconstruction_BD, model.eval()(x).reconstruction_BD)


def test_load_without_a_run_is_refused(tmp_path) -> None:
    with pytest.raises(InputError, match=r"config\.yaml"):
        SparseAutoencoder.load(tmp_path)
    (tmp_path / "config.yaml").write_text(dump({"model": spec().model_dump(mode="json")}))
    with pytest.raises(InputError, match=r"model\.safetensors; give the folder of a training that has ended$"):
        SparseAutoencoder.load(tmp_path)


def test_load_of_another_kind_of_task_says_what_was_trained(tmp_path) -> None:
    (tmp_path / "config.yaml").write_text(dump({"model": {"name": "custom", "path": "own.Task"}}))
    with pytest.raises(InputError) as caught:
        SparseAutoencoder.load(tmp_path)
    assert caught.value.rule == "it must hold a sparse autoencoder, and what was trained there is custom"
    assert caught.value.value == str(tmp_path)


def test_defaults_are_the_articles() -> None:
    assert AutoencoderSpec().rule == TopKSpec(k=25)


@pytest.mark.filterwarnings(
    "ignore:Dynamo does not know how to trace:UserWarning", "ignore:The .grad attribute:UserWarning"
)
def test_torch_compile_takes_it() -> None:
    """In torch operations, with breaks where the number of touched rows is asked for and a COO gradient is made."""
    trained = []
    with kernels.use("reference"):
        for compiled in (False, True):
            model = build(rule=RULES["top_k"])
            step = torch.compile(model, backend="aot_eager") if compiled else model
            optimizer = LazyAdam(model.parameters(), lr=1e-2)
            for _ in range(3):
                step(batch()).reconstruction_BD.square().mean().backward()
                optimizer.step()
                optimizer.zero_grad()
            trained.append(model)
    assert all(torch.equal(a, b) for a, b in zip(*(model.parameters() for model in trained), strict=True))


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("selection", ["float32", "certified"])
def test_no_samples_have_an_empty_code(rule: str, selection: str) -> None:
    document = {"latents": 200, "rule": RULES[rule], "selection": selection}
    model = validate(AutoencoderSpec, Document(document, {}, "test")).build(10, torch.Generator().manual_seed(1)).eval()
    nothing = torch.zeros(0, 10)
    code = model.encode(nothing)
    assert code.dense(200).shape == (0, 200)
    assert model.decode(code).shape == model(nothing).reconstruction_BD.shape == (0, 10)
    assert model.scores(nothing).shape == (0, 200)


@pytest.mark.parametrize(
    ("x", "said"),
    [
        (torch.ones(4, 10).long(), "torch.int64: samples must be real numbers; use x.float"),
        (torch.ones(4, 10).bool(), "torch.bool: samples must be real numbers"),
        (torch.ones(4, 10, dtype=torch.complex64), "torch.complex64: samples must be real numbers"),
        (torch.ones(4, 9), r"x = \(4, 9\): samples must be \(samples, 10\); use x.reshape\(-1, 10\)"),
        (torch.ones(2, 2, 10), r"x = \(2, 2, 10\)"),
        (torch.ones(10), r"x = \(10,\)"),
    ],
)
def test_what_are_no_samples_is_refused(x: Tensor, said: str) -> None:
    model = validate(AutoencoderSpec, Document({"latents": 20, "rule": {"name": "top_k", "k": 3}}, {}, "test"))
    built = model.build(10, torch.Generator().manual_seed(1))
    for ask in (built.encode, built.scores, built, built.reconstruct_as_trained):
        with pytest.raises(InputError, match=said):
            ask(x)


def test_samples_of_another_type_are_taken_in_that_of_the_weights() -> None:
    model = validate(AutoencoderSpec, Document({"latents": 20, "rule": {"name": "top_k", "k": 3}}, {}, "test"))
    built = model.build(10, torch.Generator().manual_seed(1)).eval()
    x = torch.rand(5, 10)
    assert torch.equal(built(x.double()).reconstruction_BD, built(x).reconstruction_BD)
