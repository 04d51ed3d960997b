"""The search for the best latents: its bound holds, it equals scoring everything, and it says what it leaves open."""

from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from spadam.kernels import topk_bounds
from spadam.kernels.cpu import topk_ops
from spadam.kernels.topk_bounds import STEPS, Rounded, as_they_are, bounded_scores, summing


def normal(*shape: int, seed: int, dtype: torch.dtype = torch.float32) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=dtype)


def rounded(weight: Tensor, dtype: torch.dtype, kernels: Any = topk_ops) -> Rounded:
    rows = Rounded.like(weight, dtype)
    kernels.round_rows(weight, None, rows)
    return rows


WAYS = {
    "int8": lambda weight, kernels=topk_ops: rounded(weight, torch.int8, kernels),
    "bfloat16": lambda weight, kernels=topk_ops: rounded(weight, torch.bfloat16, kernels),
    "exact": lambda weight, kernels=topk_ops: rounded(weight, weight.dtype, kernels),
}
SMALL = ["int8", "bfloat16"]


def same(a: Tensor, b: Tensor) -> bool:
    """Bit by bit, and NaN equals NaN."""
    return torch.equal(a.nan_to_num(7e37), b.nan_to_num(7e37)) and torch.equal(a.isnan(), b.isnan())


def check(x: Tensor, weight: Tensor, bias: Tensor, k: int, way: str, room: int = 1) -> Tensor:
    """Which samples are settled; these are what scoring everything gives."""
    found = topk_ops.find_best(x, weight, bias, WAYS[way](weight), k, room)
    scores, latents = topk_ops.exhaust(x, weight, bias, k)
    settled = found.settled_B
    assert found.sound
    assert torch.equal(found.latents_Bk[settled], latents[settled])
    assert same(found.scores_Bk[settled], scores[settled])
    return settled


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(
    ("batch", "latents", "features", "k"),
    [(1, 40, 1, 1), (1, 300, 784, 25), (5, 40, 7, 5), (33, 600, 64, 10), (128, 1000, 784, 75), (300, 1500, 20, 32)],
)
def test_it_finds_what_scoring_everything_finds(batch: int, latents: int, features: int, k: int, way: str) -> None:
    x, weight, bias = (normal(*s, seed=n) for n, s in enumerate([(batch, features), (latents, features), (latents,)]))
    settled = check(x, weight, bias, k, way)
    assert settled.float().mean() >= (0.9 if features > 1 else 0), "one feature has many near ties"


def test_everything_may_be_asked_for() -> None:
    x, weight, bias = normal(9, 5, seed=0), normal(40, 5, seed=1), normal(40, seed=2)
    assert check(x, weight, bias, 40, "exact").all()
    assert check(x, weight, bias, 40, "bfloat16").all()
    assert check(x, weight, bias, 40, "int8").all()


def test_scoring_everything_is_a_product_and_a_sort() -> None:
    x, weight, bias = normal(20, 64, seed=0), normal(90, 64, seed=1), normal(90, seed=2)
    scores, latents = topk_ops.exhaust(x, weight, bias, 10)
    want = (x.double() @ weight.double().T + bias).sort(1, descending=True)
    assert torch.equal(latents, want.indices[:, :10])
    torch.testing.assert_close(scores.double(), want.values[:, :10], rtol=0, atol=1e-4)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_products_in_the_weights_own_type(dtype: torch.dtype) -> None:
    x, weight, bias = (
        normal(40, 64, seed=0, dtype=dtype),
        normal(500, 64, seed=1, dtype=dtype),
        torch.zeros(500).to(dtype),
    )
    assert check(x, weight, bias, 10, "exact").all()


@pytest.mark.parametrize("way", WAYS)
def test_bits_depend_neither_on_threads_nor_on_blocks(way: str, monkeypatch: pytest.MonkeyPatch) -> None:
    x, weight, bias = normal(200, 64, seed=0), normal(900, 64, seed=1), normal(900, seed=2)
    cheap, before = WAYS[way](weight), torch.get_num_threads()
    want = topk_ops.exhaust(x, weight, bias, 20)
    try:
        for threads, fewest, block, most in ((1, 256, 1 << 19, 512), (2, 7, 1, 512), (2, 100, 1, 70), (1, 900, 1, 1)):
            torch.set_num_threads(threads)
            monkeypatch.setattr(topk_ops, "_SAMPLES", most)
            monkeypatch.setattr(topk_ops, "_FEWEST", fewest)
            monkeypatch.setattr(topk_ops, "_BLOCK", block)
            found = topk_ops.find_best(x, weight, bias, cheap, 20, 2)
            assert found.settled_B.all()
            assert torch.equal(found.latents_Bk, want[1])
            assert torch.equal(found.scores_Bk, want[0])
    finally:
        torch.set_num_threads(before)


def hard(name: str) -> tuple[Tensor, Tensor, Tensor]:
    """Samples, weights and bias that a bound may get wrong."""
    x, weight, bias = normal(40, 64, seed=0), normal(600, 64, seed=1), torch.zeros(600)
    if name == "near ties":  # a step of the last place apart
        weight = weight[:6].repeat(100, 1)
        weight = torch.where(
            torch.rand(weight.shape, generator=torch.Generator().manual_seed(5)) < 0.5,
            weight,
            weight.nextafter(torch.tensor(9.0)),
        )
    elif name == "duplicate rows":
        weight = weight[:30].repeat(20, 1)
    elif name == "zero rows":
        weight[50:] = 0
    elif name == "zero samples":
        x[::2] = 0
    elif name == "huge and tiny rows":
        weight *= torch.logspace(-30, 30, 600)[torch.randperm(600, generator=torch.Generator().manual_seed(6))][:, None]
    elif name == "one huge row":
        weight[7] *= 1e6
    elif name == "denormals":
        weight *= 1e-40
    elif name == "products that vanish":
        x, weight = x * 1e-25, weight * 1e-25
    elif name == "overflow":
        x, weight = x * 1e25, weight * 1e25
    elif name == "bias decides":
        bias = 1e4 * normal(600, seed=8)
    elif name == "cancellation":
        x[:, 32:] = -x[:, :32]
        weight[:, 32:] = weight[:, :32] * (1 + 1e-3 * normal(600, 32, seed=9))
    elif name == "NaN row":
        weight[100, 3] = torch.nan
    elif name == "infinite row":
        weight[100, 3] = torch.inf
    elif name == "NaN sample":
        x[2, 3] = torch.nan
    elif name == "NaN bias":
        bias[100] = torch.nan
    return x, weight, bias


HARD = ["near ties", "duplicate rows", "zero rows", "zero samples", "huge and tiny rows", "one huge row", "denormals"]
HARD += ["products that vanish", "overflow", "bias decides", "cancellation"]
BROKEN = ["NaN row", "infinite row", "NaN sample", "NaN bias"]


@pytest.mark.parametrize("room", [1, 8])
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("name", HARD)
def test_hard_cases_are_right_or_left_open(name: str, way: str, room: int) -> None:
    check(*hard(name), 10, way, room)


@pytest.mark.parametrize("name", ["huge and tiny rows", "one huge row", "bias decides"])
def test_a_bound_for_each_latent_settles_what_one_for_all_would_not(name: str) -> None:
    assert check(*hard(name), 10, "bfloat16").all()
    assert check(*hard(name), 10, "int8", 2).all()


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("name", BROKEN)
def test_what_is_not_a_number_is_left_open(name: str, way: str) -> None:
    x, weight, bias = hard(name)
    settled = check(x, weight, bias, 10, way)
    broken = ~(x @ weight.T + bias).isfinite().all(1)
    assert broken.any()
    assert not settled[broken].any()


def test_not_a_number_comes_first_when_everything_is_scored() -> None:
    x, weight, bias = hard("NaN row")
    scores, latents = topk_ops.exhaust(x, weight, bias, 10)
    assert (latents[:, 0] == 100).all()
    assert scores[:, 0].isnan().all()
    assert scores[:, 1:].isfinite().all()


def test_among_equals_the_lower_latent_wins() -> None:
    weight = normal(5, 8, seed=0).repeat(8, 1)
    x = normal(6, 8, seed=1)
    _, latents = topk_ops.exhaust(x, weight, torch.zeros(40), 12)
    first = (x @ weight[:5].T).sort(1, descending=True).indices
    want = torch.cat((first[:, :1] + 5 * torch.arange(8), first[:, 1:2] + 5 * torch.arange(4)), 1)
    assert torch.equal(latents, want)


@pytest.mark.parametrize("dtype", [torch.int8, torch.bfloat16])
@pytest.mark.parametrize("kernels", [topk_ops, topk_bounds])
def test_a_candidate_far_from_its_shadow_is_noticed(kernels: Any, dtype: torch.dtype) -> None:
    x, weight, bias = normal(40, 64, seed=0), normal(600, 64, seed=1), torch.zeros(600)
    stale = rounded(weight, dtype)
    assert kernels.find_best(x, weight, bias, stale, 10).sound
    weight[int((x[0] @ weight.T).argmax())] *= -3
    assert not kernels.find_best(x, weight, bias, stale, 10).sound


NUMBERS = st.floats(-1, 1, width=32) | st.sampled_from([0.0, 1.0, 2.0**-8, 1 + 2.0**-8, 1e-20, 3e15])


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_the_bound_holds_and_the_winners_are_the_winners(data: st.DataObject) -> None:
    batch, latents, features = (
        data.draw(st.integers(1, n), label=label) for n, label in ((4, "B"), (40, "L"), (9, "D"))
    )
    drawn = st.lists(NUMBERS, min_size=features, max_size=features)
    x = torch.tensor(data.draw(st.lists(drawn, min_size=batch, max_size=batch)), dtype=torch.float32)
    few = data.draw(st.lists(drawn, min_size=1, max_size=4))
    near = st.tuples(st.integers(0, len(few) - 1), st.sampled_from([1.0, 1 + 2.0**-23, 1 - 2.0**-10, -1.0, 2.0]))
    rows = [(number, factor) for number, factor in data.draw(st.lists(near, min_size=latents, max_size=latents))]
    weight = torch.tensor([[factor * value for value in few[number]] for number, factor in rows], dtype=torch.float32)
    bias = torch.tensor(data.draw(st.lists(NUMBERS, min_size=latents, max_size=latents)), dtype=torch.float32)
    k = data.draw(st.integers(1, latents))
    for way in WAYS:
        check(x, weight, bias, k, way)

    true = x.double() @ weight.double().T + bias.double()
    for dtype in (torch.int8, torch.bfloat16):
        samples = Rounded.like(x, dtype)
        topk_bounds.round_rows(x, None, samples, samples=True)
        score, off = bounded_scores(samples, bias, rounded(weight, dtype))
        assert ((score.double() - true).abs() <= off.double()).all()


@pytest.mark.parametrize("dtype", [torch.int8, torch.bfloat16, torch.float32])
@pytest.mark.parametrize("samples", [True, False])
@pytest.mark.parametrize(
    "source",
    [normal(50, 784, seed=3), normal(9, 7, seed=3).relu(), hard("huge and tiny rows")[1], hard("denormals")[1]],
)
def test_rounding_and_measuring_equal_the_reference(source: Tensor, samples: bool, dtype: torch.dtype) -> None:
    rows, found = torch.arange(0, len(source), 2), []
    for kernels in (topk_ops, topk_bounds):
        low = Rounded.like(source, dtype)
        low.known_4N.zero_()
        if dtype != torch.float32:
            low.rows_ND.zero_()
        kernels.round_rows(source, rows, low, samples=samples)
        found.append(low)
    assert torch.equal(found[0].rows_ND, found[1].rows_ND)
    assert not found[0].known_4N[:, 1::2].any()
    scale = source.abs().amax(1) * source.shape[1]
    for a, b in zip(found[0].known_4N, found[1].known_4N, strict=True):
        assert ((a - b).abs() <= 1e-6 * (a.abs() + scale)).all()
    torch.testing.assert_close(found[0].known_4N[1], found[1].known_4N[1], rtol=1e-5, atol=0)


@pytest.mark.parametrize("dtype", [torch.int8, torch.bfloat16])
def test_what_is_known_of_rows_is_true(dtype: torch.dtype) -> None:
    for samples in (True, False):
        source = normal(50, 784, seed=3) * torch.logspace(-3, 3, 50)[:, None] + 1
        low = Rounded.like(source, dtype)
        topk_ops.round_rows(source, None, low, samples=samples)
        length, error, step, shift = low.known_4N.double()
        center = shift if samples and dtype == torch.int8 else torch.zeros_like(shift)
        value = low.rows_ND.double() * step[:, None] + center[:, None]
        exact = source.double()
        assert (torch.maximum(exact.norm(dim=1), value.norm(dim=1)) <= length).all()
        least = (exact - value).norm(dim=1) + summing(784, torch.float32) * length
        assert (least <= error * 1.001).all()
        assert (error <= least * 1.2).all()
        if dtype == torch.int8:
            assert (low.rows_ND.int().abs().amax(1) == STEPS).all()
            if not samples:
                torch.testing.assert_close(shift, value.sum(1), rtol=1e-5, atol=1e-5)


def test_what_is_known_of_rows_themselves_follows_from_their_rounded_ones() -> None:
    weight = normal(20, 784, seed=0)
    for way in SMALL:
        torch.testing.assert_close(
            as_they_are(weight, WAYS[way](weight)).known_4N, WAYS["exact"](weight).known_4N, rtol=2.0**-5, atol=0
        )


@pytest.mark.parametrize("dtype", [torch.int8, torch.bfloat16])
def test_rows_beyond_the_sources_become_zeros(dtype: torch.dtype) -> None:
    source = normal(3, 8, seed=0)
    low = Rounded(torch.ones(5, 8, dtype=dtype), torch.full((4, 5), 7.0))
    topk_ops.round_rows(source, None, low)
    assert low.rows_ND[:3].any()
    assert not low.rows_ND[3:].any()
    assert torch.equal(low.known_4N[:, 3:], torch.tensor([0.0, 0.0, 1.0, 0.0])[:, None].expand(4, 2))


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("kernels", [topk_ops, topk_bounds])
def test_no_row_listed_is_not_every_row(kernels: Any, way: str) -> None:
    source, none = normal(3, 8, seed=0), torch.empty(0, dtype=torch.int64)
    low = WAYS[way](source)
    before = low.known_4N.clone()
    kernels.round_rows(source * 2, none, low)
    assert torch.equal(low.known_4N, before)


class TestTorchOperations:
    """The twin: a float32 product is what it holds for exact, so scores agree up to the rounding of sums."""

    @pytest.mark.parametrize("way", SMALL)
    @pytest.mark.parametrize("name", ["random", *HARD])
    def test_settled_samples_have_the_winners(self, name: str, way: str) -> None:
        x, weight, bias = hard(name)
        found = topk_bounds.find_best(x, weight, bias, WAYS[way](weight, topk_bounds), 10)
        scores, latents = topk_bounds.exhaust(x, weight, bias, 10)
        settled = found.settled_B
        if name == "random" and way == "bfloat16":
            assert settled.float().mean() > 0.9
        tie = 1e-5 * (x.norm(dim=1)[:, None] * weight.norm(dim=1)[latents] + bias[latents].abs())
        assert ((found.scores_Bk - scores).abs() <= tie)[settled].all()
        assert found.sound

    @pytest.mark.parametrize("way", SMALL)
    @pytest.mark.parametrize("name", BROKEN)
    def test_what_is_not_a_number_is_left_open(self, name: str, way: str) -> None:
        x, weight, bias = hard(name)
        broken = ~(x @ weight.T + bias).isfinite().all(1)
        assert not topk_bounds.find_best(x, weight, bias, WAYS[way](weight, topk_bounds), 10).settled_B[broken].any()

    def test_weights_that_were_not_rounded_are_scored_at_once(self) -> None:
        x, weight, bias = hard("random")
        found = topk_bounds.find_best(x, weight, bias, WAYS["exact"](weight, topk_bounds), 10)
        want = torch.addmm(bias, x, weight.T).topk(10, 1)
        assert torch.equal(found.latents_Bk, want.indices)
        assert found.settled_B.all()
