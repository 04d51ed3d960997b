"""The platform serves a task that is no autoencoder: it is trained, resumed, swept, planned and shown."""

import json
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from spadam.config import RunConfig
from spadam.data import Batches
from spadam.optim import OPTIMIZERS
from spadam.report import write
from spadam.spec import Document, InputError, dump, merge, validate
from spadam.sweep.definition.reading import load
from spadam.sweep.forecast.costs import configure
from spadam.sweep.forecast.rehearsal import rehearse
from spadam.sweep.outcome.finding import in_folder
from spadam.training import checkpoint_files
from spadam.training.gradient_scale import gradient_rms
from spadam.training.ledger import rows
from spadam.training.progress import Progress
from spadam.training.run import run
from support.report_bench import Page
from support.sweep_bench import Bench

WORDS, BATCH = 60, 16
PATH = "support.embedding_task.SkipGramSpec"


@pytest.fixture(autouse=True)
def every_step_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("spadam.training.telemetry._PROGRESS_SECONDS", 0.0)


@pytest.fixture
def base(tmp_path: Path) -> dict[str, Any]:
    """A configuration on pairs of words of which the next ones follow each other, the first ones most often."""
    generator = np.random.default_rng(0)
    centres = np.minimum(generator.geometric(0.08, 400) - 1, WORDS - 1)
    pairs = np.stack([centres, (centres + generator.integers(1, 3, 400)) % WORDS], 1)
    np.save(tmp_path / "pairs.npy", pairs.astype(np.float32))
    return {
        "seed": 1,
        "data": {"name": "array", "root": str(tmp_path), "file": "pairs.npy", "batch_size": BATCH},
        "model": {"name": "custom", "path": PATH, "options": {"words": WORDS}},
        "optimizer": {"name": "lazy_adam", "lr": 0.05},
        "trainer": {"epochs": 3},
        "tracking": {"mode": "disabled"},
    }


def read(base: dict[str, Any], **overlay: Any) -> RunConfig:
    return validate(RunConfig, Document(merge(base, overlay), {}, "test"))


def timeless(row: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in row.items() if name != "time" and not name.startswith("time/")}


def test_it_trains_and_measures_what_it_declares(base: dict[str, Any], tmp_path: Path) -> None:
    config = read(base)
    result = run(config, tmp_path / "out")
    assert result.status == "complete"
    first, last = result.evaluations[0], result.evaluations[-1]
    assert last["val/loss"] < 0.8 * first["val/loss"]
    assert set(result.metrics) <= set(config.task.metrics)
    assert {"val/loss", "sparsity/rows_touched", "optim/update_rms", "time/step_ms"} <= set(result.metrics)
    assert not [name for name in result.metrics if name.startswith("probe/") or name == "sparsity/l0_train"]
    assert set(load_file(tmp_path / "out" / "model.safetensors")) == {"centres.weight", "contexts.weight"}
    assert run(config, tmp_path / "out") == result


NAMES = [get_args(member.model_fields["name"].annotation)[0] for member in OPTIMIZERS]


@pytest.mark.parametrize("sparse", [False, True], ids=["dense gradient", "coo gradient"])
@pytest.mark.parametrize("name", [name for name in NAMES if name != "custom"])
def test_every_optimizer_takes_its_gradients(name: str, sparse: bool, base: dict[str, Any]) -> None:
    model = {"options": {"sparse": sparse}}
    result = run(read({**base, "optimizer": {"name": name}}, model=model, trainer={"epochs": 1}), phase="search")
    assert result.status == "complete"
    assert result.metrics["val/loss"] != result.evaluations[0]["val/loss"]


def test_both_forms_of_gradient_give_the_same(base: dict[str, Any]) -> None:
    dense, coo = (run(read(base, model={"options": {"sparse": sparse}})) for sparse in (False, True))
    assert dense.metrics["val/loss"] == pytest.approx(coo.metrics["val/loss"], rel=1e-5)  # sums in another order


def test_each_table_has_its_own_rows(base: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """Centres are those of the batch; contexts come with negatives, so more of them are touched."""
    from spadam.diagnostics.row_usage import RowUsages

    seen: list[dict[str, dict[str, float]]] = []
    report = RowUsages.report

    def noting(self: RowUsages) -> dict[str, float]:
        seen.append({name: usage.report() for name, usage in self.tables.items()})
        return report(self)

    monkeypatch.setattr(RowUsages, "report", noting)
    config = read(base, trainer={"epochs": 1})
    result = run(config, phase="search")
    data = config.data.load()
    shares = [len(set(x[:, 0].tolist())) / WORDS for x in Batches(data, data.train, BATCH, config.seed)]  # type: ignore
    found = {name: usage["sparsity/rows_touched"] for name, usage in seen[-1].items()}
    assert result.metrics["sparsity/rows_touched"] == found["centres"] == pytest.approx(np.mean(shares), rel=1e-12)
    assert found["contexts"] > 1.5 * found["centres"]


class Stop(Exception):
    pass


@pytest.mark.parametrize("stop", [7, 20, 31])
def test_it_resumes_to_the_last_bit(stop: int, base: dict[str, Any], tmp_path: Path) -> None:
    config = read(base, trainer={"checkpoint_every": 5}, optimizer={"name": "masked_adam"})
    whole = run(config, tmp_path / "whole")

    def watch(progress: Progress) -> None:
        if progress.step >= stop:
            raise Stop

    with pytest.raises(Stop):
        run(config, tmp_path / "out", progress=watch)
    assert checkpoint_files.latest(tmp_path / "out" / "checkpoints") is not None
    resumed = run(config, tmp_path / "out")
    assert timeless(resumed.metrics) == timeless(whole.metrics)
    ledgers = [[timeless(row) for row in rows(tmp_path / name / "metrics.jsonl")] for name in ("out", "whole")]
    assert ledgers[0] == ledgers[1]
    weights = [(tmp_path / name / "model.safetensors").read_bytes() for name in ("out", "whole")]
    assert weights[0] == weights[1], "the negatives go on where they were"


def write_sweep(base: dict[str, Any], bench: Bench, changes: dict[str, Any] | None = None) -> None:
    whole = {
        "name": "lr-eps",
        "base": {key: value for key, value in base.items() if key not in ("optimizer", "seed")},
        "variants": {"adam": {"optimizer": {"name": "adam"}}, "lazy": {"optimizer": {"name": "lazy_adam"}}},
        "space": {"optimizer.lr": {"low": 1e-3, "high": 1e-1, "log": True}},
        "search": {"sampler": "random", "trials": 2},
        "repeat": {"seeds": 1},
        "objective": {"metric": "val/loss"},
    }
    bench.write(text=dump(merge(whole, changes or {})))


@pytest.mark.slow
def test_it_is_swept_by_worker_processes_and_has_a_page(base: dict[str, Any], bench: Bench) -> None:
    from spadam.sweep.running.task import train

    write_sweep(base, bench)
    assert bench.run(train, workers=2) == 0
    assert "val/loss" in bench.said.getvalue()
    found = in_folder(bench.folder)
    page = Page(write(found))
    assert all(row["value"] is not None for row in found.rows)
    assert len(found.rows) == 2 * (2 + 1)
    assert "What this sweep trains has no pictures" in page.texts["pictures"]
    assert page.names("img") == []


def test_it_is_planned(base: dict[str, Any], bench: Bench) -> None:
    axes = {"optimizer.eps_rel": {"low": 1e-3, "high": 1.0, "log": True}, "model.options.width": {"low": 2, "high": 8}}
    write_sweep(base, bench, {"space": axes})
    variant = load(bench.spec).variants["lazy"]
    assert {axis.name: axis.whole for axis in variant.axes}["model.options.width"]
    seen = rehearse(configure(variant, 0), steps=4)
    assert seen.rows_bound == BATCH / WORDS
    assert 0 < seen.rows_touched < seen.rows_bound
    assert seen.files.evaluations == 2


def test_its_gradient_has_a_scale(base: dict[str, Any]) -> None:
    scales = [gradient_rms(read(base, model={"options": {"sparse": sparse}})) for sparse in (False, True)]
    assert scales[0] > 0
    assert scales[0] == pytest.approx(scales[1], rel=1e-5)


@pytest.mark.parametrize(
    ("changes", "argument", "said"),
    [
        ({"objective": {"metric": "val/fvu"}}, "objective.metric", "choose one of: .*val/loss"),
        ({"objective": {"metric": "val/los"}}, "objective.metric", "did you mean val/loss"),
        ({"base": {"model": {"path": "nowhere.Spec"}}}, "variant adam: model.path", "could not be imported"),
        ({"base": {"model": {"path": "support.paths.ROOT"}}}, "variant adam: model.path", "TaskSpec class"),
        ({"base": {"model": {"path": "here"}}}, "variant adam: model.path", "must name a class in a module"),
        ({"base": {"model": {"options": {"word": 3}}}}, "variant adam: model.options.word", "did you mean words"),
        ({"base": {"model": {"name": "costum"}}}, "variant adam: model.name", "did you mean custom"),
    ],
)
def test_what_is_wrong_is_told_before_anything_is_trained(
    changes: Any, argument: str, said: str, base: dict[str, Any], bench: Bench
) -> None:
    write_sweep(base, bench, changes)
    with pytest.raises(InputError, match=said) as error:
        load(bench.spec)
    assert error.value.argument == argument


def test_a_training_that_cannot_begin_says_why(base: dict[str, Any], tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"model\.path"):
        run(read(base, model={"path": "nowhere.Spec"}), tmp_path / "out")
    assert not (tmp_path / "out").exists()
    digits = {**base, "data": {"name": "digits"}}
    with pytest.raises(InputError, match="must be a pair of words"):
        run(read(digits))


def test_its_configuration_is_read_back_as_it_was(base: dict[str, Any], tmp_path: Path) -> None:
    config = read(base)
    assert read(config.plain()) == config
    assert config.plain()["model"] == base["model"]
    assert config.facts()["model"] == {key: value for key, value in base["model"].items() if key != "name"}
    assert json.loads(json.dumps(config.facts())) == config.facts()
    other = read(base, model={"options": {"words": WORDS + 1}})
    assert other.identity() != config.identity()


def test_the_generator_of_negatives_is_its_own(base: dict[str, Any]) -> None:
    torch.manual_seed(1)
    first = run(read(base), phase="search").metrics["val/loss"]
    torch.manual_seed(2)
    assert run(read(base), phase="search").metrics["val/loss"] == first
