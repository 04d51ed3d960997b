"""What a training step takes beside other busy processes, for how long its threads wait awake.

    python benchmarks/load.py

Each way of waiting is read by OpenMP when it starts, so each is measured in a process of its own; the steps of one take
turns. The other processes are loops in plain Python. Prints a table in Markdown.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time

WAYS = {"awake for long": {}, "3000 turns": {"GOMP_SPINCOUNT": "3000"}, "asleep": {"OMP_WAIT_POLICY": "PASSIVE"}}
"""What is set; the second is what the command line sets."""

OTHERS = (0, 1, 2)


def measure() -> list[list[object]]:
    """For each size and number of other processes: median milliseconds of the floor and of our steps."""
    from spadam.bench.steps import LARGE, SMALL, Floor, Ours, draw
    from spadam.bench.timing import in_turns
    from spadam.kernels.arithmetic import arithmetic

    found: list[list[object]] = []
    with arithmetic(2):
        for others in OTHERS:
            processes = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(others)]
            time.sleep(0.3)
            for size, steps in ((SMALL, 60), (LARGE, 20)):
                batches = draw(size)
                ours = {path: Ours(size, batches, path).step for path in ("float32", "certified")}
                taken = in_turns({"floor": Floor(size, batches).step, **ours}, steps)
                found.append([size.latents, others, *(1e3 * seconds for seconds in taken.values())])
            for process in processes:
                process.kill()
                process.wait()
    return found


def main() -> None:
    if sys.argv[1:] == ["measure"]:
        print(json.dumps(measure()))
        return
    print("| threads wait | latents | other processes | floor | float32 step / floor | certified step / floor |")
    print("|---|---|---|---|---|---|")
    for way, settings in WAYS.items():
        plain = {name: value for name, value in os.environ.items() if not name.startswith(("GOMP_", "OMP_"))}
        command = [sys.executable, __file__, "measure"]
        done = subprocess.run(command, env=plain | settings, capture_output=True, text=True, check=True)
        for latents, others, floor, exact, certified in json.loads(done.stdout.splitlines()[-1]):
            print(f"| {way} | {latents} | {others} | {floor:.1f} ms | {exact / floor:.2f} | {certified / floor:.2f} |")


if __name__ == "__main__":
    main()
