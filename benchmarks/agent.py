"""What the agent of a sweep takes for each slot, by how many slots there are.

    python benchmarks/agent.py 100 1000 10000

Trainings take no time, and are done in the agent's process; so all of it is claims, tells, tables. Prints a table in
Markdown: processor time per slot of a sweep that is run to its end, and of `status` and `results` once it has ended.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from spadam.files import strict_json
from spadam.sweep.running.task import Task
from spadam.training.progress import Progress
from spadam.training.result import RunResult

SPEC = """\
name: agent
base:
  data: {{name: synthetic, samples: 200, features: 8, atoms: 16, active: 2, batch_size: 32}}
  model: {{latents: 16, rule: {{name: top_k, k: 2}}}}
  trainer: {{epochs: null, steps: 2}}
  tracking: {{mode: disabled}}
variants:
  adam: {{optimizer: {{name: adam}}}}
  lazy: {{optimizer: {{name: lazy_adam}}}}
space:
  optimizer.lr: {{low: 1.0e-5, high: 1.0e-1, log: true}}
  optimizer.eps: {{low: 1.0e-10, high: 1.0, log: true}}
search: {{sampler: {sampler}, trials: {trials}, seed: 0}}
repeat: {{seeds: 0}}
objective: {{metric: val/fvu, direction: minimize}}
"""


def train(task: Task, progress: Callable[[Progress], None]) -> RunResult:
    """A training that takes no time, with a result of the usual size."""
    value = task.config.optimizer.lr
    names = [f"group-{n}/metric" for n in range(60)]
    return RunResult(
        status="complete",
        metrics={"val/fvu": value, **dict.fromkeys(names, value)},
        arrays={"sparsity/density_histogram": {"counts": [1] * 40}},
        warnings=[],
        config=task.config.plain(),
        provenance={"seconds": 0.0, "started": "2026-01-01T00:00:00+00:00"},
        evaluations=[{"step": step, "val/fvu": value, **dict.fromkeys(names, value)} for step in range(4)],
    )


def run(slots: int, sampler: str) -> dict[str, float]:
    """Seconds of a sweep of so many slots: of processor time, and how long one waits for `status` and `results`."""
    from spadam.sweep.running.agent import run_sweep
    from spadam.sweep.running.means import Means

    with tempfile.TemporaryDirectory() as folder:
        spec = Path(folder) / "agent.yaml"
        spec.write_text(SPEC.format(trials=slots // 2, sampler=sampler))
        begun, clock = time.process_time(), time.perf_counter()
        run_sweep(spec, folder, means=Means(0), train=train)
        found = {"processor": time.process_time() - begun, "clock": time.perf_counter() - clock}
        for command in ("status", "results"):
            code = "import sys; from spadam.cli import program; program()"
            before = time.perf_counter()
            arguments = ["sweep", command, str(spec), "--out", folder, "--json"]
            subprocess.run([sys.executable, "-c", code, *arguments], stdout=subprocess.DEVNULL, check=True)
            found[command] = time.perf_counter() - before
    return found


def main() -> None:
    if sys.argv[1] == "measure":
        print(strict_json(run(int(sys.argv[2]), sys.argv[3])))
        return
    print("| slots | sampler | processor time a slot | a slot | `status` | `results` |")
    print("|---|---|---|---|---|---|")
    for slots in map(int, sys.argv[1:]):
        for sampler in ("random", "tpe") if slots <= 1000 else ("random",):
            command = [sys.executable, __file__, "measure", str(slots), sampler]
            done = subprocess.run(command, capture_output=True, text=True, check=True)
            found = json.loads(done.stdout.splitlines()[-1])
            times = (f"{1e3 * found[name] / slots:.1f} ms" for name in ("processor", "clock"))
            reads = (f"{found[name]:.2f} s" for name in ("status", "results"))
            print(f"| {slots} | {sampler} | {' | '.join((*times, *reads))} |", flush=True)


if __name__ == "__main__":
    main()
