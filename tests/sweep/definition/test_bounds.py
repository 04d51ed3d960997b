"""How much a file may plan: beyond it a sweep is refused at once, whatever the numbers multiply to."""

import time
from typing import Any

import pytest

from spadam.spec import InputError
from spadam.sweep.definition import space
from spadam.sweep.definition.spec import MOST_TRAININGS
from spadam.sweep.search.slots import enumerate_point, search_slots
from support.sweep_bench import Bench

WHOLE = 10**19
GRID = {"sampler": "grid", "trials": None}


def lr(points: int) -> dict[str, Any]:
    return {"optimizer.lr": {"points": points}}


@pytest.mark.parametrize(
    ("changes", "argument", "rule"),
    [
        ({"search": GRID, "space": lr(30_000_000)}, "space.optimizer.lr.points", "at most 10000 points"),
        ({"search": GRID, "space": {**lr(1000), "optimizer.eps": {"points": 1000}}}, "search", "(1000000 trials + 2"),
        ({"search": {"trials": WHOLE}}, "search", f"at most {MOST_TRAININGS} trainings"),
        ({"search": {"trials": 50, "studies": 10_000}}, "search", "2 variants x 10000 studies x (50 trials"),
        ({"search": {"studies": WHOLE}}, "search.studies", "less than or equal to 10000"),
        ({"repeat": {"seeds": 10**9}}, "repeat.seeds", "less than or equal to 10000"),
        (
            {"search": {"studies": 100}, "repeat": {"seeds": 10_000}},
            "search",
            "100 studies x (3 trials + 10000 repeats)",
        ),
        (
            {"space": {"model.latents": {"low": 16, "high": 10**12}}},
            "variant adam: model.latents",
            "",
        ),
        ({"base": {"trainer": {"threads": 10**9}}}, "variant adam: trainer.threads", "less than or equal to 1024"),
        ({"base": {"data": {"samples": 10**12}}}, "variant adam: data.samples", "samples x features must be at most"),
        ({"base": {"data": {"atoms": 10**12}}}, "variant adam: data.atoms", "atoms x features must be at most"),
    ],
)
def test_what_is_beyond_any_machine_is_refused_within_a_second(
    bench: Bench, changes: dict[str, Any], argument: str, rule: str
) -> None:
    bench.write(changes)
    begun = time.process_time()
    with pytest.raises(InputError) as caught:
        bench.read()
    assert time.process_time() - begun < 1.0
    assert argument in [mistake.argument for mistake in caught.value.mistakes]
    assert rule in str(caught.value)
    assert not bench.out.exists()


@pytest.mark.parametrize("search", [{"trials": 40_000}, {"trials": 3, "studies": 10_000}])
def test_the_largest_sweeps_are_read_in_linear_time(bench: Bench, search: dict[str, Any]) -> None:
    bench.write({"search": search})
    begun = time.process_time()
    bench.read()
    assert time.process_time() - begun < 10.0  # 0.2 s on an idle machine; 10,000 studies took minutes


def test_a_point_of_a_large_grid_costs_no_more_than_one_of_a_small_grid(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench.write({"search": GRID, "space": {**lr(200), "optimizer.eps": {"points": 200}}})
    sweep = bench.load()
    variant = sweep.variants["adam"]
    eps, rates = (axis.grid() for axis in sorted(variant.axes, key=lambda axis: axis.name))
    places: list[float] = []
    between = space._between
    monkeypatch.setattr(space, "_between", lambda *given: places.append(given[2]) or between(*given))
    points = [enumerate_point(sweep.spec.search, variant, slot) for slot in search_slots(sweep, "adam")[-1000:]]
    assert len(places) <= 2 * 1000
    expected = [(a, b) for a in eps for b in rates][-1000:]
    assert [(point["optimizer.eps"], point["optimizer.lr"]) for point in points if point] == expected


def test_weights_that_no_memory_holds(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("spadam.machine.memory", lambda: 500)
    config = bench.load().variants["adam"].corners[0]
    with pytest.raises(InputError, match=r"model\.latents = 16: its weights take 5.12e-07 GB, and this machine has"):
        config.model.begin(config.data.load(), 0)  # type: ignore[union-attr]
