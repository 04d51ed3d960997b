"""The family against what released optimizers computed; reference/README.md has provenance, formulas, tolerances."""

from __future__ import annotations

import json
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from spadam.optim import (
    Adagrad,
    AdagradSpec,
    AdamSpec,
    LazyAdam,
    OptimizerSpec,
    RowClockAdam,
    ScheduleFree,
    SignSGD,
    TFSparseAdam,
)
from support.row_streams import Entries, give

_FOLDER = Path(__file__).parent / "reference"
_INDEX: dict[str, Any] = json.loads((_FOLDER / "index.json").read_text())

# Who must reproduce a run.
_WHO = {
    "tf1_adam_dense": TFSparseAdam,
    "tf1_adam_sparse": TFSparseAdam,
    "tfa_lazy_adam": LazyAdam,
    "torch_sparse_adam": LazyAdam,
    "torch_sparse_adam_nonegrad": LazyAdam,
    "dgl_sparse_adam_rowstep": RowClockAdam,
}


@lru_cache(maxsize=1)
def _arrays() -> dict[str, np.ndarray]:
    found: dict[str, np.ndarray] = {}
    for name in ("trajectories.npz", "schedule_free.npz"):
        with np.load(_FOLDER / name) as archive:
            found |= dict(archive)
    return found


def _stream(name: str, dtype: torch.dtype) -> list[Entries | None]:
    keys = _INDEX["streams"][name]
    entries, rows, values = (_arrays()[keys[k]] for k in ("entries", "rows", "values"))
    out: list[Entries | None] = []
    start = 0
    for count in entries.tolist():
        if count < 0:
            out.append(None)
            continue
        stop = start + count
        part = torch.tensor(values[start:stop], dtype=dtype).reshape(count, 3)
        out.append(Entries(torch.tensor(rows[start:stop], dtype=torch.int64), part))
        start = stop
    assert start == len(rows)
    return out


def _runs(prefix: str) -> list[str]:
    names = [name for name in _INDEX["runs"] if name.split("__")[0] == prefix]
    assert names
    return names


def _step_through(run: str, optimizer: torch.optim.Optimizer, param: nn.Parameter, form: str):
    """Yields (step, recorded values, state) after each step of the run."""
    spec = _INDEX["runs"][run]
    recorded = {key: torch.tensor(_arrays()[name].astype("f8")) for key, name in spec["after"].items()}
    for step, entries in enumerate(_stream(spec["stream"], param.dtype)):
        give(param, entries, form, counted=False)
        optimizer.step()
        optimizer.state_dict()  # brings deferred decay up to date, where there is any
        yield step, {key: value[step] for key, value in recorded.items()}, optimizer.state.get(param, {})


def _param(run: str, dtype: torch.dtype) -> nn.Parameter:
    return nn.Parameter(torch.tensor(_arrays()[_INDEX["runs"][run]["init"]], dtype=dtype))


def _adam_options(run: str) -> dict[str, Any]:
    config = _INDEX["runs"][run]["config"]
    return {"lr": config["lr"], "betas": tuple(config["betas"]), "eps": config["eps"]}


def _close(got: torch.Tensor, want: torch.Tensor, tolerance: float) -> bool:
    return bool(((got.detach().double() - want).abs() <= tolerance).all())


@pytest.mark.parametrize("form", ["coo", "dense"])
@pytest.mark.parametrize("run", [run for prefix in _WHO for run in _runs(prefix)])
def test_family_reproduces_released_optimizers(run: str, form: str) -> None:
    algorithm = _WHO[run.split("__")[0]]
    float64_file = algorithm is not RowClockAdam
    # A dense gradient cannot tell that a row is listed with a gradient of zero: only rows without one can be compared.
    rows = slice(0, 5) if form == "dense" and algorithm is not TFSparseAdam else slice(None)
    for dtype in (torch.float64, torch.float32):
        param = _param(run, dtype)
        optimizer = algorithm([param], **_adam_options(run))
        exact = dtype is torch.float64 and float64_file
        for _, want, state in _step_through(run, optimizer, param, form):
            assert _close(param[rows], want["param"][rows], 1e-12 if exact else 2e-6)
            if not state:
                continue
            if exact or not float64_file:
                tolerance = 1e-12 if exact else 1e-6
                assert _close(state["exp_avg"][rows], want["m"][rows], tolerance)
                assert _close(state["exp_avg_sq"][rows], want["v"][rows], tolerance)
            if form == "coo" and "row_step_count" in want:
                assert state["row_step"].tolist() == want["row_step_count"].tolist()
            elif "step_count" in want and (form == "coo" or algorithm is TFSparseAdam):
                assert state["step"] == int(want["step_count"])


@pytest.mark.parametrize("run", _runs("torch_adam_dense"))
def test_dense_adam_is_torch_adam_and_tf_sparse_adam_with_epsilon_after(run: str) -> None:
    options = _adam_options(run)
    spec: OptimizerSpec = AdamSpec(**options)
    for form, build in (
        ("dense", lambda p: spec.build([p])),
        ("coo", lambda p: TFSparseAdam([p], epsilon="after", **options)),
    ):
        param = _param(run, torch.float64)
        for _, want, state in _step_through(run, build(param), param, form):
            assert _close(param, want["param"], 1e-12)
            assert _close(state["exp_avg"], want["m"], 1e-12)
            assert _close(state["exp_avg_sq"], want["v"], 1e-12)


@pytest.mark.parametrize("run", _runs("torch_adagrad_sparse"))
def test_adagrad_is_torch_adagrad(run: str) -> None:
    config = {k: v for k, v in _INDEX["runs"][run]["config"].items() if k not in ("shape", "steps")}
    param = _param(run, torch.float64)
    optimizer = AdagradSpec(**config).build([param])
    for _, want, state in _step_through(run, optimizer, param, "coo"):
        assert _close(param, want["param"], 1e-12)
        assert _close(state["sum"], want["sum"], 1e-12)


@pytest.mark.parametrize("form", ["coo", "dense"])
def test_sign_sgd_is_sparsifys(form: str) -> None:
    (run,) = _runs("sparsify_sign_sgd")
    param = _param(run, torch.float64)
    optimizer = SignSGD([param], lr=_INDEX["runs"][run]["config"]["lr"])
    for _, want, _ in _step_through(run, optimizer, param, form):
        assert torch.equal(param, want["param"])


_INNER = {"sign_sgd": SignSGD, "adagrad": Adagrad}


def _schedule_free(run: str, param: nn.Parameter, **changed: Any) -> ScheduleFree:
    config = {**_INDEX["runs"][run]["config"], **changed}
    lr = config.pop("lr")
    inner = _INNER[config.pop("inner")]
    return ScheduleFree([param], lr=lr[0] if isinstance(lr, list) else lr, inner=inner, **config)


@pytest.mark.parametrize("form", ["coo", "dense"])
@pytest.mark.parametrize("run", [*_runs("schedulefree_sign_sgd"), *_runs("schedulefree_adagrad")])
def test_schedule_free_is_the_released_one(run: str, form: str) -> None:
    """x in every row after every step; y where every row is touched, else in those that the step touched."""
    spec = _INDEX["runs"][run]
    for dtype, tolerance in ((torch.float64, 1e-12), (torch.float32, 2e-6)):
        param = _param(run, dtype)
        optimizer = _schedule_free(run, param)
        recorded = {key: torch.tensor(_arrays()[name]) for key, name in spec["after"].items()}
        for step, entries in enumerate(_stream(spec["stream"], dtype)):
            if isinstance(spec["config"]["lr"], list):
                optimizer.param_groups[0]["lr"] = spec["config"]["lr"][step]
            give(param, entries, form, counted=False)
            optimizer.step()
            assert _close(optimizer.average(param), recorded["x"][step], tolerance)
            rows = optimizer.touched(param)
            assert spec["stream"] == "s0" or len(rows) == len(param)
            assert _close(param[rows], recorded["y"][step][rows], tolerance)


@pytest.mark.parametrize("changed", [{"momentum": 0.9}, {"lr": 5.1e-3}])
def test_the_recordings_tell_another_momentum_and_lr(changed: dict[str, float]) -> None:
    run = "schedulefree_sign_sgd__dense"
    param = _param(run, torch.float64)
    optimizer = _schedule_free(run, param, **changed)
    errors = [
        float((param.detach() - want["y"]).abs().max()) for _, want, _ in _step_through(run, optimizer, param, "coo")
    ]
    assert max(errors) > 1e-4


@pytest.mark.parametrize(
    ("wrong", "run"),
    [
        (lambda p, o: LazyAdam([p], epsilon="after", **o), "tfa_lazy_adam__bigeps"),
        (lambda p, o: TFSparseAdam([p], **o), "torch_sparse_adam__default"),
        (lambda p, o: LazyAdam([p], **o), "tf1_adam_sparse__default"),
        (lambda p, o: LazyAdam([p], epsilon="after", **o), "dgl_sparse_adam_rowstep__default"),
    ],
)
def test_the_recordings_tell_the_variants_apart(wrong: Any, run: str) -> None:
    param = _param(run, torch.float64)
    optimizer = wrong(param, _adam_options(run))
    errors = [
        float((param.detach() - want["param"]).abs().max())
        for _, want, _ in _step_through(run, optimizer, param, "coo")
    ]
    assert max(errors) > 1e-4  # what the provenance notes promise of the nearest wrong rule
