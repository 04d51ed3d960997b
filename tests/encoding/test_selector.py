"""The selector: every way finds the same bits, along trainings too, and the shadow follows the weights."""

import copy
import os
import pickle
import re
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from spadam import kernels
from spadam.data.digits import DigitsSpec
from spadam.data.mnist import FashionMnistSpec
from spadam.encoding import Selector
from spadam.encoding import selector as selector_module
from spadam.encoding.selector import Counts
from spadam.kernels import cpu, reference
from spadam.models.autoencoder import SparseAutoencoder
from spadam.models.spec import AutoencoderSpec
from spadam.optim import LazyAdam, TFSparseAdam
from spadam.sparsity import TopKSpec

L, D, K = 600, 64, 10


def weights(seed: int = 1) -> nn.Parameter:
    return nn.Parameter(torch.randn(L, D, generator=torch.Generator().manual_seed(seed)))


def samples(batch: int = 40, seed: int = 0) -> Tensor:
    return torch.randn(batch, D, generator=torch.Generator().manual_seed(seed))


def check(selector: Selector, x: Tensor, weight: Tensor, bias: Tensor, k: int = K) -> None:
    """What it finds is what scoring everything finds, to the bit."""
    found = selector.best(x, weight, bias, k)
    scores, latents = cpu.exhaust(x, weight.detach(), bias, k)
    assert torch.equal(found.latents_Bk, latents)
    assert torch.equal(found.scores_Bk.nan_to_num(7), scores.nan_to_num(7))


@pytest.fixture(params=["float32", "bfloat16", "int8", "auto"])
def selector(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Selector:
    """Each way, and whatever this processor is fast at."""
    if request.param in ("float32", "auto"):
        return Selector(request.param)
    monkeypatch.setattr(selector_module, "fast_type", lambda: getattr(torch, request.param))
    return Selector("certified")


@pytest.fixture
def looked_at(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many rows of the weights (not samples) were rounded or measured, call by call."""
    rows: list[int] = []
    plain = cpu.round_rows

    def note(source: Tensor, rows_R: Tensor | None, *rest: Any, **more: Any) -> None:
        rows.append(len(source if rows_R is None else rows_R))
        plain(source, rows_R, *rest, **more)

    monkeypatch.setattr(cpu, "round_rows", note)
    return rows


def test_every_way_gives_the_same_bits(selector: Selector) -> None:
    check(selector, samples(), weights(), torch.randn(L))


def test_the_first_of_the_best_are_the_best_of_fewer(selector: Selector) -> None:
    weight, bias = weights(), torch.zeros(L)
    wide, narrow = selector.best(samples(), weight, bias, 3 * K), selector.best(samples(), weight, bias, K)
    assert all(torch.equal(a, b) for a, b in zip(wide.first(K), narrow, strict=True))


def test_an_optimizer_that_says_what_it_changed_saves_looking_again(selector: Selector, looked_at: list[int]) -> None:
    weight, bias = weights(), torch.zeros(L)
    optimizer = LazyAdam([weight], lr=0.1)
    for step in range(5):
        check(selector, samples(seed=step), weight, bias)
        rows = torch.arange(step, step + 7)
        weight.grad = torch.sparse_coo_tensor(rows[None], torch.randn(7, D), (L, D), check_invariants=False)
        optimizer.step()
    assert looked_at == [L, 7, 7, 7, 7]


@pytest.mark.parametrize("make", [TFSparseAdam, torch.optim.Adam])
def test_after_any_other_change_all_rows_are_looked_at(selector: Selector, looked_at: list[int], make: Any) -> None:
    weight, bias = weights(), torch.zeros(L)
    optimizer = make([weight], lr=0.1)
    for step in range(3):
        check(selector, samples(seed=step), weight, bias)
        grad = torch.zeros(L, D)
        grad[:9] = 1
        weight.grad = grad.to_sparse(1) if make is TFSparseAdam else grad
        optimizer.step()
    assert looked_at == [L] * 3


def test_a_change_between_two_steps_is_not_lost(selector: Selector) -> None:
    weight, bias = weights(), torch.zeros(L)
    optimizer = LazyAdam([weight], lr=0.1)
    check(selector, samples(), weight, bias)
    with torch.no_grad():
        weight[50:90] *= -5
    weight.grad = torch.sparse_coo_tensor([[3]], torch.ones(1, D), (L, D), check_invariants=False)
    optimizer.step()
    check(selector, samples(), weight, bias)
    optimizer.step()
    with torch.no_grad():
        weight[50:90] *= -5
    check(selector, samples(), weight, bias)


def test_nothing_is_looked_at_twice(selector: Selector, looked_at: list[int]) -> None:
    weight, bias = weights(), torch.zeros(L)
    for seed in range(3):
        check(selector, samples(seed=seed), weight, bias)
    assert looked_at == [L]


def test_after_an_evaluation_in_inference_mode_a_training_goes_on(selector: Selector) -> None:
    weight, bias = weights(), torch.zeros(L)
    optimizer = LazyAdam([weight], lr=0.1)
    with torch.inference_mode():
        check(selector, samples(), weight, bias)
    for _ in range(2):
        weight.grad = torch.sparse_coo_tensor(torch.tensor([[3, 7]]), torch.ones(2, D), (L, D), check_invariants=False)
        optimizer.step()
        check(selector, samples(), weight, bias)


def test_another_matrix_may_follow(selector: Selector) -> None:
    for weight in (weights(1), weights(2), weights(3)[: L // 2].detach().clone()):
        check(selector, samples(), weight, torch.zeros(len(weight)))


def test_another_matrix_at_the_same_address_is_another(selector: Selector, looked_at: list[int]) -> None:
    """As when one was freed and the next was put into its place: both have been changed as often, never."""
    first = weights()
    second = nn.Parameter(torch.from_numpy(first.detach().numpy()))
    check(selector, samples(), first, torch.zeros(L))
    with torch.no_grad():
        first[50:90] *= 2
    assert second._version == 0
    check(selector, samples(), second, torch.zeros(L))
    assert looked_at == [L, L]


def test_weights_changed_behind_torchs_back_are_found_out(selector: Selector) -> None:
    weight, bias = weights(), torch.zeros(L)
    check(selector, samples(), weight, bias)
    weight.data.mul_(torch.linspace(-3, 3, L)[:, None])
    check(selector, samples(), weight, bias)


@pytest.mark.parametrize("write", ["data", "numpy", "one number"])
def test_an_evaluation_finds_out_what_no_candidate_tells(selector: Selector, write: str) -> None:
    """A row that lost everywhere and wins now is no candidate of the old weights."""
    weight, bias, x = weights(), torch.zeros(L), samples()
    last = int((x @ weight.T).amax(0).argmin())
    check(selector, x, weight, bias)
    if write == "data":
        weight.data[last] = 10 * x.mean(0) + 3
    elif write == "numpy":
        weight.detach().numpy()[last] *= -50
    else:
        weight.data[last, 7] = 100.0
    check(selector, x, weight, bias)


def test_a_training_finds_it_out_within_64_steps_and_tells(selector: Selector, caplog: Any) -> None:
    weight, bias, x = weights(), torch.zeros(L), samples()
    last = int((x @ weight.T).amax(0).argmin())
    for _ in range(3):
        selector.best(x, weight, bias, K, training=True)
    weight.data[last] = 10 * x.mean(0) + 3
    for _ in range(64):
        found = selector.best(x, weight, bias, K, training=True)
    assert torch.equal(found.latents_Bk, cpu.exhaust(x, weight.detach(), bias, K)[1])
    assert len(caplog.messages) == 1
    assert re.search(r"the last \d+ codes of the training may lack winners.*forget\(\)", caplog.messages[0])
    weight.data[last] *= -1
    selector.forget()  # whoever says so has missed nothing
    check(selector, x, weight, bias)
    assert len(caplog.messages) == 1


def test_the_model_is_right_in_evaluation_after_a_write_past_torch() -> None:
    x = samples(200)
    spec = AutoencoderSpec(latents=L, rule=TopKSpec(k=K), selection="certified", pre_bias="none")
    model = spec.build(D, torch.Generator().manual_seed(0), x.mean(0))
    model(x)
    model.eval()
    model.encode(x)
    model.encoder_weight.data[5] = 10 * x.mean(0) + 1
    want = (x @ model.encoder_weight.detach().T + model.encoder_bias.detach()).topk(K, 1).indices
    assert torch.equal(model.encode(x).selection.latents_P.reshape(200, K), want)


@pytest.mark.parametrize("case", ["ties", "nan row", "nan sample", "zero samples"])
def test_what_the_cheap_way_leaves_open_is_done_again(selector: Selector, case: str) -> None:
    x, weight, bias = samples(), weights(), torch.zeros(L)
    with torch.no_grad():
        if case == "ties":
            weight.copy_(weight[:6].repeat(100, 1))
        elif case == "nan row":
            weight[5, 5] = torch.nan
        elif case == "nan sample":
            x[3] = torch.nan
        else:
            x[::3] = 0
    for _ in range(3):
        check(selector, x, weight, bias)


def test_the_certified_way_counts_and_makes_room() -> None:
    selector, weight, bias = Selector("certified"), weights(), torch.zeros(L)
    check(selector, samples(), weight, bias)
    assert selector.counts == Counts(40, 40, 0)
    x = samples()
    x[:2] = 0
    for _ in range(5):
        check(selector, x, weight, bias, K // 2)
    asked, certified, widenings = selector.counts
    assert (asked, certified) == (240, 230)
    assert (widenings, selector.room) == (3, 8), "room for eight times as many, no more"


def test_weights_that_changed_unseen_need_no_more_room() -> None:
    selector, weight, bias, x = Selector("certified"), weights(), torch.zeros(L), samples()
    check(selector, x, weight, bias)
    weight.data[int((x[0] @ weight.T).argmax())] *= -3
    selector.best(x, weight, bias, K, training=True)  # found out by a score outside its interval, and done again
    assert selector.counts == Counts(120, 120, 0)
    assert selector.room == 1


def test_only_the_certified_way_is_counted() -> None:
    selector = Selector("float32")
    check(selector, samples(), weights(), torch.zeros(L))
    assert selector.counts == Counts()


def test_auto_asks_how_fast_products_are(monkeypatch: pytest.MonkeyPatch) -> None:
    for fast, way in ((torch.int8, "certified"), (torch.bfloat16, "certified"), (None, "float32")):
        monkeypatch.setattr(selector_module, "fast_type", lambda fast=fast: fast)
        assert Selector("auto").way(weights()) == way
        assert Selector("auto").way(weights().double()) == "float32"
        with kernels.use("reference"):
            assert Selector("auto").way(weights()) == "float32"


@pytest.mark.parametrize("search", ["float32", "certified"])
def test_torch_operations_serve_too(search: Any) -> None:
    weight, bias, x = weights(), torch.randn(L), samples()
    x[0] = 0
    bias[:50] = 5.0  # all that the first sample sees: what is not settled is done again
    with kernels.use("reference"):
        found = Selector(search).best(x, weight, bias, K)
    scores, latents = reference.exhaust(x, weight.detach(), bias, K)
    torch.testing.assert_close(found.scores_Bk, scores, rtol=0, atol=1e-4)
    assert torch.equal(found.latents_Bk[1:].sort(1).values, latents[1:].sort(1).values)


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16])
def test_weights_of_other_types(selector: Selector, dtype: torch.dtype) -> None:
    weight, x = weights().detach().to(dtype), samples().to(dtype)
    found = selector.best(x, weight, torch.zeros(L, dtype=dtype), K)
    want = (x @ weight.T).topk(K, 1)
    torch.testing.assert_close(found.scores_Bk, want.values)


def test_a_model_is_copied_and_saved_without_its_shadow(selector: Selector) -> None:
    check(selector, samples(), weights(), torch.zeros(L))
    for twin in (copy.deepcopy(selector), pickle.loads(pickle.dumps(selector))):
        assert len(pickle.dumps(twin)) < 2000
        check(twin, samples(), weights(2), torch.zeros(L))


def train(selection: Any, steps: int, images: Tensor, latents: int, k: int) -> tuple[SparseAutoencoder, list[Tensor]]:
    """A short training; every code that it trained with."""
    spec = AutoencoderSpec(latents=latents, rule=TopKSpec(k=k), selection=selection, pre_bias="none")
    model = spec.build(images.shape[1], torch.Generator().manual_seed(0), images.mean(0))
    optimizer = LazyAdam(model.parameters(), lr=3e-3)
    codes = []
    for step in range(steps):
        x = images[64 * step % (len(images) - 64) :][:64]
        before = model.encoder_weight.detach().clone(), model.encoder_bias.detach().clone()
        output = model(x)
        chosen = output.code.selection.latents_P.reshape(len(x), k)
        assert torch.equal(chosen, cpu.exhaust(x, *before, k)[1])
        codes.append(output.code.values_P.detach())
        (output.reconstruction_BD - x).square().sum(1).mean().backward()
        optimizer.step()
        optimizer.zero_grad()
    return model, codes


def compare_trainings(images: Tensor, latents: int, k: int, steps: int) -> Counts:
    (first, codes), (second, others) = (train(way, steps, images, latents, k) for way in ("certified", "float32"))
    assert all(torch.equal(a, b) for a, b in zip(codes, others, strict=True))
    assert all(torch.equal(a, b) for a, b in zip(first.parameters(), second.parameters(), strict=True))
    assert first.selector.counts.samples == 64 * steps
    return first.selector.counts


def test_a_training_on_digits_is_the_same_to_the_last_bit() -> None:
    dataset = DigitsSpec().load()
    counts = compare_trainings(dataset.take(dataset.train), latents=200, k=8, steps=120)
    assert counts.certified > 0.98 * counts.samples


@pytest.mark.fashion
def test_a_training_on_fashion_is_the_same_to_the_last_bit() -> None:
    dataset = FashionMnistSpec(root=os.environ.get("SPADAM_FASHION_MNIST", "/usr/share/datasets/fashion-mnist")).load()
    counts = compare_trainings(dataset.take(dataset.train[:3200]), latents=1000, k=25, steps=50)
    assert counts.certified > 0.98 * counts.samples
