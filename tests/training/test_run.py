"""One training: what it writes, that it is a function of its configuration, that it resumes, that it may diverge."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file

from spadam.data import Batches
from spadam.diagnostics.metrics import METRICS
from spadam.models.autoencoder import SparseAutoencoder
from spadam.models.probe import LinearProbe
from spadam.models.weights import save_weights
from spadam.optim import LazyAdam
from spadam.spec import InputError, dump
from spadam.training import checkpoint_files, ledger
from spadam.training.progress import Progress
from spadam.training.result import RunResult
from spadam.training.run import run
from support import short_training
from support.short_training import BASE, STEPS, Stop, config, rows, same, stop_at, timeless, weights


@pytest.fixture(autouse=True)
def every_step_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("spadam.training.telemetry._PROGRESS_SECONDS", 0.0)


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, RunResult]:
    folder = tmp_path_factory.mktemp("run") / "out"
    return folder, run(config(), folder)


def test_writes_what_the_contract_says(finished: tuple[Path, RunResult]) -> None:
    folder, result = finished
    assert {p.name for p in folder.iterdir()} == {"result.json", "metrics.jsonl", "model.safetensors", "config.yaml"}
    written = json.loads((folder / "result.json").read_text())
    assert written["status"] == "complete"
    assert written["config"] == config().plain()
    assert RunResult(**written) == result
    assert {"versions", "device", "threads", "kernels", "data"} <= set(written["provenance"])
    for row in ledger.rows(folder / "metrics.jsonl"):
        assert {"epoch", "step", "time"} <= set(row)
        assert set(row) - {"epoch", "step", "time"} <= set(METRICS)


def test_measures_everything_that_is_registered(finished: tuple[Path, RunResult]) -> None:
    _, result = finished
    others = {name for name, metric in METRICS.items() if metric.clipping or metric.targets}
    assert set(result.metrics) | set(result.arrays) == set(METRICS) - others
    assert result.metrics["sparsity/l0_train"] == result.metrics["sparsity/l0_eval"] == 4
    missing = {name for name, value in result.metrics.items() if value is None}
    assert missing == {"sparsity/silent"}, "fewer than 100,000 samples were seen"


def test_evaluates_step_0_and_every_epoch(finished: tuple[Path, RunResult]) -> None:
    _, result = finished
    assert [(row["epoch"], row["step"]) for row in result.evaluations] == [(0, 0), (1, STEPS), (2, 2 * STEPS)]
    fvu = [row["val/fvu"] for row in result.evaluations]
    assert fvu[2] < fvu[1] < fvu[0]
    assert result.metrics["val/fvu"] == fvu[2]


def test_a_bare_loop_gives_the_same_bits_and_numbers(finished: tuple[Path, RunResult]) -> None:
    """What Lightning, telemetry, ledger and checkpoints stand around is this loop."""
    folder, result = finished
    wanted, data = config(), config().data.load()
    model = wanted.model.begin(data, wanted.seed)
    optimizer = LazyAdam(model.parameters(), lr=1e-2)
    batches = Batches(data, data.train, wanted.data.batch_size, wanted.seed)
    for _ in range(2):
        losses, touched, changes = [], [], []
        for n, batch in enumerate(batches):
            before = model.encoder_weight.detach().clone()
            output = model(batch[0])
            rows = set(output.code.selection.latents_P.tolist())
            loss = (output.reconstruction_BD - batch[0]).square().mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
            touched.append(len(rows) / 64)
            if n == 0:  # an epoch has 18 steps: only its first is looked at
                moved = (model.encoder_weight.detach() - before).double()
                changes.append(moved[moved != 0].square().mean().sqrt().item())
    kept = load_file(folder / "model.safetensors")
    assert all(torch.equal(kept[name], value) for name, value in model.state_dict().items())
    assert result.metrics["train/loss_stream"] == pytest.approx(sum(losses) / STEPS, rel=1e-12)
    assert result.metrics["sparsity/rows_touched"] == pytest.approx(sum(touched) / STEPS, rel=1e-12)
    assert result.metrics["optim/update_rms"] == pytest.approx(changes[0], rel=1e-6)  # summed in another order


def test_the_online_accuracy_is_that_of_the_probe_in_each_epoch(finished: tuple[Path, RunResult]) -> None:
    """The probe trained by hand on the codes, its guesses counted before each step and anew in each epoch."""
    _, result = finished
    wanted, data = config(), config().data.load()
    model = wanted.model.begin(data, wanted.seed).train()
    probe = LinearProbe(64, 10)
    optimizer, adam = LazyAdam(model.parameters(), lr=1e-2), torch.optim.Adam(probe.parameters(), lr=1e-2)
    batches = Batches(data, data.train, wanted.data.batch_size, wanted.seed)
    for row in result.evaluations[1:]:
        right = samples = 0
        for x, y in batches:
            output = model(x, probe=True)
            logits = probe(output.probe_code)
            right, samples = right + int((logits.argmax(1) == y).sum()), samples + len(y)
            adam.zero_grad()
            torch.nn.functional.cross_entropy(logits, y).backward()
            adam.step()
            (output.reconstruction_BD - x).square().mean().backward()
            optimizer.step()
            optimizer.zero_grad()
        assert samples == 64 * STEPS
        assert row["probe/online_accuracy"] == pytest.approx(right / samples, abs=2 / samples)  # roundings
        assert 0 < row["probe/online_accuracy"] < 1


def test_the_model_can_be_loaded(finished: tuple[Path, RunResult]) -> None:
    folder, result = finished
    model = SparseAutoencoder.load(folder)
    data = config().data.load()
    x = data.take(data.validation)
    error = (model(x).reconstruction_BD - x).double().square().mean().item()
    assert error == pytest.approx(result.metrics["val/mse"], rel=1e-6)  # sums in another order, float32 differences


def test_the_same_again_says_done_and_another_is_refused(finished: tuple[Path, RunResult]) -> None:
    folder, result = finished
    before = {p: (p.read_bytes(), p.stat().st_mtime_ns) for p in folder.iterdir()}
    assert run(config(), folder) == result
    assert {p: (p.read_bytes(), p.stat().st_mtime_ns) for p in folder.iterdir()} == before
    with pytest.raises(InputError, match="another configuration"):
        run(config(seed=4), folder)
    elsewhere = config(data={"root": "elsewhere"}, trainer={"accelerator": "cpu"}, tracking={"mode": "offline"})
    assert run(elsewhere, folder) == result, "neither the root, the accelerator nor tracking is part of its identity"


def test_is_a_function_of_its_configuration(finished: tuple[Path, RunResult], tmp_path: Path) -> None:
    """After another training, with other random numbers drawn, and in a fresh process: the same bits."""
    folder, result = finished
    run(config(seed=9, optimizer={"name": "adam", "lr": 0.1}))
    torch.manual_seed(123)
    assert same(run(config(), tmp_path / "again"), result)
    assert weights(tmp_path / "again") == weights(folder)
    fresh_process(tmp_path, tmp_path / "fresh").wait()
    assert weights(tmp_path / "fresh") == weights(folder)
    assert rows(tmp_path / "fresh") == rows(folder)


def test_a_folder_changes_no_bit(tmp_path: Path) -> None:
    """masked_adam makes up for its deferred decay whenever it is saved."""
    for every in ("epoch", 7):
        masked = config(optimizer={"name": "masked_adam", "lr": 1e-2}, trainer={"checkpoint_every": every})
        assert same(run(masked), run(masked, tmp_path / str(every)))


def test_seeds_matter() -> None:
    assert run(config(seed=4)).metrics["val/fvu"] != run(config(seed=5)).metrics["val/fvu"]


def fresh_process(tmp_path: Path, out: Path, *sets: str) -> subprocess.Popen[bytes]:
    (tmp_path / "config.yaml").write_text(dump(BASE))
    spadam = Path(sys.executable).with_name("spadam")
    arguments = [str(spadam), "train", str(tmp_path / "config.yaml"), "--out", str(out)]
    return subprocess.Popen([*arguments, *(part for s in sets for part in ("--set", s))], stdout=subprocess.DEVNULL)


@pytest.mark.parametrize("every", ["epoch", 5])
@pytest.mark.parametrize("stop", [7, STEPS, STEPS + 6, 2 * STEPS])
def test_an_interrupted_run_resumes_to_the_last_bit(every: str | int, stop: int, tmp_path: Path) -> None:
    """With momentum that is decayed late, a schedule, clipping and a probe: all of it is in the checkpoint."""
    optimizer = {"name": "masked_adam", "lr": 1e-2, "schedule": {"name": "cosine", "warmup_steps": 5}}
    wanted = config(
        optimizer=optimizer,
        trainer={"checkpoint_every": every, "clip_norm": 0.5},
        model={"rule": {"name": "batch_top_k"}},
    )
    whole = run(wanted, tmp_path / "whole")
    with pytest.raises(Stop):
        run(wanted, tmp_path / "out", progress=stop_at(stop))
    assert not (tmp_path / "out" / "result.json").exists()
    kept = checkpoint_files.latest(tmp_path / "out" / "checkpoints")
    assert (kept is None) == (every == "epoch" and stop <= STEPS)
    resumed = run(wanted, tmp_path / "out")
    assert same(resumed, whole)
    assert weights(tmp_path / "out") == weights(tmp_path / "whole")
    assert rows(tmp_path / "out") == rows(tmp_path / "whole"), "every row once, in order"
    assert not (tmp_path / "out" / "checkpoints").exists()


def test_a_step_limit_resumes_too(tmp_path: Path) -> None:
    wanted = config(trainer={"epochs": None, "steps": STEPS + 9, "checkpoint_every": 5})
    whole = run(wanted, tmp_path / "whole")
    assert whole.evaluations[-1]["step"] == STEPS + 9
    for stop in (8, STEPS + 4):
        with pytest.raises(Stop):
            run(wanted, tmp_path / "out", progress=stop_at(stop))
    assert same(run(wanted, tmp_path / "out"), whole)


@pytest.mark.parametrize("limit", [{"epochs": 2}, {"epochs": None, "steps": STEPS + 10, "checkpoint_every": 2}])
def test_a_run_that_stopped_after_its_last_checkpoint_is_not_trained_again(limit: Any, tmp_path: Path) -> None:
    def watch(progress: Progress) -> None:
        if progress.doing == "fitting the probe":
            raise Stop

    wanted = config(trainer=limit)
    with pytest.raises(Stop):
        run(wanted, tmp_path / "out", progress=watch)
    told: list[str] = []
    resumed = run(wanted, tmp_path / "out", progress=lambda progress: told.append(progress.doing))
    assert told == ["fitting the probe"]
    assert same(resumed, run(wanted))


def test_ctrl_c_is_a_keyboard_interrupt_and_leaves_the_handler(tmp_path: Path) -> None:
    handler = signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt):
        run(config(), tmp_path / "out", progress=stop_at(STEPS + 2, KeyboardInterrupt))
    assert signal.getsignal(signal.SIGINT) is handler
    assert same(run(config(), tmp_path / "out"), run(config()))


@pytest.mark.slow
def test_a_killed_process_loses_nothing(finished: tuple[Path, RunResult], tmp_path: Path) -> None:
    out = tmp_path / "out"
    process = subprocess.run([sys.executable, short_training.__file__, str(out)], check=False)
    assert process.returncode == -signal.SIGKILL
    assert checkpoint_files.latest(out / "checkpoints") is not None
    assert not (out / "result.json").exists()
    assert fresh_process(tmp_path, out, "trainer.checkpoint_every=1").wait() == 0
    assert weights(out) == weights(finished[0])
    assert rows(out) == rows(finished[0])


def test_weights_are_written_whole_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = config().model.begin(config().data.load(), config().seed)
    save_weights(model, tmp_path)
    (tmp_path / "new").touch()
    assert (tmp_path / "model.safetensors").stat().st_mode == (tmp_path / "new").stat().st_mode
    (tmp_path / "new").unlink()
    before = weights(tmp_path)
    kept = load_file(tmp_path / "model.safetensors")
    assert all(torch.equal(kept[name], value) for name, value in model.state_dict().items())

    def half(tensors: Any, path: Path, metadata: Any) -> None:
        path.write_bytes(b"half")
        raise SafetensorError("I/O error: No space left on device")

    monkeypatch.setattr("spadam.models.weights.save_file", half)
    with pytest.raises(OSError, match="No space left"):
        save_weights(model, tmp_path)
    assert weights(tmp_path) == before
    assert [path.name for path in tmp_path.iterdir()] == ["model.safetensors"]


def test_a_time_limit_ends_a_run() -> None:
    result = run(config(trainer={"epochs": None, "time_limit": 0.3}))
    assert result.status == "complete"
    assert result.evaluations[-1]["step"] > 0


def test_a_resumed_run_has_the_time_that_is_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each step takes a second here; six of ten are over when it is stopped, five of them in the checkpoint."""
    now = 0.0

    def tick(progress: Progress) -> None:
        nonlocal now
        now = now + 1.0 if progress.doing == "training" else now

    monkeypatch.setattr("spadam.training.limits.time.monotonic", lambda: now)
    wanted = config(trainer={"epochs": None, "time_limit": 9.5, "checkpoint_every": 1})

    def stopping(progress: Progress) -> None:
        tick(progress)
        if progress.step == 6:
            raise Stop

    with pytest.raises(Stop):
        run(wanted, tmp_path / "out", progress=stopping)
    now += 100.0  # what passes in between is nobody's
    resumed = run(wanted, tmp_path / "out", progress=tick)
    whole = run(wanted, tmp_path / "whole", progress=tick)
    assert resumed.evaluations[-1]["step"] == whole.evaluations[-1]["step"] == 10


@pytest.mark.parametrize("lr", [1e4, 1e30])
def test_a_diverged_run_is_a_result(lr: float, tmp_path: Path) -> None:
    diverging = config(optimizer={"name": "sgd", "lr": lr})
    result = run(diverging, tmp_path / "out")
    assert result.status == "diverged"
    assert result.evaluations[0]["val/fvu"] > 0
    assert result.evaluations[-1]["step"] < 2 * STEPS
    assert run(diverging, tmp_path / "out") == result
    json.loads((tmp_path / "out" / "result.json").read_text(), parse_constant=pytest.fail)


def test_a_search_trial_measures_neither_test_nor_refit() -> None:
    trial = run(config(), phase="search")
    assert not [name for name in trial.metrics if name.startswith("test/")]
    assert [name for name in trial.metrics if name.startswith("probe/")] == ["probe/online_accuracy"]
    refitted = run(config(), phase="search", refit=True)
    assert "probe/val_accuracy" in refitted.metrics
    assert "probe/test_accuracy" not in refitted.metrics
    assert "probe/baseline_pixels" not in refitted.metrics
    assert "test/fvu" in run(config(), phase="repeat").metrics


@pytest.mark.parametrize(("refit", "fitted"), [("never", False), ("always", True)])
def test_the_configuration_may_decide_about_the_refit(refit: str, fitted: bool) -> None:
    phase: Any = "search" if fitted else "train"
    result = run(config(probe={"refit": refit}), phase=phase)
    assert ("probe/val_accuracy" in result.metrics) == fitted


def test_no_probe_no_labels_no_validation() -> None:
    assert not [n for n in run(config(probe=None)).metrics if n.startswith("probe/")]
    synthetic = {"name": "synthetic", "samples": 600, "features": 8, "atoms": 16, "active": 2, "classes": None}
    without = run(config(data={**synthetic, "validation_size": 0}, trainer={"epochs": 1}))
    assert not [n for n in without.metrics if n.startswith(("probe/", "val/"))]
    assert without.metrics["test/fvu"] is not None


def test_lifetime_makes_the_variants_one_and_says_so(tmp_path: Path) -> None:
    model = {"rule": {"name": "top_k", "k": 4, "lifetime": True}}
    one = run(config(model=model, optimizer={"name": "tf_sparse_adam", "lr": 1e-2}), tmp_path / "one")
    for name in ("lazy_adam", "masked_adam"):
        other = run(config(model=model, optimizer={"name": name, "lr": 1e-2}), tmp_path / name)
        assert weights(tmp_path / name) == weights(tmp_path / "one")
        assert timeless(other.metrics) == timeless(one.metrics)
    assert one.metrics["sparsity/rows_touched"] == 1
    (warned,) = [warning for warning in one.warnings if warning["code"] == "all_rows_touched"]
    assert "tf_sparse_adam, masked_adam and lazy_adam are one optimizer here" in warned["text"]


def test_without_lifetime_the_variants_differ() -> None:
    lazy, dense = (run(config(optimizer={"name": name, "lr": 1e-2})) for name in ("lazy_adam", "tf_sparse_adam"))
    assert lazy.metrics["val/fvu"] != dense.metrics["val/fvu"]
    assert "all_rows_touched" not in [warning["code"] for warning in lazy.warnings]


def test_sparse_and_dense_execution_train_alike() -> None:
    """float32 roundings grow along a training; after 36 steps they are still far below a per cent."""
    sparse, dense = (run(config(model={"execution": how})) for how in ("sparse", "dense"))
    assert sparse.metrics["val/fvu"] == pytest.approx(dense.metrics["val/fvu"], rel=1e-3)


def test_the_union_is_denser_in_training_than_in_evaluation() -> None:
    union = run(config(model={"execution": "gathered_union"})).metrics
    masked = run(config(model={"execution": "gathered"})).metrics
    assert union["sparsity/l0_train"] > 2 * union["sparsity/l0_eval"]  # type: ignore[operator]
    assert union["test/fvu_training_code"] < masked["test/fvu_training_code"]  # type: ignore[operator]
    assert union["test/fvu"] > masked["test/fvu"]  # type: ignore[operator]


def test_the_process_is_left_as_it_was() -> None:
    threads = torch.get_num_threads()
    torch.set_num_threads(2)
    run(config(trainer={"epochs": 1}))
    assert torch.get_num_threads() == 2
    assert (torch.tensor([2.0**-140]) * 1).item() != 0, "denormals are not flushed outside"
    torch.set_num_threads(threads)


def test_a_momentum_ends_at_zero_and_not_in_denormals() -> None:
    """Signum moves by the sign of its momentum: only flushed to 0 does it let a row rest."""
    from spadam.kernels.arithmetic import arithmetic

    with arithmetic(threads=1):
        momentum = torch.ones(8)
        for _ in range(1000):
            momentum.mul_(0.9)  # 0.9 ** 1000 = 2e-46, below the smallest normal number
        assert torch.equal(momentum, torch.zeros(8))


def test_two_processes_do_not_share_a_folder(tmp_path: Path) -> None:
    refused: list[str] = []

    def intrude(progress: Progress) -> None:
        if progress.step == 5 and not refused:
            with pytest.raises(
                InputError, match=rf"another process is at work in it \(process {os.getpid()}\)"
            ) as error:
                run(config(), tmp_path / "out")
            refused.append(str(error.value))

    result = run(config(), tmp_path / "out", progress=intrude)
    assert refused
    assert same(result, run(config()))


def test_wrong_input_starts_nothing(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"data\.batch_size"):
        run(config(data={"batch_size": 5000}), tmp_path / "out")
    assert not (tmp_path / "out").exists()
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match="must be writable"):
        run(config(), tmp_path / "file" / "out")


@pytest.mark.parametrize("name", ["adam", "tf_sparse_adam", "masked_adam", "lazy_adam", "row_clock_adam", "adagrad"])
def test_only_eps_sees_the_scale_of_the_loss(name: str, tmp_path: Path) -> None:
    """Digits have 64 features, so `sample` is 2^6 times `mean`; with eps 2^6 times as large nothing else changes."""
    eps = 2.0**-24
    for reduction, factor in (("mean", 1.0), ("sample", 64.0)):
        optimizer = {"name": name, "lr": 1e-2, "eps": factor * eps}
        run(config(optimizer=optimizer, model={"reduction": reduction}), tmp_path / reduction)
    assert weights(tmp_path / "mean") == weights(tmp_path / "sample")
