"""What keeps an agent from going on with a sweep, through no fault of its trainings."""

from __future__ import annotations


class StorageTrouble(Exception):
    """The agent cannot go on; the text says why, and when it can."""


class SweepTaken(StorageTrouble):
    """Another agent works on the sweep."""


class StorageGone(StorageTrouble):
    """The server of its storage has not answered for too long."""
