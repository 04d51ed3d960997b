"""Asks whether W&B can be reached, in one environment after another, and writes what came of it as JSON.

Reads a list of environments from standard input. The client is let go between two.
"""

from __future__ import annotations

import json
import logging
import os
import sys
import time
from pathlib import Path

from spadam.tracking import TrackingSpec, reach, settle


def children() -> str:
    return Path("/proc/self/task", str(os.getpid()), "children").read_text()


if __name__ == "__main__":
    logging.basicConfig(level=logging.DEBUG, format="%(name)s %(levelname)s %(message)s")
    imported = "wandb" in sys.modules
    import wandb

    found = []
    for environment in json.load(sys.stdin):
        os.environ.update(environment)
        start = time.perf_counter()
        if "SETTLE" in os.environ:
            spec, said = settle(TrackingSpec(mode=os.environ.pop("SETTLE"), project="kept"))
            found.append({"mode": spec.mode, "project": spec.project, "said": said})
        else:
            found.append(reach(float(os.environ.pop("SECONDS", "3")))._asdict())
        found[-1] |= {"seconds": time.perf_counter() - start, "children": children()}
        for name in environment:
            os.environ.pop(name, None)
        wandb.teardown()
    json.dump({"imported": imported, "found": found}, sys.stdout)
