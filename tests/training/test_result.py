"""Results that are read again."""

import json
from pathlib import Path

from spadam.config import RunConfig
from spadam.spec import dump, parse, validate
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
