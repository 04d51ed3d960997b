"""What the environment says about the storage of sweeps."""

from __future__ import annotations

import os

STORAGE, PASSWORD_FILE = "SPADAM_STORAGE", "SPADAM_STORAGE_PASSWORD_FILE"
"""Variables: an address, which may hold a password, and a file that holds nothing else."""


def given_or_set(given: str | None) -> str | None:
    """The address that was ``given``, else that in the environment, else None."""
    return given or os.environ.get(STORAGE) or None
