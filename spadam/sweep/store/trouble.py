"""What keeps an agent from going on with a sweep, through no fault of its trainings."""

from __future__ import annotations

from spadam.files import Holder


class StorageTrouble(Exception):
    """The agent cannot go on; the text says why, and when it can."""


class SweepTaken(StorageTrouble):
    """Another agent works on the sweep."""


def taken(where: str, by: Holder | None) -> SweepTaken:
    """What to say of a sweep on which ``by`` works; ``where`` is its name and place, or its folder."""
    who = "who is not known" if by is None else by.described
    return SweepTaken(f"another agent works {where}: {who}. It goes on by itself.")


class StorageGone(StorageTrouble):
    """The server of its storage has not answered for too long."""
