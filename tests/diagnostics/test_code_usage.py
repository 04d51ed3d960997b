"""What a code uses, against loops over its pairs."""

import math
import random
from collections import Counter
from typing import Any

import pytest
import torch

from spadam.diagnostics import reconstruction
from spadam.diagnostics.code_usage import EDGES, UsageCounts
from spadam.diagnostics.metrics import METRICS
from spadam.diagnostics.reconstruction import evaluate
from spadam.encoding.execution import Code
from spadam.models.spec import AutoencoderSpec
from spadam.sparsity import Selection
from spadam.spec import Document, validate

L = 12
CPU = torch.device("cpu")


def code(samples: list[list[int]], values: list[float] | None = None) -> Code:
    latents = [latent for sample in samples for latent in sample]
    offsets = [sum(map(len, samples[:n])) for n in range(len(samples))]
    kept = torch.ones(len(latents)) if values is None else torch.tensor(values)
    return Code(Selection(torch.tensor(latents, dtype=torch.int64), torch.tensor(offsets)), kept)


def random_samples(count: int, seed: int) -> list[list[int]]:
    generator = torch.Generator().manual_seed(seed)
    weights = torch.arange(L).float() ** 3  # latent 0 is never selected
    numbers = torch.randint(0, 5, (count,), generator=generator).tolist()
    return [torch.multinomial(weights, n, generator=generator).tolist() if n else [] for n in numbers]


def test_against_counting_by_hand() -> None:
    samples = random_samples(200, seed=0)
    counts = UsageCounts(L, CPU)
    for start in (0, 90, 180):
        counts.add(code(samples[start : start + 90]))
    got = counts.result()
    selected = Counter(latent for sample in samples for latent in sample)
    total = sum(selected.values())
    assert got.l0 == got.fired == total / 200
    assert got.dead == got.dead_fired == (L - len(selected)) / L > 0
    entropy = -sum(n / total * math.log(n / total) for n in selected.values()) / math.log(L)
    assert got.entropy == pytest.approx(entropy, rel=1e-12)  # float64
    bins = [0] * (len(EDGES) - 1)
    for n in selected.values():
        place = math.floor((math.log10(n / 200) - EDGES[0]) * 4)
        bins[min(place, len(bins) - 1)] += 1
    assert got.histogram == {"edges": EDGES.tolist(), "counts": bins, "never": L - len(selected)}


def test_selected_zeros_are_used_but_not_in_l0() -> None:
    counts = UsageCounts(L, CPU)
    counts.add(code([[0, 1], [0]], [0.0, 2.0, 0.0]))
    got = counts.result()
    assert got.l0 == got.fired == 0.5
    assert got.dead == (L - 2) / L
    assert got.dead_fired == (L - 1) / L


def test_selections_and_values_above_0_are_counted_side_by_side() -> None:
    """Pair by pair, with values of both signs and zeros; latent 2 is selected with negative values only."""
    samples, draw = random_samples(150, seed=3), random.Random(0)
    values = [-1.0 if latent == 2 else draw.choice([-1.5, 0.0, 2.0]) for sample in samples for latent in sample]
    counts, first = UsageCounts(L, CPU), sum(map(len, samples[:70]))
    counts.add(code(samples[:70], values[:first]))
    counts.add(code(samples[70:], values[first:]))
    got = counts.result()
    pairs = list(zip([latent for sample in samples for latent in sample], values, strict=True))
    selected, fired = {latent for latent, _ in pairs}, {latent for latent, value in pairs if value > 0}
    assert got.l0 == sum(value != 0 for value in values) / 150
    assert got.fired == sum(value > 0 for value in values) / 150 < got.l0
    assert got.dead == (L - len(selected)) / L < got.dead_fired == (L - len(fired)) / L


@pytest.mark.parametrize("activation", ["linear", "relu"])
def test_a_model_without_positive_values_is_dead_by_one_count_and_not_by_the_other(activation: str) -> None:
    spec = {"latents": L, "rule": {"name": "top_k", "k": 4}, "activation": activation}
    model = validate(AutoencoderSpec, Document(spec, {}, "test")).build(8, torch.Generator().manual_seed(1))
    with torch.no_grad():
        model.encoder_bias.fill_(-1e3)
    x = torch.rand(100, 8, generator=torch.Generator().manual_seed(2))
    got = evaluate(model, x.__getitem__, torch.arange(100)).usage
    assert got.dead < 1
    assert (got.fired, got.dead_fired) == (0, 1)
    assert got.l0 == (4 if activation == "linear" else 0)


def test_even_use_is_one_and_a_single_latent_is_zero() -> None:
    even, single = UsageCounts(L, CPU), UsageCounts(L, CPU)
    even.add(code([list(range(L))] * 7))
    single.add(code([[3]] * 7))
    assert even.result().entropy == pytest.approx(1.0, abs=1e-15)  # one rounding
    assert even.result().entropy <= 1.0
    assert single.result().entropy == 0.0
    assert even.result().histogram["counts"][-1] == L  # density 1 lies in the last bin, its upper edge


def test_densities_below_the_first_edge_are_kept() -> None:
    counts = UsageCounts(2, CPU)
    counts.add(code([[0]]))
    counts._samples = 10**7
    histogram = counts.result().histogram
    assert histogram["counts"][0] == 1
    assert sum(histogram["counts"]) + histogram["never"] == 2


def test_nothing_seen_is_not_a_number() -> None:
    got = UsageCounts(L, CPU).result()
    assert all(map(math.isnan, (got.l0, got.fired, got.dead, got.dead_fired, got.entropy)))
    one = UsageCounts(1, CPU)
    one.add(code([[0]]))
    assert math.isnan(one.result().entropy)


@pytest.mark.parametrize(
    ("rule", "l0"),
    [({"name": "top_k", "k": 4}, 4), ({"name": "top_k", "k": 4, "lifetime": True}, 4), ({"name": "lifetime"}, L)],
    ids=str,
)
def test_evaluation_counts_the_evaluation_code(rule: dict[str, Any], l0: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reconstruction, "_LEAST", 16)
    monkeypatch.setattr(reconstruction, "_BLOCK", 1)
    model = validate(AutoencoderSpec, Document({"latents": L, "rule": rule}, {}, "test")).build(
        8, torch.Generator().manual_seed(1)
    )
    x = torch.rand(100, 8, generator=torch.Generator().manual_seed(2))
    got = evaluate(model, x.__getitem__, torch.arange(100)).usage
    whole = UsageCounts(L, CPU)
    whole.add(model.encode(x))
    assert got.l0 == l0
    assert got == whole.result()


def test_metrics_have_registered_names() -> None:
    got = UsageCounts(L, CPU).result()
    assert set(got.metrics()) <= {name for name, metric in METRICS.items() if not metric.array}
    assert set(got.arrays()) == {name for name, metric in METRICS.items() if metric.array}
