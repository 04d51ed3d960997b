"""What W&B costs a training, whatever becomes of its server: the time of a training, over one that is not tracked.

    python benchmarks/tracking.py --epochs 40 --rounds 5

The client is the real one, the server that of the tests, on this machine. In every round the same configuration is
trained in new processes: untracked, offline, online with a server that is well, with one that answers 500, one that
refuses the key, one that takes requests and answers none, and one that goes away, each from the middle of the training
on. Ratios are taken within a round. Time is that from the first evaluation to the last, so the wait at the end, which
has its own bound, does not count. Prints a table in Markdown; the exit code is 1 when a middle ratio is above --bar.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests"))

from spadam.kernels import cache_folder  # noqa: E402
from support.wandb_server import HOLD, Seen, WandbServer  # noqa: E402

RUN = """\
data: {{name: digits, batch_size: 32}}
model: {{latents: 1000, rule: {{name: top_k, k: 25}}, selection: float32}}
optimizer: {{name: lazy_adam, lr: 1.0e-3}}
trainer: {{epochs: {epochs}, checkpoint_every: null}}
tracking: {{mode: {mode}}}
"""

KEY = "KeyForTheBenchmarkOnly" + "0123456789" * 4


def failing(status: int) -> Callable[[Seen], int | None]:
    """A server that is well until the first rows have come."""
    streamed = 0

    def fault(request: Seen) -> int | None:
        nonlocal streamed
        streamed += request.path.endswith("file_stream")
        return status if streamed > 1 else None

    return fault


GOES_AWAY = -2
SERVERS: dict[str, Callable[[], Callable[[Seen], int | None]]] = {
    "well": lambda: lambda request: None,
    "500": lambda: failing(500),
    "401": lambda: failing(401),
    "never answers": lambda: failing(HOLD),
    "goes away": lambda: failing(GOES_AWAY),
}


def seconds(mode: str, epochs: int, address: str = "") -> float:
    """Of one training, from its first evaluation to its last."""
    with tempfile.TemporaryDirectory() as folder:
        spec = Path(folder) / "run.yaml"
        spec.write_text(RUN.format(epochs=epochs, mode=mode))
        known = {"WANDB_BASE_URL": address, "WANDB_API_KEY": KEY} if address else {}
        quick = {"WANDB_FINISH_TIMEOUT": "1", "NO_PROXY": "127.0.0.1", "HOME": folder}
        quick["NUMBA_CACHE_DIR"] = str(Path(cache_folder()).parent)  # a new home would have the loops compiled anew
        environment = {name: value for name, value in os.environ.items() if not name.startswith("WANDB_")}
        program = [sys.executable, str(ROOT / "cli.py"), "train", str(spec), "--out", str(Path(folder) / "run")]
        subprocess.run(program, env={**environment, **quick, **known}, check=True, capture_output=True)
        rows = [json.loads(line) for line in (Path(folder) / "run" / "metrics.jsonl").read_text().splitlines()]
    times = [row["time"] for row in rows if "val/mse" in row]
    return float(times[-1] - times[0])


def online(fault: Callable[[Seen], int | None], epochs: int) -> float:
    """The same, streamed to a server with a ``fault``."""
    with WandbServer() as server:

        def answer(request: Seen) -> int | None:
            said = fault(request)
            if said == GOES_AWAY:
                server.leave()
                return 503
            return said

        server.fault = answer
        return seconds("online", epochs, server.address)


def main() -> None:
    options = argparse.ArgumentParser(description="What W&B costs a training, whatever becomes of its server.")
    options.add_argument("--epochs", type=int, default=40)
    options.add_argument("--rounds", type=int, default=5)
    options.add_argument("--bar", type=float, default=1.02)
    given = options.parse_args()
    ratios: dict[str, list[float]] = {name: [] for name in ("offline", *SERVERS)}
    for number in range(given.rounds):
        untracked = seconds("disabled", given.epochs)
        for name in ratios:
            took = online(SERVERS[name](), given.epochs) if name in SERVERS else seconds(name, given.epochs)
            ratios[name].append(took / untracked)
            print(f"round {number + 1} of {given.rounds}, {name}: {ratios[name][-1]:.3f}", file=sys.stderr, flush=True)
    print("| | time over an untracked training | of each round |\n|---|---|---|")
    for name, found in ratios.items():
        shown = name if name == "offline" else f"online, the server {name if name[0].isalpha() else f'answers {name}'}"
        shown = shown.replace("the server well", "the server is well")
        print(f"| {shown} | {statistics.median(found):.3f} | {', '.join(f'{ratio:.3f}' for ratio in found)} |")
    sys.exit(max(map(statistics.median, ratios.values())) > given.bar)


if __name__ == "__main__":
    main()
