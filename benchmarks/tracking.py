"""What W&B costs a training, whatever becomes of its server: the time of spans that are shown, over others.

    python benchmarks/tracking.py --quartets 20

The client is the real one, the server that of the tests. A training has one core, and so has W&B's own process beside
it; the server has another. A span is a hundred steps, a second or so, with two rows, one of an evaluation. Of four
spans the first and the last are shown to W&B; in the two between nothing is, and its process stands still. So
neighbours are compared, of one process on one core, and what a machine does now and then it does to both. Trainings
are untracked (what is found there is chance), offline, and online with a server that is well, with one that answers
500, one that refuses the key, one that takes requests and answers none, and one that goes away, each as soon as it has
heard of rows. The wait at the end has its own bound, and does not count.

Prints a table in Markdown; the exit code is 1 when a mean ratio is above --bar. Linux only.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests"))

from spadam.kernels import cache_folder  # noqa: E402
from spadam.statistics.paired import interval  # noqa: E402
from spadam.tracking.tracker import Tracker  # noqa: E402
from support.chaos.processes import descendants, kill, name_of  # noqa: E402
from support.wandb_server import HOLD, Seen, WandbServer  # noqa: E402

ROOT_OF_FASHION = os.environ.get("SPADAM_FASHION_MNIST", "/usr/share/datasets/fashion-mnist")

DATA = {
    "fashion_mnist": f"{{name: fashion_mnist, root: {ROOT_OF_FASHION}, batch_size: 128}}",
    "digits": "{name: digits, batch_size: 32}",
}

RUN = """\
data: {data}
model: {{latents: 1000, rule: {{name: top_k, k: 25}}, selection: float32}}
optimizer: {{name: lazy_adam, lr: 1.0e-3}}
probe: null
trainer: {{epochs: null, steps: {steps}, evaluate_every: 100, checkpoint_every: null}}
tracking: {{mode: {mode}}}
"""

QUARTET = (True, False, False, True)
"""Which of four spans are shown; a training that becomes slower does so in both kinds."""

KEY = "KeyForTheBenchmarkOnly" + "0123456789" * 4


class Alternating:
    """A tracker that is shown the first span, and of the others those that :data:`QUARTET` says."""

    def __init__(self, tracker: Tracker) -> None:
        self._tracker, self._spans = tracker, itertools.chain((True,), itertools.cycle(QUARTET))
        self._shown = True
        self.ends: list[float] = []
        """When the training began, and when each span had ended and was shown."""
        self.show, self.summary = tracker.show, tracker.summary

    def record(self, row: Mapping[str, Any]) -> None:
        if self._shown:
            self._tracker.record(row)
        if "val/mse" in row:  # a span ends
            self.ends.append(time.perf_counter())
            self._shown = next(self._spans)
            _signal_client(signal.SIGCONT if self._shown else signal.SIGSTOP)

    def finish(self, exit_code: int = 0) -> None:
        _signal_client(signal.SIGCONT)
        self._tracker.finish(exit_code)


def _signal_client(number: int) -> None:
    """Send a signal to W&B's own process, where there is one."""
    for pid in descendants(os.getpid()):
        if name_of(pid) == "wandb-core":
            kill(pid, number)


def train(spec: Path) -> None:
    """Train as the file ``spec`` says, and print when spans ended."""
    from spadam.config import RunConfig
    from spadam.spec import load, validate
    from spadam.training import run

    opened: list[Alternating] = []
    open_run = run.open_run

    def open_alternating(*given: Any, **named: Any) -> Tracker:
        opened.append(Alternating(open_run(*given, **named)))
        return opened[0]

    run.open_run = open_alternating
    run.run(validate(RunConfig, load(spec)), out=spec.parent / "run")
    print(json.dumps(opened[0].ends))


def failing(status: int) -> Callable[[Seen], int | None]:
    """A server that is well until the first rows have come."""
    streamed = 0

    def fault(request: Seen) -> int | None:
        nonlocal streamed
        streamed += request.path.endswith("file_stream")
        return status if streamed > 1 else None

    return fault


GOES_AWAY = -2
"""What a fault answers for a server that is not there any more."""

SERVERS: dict[str, Callable[[], Callable[[Seen], int | None]]] = {
    "well": lambda: lambda request: None,
    "500": lambda: failing(500),
    "401": lambda: failing(401),
    "never answers": lambda: failing(HOLD),
    "goes away": lambda: failing(GOES_AWAY),
}


def ratios(data: str, mode: str, quartets: int, core: int, address: str = "") -> list[float]:
    """The time of the shown spans over that of the others, in each quartet of a training on ``core``."""
    with tempfile.TemporaryDirectory() as folder:
        spec = Path(folder) / "run.yaml"
        spec.write_text(RUN.format(steps=100 * (1 + len(QUARTET) * quartets), mode=mode, data=data))
        known = {"WANDB_BASE_URL": address, "WANDB_API_KEY": KEY} if address else {}
        quick = {"WANDB_FINISH_TIMEOUT": "1", "NO_PROXY": "127.0.0.1", "HOME": folder, "PYTHONPATH": str(ROOT)}
        quick["NUMBA_CACHE_DIR"] = str(Path(cache_folder()).parent)  # a new home would have the loops compiled anew
        environment = {name: value for name, value in os.environ.items() if not name.startswith("WANDB_")}
        program = [sys.executable, __file__, "--train", str(spec)]
        with subprocess.Popen(program, env={**environment, **quick, **known}, stdout=subprocess.PIPE) as process:
            os.sched_setaffinity(process.pid, {core})
            said, _ = process.communicate()
    ends = json.loads(said.splitlines()[-1])[1:]  # not the first span, in which W&B begins
    took = [after - before for before, after in itertools.pairwise(ends)]
    found = []
    for first in range(0, len(took), len(QUARTET)):
        mine = dict.fromkeys(QUARTET, 0.0)
        for shown, seconds in zip(QUARTET, took[first : first + len(QUARTET)], strict=True):
            mine[shown] += seconds
        found.append(mine[True] / mine[False])
    return found


def online(data: str, fault: Callable[[Seen], int | None], quartets: int, core: int) -> list[float]:
    """The same, streamed to a server with a ``fault``."""
    with WandbServer() as server:

        def answer(request: Seen) -> int | None:
            said = fault(request)
            if said == GOES_AWAY:
                server.leave()
                return 503
            return said

        server.fault = answer
        return ratios(data, "online", quartets, core, server.address)


def main() -> None:
    options = argparse.ArgumentParser(description="What W&B costs a training, whatever becomes of its server.")
    options.add_argument("--quartets", type=int, default=20, help="of spans, in each training")
    options.add_argument("--data", choices=DATA, default="fashion_mnist", help="digits have steps of 3 ms")
    options.add_argument("--bar", type=float, default=1.02)
    options.add_argument("--train", type=Path, help=argparse.SUPPRESS)
    given = options.parse_args()
    if given.train is not None:
        train(given.train)
        return
    one, *others = sorted(os.sched_getaffinity(0))
    os.sched_setaffinity(0, {one})
    core = others[0] if others else one
    shown = {"disabled": "untracked: chance", "offline": "offline", "well": "online, the server is well"}
    shown |= {name: f"online, the server {'answers ' * name.isdigit()}{name}" for name in SERVERS if name != "well"}
    data, found = DATA[given.data], {}
    print("| | time of what is shown, over what is not (95 %) |\n|---|---|")
    for name, said in shown.items():
        fault = SERVERS.get(name)
        each = (
            ratios(data, name, given.quartets, core) if fault is None else online(data, fault(), given.quartets, core)
        )
        mean, low, high, *_ = interval(each, 0.95)
        found[name] = mean
        print(f"| {said} | {mean:.3f} ({low:.3f} to {high:.3f}) |", flush=True)
    sys.exit(max(found.values()) > given.bar)


if __name__ == "__main__":
    main()
