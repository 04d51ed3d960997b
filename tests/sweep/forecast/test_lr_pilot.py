import io
import itertools
import math
import random
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from spadam.spec import dump, merge, parse
from spadam.sweep.definition.reading import check
from spadam.sweep.forecast.costs import configure
from spadam.sweep.forecast.lr_pilot import Centre, final_loss, measure_centres, snippet
from spadam.sweep.forecast.lr_pilot import _half_decade as half_decade
from spadam.sweep.forecast.lr_pilot import _index as index
from spadam.sweep.forecast.lr_pilot import _late_loss as late_loss
from spadam.terminal.forecast import show_centres
from spadam.training.run import run
from support.sweep_bench import SPEC, Bench

TINY = {"base": {"trainer": {"steps": 60}, "probe": None}}


def silent(what: str, number: int, total: int) -> Callable[[object], None]:
    return lambda step: None


def measure(bench: Bench, variants: Sequence[str] | None = None) -> list[Centre]:
    sweep = bench.load()
    return measure_centres(sweep, list(sweep.variants) if variants is None else variants, silent)


def test_it_finds_the_better_lr_of_a_real_problem_twice_the_same(bench: Bench) -> None:
    bench.write({"base": {"trainer": {"steps": 10}}})
    (centre,) = found = measure(bench, ["lazy"])
    assert (centre.variant, centre.declared) == ("lazy", 3e-3)
    assert centre.measured == min((loss, lr) for lr, loss in centre.losses)[1]
    assert centre.measured > 3e-2  # in so few steps only a large one gets anywhere, so it was looked for further up
    assert [lr for lr, _ in centre.losses] == [3e-4, 1e-3, 3e-3, 1e-2, 3e-2, 0.1, 0.3]
    assert not centre.at_edge
    base = configure(bench.load().variants["lazy"], 0)

    def error(lr: float) -> float | None:
        optimizer = base.optimizer.model_copy(update={"lr": lr})
        return run(base.model_copy(update={"optimizer": optimizer}), phase="search").metrics["train/mse"]

    # not only the loss on the way is better there
    assert (error(centre.measured) or math.inf) < (error(centre.declared) or 0)
    assert measure(bench, ["lazy"]) == found


def test_eps_and_the_rest_are_in_the_middle_of_their_ranges(bench: Bench) -> None:
    bench.write(TINY)
    config = configure(bench.load().variants["adam"], 0)
    assert config.optimizer.model_dump()["eps"] == pytest.approx(1e-5)
    bench.write(
        merge(
            TINY,
            {
                "variants": {
                    "rel": {
                        "optimizer": {"name": "adam"},
                        "space": {"optimizer.eps": None, "optimizer.eps_rel": {"around": 1e-3, "decades": 2}},
                    }
                }
            },
        )
    )
    sweep = bench.load()
    relative = configure(sweep.variants["rel"], 0).optimizer.model_dump()["eps"]
    from spadam.training.gradient_scale import gradient_rms

    assert relative == pytest.approx(1e-3 * gradient_rms(config), rel=1e-9)
    assert measure(bench, ["rel"])[0].measured is not None


def test_it_goes_on_while_the_best_is_outermost_and_no_further_than_three_decades(bench: Bench) -> None:
    bench.write(
        merge(
            TINY,
            {
                "base": {"trainer": {"steps": 1}},
                "variants": {"sgd": {"optimizer": {"name": "sgd"}, "space": {"optimizer.eps": None}}},
            },
        )
    )
    (centre,) = measure(bench, ["sgd"])
    # after the only step nothing has moved: all losses are equal, and the lowest lr is the best of equals
    assert [lr for lr, _ in centre.losses] == [0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0]
    assert (centre.measured, centre.at_edge) == (0.003, True)
    out = io.StringIO()
    show_centres(Console(file=out), [centre], ["fixed"])
    assert "sgd: 0.003 is the outermost lr that was tried" in out.getvalue()
    assert "fixed: no optimizer.lr to centre" in out.getvalue()


def test_a_diverged_training_is_infinitely_bad(bench: Bench) -> None:
    bench.write(
        merge(
            TINY,
            {
                "variants": {
                    "sgd": {
                        "optimizer": {"name": "sgd", "lr": 1e9},
                        "space": {"optimizer.eps": None, "optimizer.lr": None},
                    }
                }
            },
        )
    )
    config = configure(bench.load().variants["sgd"], 0)
    assert final_loss(config) == math.inf
    centre = Centre("sgd", 3.0, None, ((1.0, math.inf), (3.0, math.inf)), True, 4.0)
    out = io.StringIO()
    show_centres(Console(file=out), [centre], [])
    assert "sgd: every training diverged" in out.getvalue()
    assert snippet([centre]) == "variants:\n"


def test_variants_without_an_lr_axis_are_left_out(bench: Bench) -> None:
    bench.write(merge(TINY, {"variants": {"fixed": {"optimizer": {"name": "adam"}, "space": {"optimizer.lr": None}}}}))
    assert measure(bench, ["fixed"]) == []


def test_what_it_prints_can_be_pasted_into_the_file(bench: Bench) -> None:
    centres = [
        Centre("adam", 3e-3, 3e-2, ((3e-3, 2.0), (3e-2, 1.0)), False, 4.0),
        Centre("lazy", 3e-3, 1e-3, ((1e-3, 1.0), (3e-3, math.inf)), False, 2.5),
    ]
    out = io.StringIO()
    show_centres(Console(file=out, width=40), centres, [])
    text = out.getvalue()
    pasted = parse(text[text.index("variants:") :], "pasted").data
    sweep = check(parse(dump(merge(SPEC, pasted)), "sweep"))
    axes = {name: next(a for a in v.axes if a.name == "optimizer.lr") for name, v in sweep.variants.items()}
    assert (axes["adam"].range.low, axes["adam"].range.high) == (3e-4, 3.0)
    assert axes["lazy"].at(0.5) == pytest.approx(1e-3)
    lines = [line.split() for line in text.splitlines()]
    assert ["0.001", "*", "1"] in lines
    assert ["0.003", "2", "diverged"] in lines


def test_nothing_is_left_behind(bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))
    bench.write(merge(TINY, {"base": {"trainer": {"steps": 3}, "tracking": {"mode": "online"}}}))
    measure(bench, ["adam"])
    assert not list(temporary.iterdir())
    assert not bench.out.exists()


def test_half_decades_are_the_numbers_that_people_write() -> None:
    assert [half_decade(n) for n in range(-6, 4)] == [1e-3, 3e-3, 1e-2, 3e-2, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0]
    for n in range(-20, 20):
        assert index(half_decade(n)) == n


def test_the_late_loss_is_the_mean_of_single_losses() -> None:
    draw = random.Random(0)
    for epoch, steps, every in itertools.product((3, 7, 100), (1, 6, 20, 100), (2, 5, 50)):
        losses = [draw.random() for _ in range(steps)]
        rows: list[dict[str, Any]] = [{"step": 0, "train/mse": 9.0}]
        for step in range(1, steps + 1):
            if step % epoch == 0 or step % every == 0 or step == steps:
                before = rows[-1]["step"]
                rows.append({"step": step, "train/loss_stream": sum(losses[before:step]) / (step - before)})
        middle = max(row["step"] for row in rows if row["step"] <= steps / 2)
        expected = sum(losses[middle:]) / (steps - middle)
        assert late_loss(rows) == pytest.approx(expected, rel=1e-12)
