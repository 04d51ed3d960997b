"""Whether Ray is there; asked before it is imported, which takes a second."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version

from packaging.version import Version

from spadam.spec import InputError

LEAST = "2.60"


def check_installed() -> None:
    """Raise :class:`InputError` when there is no Ray that this package can work with."""
    try:
        found = version("ray")
    except PackageNotFoundError:
        rule = "Ray must be installed"
    else:
        if Version(found) >= Version(LEAST):
            return
        rule = f"Ray must be {LEAST} or newer, and is {found}"
    raise InputError("--crew", "ray", rule, 'pip install "spadam[cluster]"')
