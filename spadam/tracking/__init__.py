"""A view of the runs at Weights & Biases; ``client.py`` is the only file that knows its client.

A *tracker* shows a run somewhere else while it goes on. It is a view and never the record: every run is whole without
one, so nothing that goes wrong here may stop a training. Importing this package imports neither wandb nor what speaks
to a server: a configuration needs the spec alone.
"""

import importlib
from typing import TYPE_CHECKING, Any

from spadam.tracking.identity import Identity, plain_id
from spadam.tracking.spec import TrackingSpec
from spadam.tracking.tracker import Draw, NoTracker, Tracker

if TYPE_CHECKING:
    from spadam.tracking.client import PUBLIC_ADDRESS, STEP, WandbTracker
    from spadam.tracking.delivery import Delivery, UploadFailed, upload
    from spadam.tracking.inventory import Present, presence
    from spadam.tracking.opening import open_run
    from spadam.tracking.secret import Credentials, credentials
    from spadam.tracking.server import Reach, reach
    from spadam.tracking.settlement import check_environment, settle

_NEEDS_NETWORK = {
    "PUBLIC_ADDRESS": "client",
    "STEP": "client",
    "Credentials": "secret",
    "Delivery": "delivery",
    "Present": "inventory",
    "Reach": "server",
    "UploadFailed": "delivery",
    "WandbTracker": "client",
    "check_environment": "settlement",
    "credentials": "secret",
    "open_run": "opening",
    "presence": "inventory",
    "reach": "server",
    "settle": "settlement",
    "upload": "delivery",
}
"""Where each name is that is imported when it is asked for."""


def __getattr__(name: str) -> Any:
    if name not in _NEEDS_NETWORK:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found = globals()[name] = getattr(importlib.import_module(f"{__name__}.{_NEEDS_NETWORK[name]}"), name)
    return found


def __dir__() -> list[str]:
    return sorted({*globals(), *_NEEDS_NETWORK})


__all__ = [
    "PUBLIC_ADDRESS",
    "STEP",
    "Credentials",
    "Delivery",
    "Draw",
    "Identity",
    "NoTracker",
    "Present",
    "Reach",
    "Tracker",
    "TrackingSpec",
    "UploadFailed",
    "WandbTracker",
    "check_environment",
    "credentials",
    "open_run",
    "plain_id",
    "presence",
    "reach",
    "settle",
    "upload",
]
