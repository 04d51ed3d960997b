"""Whose code the nodes of a cluster run: that of this package, unless somebody has said otherwise."""

from __future__ import annotations

from collections.abc import Iterable

from spadam.config import RunConfig
from spadam.spec import InputError
from spadam.sweep.running.means import Cluster


def check_trusted(configs: Iterable[RunConfig], cluster: Cluster) -> None:
    """Raise :class:`InputError` when ``configs`` name code of a person's own, and the nodes may not run that."""
    own = sorted({path for config in configs for path in config.own_code})
    if own and not cluster.allow_custom:
        rule = f"this sweep has every node run code that its file names ({', '.join(own)})"
        raise InputError("--crew", "ray", rule, "add --allow-custom where you trust it on all of them")
