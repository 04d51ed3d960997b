"""A view of the runs at Weights & Biases; ``client.py`` is the only file that knows its client.

A *tracker* shows a run somewhere else while it goes on. It is a view and never the record: every run is whole without
one, so nothing that goes wrong here may stop a training. Importing this package does not import wandb.
"""

from spadam.tracking.client import PUBLIC_ADDRESS, STEP, open_run, plain_id
from spadam.tracking.server import Reach, reach, settle
from spadam.tracking.spec import TrackingSpec
from spadam.tracking.tracker import Draw, NoTracker, Tracker

__all__ = [
    "PUBLIC_ADDRESS",
    "STEP",
    "Draw",
    "NoTracker",
    "Reach",
    "Tracker",
    "TrackingSpec",
    "open_run",
    "plain_id",
    "reach",
    "settle",
]
