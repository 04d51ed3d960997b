import io
import itertools
import json
import random
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from spadam.cli import main
from spadam.diagnostics.warned import Warned
from spadam.files import strict_json
from spadam.spec import dump
from spadam.sweep.forecast.costs import Sight, configure, reckon
from spadam.sweep.forecast.forecast import Forecast, forecast, plain
from spadam.sweep.forecast.rehearsal import Files, Length, Pace, Rehearsal, rehearse, run_short
from spadam.sweep.forecast.timetable import Course, simulate
from spadam.sweep.outcome.table import rows
from spadam.terminal.forecast import Waiting, show_forecast
from spadam.training.run import run
from support.sweep_bench import SPEC, Bench

DENSE = {"base": {"model": {"rule": {"lifetime": True}}}}


def silent(what: str, number: int, total: int) -> Callable[[object], None]:
    return lambda step: None


def foresee(bench: Bench, workers: int | None = 1) -> Forecast:
    return forecast(*bench.read(), bench.out, silent, workers)


def texts(found: Forecast) -> dict[str, list[tuple[str, ...]]]:
    said: dict[str, list[tuple[str, ...]]] = {}
    for warned in found.warnings:
        said.setdefault(warned.text, []).append(warned.variants)
    return said


@pytest.fixture
def cli(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], bench: Bench) -> Any:
    """Run `spadam sweep plan SPEC --out OUT …`: (exit code, standard output, standard error)."""

    def call(*arguments: str) -> tuple[int, str, str]:
        monkeypatch.setattr(
            "sys.argv", ["spadam", "sweep", "plan", str(bench.spec), "--out", str(bench.out), *arguments]
        )
        with pytest.raises(SystemExit) as ended:
            main()
        return (ended.value.code or 0, *capsys.readouterr())

    return call


# --- slots and points ---


@pytest.mark.parametrize(("sampler", "trials", "studies"), [("random", 3, 2), ("qmc", 4, 1), ("tpe", 11, 1)])
def test_slots_and_points_are_those_that_are_run(bench: Bench, sampler: str, trials: int, studies: int) -> None:
    bench.write({"search": {"sampler": sampler, "trials": trials, "studies": studies}})
    found = foresee(bench)
    assert found.left == 2 * studies * (trials + 2)
    assert bench.run() == 0
    done = rows(*bench.read())
    for variant, load in found.loads.items():
        mine = [row for row in done if row["variant"] == variant]
        assert load.search == load.search_left == sum(row["phase"] == "search" for row in mine)
        assert load.repeats == load.repeats_left == sum(row["phase"] == "repeat" for row in mine)
    (space,) = found.spaces
    known = min(trials, 10)
    assert (len(space.points), space.asked) == (studies, trials - known)
    for study, points in enumerate(space.points):
        assert len(points) == known
        for variant in space.variants:
            real = [r for r in done if (r["variant"], r["phase"], r["study"]) == (variant, "search", study)]
            assert [row["params"] for row in real][:known] == list(points)


def test_variants_share_what_they_search_alike(bench: Bench) -> None:
    bench.write({"variants": {"wide": {"optimizer": {"name": "adam"}, "space": {"optimizer.eps": None}}}})
    assert [space.variants for space in foresee(bench).spaces] == [("adam", "lazy"), ("wide",)]


def test_a_space_without_axes_is_one_configuration(bench: Bench) -> None:
    bench.write(
        {"variants": {"fixed": {"optimizer": {"name": "adam"}, "space": {"optimizer.lr": None, "optimizer.eps": None}}}}
    )
    found = foresee(bench)
    assert (found.spaces[-1].axes, found.spaces[-1].points) == ((), (({},) * 3,))
    out = io.StringIO()
    show_forecast(Console(file=out), found)
    assert "fixed\nNothing is searched" in out.getvalue()


def test_of_a_finished_sweep_nothing_is_trained(finished: Bench) -> None:
    def never(what: str, number: int, total: int) -> Callable[[object], None]:
        raise AssertionError

    before = finished.files()
    found = forecast(*finished.read(), finished.out, never, 2)
    assert (found.left, found.disk, found.timetable.all, found.sights) == (0, 0.0, 0.0, [])
    show_forecast(Console(file=io.StringIO()), found)
    assert finished.files() == before


def test_what_is_accepted_is_not_to_go(finished: Bench) -> None:
    finished.write({"search": {"trials": 5}})
    found = foresee(finished)
    for load, cost in zip(found.loads.values(), found.costs.values(), strict=True):
        # the best may have changed, so all repeats may be new; they are not before the search has ended
        assert (load.search, load.search_left) == (5, 2)
        assert load.repeats == 2
        assert (cost.finished, cost.trial_seconds) == (3, pytest.approx(2.0))  # each said that it took 2 s
    left = sum(load.search_left * 2.0 + load.repeats_left * 2.0 for load in found.loads.values())
    assert found.timetable.work >= 0.9 * left


def test_nothing_is_left_behind(bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))
    seen: list[int] = []

    def watching(what: str, number: int, total: int) -> Callable[[object], None]:
        return lambda step: seen.append(len(list(temporary.iterdir())))

    forecast(*bench.read(), bench.out, watching)
    assert set(seen) == {1}
    assert not list(temporary.iterdir())
    assert not bench.out.exists()


# --- rehearsals ---


def test_a_rehearsal_sees_no_test_sample_and_streams_nothing(bench: Bench, tmp_path: Path) -> None:
    bench.write({"base": {"tracking": {"mode": "online"}, "trainer": {"steps": 500, "checkpoint_every": 7}}})
    config = configure(bench.load().variants["adam"], 0)
    result = run_short(config, 3, tmp_path / "run", refit=True)
    assert not [name for name in result.metrics if "test" in name or "baseline" in name]
    assert result.config["tracking"]["mode"] == "offline"
    assert result.evaluations[-1]["step"] == 3
    assert list(tmp_path.glob("run/wandb/offline-run-*"))


def test_shares_of_rows_are_those_of_the_run(bench: Bench) -> None:
    bench.write({"base": {"trainer": {"steps": 5}}})
    config = configure(bench.load().variants["lazy"], 0)
    metrics = run(config, phase="search").metrics
    seen = rehearse(config)
    assert seen.steps == 5
    assert seen.rows_touched == metrics["sparsity/rows_touched"]
    assert seen.rows_expected == metrics["sparsity/rows_touched_expected"]
    assert seen.rows_intermittent == metrics["sparsity/rows_intermittent"]
    assert seen.rows_bound == pytest.approx(1 - (1 - 2 / 16) ** 32)


def test_a_rule_without_a_number_has_no_bound(bench: Bench) -> None:
    bench.write({"base": {"model": {"rule": {"name": "lifetime", "rate": 0.1}}}})
    assert rehearse(configure(bench.load().variants["adam"], 0), steps=1).rows_bound is None


@pytest.mark.slow
@pytest.mark.parametrize("mode", ["disabled", "offline"])
def test_what_a_long_training_leaves_is_foreseen(bench: Bench, tmp_path: Path, mode: str) -> None:
    # so long that what W&B leaves for the time it takes, a block or two of a log, is little beside what rows add
    changes = {"data": {"samples": 1500, "batch_size": 8}, "trainer": {"epochs": 9, "steps": None}}
    bench.write({"base": {**changes, "tracking": {"mode": mode}}})
    config = configure(bench.load().variants["adam"], 0)
    seen = rehearse(config)
    assert seen.length == Length(9 * 150, 150, None)
    run(config, tmp_path / "run", phase="search")
    left = sum(512 * path.stat().st_blocks for path in tmp_path.glob("run/**/*"))
    left += (tmp_path / "run" / "result.json").stat().st_size  # the storage keeps it too
    assert 0.75 < seen.kept_bytes() / left < 1.33
    if mode == "offline":  # what rows add is small beside the weights of a real model: looked at by itself
        assert 0.6 < (seen.kept_bytes() - seen.files.kept) / (left - seen.files.kept) < 1.6
    assert seen.files.checkpoint > (tmp_path / "run" / "model.safetensors").stat().st_size


def made_up(**changes: Any) -> Rehearsal:
    pace = Pace(start=1.0, step=0.01, evaluation=2.0, refit=4.0, end=0.5)
    files = Files(kept=1000, checkpoint=0, result=100, evaluations=2, looks=1, per_evaluation=10.0, per_look=1.0)
    parts: dict[str, Any] = {"length": Length(1000, 400, None), "evaluated": 100, "tested": 50} | changes
    return Rehearsal(None, 60, False, 0.5, 0.5, 0.5, pace=pace, files=files, **parts)  # type: ignore[arg-type]


def test_a_training_takes_its_parts() -> None:
    seen = made_up()
    assert seen.evaluations == 3
    assert seen.trial_seconds() == pytest.approx(1 + 4 * 2 + 1000 * 0.01 + 0.5)
    assert seen.trial_seconds(4.0) == pytest.approx(seen.trial_seconds() + 4)
    assert seen.repeat_seconds(4.0) == pytest.approx(seen.trial_seconds() + 2 * 2 * 0.5 + 3 * 4)
    # rows: 4 evaluations, and before each of the last 3 of them 7 looks (steps 51, 101, … before the last)
    assert seen.kept_bytes() == 1000 + 100 + 2 * 10 + (3 * 7 - 1) * 1


def test_ends_that_take_longer_stretch_what_a_training_takes(bench: Bench) -> None:
    """What the first variant took at the ends of the world's axes over its centre holds for the others too."""
    probe = bench.load().variants["adam"].config({"optimizer.lr": 1e-3, "optimizer.eps": 1e-6}, 0)

    def seen(step: float, kept: int = 1000) -> Rehearsal:
        found = made_up()
        pace, files = found.pace._replace(step=step), found.files._replace(kept=kept)
        return found._replace(config=probe, pace=pace, files=files)

    ends = [
        Sight("adam", "w", ("model.latents", n), seen(step, kept))
        for n, step, kept in ((8, 0.005, 500), (64, 0.1, 9000))
    ]
    sights = [Sight("adam", "w", None, seen(0.01)), *ends, Sight("lazy", "w", None, seen(0.02))]
    costs = {name: reckon(bench.load(), name, sights, []) for name in ("adam", "lazy")}
    trial = [sight.rehearsal.trial_seconds() for sight in sights]
    stretch = (1 + trial[1] / trial[0] + trial[2] / trial[0]) / 3
    assert stretch > 2
    assert costs["adam"].trial_seconds == pytest.approx(trial[0] * stretch)
    assert costs["lazy"].trial_seconds == pytest.approx(trial[3] * stretch)
    assert costs["lazy"].repeat_seconds == pytest.approx(sights[3].rehearsal.repeat_seconds(4.0) * stretch)
    largest = sights[2].rehearsal.kept_bytes() / sights[0].rehearsal.kept_bytes()
    assert costs["lazy"].kept_bytes == pytest.approx(sights[3].rehearsal.kept_bytes() * largest)
    assert costs["lazy"].finished == 0


def test_a_limit_on_time_is_one() -> None:
    seen = made_up(length=Length(None, 400, 5.0))
    assert seen.steps_planned == pytest.approx(500)
    assert seen.trial_seconds() == pytest.approx(1 + 2 + 5 + 0.5)
    assert made_up(length=Length(1000, 400, 5.0)).trial_seconds() == pytest.approx(1 + 2 + 5 + 0.5)


def test_axes_of_data_and_model_are_rehearsed_at_their_ends(bench: Bench) -> None:
    bench.write({"space": {"model.rule.k": {"low": 1, "high": 8}, "data.batch_size": {"choices": [8, 64]}}})
    found = foresee(bench)
    ends = [("model.rule.k", 1), ("model.rule.k", 8), ("data.batch_size", 8), ("data.batch_size", 64)]
    assert [(s.variant, s.end) for s in found.sights] == [("adam", None), *(("adam", e) for e in ends), ("lazy", None)]
    few, many = (next(s.rehearsal for s in found.sights if s.end == ("model.rule.k", k)) for k in (1, 8))
    assert few.rows_touched < many.rows_touched
    assert many.config.model.rule.k == 8


# --- time ---


def naive(courses: list[Course], workers: int) -> tuple[float, float]:
    """The same in whole seconds, every second anew."""
    studies = [
        {"c": c, "left": list(zip(c.slots, c.gates, strict=True)), "told": set(c.accepted), "again": list(c.repeats)}
        for c in courses
    ]
    running: list[tuple[int, dict[str, Any], int | None]] = []
    second = search = 0
    while True:
        for _, study, number in [entry for entry in running if entry[0] == second]:
            if number is not None:
                study["told"].add(number)
                search = second
        running = [entry for entry in running if entry[0] > second]
        while len(running) < workers:
            ready = []
            for study in studies:
                c, at_work = study["c"], [n for _, s, n in running if s is study and n is not None]
                ready += [
                    ((0, number, c.study, c.variant), study, number)
                    for number, gate in study["left"]
                    if set(range(gate)) <= study["told"]
                ]
                if not study["left"] and not at_work:
                    ready += [((1, number, c.study, c.variant), study, None) for number in study["again"]]
            if not ready:
                break
            _, study, number = min(ready, key=lambda entry: entry[0])
            if number is None:
                study["again"].pop(0)
                running.append((second + int(study["c"].repeat_seconds), study, None))
            else:
                study["left"] = [pair for pair in study["left"] if pair[0] != number]
                running.append((second + int(study["c"].trial_seconds), study, number))
        if not running:
            return float(search), float(second)
        second += 1


def test_the_timetable_is_that_of_brute_force() -> None:
    draw = random.Random(0)
    for _ in range(300):
        lag, startup = draw.randint(1, 4), draw.randint(0, 3)
        courses = []
        for variant, study in itertools.product(range(draw.randint(1, 3)), range(draw.randint(1, 2))):
            trials = draw.randint(0, 7)
            done = set(range(draw.randint(0, trials)))
            slots = [number for number in range(trials) if number not in done]
            gates = [0 if number < startup else max(0, number - lag + 1) for number in slots]
            times = float(draw.randint(1, 9)), float(draw.randint(1, 9))
            courses.append(Course(variant, study, slots, gates, list(range(draw.randint(0, 3))), *times, accepted=done))
        workers = draw.randint(1, 6)
        expected = naive(courses, workers)
        work = sum(len(c.slots) * c.trial_seconds + len(c.repeats) * c.repeat_seconds for c in courses)
        found = simulate(courses, workers)
        assert (found.search, found.all) == expected
        assert found.work == work
        assert found.most <= workers


def test_a_search_that_learns_runs_no_more_than_lag_at_a_time() -> None:
    gates = [max(0, number - 1) for number in range(8)]
    found = simulate([Course(0, 0, list(range(8)), gates, [], 1.0, 1.0)], workers=8)
    assert (found.all, found.most) == (4.0, 2)


def test_workers_that_would_wait_are_told(bench: Bench) -> None:
    bench.write({"search": {"sampler": "tpe", "trials": 14, "lag": 3}})
    rule = "8 workers, but at most variants x studies x lag = 6 trials can run at a time"
    assert [text for text in texts(foresee(bench, 8)) if rule in text]
    assert not [text for text in texts(foresee(bench, 6)) if rule in text]
    bench.write({"search": {"sampler": "random", "trials": 14, "lag": 3}})
    assert not [text for text in texts(foresee(bench, 8)) if rule in text]


def test_with_a_pruner_every_trial_waits(bench: Bench) -> None:
    bench.write({"search": {"sampler": "random", "trials": 14, "lag": 1, "pruner": "median"}, "repeat": {"seeds": 0}})
    found = foresee(bench, 14)
    assert found.timetable.most == 2
    out = io.StringIO()
    show_forecast(Console(file=out), found)
    assert "Time: at most about" in out.getvalue()


# --- warnings ---


def test_a_fine_sweep_has_no_warnings(bench: Bench) -> None:
    bench.write({"base": {"model": {"rule": {"k": 1}}, "trainer": {"steps": 40}}})
    assert foresee(bench).warnings == []


def test_where_every_row_is_touched_it_says_which_are_one_algorithm(bench: Bench) -> None:
    others = {
        "masked": {"optimizer": {"name": "masked_adam"}},
        "clock": {"optimizer": {"name": "row_clock_adam"}},
        "after": {"optimizer": {"name": "lazy_adam", "epsilon": "after"}},
        "none": {"optimizer": {"name": "selective_adam"}},
        "quick": {"optimizer": {"name": "lazy_adam", "betas": [0.8, 0.999]}},
        "sparse": {"optimizer": {"name": "adam"}, "model": {"pre_bias": "none", "rule": {"lifetime": False}}},
    }
    bench.write({**DENSE, "variants": others})
    said = texts(foresee(bench))
    (dense,) = (names[0] for text, names in said.items() if text.startswith("every row was touched in every step"))
    assert dense == ("adam", "lazy", "masked", "clock", "after", "none", "quick")
    (same,) = (names for text, names in said.items() if text.startswith("one algorithm in this sweep"))
    assert same == [("adam", "clock", "after"), ("lazy", "masked")]
    assert not [text for text in said if "2-90 %" in text]


def test_those_that_are_one_algorithm_train_to_the_same_bits(bench: Bench) -> None:
    # what the warning claims, measured
    base = {"model": {"rule": {"lifetime": True}}, "trainer": {"steps": 9}}
    bench.write({"base": base, "variants": {"masked": {"optimizer": {"name": "masked_adam"}}}})
    sweep = bench.load()
    lazy, masked = (run(configure(sweep.variants[name], 0), phase="search").metrics for name in ("lazy", "masked"))
    assert lazy["val/fvu"] == masked["val/fvu"]


def test_two_names_of_one_variant_are_told(bench: Bench) -> None:
    few = {"model": {"pre_bias": "none"}}  # touches few rows
    bench.write({"base": few, "variants": {"again": {"optimizer": {"name": "lazy_adam"}}}})
    text = "the same configuration and the same space: one variant under several names"
    assert foresee(bench).warnings == [
        Warned("one_variant", text, variants=("lazy", "again")),
    ]
    bench.write({"base": few, "variants": {"again": {"optimizer": {"name": "lazy_adam", "betas": [0.8, 0.999]}}}})
    assert foresee(bench).warnings == []


def test_few_intermittent_rows_are_told(bench: Bench) -> None:
    large = {"data": {"batch_size": 100}, "model": {"pre_bias": "none", "rule": {"k": 1}}, "trainer": {"steps": 40}}
    bench.write({"base": large})  # one row is never touched, all others always
    (warned,) = foresee(bench).warnings
    assert warned.variants == ("adam", "lazy")
    assert warned.text.startswith("0.0% of the rows were touched in 2-90 % of the steps")


def test_an_end_at_which_nothing_can_be_told_apart_is_told(bench: Bench) -> None:
    small = {"model": {"pre_bias": "none", "rule": {"k": 1}}, "trainer": {"steps": 40}}
    bench.write({"base": small, "space": {"data.batch_size": {"low": 8, "high": 100, "log": True}}})
    (warned,) = foresee(bench).warnings
    assert warned.variants == ("adam",)
    assert warned.text.startswith("at data.batch_size = 100, 0.0% of the rows were touched in 2-90 %")


def test_a_variant_that_diverges_at_its_centre_is_told(bench: Bench) -> None:
    steep = {
        "optimizer": {"name": "sgd"},
        "space": {"optimizer.eps": None, "optimizer.lr": {"around": 1e6, "decades": 1}},
    }
    bench.write({"base": {"trainer": {"steps": 40}}, "variants": {"steep": steep}})
    said = [warned for warned in foresee(bench).warnings if "diverged" in warned.text]
    assert [warned.variants for warned in said] == [("steep",)]


# --- the command ---


def test_the_command_prints_it_for_people_and_for_programs(bench: Bench, cli: Any) -> None:
    code, output, _ = cli("--workers", "2")
    assert code == 0
    for text in ("lr-eps: 2 variants x 3 trials, 2 repeats of each best: 10 trainings to go", "optimizer.eps, log"):
        assert text in output
    code, output, _ = cli("--json", "--variants", "lazy", "--pilot")
    found = json.loads(output)
    assert list(found["variants"]) == ["lazy"]
    assert found["left"] == 5
    assert len(found["spaces"][0]["points"][0]) == 3
    assert 0 < found["time"]["search_seconds"] < found["time"]["seconds"]
    assert found["disk"]["bytes"] > 1000
    assert [row["variant"] for row in found["rows"]] == [centre["variant"] for centre in found["pilot"]] == ["lazy"]
    assert not bench.out.exists()


def test_everything_is_json(bench: Bench) -> None:
    bench.write({"space": {"model.rule.k": {"choices": [1, 2]}}})
    json.loads(strict_json(plain(foresee(bench))))


@pytest.mark.parametrize(
    ("arguments", "said"),
    [(["--variants", "nobody"], "the sweep has no such variant"), (["--workers", "-1"], "--workers")],
)
def test_wrong_input_is_refused(cli: Any, arguments: list[str], said: str) -> None:
    code, output, error = cli(*arguments)
    assert (code, output) == (2, "")
    assert said in error


def test_missing_data_is_refused(bench: Bench, cli: Any, tmp_path: Path) -> None:
    data = {"name": "array", "file": str(tmp_path / "none.npy"), "batch_size": 32}
    bench.write(text=dump({**SPEC, "base": {**SPEC["base"], "data": data}}))
    code, output, error = cli()
    assert (code, output) == (2, "")
    assert "none.npy" in error


def test_on_a_terminal_there_is_a_bar_and_it_goes(bench: Bench) -> None:
    out = io.StringIO()
    with Waiting(Console(file=out, force_terminal=True, width=100), "rehearsing") as announce:
        forecast(*bench.read(), bench.out, announce)
    assert "rehearsing lazy" in out.getvalue()
    assert out.getvalue().endswith("\x1b[2K")  # the line is wiped
