"""With what a sweep is run: who trains, where its storage lies, and how much is borne. No result depends on it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

STALL_SECONDS = 1800.0
"""A worker of which nothing is heard for so long is taken for hung. Ticks come from steps, so it covers a refit too."""

RETRIES = 3
"""So many attempts more does a slot get whose workers die, or whose disks fail."""

PATIENCE_SECONDS = 600.0
"""A server of a storage may be away for so long."""

Keep = Literal["all", "weights", "nothing"]
"""What of a training's folder comes home from another machine; its result always does."""


@dataclass(frozen=True)
class Cluster:
    """A crew on Ray."""

    address: str | None = None
    """Of a cluster that runs: `host:port`, or `auto`. By default RAY_ADDRESS, else one is started on this machine."""
    cpus: float = 1.0
    """What one training has of its node."""
    gpus: float = 0.0
    """The same; a fraction lets several share one GPU."""
    keep: Keep = "all"
    checkpoint_home_seconds: float = 60.0
    """Checkpoints come home at most so often."""
    allow_custom: bool = False
    """Whether its nodes may run the code of a person's own that a sweep names."""


@dataclass(frozen=True)
class Means:
    """All of it."""

    workers: int | None = None
    """Of the crew on this machine: by default what it bears, and 0 trains in the agent's own process."""
    cluster: Cluster | None = None
    """The crew on Ray; None is that on this machine."""
    storage: str | None = field(default=None, repr=False)
    """The address of a server; None is a file beside the runs."""
    patience_seconds: float = PATIENCE_SECONDS
    stall_seconds: float = STALL_SECONDS
    retries: int = RETRIES
