from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from spadam.spec import InputError, parse, validate
from spadam.tracking import NoTracker, TrackingSpec, open_run, plain_id
from support.paths import ROOT
from support.wandb_desk import Desk


def test_offline_is_the_default() -> None:
    assert TrackingSpec().model_dump() == {"mode": "offline", "project": "spadam", "entity": None, "agent": False}


@pytest.mark.parametrize(
    ("text", "argument"),
    [
        ("mode: onlin", "mode"),
        ("project: ''", "project"),
        ("project: a/b", "project"),
        ("project: 'a:b'", "project"),
        (f"project: {'p' * 129}", "project"),
        ("entity: ''", "entity"),
        ("api_key: abc", "api_key"),
    ],
)
def test_what_the_client_would_refuse_is_refused_before_anything_starts(text: str, argument: str) -> None:
    with pytest.raises(InputError) as caught:
        validate(TrackingSpec, parse(text, "t.yaml"), "tracking.")
    assert caught.value.argument == f"tracking.{argument}"
    assert caught.value.rule
    assert caught.value.remedy


def test_a_plain_id_stays_as_it_is() -> None:
    assert plain_id("lr-eps-lazy_adam-search-0.12") == "lr-eps-lazy_adam-search-0.12"


@pytest.mark.parametrize("text", ["a/b", "a:b;c,d#e?f'g", " a", "ä", "", "x" * 300, "a\nb", "a\\b"])
def test_any_other_text_becomes_an_id_that_the_client_takes(text: str) -> None:
    made = plain_id(text)
    assert made == plain_id(text)
    assert made.isascii()
    assert made == made.strip()
    assert 0 < len(made) <= 100
    assert not set(made) & set(":;,#?/'\\ \n")
    assert plain_id(made) == made


def test_texts_that_differ_have_ids_that_differ() -> None:
    texts = ["a/b", "a:b", "a-b", "a//b", "x" * 300, "x" * 301, "", "ä", "ö"]
    assert len({plain_id(text) for text in texts}) == len(texts)


def test_neither_the_import_nor_a_disabled_run_needs_wandb(desk: Desk) -> None:
    run: dict[str, Any] = {"id": "r", "spec": {"mode": "disabled"}, "rows": [{"step": 1, "a": 2.0}]}
    done = desk.run(run | {"folder": str(desk.root / "runs" / "r")})
    assert (done.code, done.seen["wandb"], done.warnings) == (0, False, [])
    assert desk.files() == ["runs/r/metrics.jsonl"]


def test_a_client_that_is_not_there_is_one_warning(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("WANDB_ERROR_REPORTING", "false")  # so that what the call sets is taken back
    monkeypatch.setitem(sys.modules, "wandb", None)
    with caplog.at_level(logging.WARNING):
        tracker = open_run(TrackingSpec(), folder=tmp_path, run_id="r", config={})
    tracker.record({"step": 1})
    tracker.summary({"status": "complete"})
    tracker.finish()
    assert isinstance(tracker, NoTracker)
    assert len(caplog.messages) == 1
    assert "W&B (offline) could not start" in caplog.messages[0]
    assert "metrics.jsonl" in caplog.messages[0]


def test_importing_the_package_s_modules_leaves_the_environment_alone() -> None:
    code = "import os, json; a = dict(os.environ); import spadam.training.ledger; "
    code += "print(json.dumps(a == dict(os.environ)))"
    root = str(ROOT)
    environment = {**os.environ, "PYTHONPATH": root}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, env=environment)
    assert json.loads(done.stdout) is True
