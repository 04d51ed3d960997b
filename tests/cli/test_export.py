"""`spadam export`: where it writes, what it says, and its exit codes."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import spadam
from spadam.cli import main
from support import short_training


@pytest.fixture
def call(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Any:
    """Run `spadam export …` in a folder of its own: (exit code, standard output, standard error)."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")

    def export(*arguments: str) -> tuple[int, str, str]:
        monkeypatch.setattr("sys.argv", ["spadam", "export", *arguments])
        with pytest.raises(SystemExit) as ended:
            main()
        return (int(ended.value.code or 0), *capsys.readouterr())

    return export


def test_it_says_where_it_wrote(call: Any) -> None:
    spadam.run(short_training.config(model={"activation": "relu"}, trainer={"epochs": 1}), "run")
    assert call("run", "--to", "saelens") == (0, "written: run/saelens\n", "")
    assert call("run", "--to", "saelens", "--out", "other") == (0, "written: other\n", "")
    assert {path.name for path in Path("other").iterdir()} == {"cfg.json", "sae_weights.safetensors"}


def test_what_cannot_be_written_is_told_with_the_way_out(call: Any) -> None:
    spadam.run(short_training.config(trainer={"epochs": 1}), "run")
    code, output, error = call("run", "--to", "saelens", "--out", "other")
    assert (code, output) == (2, "")
    assert "model.activation = 'linear'" in error
    assert "train with model.activation: relu" in error
    assert not Path("other").exists()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), "DIR"),
        (("run",), "--to"),
        (("run", "--to", "sae_lens"), "saelens"),
        (("run", "--to", "saelens"), "there must be such a folder"),
    ],
)
def test_what_is_missing_is_told(call: Any, arguments: tuple[str, ...], said: str) -> None:
    code, output, error = call(*arguments)
    assert (code, output) == (2, "")
    assert said in error


def test_a_task_of_ones_own_is_no_autoencoder(call: Any) -> None:
    np.save("pairs.npy", np.arange(200, dtype=np.float32).reshape(100, 2) % 60)
    config = {
        "data": {"name": "array", "root": ".", "file": "pairs.npy", "batch_size": 16},
        "model": {"name": "custom", "path": "support.embedding_task.SkipGramSpec", "options": {"words": 60}},
        "optimizer": {"name": "lazy_adam"},
        "trainer": {"epochs": 1},
        "tracking": {"mode": "disabled"},
    }
    spadam.run(config, "run")
    code, _, error = call("run", "--to", "saelens")
    assert code == 2
    assert "it must hold a sparse autoencoder, and what was trained there is custom" in error
    assert "must be 'autoencoder'" not in error
