"""Records what the released packages schedulefree and sparsify do, in schedule_free.npz and its part of the index.

Run where torch, schedulefree 1.4.1 and the files of eai-sparsify 1.3.3 are installed (``pip install --no-deps``: of
sparsify nothing but its sign_sgd.py is loaded)::

    python tests/optim/reference/record_schedule_free.py
"""

from __future__ import annotations

import importlib.util
import json
from importlib.metadata import distribution, version
from pathlib import Path
from typing import Any

import numpy as np
import schedulefree
import torch
from torch import Tensor

HERE = Path(__file__).parent
SHAPE, STEPS = (10, 3), 40

WARM_UP = [min(1.0, (step + 1) / 12) * 2e-2 for step in range(30)] + [5e-3] * 10
"""An lr that rises, stays, and falls: the average is weighted by the square of the largest so far."""

RUNS: dict[str, dict[str, Any]] = {
    "sparsify_sign_sgd__dense": {"inner": "sign_sgd", "lr": 1e-3, "stream": "dense"},
    "schedulefree_sign_sgd__dense": {"inner": "sign_sgd", "lr": 5e-3, "momentum": 0.95, "stream": "dense"},
    "schedulefree_sign_sgd__warmup": {"inner": "sign_sgd", "lr": WARM_UP, "momentum": 0.9, "stream": "dense"},
    "schedulefree_sign_sgd__sparse": {"inner": "sign_sgd", "lr": 5e-3, "momentum": 0.95, "stream": "s0"},
    "schedulefree_adagrad__dense": {"inner": "adagrad", "lr": 0.1, "momentum": 0.9, "eps": 1e-4, "stream": "dense"},
}


def sign_sgd() -> Any:
    """sparsify's SignSGD, without its package around it, which imports what trains language models."""
    path = distribution("eai-sparsify").locate_file("sparsify/sign_sgd.py")
    spec = importlib.util.spec_from_file_location("sparsify_sign_sgd", str(path))
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.SignSGD


def base(config: dict[str, Any], param: torch.nn.Parameter) -> torch.optim.Optimizer:
    lr = config["lr"][0] if isinstance(config["lr"], list) else config["lr"]
    if config["inner"] == "sign_sgd":
        found: torch.optim.Optimizer = sign_sgd()([param], lr=lr)
        return found
    # schedulefree 1.4.1 takes no optimizer that begins its state when it is empty, as torch's Adam does
    return torch.optim.Adagrad([param], lr=lr, eps=config["eps"])


def record(config: dict[str, Any], start: Tensor, gradients: list[Tensor]) -> dict[str, np.ndarray]:
    """y as ScheduleFreeWrapper leaves it, x and z of its reference; of the inner optimizer alone its weights."""
    plain, wrapped, twin = (torch.nn.Parameter(start.clone()) for _ in range(3))
    found: dict[str, list[Tensor]] = {"param": []} if "momentum" not in config else {"x": [], "y": [], "z": []}
    inner = base(config, plain)
    if "momentum" in config:
        outer = schedulefree.ScheduleFreeWrapper(base(config, wrapped), momentum=config["momentum"])
        reference = schedulefree.ScheduleFreeWrapperReference(base(config, twin), momentum=config["momentum"])
        outer.train()
        reference.train()
    for step, gradient in enumerate(gradients):
        if "momentum" not in config:
            plain.grad = gradient.clone()
            inner.step()
            found["param"].append(plain.detach().clone())
            continue
        for optimizer, param in ((outer, wrapped), (reference, twin)):
            if isinstance(config["lr"], list):
                optimizer.param_groups[0]["lr"] = config["lr"][step]
            param.grad = gradient.clone()
            optimizer.step()
        assert (wrapped - twin).abs().max() < 1e-13, "the wrapper and its reference are one"
        found["y"].append(wrapped.detach().clone())
        for name in ("x", "z"):
            found[name].append(reference.state[twin][name].clone())
    return {name: torch.stack(values).numpy() for name, values in found.items()}


def dense_stream() -> Tensor:
    """A gradient for every row in every step, exact in float32; columns of different size, as in the other stream."""
    generator = torch.Generator().manual_seed(20)
    values = torch.randn(STEPS, *SHAPE, generator=generator) * torch.tensor([1.0, 2.0**-6, 2.0**-20])
    return values.double()


def main() -> None:
    index = json.loads((HERE / "index.json").read_text())
    with np.load(HERE / "trajectories.npz") as archive:
        start = torch.tensor(archive[index["runs"]["tf1_adam_sparse__default"]["init"]], dtype=torch.float64)
        listed, rows, values = (archive[index["streams"]["s0"][key]] for key in ("entries", "rows", "values"))
    sparse = [torch.zeros(SHAPE, dtype=torch.float64) for _ in listed]
    ends = np.cumsum(listed)
    for gradient, end, count in zip(sparse, ends, listed, strict=True):
        part = slice(end - count, end)
        gradient.index_add_(0, torch.tensor(rows[part], dtype=torch.int64), torch.tensor(values[part]).double())
    streams = {"dense": list(dense_stream()), "s0": sparse}
    arrays: dict[str, np.ndarray] = {
        "d00": np.full(STEPS, SHAPE[0]),
        "d01": np.tile(np.arange(SHAPE[0]), STEPS),
        "d02": dense_stream().reshape(-1, SHAPE[1]).numpy().astype("f4"),
    }
    index["streams"]["dense"] = {"entries": "d00", "rows": "d01", "values": "d02"}
    made = {name: f"{name} {version(name)}" for name in ("schedulefree", "eai-sparsify", "torch")}
    for number, (name, config) in enumerate(RUNS.items()):
        found = record(config, start, streams[config["stream"]])
        packages = [made["schedulefree"]] if "momentum" in config else []
        packages.append(made["eai-sparsify"] if config["inner"] == "sign_sgd" else made["torch"])
        after = {}
        for key, value in found.items():
            after[key] = f"r{number}{key}"
            arrays[after[key]] = value
        index["runs"][name] = {
            "made_by": ", ".join(packages),
            "rule": "schedule_free" if "momentum" in config else "sign_sgd",
            "config": {key: value for key, value in config.items() if key != "stream"},
            "stream": config["stream"],
            "init": index["runs"]["tf1_adam_sparse__default"]["init"],
            "after": after,
        }
    np.savez_compressed(HERE / "schedule_free.npz", **arrays)
    (HERE / "index.json").write_text(json.dumps(index, indent=1) + "\n")


if __name__ == "__main__":
    main()
