"""Results that are read again."""

import json
from pathlib import Path

import pytest

from spadam.config import RunConfig
from spadam.spec import InputError, dump, parse, validate
from spadam.training.result import RunResult, read_result, write_result

CONFIG = {"data": {"name": "digits"}, "optimizer": {"name": "lazy_adam"}}


def write(out: Path, warnings: list[object]) -> RunConfig:
    config = validate(RunConfig, parse(dump(CONFIG), "run.yaml"))
    (out / "config.yaml").write_text(dump(config.plain()))
    write_result(RunResult("complete", {"val/fvu": 0.5}, {}, warnings, config.plain(), {}, []), out)  # type: ignore[arg-type]
    return config


def test_warnings_are_read_as_they_were_written(tmp_path: Path) -> None:
    warning = {"code": "all_rows_touched", "text": "every row", "numbers": {}}
    result = read_result(write(tmp_path, [warning]), tmp_path)
    assert result is not None
    assert result.warnings == [warning]


def test_sentences_of_older_results_become_records(tmp_path: Path) -> None:
    text = "every row was touched in every step: tf_sparse_adam, masked_adam and lazy_adam are one optimizer here"
    result = read_result(write(tmp_path, [text]), tmp_path)
    assert json.loads((tmp_path / "result.json").read_text())["warnings"] == [text]
    assert result is not None
    assert result.warnings == [{"code": "all_rows_touched", "text": text, "numbers": {}}]


def test_metrics_of_older_results_have_their_names_of_today(tmp_path: Path) -> None:
    config = write(tmp_path, [])
    evaluations = [{"step": 0}, {"step": 9, "sparsity/dead_1e5": None}, {"step": 18, "sparsity/dead_1e5": 0.25}]
    metrics = {"val/fvu": 0.5, "sparsity/dead_1e5": 0.25}
    write_result(RunResult("complete", metrics, {}, [], config.plain(), {}, evaluations), tmp_path)  # type: ignore[arg-type]
    result = read_result(config, tmp_path)
    assert result is not None
    assert result.metrics == {"val/fvu": 0.5, "sparsity/silent": 0.25}
    assert result.evaluations == [
        {"step": 0},
        {"step": 9, "sparsity/silent": None},
        {"step": 18, "sparsity/silent": 0.25},
    ]


def test_a_folder_of_before_there_were_these_keys_is_of_the_same_training(tmp_path: Path) -> None:
    config = write(tmp_path, [])
    plain = config.plain()
    assert plain["trainer"].pop("evaluate_every") == "epoch"
    assert plain["trainer"].pop("silent_after") == 100_000
    (tmp_path / "config.yaml").write_text(dump(plain))
    assert read_result(config, tmp_path) is not None
    other = config.model_copy(update={"trainer": config.trainer.model_copy(update={"evaluate_every": 7})})
    with pytest.raises(InputError, match="another configuration"):
        read_result(other, tmp_path)


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"status": 1}', "\0", '{"status": "complete", "x": 1}', "null"])
def test_a_damaged_result_is_told_and_not_taken(tmp_path: Path, text: str) -> None:
    config = write(tmp_path, [])
    (tmp_path / "result.json").write_text(text)
    with pytest.raises(InputError, match=r"result\.json must hold the result of a training") as caught:
        read_result(config, tmp_path)
    assert caught.value.argument == "--out"


def test_a_folder_in_the_place_of_a_result(tmp_path: Path) -> None:
    config = write(tmp_path, [])
    (tmp_path / "result.json").unlink()
    (tmp_path / "result.json").mkdir()
    with pytest.raises(InputError, match=r"must be readable \(Is a directory\)"):
        read_result(config, tmp_path)
