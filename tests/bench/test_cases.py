"""The registry of cases: every claim has its row and its bar, and a row says what holds."""

import json
from pathlib import Path

import pytest

from spadam.bench import CASES, FULL, QUICK, Case, Measured, NotRun, Row, Settings, choose, run
from spadam.files import strict_json
from spadam.optim import OPTIMIZERS
from spadam.spec import InputError

SIZES = {
    "1000, 25, 128": "1000 latents, k 25, batch 128",
    "4096, 32, 128": "4096 latents, k 32, batch 128",
    "16384, 32, 128": "16384 latents, k 32, batch 128",
    "65536, 32, 128": "65536 latents, k 32, batch 128",
    "16384, 32, 4096": "16384 latents, k 32, batch 4096",
}
FLOAT32 = dict(zip(SIZES, (1.45, 1.25, 1.25, 1.25, 1.30), strict=True))
CERTIFIED = dict(zip(SIZES, (1.25, 0.75, 0.45, 0.32, 0.50), strict=True))
NAIVE = {"1000, 25, 128": 4.0, "16384, 32, 128": 11.0, "65536, 32, 128": 25.0}
PEER = {"1000, 25, 128": 2.2, "16384, 32, 128": 4.5, "16384, 32, 4096": 3.0}

HOLDING = [
    spec.model_fields["name"].default
    for spec in OPTIMIZERS
    if not spec.moves_untouched and spec.gradient == "coo"  # type: ignore[attr-defined]
]

CLAIMED = {
    **{f"float32 step / floor: {SIZES[size]}": ("at most", bar) for size, bar in FLOAT32.items()},
    **{f"certified step / floor: {SIZES[size]}": ("at most", bar) for size, bar in CERTIFIED.items()},
    **{f"naive step / ours: {SIZES[size]}": ("at least", bar) for size, bar in NAIVE.items()},
    **{f"sparsify without optimizer / ours: {SIZES[size]}": ("at least", bar) for size, bar in PEER.items()},
    **{f"SparseAdam / LazyAdam: {name}": ("at least", 5.0) for name in list(SIZES.values())[:4]},
    **{
        f"{name} / copy: {latents} latents, 4000 rows": ("at most", 2.0)
        for latents in (16384, 65536)
        for name in HOLDING
    },
    **{f"masked_adam / lazy_adam: {latents} latents, 4000 rows": ("at most", 1.5) for latents in (16384, 65536)},
    **{f"{name}, 262144 latents / 16384: 4000 rows": ("at most", 1.5) for name in ("lazy_adam", "masked_adam")},
    "platform / bare loop: an epoch's steps, 1000 latents, k 25, batch 128": ("at most", 1.15),
    "platform / bare loop: a whole epoch, 1000 latents, k 25, batch 128": ("at most", 1.15),
    "baseline epoch / ours: 1000 latents, k 25, batch 128": ("at least", 4.0),
    "two workers / one: quickstart sizes": ("at least", 1.8),
    "peak memory / weights, moments, pre-activations: 65536 latents, float32": ("at most", 1.3),
    "peak memory / weights, moments, pre-activations: 65536 latents, certified": ("at most", 1.3),
}


def case(name: str = "a / b", measure: object = None, **changes: object) -> Case:
    fields = {"bar": 2.0, "direction": "at most", "says": "a over b", "seconds": 1.0, "quick": True} | changes
    return Case(name=name, measure=measure or (lambda settings: Measured(1.5, 3.0, 2.0)), **fields)  # type: ignore[arg-type]


def test_every_claim_has_its_case() -> None:
    assert {case.name: (case.direction, case.bar) for case in CASES} == CLAIMED
    assert len({case.name for case in CASES}) == len(CASES)


def test_the_family_is_held_against_a_copy() -> None:
    family = {"masked_adam", "lazy_adam", "row_clock_adam", "selective_adam", "rowwise_adam", "active_adam"}
    assert family <= set(HOLDING)
    assert not {"adam", "tf_sparse_adam", "custom"} & set(HOLDING)


def test_a_quick_run_is_small() -> None:
    quick = [case for case in CASES if case.quick]
    assert quick
    assert not any("65536" in case.name or "262144" in case.name or "4096" in case.name.split()[-1] for case in quick)
    assert QUICK.least < FULL.least == 20
    assert FULL.slow == 5


@pytest.mark.parametrize(
    ("direction", "ratio", "holds"),
    [("at most", 2.0, True), ("at most", 2.01, False), ("at least", 2.0, True), ("at least", 1.99, False)],
)
def test_a_bar_holds(direction: str, ratio: float, holds: bool) -> None:
    assert case(direction=direction).holds(ratio) is holds


def test_only_takes_parts_of_names() -> None:
    cases = [case("Naive / ours"), case("peer / ours"), case("memory")]
    assert choose(cases, []) == cases
    assert [c.name for c in choose(cases, ["NAIVE", "mem"])] == ["Naive / ours", "memory"]
    with pytest.raises(InputError) as error:
        choose(cases, ["naive", "nothing"])
    assert error.value.value == "nothing"
    assert "peer / ours" in error.value.remedy


def test_rows_come_in_turn_and_none_takes_the_others_with_it() -> None:
    def absent(settings: Settings) -> Measured:
        raise NotRun("the peer is not installed")

    def broken(settings: Settings) -> Measured:
        raise AssertionError("tensors\n  differ")

    told: list[str] = []
    cases = [case("absent", absent), case("broken", broken), case("slow", quick=False), case("good")]
    rows = list(run(cases, Settings(QUICK), lambda case: told.append(case.name)))
    assert told == ["absent", "broken", "good"]
    assert [row.why for row in rows] == [
        "the peer is not installed",
        "failed: AssertionError: tensors differ",
        "left out of the quick run",
        "",
    ]
    assert [row.failed for row in rows] == [False, True, False, False]
    assert [row.holds for row in rows] == [None, None, None, True]
    assert [row.case.name for row in run(cases, Settings(FULL))] == ["absent", "broken", "slow", "good"]


def test_threads_are_those_of_the_settings_and_then_as_before() -> None:
    import torch

    before, seen = torch.get_num_threads(), []
    other = before + 1

    def look(settings: Settings) -> Measured:
        seen.append(torch.get_num_threads())
        return Measured(1.0, 1.0, 1.0)

    list(run([case(measure=look)], Settings(threads=other)))
    assert seen == [other]
    assert torch.get_num_threads() == before


def test_a_row_as_json() -> None:
    settings = Settings(QUICK, fashion=Path("none"))
    (found,) = (row.plain(settings, "a machine") for row in run([case()], settings))
    assert json.loads(strict_json(found)) == {
        "case": "a / b",
        "ratio": 1.5,
        "bar": 2.0,
        "holds": True,
        "direction": "at most",
        "says": "a over b",
        "of": 3.0,
        "over": 2.0,
        "unit": "ms",
        "spread": None,
        "repetitions": 1,
        "note": "",
        "quick": True,
        "threads": 2,
        "machine": "a machine",
    }
    missing = Row(case(), None, "no files").plain(settings, "a machine")
    assert (missing["ratio"], missing["holds"], missing["why"]) == (None, None, "no files")
