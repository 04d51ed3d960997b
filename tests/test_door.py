"""What `import spadam` gives to people who write Python."""

import inspect
import re
import subprocess
import sys
from pathlib import Path

import pytest

import spadam
from spadam.spec import InputError, dump
from spadam.sweep.running.means import Means
from support import sweep_quadratic as quadratic
from support.paths import ROOT
from support.sweep_bench import SPEC, Bench

CONFIG = {
    "data": {"name": "digits", "batch_size": 128},
    "model": {"latents": 32, "rule": {"name": "top_k", "k": 4}},
    "optimizer": {"name": "lazy_adam", "betas": [0.9, 0.99]},
    "trainer": {"epochs": None, "steps": 3},
    "tracking": {"mode": "disabled"},
}


def test_importing_it_imports_nothing_heavy() -> None:
    """So it takes some milliseconds: a name is fetched when it is asked for."""
    script = "import sys; before = set(sys.modules); import spadam; print(*sorted(set(sys.modules) - before))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    loaded = set(done.stdout.split())
    assert {name for name in loaded if name.startswith("spadam")} == {"spadam"}
    assert not {name.split(".")[0] for name in loaded} & {"torch", "numpy", "pydantic", "optuna", "pytorch_lightning"}
    assert len(loaded) < 100


def test_every_name_is_there_and_no_other() -> None:
    assert set(spadam.__all__) <= set(dir(spadam))
    for name in spadam.__all__:
        assert getattr(spadam, name) is getattr(spadam, name)
    with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
        _ = spadam.nothing


def test_what_is_exported_is_documented_and_the_other_way_round() -> None:
    """docs/python.md has a heading for every name, and for no other."""
    text = (ROOT / "docs" / "python.md").read_text(encoding="utf-8")
    headings = re.findall(r"^## `spadam\.(\w+)`$", text, flags=re.MULTILINE)
    assert sorted(headings) == sorted(spadam.__all__)
    for name in ("run", "run_sweep", "load", "RunConfig", "RunResult", "SparseAutoencoder", "AutoencoderModule"):
        assert getattr(spadam, name).__doc__


def test_a_training_from_a_mapping_a_file_and_a_configuration(tmp_path: Path) -> None:
    file = tmp_path / "config.yaml"
    file.write_text(dump(CONFIG))
    result = spadam.run(CONFIG, tmp_path / "run")
    assert isinstance(result, spadam.RunResult)
    assert (tmp_path / "run" / "result.json").exists()
    assert spadam.run(str(file), str(tmp_path / "run")) == result, "done already"
    values = {name: value for name, value in result.metrics.items() if not name.startswith("time/")}
    for config in (file, spadam.RunConfig.model_validate(CONFIG)):
        again = spadam.run(config).metrics
        assert {name: again[name] for name in values} == values


def test_wrong_input_is_told(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="this key is not known"):
        spadam.run({**CONFIG, "sed": 1})
    with pytest.raises(InputError, match="must be readable"):
        spadam.run(tmp_path / "none.yaml")
    with pytest.raises(InputError, match="must hold a sweep"):
        spadam.load(tmp_path)
    with pytest.raises(InputError, match="must be readable"):
        spadam.run_sweep(tmp_path / "none.yaml", workers=0)


def test_a_sweep_and_what_came_of_it(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    from spadam.sweep.running import agent

    monkeypatch.setattr(agent.run_sweep, "__kwdefaults__", {**agent.run_sweep.__kwdefaults__, "train": quadratic.train})
    found = spadam.run_sweep(str(bench.spec), str(bench.out), workers=0)
    assert (found.done, found.trouble) == (True, None)
    assert {"trials.csv", "report.html"} <= {path.name for path in bench.folder.iterdir()}
    there = spadam.load(str(bench.folder))
    assert (there.trials(), there.repeats()) == (found.trials(), found.repeats())
    assert there.best("adam") == found.best("adam")


def test_what_a_sweep_is_run_with_by_default_is_the_same_everywhere() -> None:
    """The door imports nothing, so it spells the numbers itself."""
    means, door = Means(), inspect.signature(spadam.run_sweep).parameters
    pairs = {"storage_patience": "patience_seconds", "retries": "retries", "stall": "stall_seconds"}
    assert {name: door[name].default for name in pairs} == {name: getattr(means, of) for name, of in pairs.items()}


@pytest.mark.slow
def test_a_script_runs_a_sweep_with_workers_as_it_stands(tmp_path: Path) -> None:
    """Without a guard around the call: workers do not run the script again."""
    changes = {"search": {**SPEC["search"], "trials": 1}, "repeat": {"seeds": 0}}
    (tmp_path / "sweep.yaml").write_text(dump({**SPEC, **changes}))
    script = tmp_path / "script.py"
    script.write_text("import spadam\nprint('once')\nprint(spadam.run_sweep('sweep.yaml', workers=1).done)\n")
    done = subprocess.run([sys.executable, str(script)], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == ["once", "True"]
