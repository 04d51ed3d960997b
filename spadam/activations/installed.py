"""Whether transformers is there; asked before it is imported, which takes seconds."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version

from packaging.version import Version

from spadam.spec import InputError

LEAST, BELOW = "5.20", "6"


def check_installed() -> None:
    """Raise :class:`InputError` when there is no transformers that this package can work with."""
    try:
        found = version("transformers")
    except PackageNotFoundError:
        rule = "transformers must be installed"
    else:
        if Version(LEAST) <= Version(found) < Version(BELOW):
            return
        rule = f"transformers must be {LEAST} or newer, below {BELOW}, and is {found}"
    raise InputError("spadam activations", None, rule, "pip install 'spadam[activations]'")
