"""Peak memory: what is counted, and over what."""

import subprocess
from pathlib import Path

import pytest
import torch

from spadam.bench import FULL, QUICK, NotRun, Settings, memory
from spadam.bench.memory import floor, peak_over_floor, reset_peak, resident, train_and_measure
from spadam.data.splits import seeded
from spadam.models.spec import AutoencoderSpec

MB = 1 << 20


def test_the_peak_is_that_since_it_was_reset() -> None:
    torch.zeros(64 * MB // 4)
    reset_peak()
    before = resident("VmRSS")
    assert resident("VmHWM") - before < 8 * MB
    held = torch.ones(64 * MB // 4)
    assert 56 * MB < resident("VmHWM") - before < 80 * MB
    assert len(held)


def test_the_floor_is_weights_moments_and_scores(monkeypatch: pytest.MonkeyPatch) -> None:
    model = AutoencoderSpec(latents=96).build(memory.FEATURES, seeded("weights", 0))
    weights = sum(parameter.nbytes for parameter in model.parameters())
    assert floor("float32", 96) == 3 * weights + 4 * memory.BATCH * 96
    for fast, shadow in ((None, 0), (torch.bfloat16, 2), (torch.int8, 1)):
        monkeypatch.setattr(memory, "fast_type", lambda fast=fast: fast)
        assert (
            floor("auto", 96) == floor("certified", 96) == floor("float32", 96) + shadow * model.encoder_weight.numel()
        )


def test_a_training_is_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "SAMPLES", 400)
    found = train_and_measure("float32", 16384)
    assert found["floor"] == floor("float32", 16384)
    assert 0.8 < found["peak"] / found["floor"] < 5


@pytest.mark.parametrize(("settings", "latents"), [(Settings(FULL), "65536"), (Settings(QUICK), "4096")])
def test_a_process_of_its_own_is_asked(settings: Settings, latents: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def answer(command: list[str], **_: object) -> subprocess.CompletedProcess[str]:
        assert command[1:] == ["-m", "spadam.bench.memory", "float32", latents]
        return subprocess.CompletedProcess(command, 0, 'wandb says\n{"peak": 3000000, "floor": 2000000}\n', "")

    monkeypatch.setattr(subprocess, "run", answer)
    found = peak_over_floor("float32", settings)
    assert (found.ratio, found.of, found.over, found.unit) == (1.5, 3.0, 2.0, "MB")


def test_a_training_that_fails_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    failed = subprocess.CompletedProcess([], 1, "", "Traceback\nMemoryError: no room\n")
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: failed)
    with pytest.raises(RuntimeError, match="MemoryError: no room"):
        peak_over_floor("float32", Settings(FULL))


def test_what_cannot_be_measured_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "fast_type", lambda: None)
    with pytest.raises(NotRun, match="int8"):
        peak_over_floor("certified", Settings(FULL))
    monkeypatch.setattr(memory, "_RESET", Path("/nowhere"))
    with pytest.raises(NotRun, match="Linux"):
        peak_over_floor("float32", Settings(FULL))
