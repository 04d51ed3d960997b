"""What an earlier release did where today's configuration has a key that it had not.

What is stored of a configuration is whole: defaults are spelled out. So a key that it lacks was not there when it was
written, and means what was done then, whatever today's default is. A key whose default is null has an entry here, too:
so the identity of a configuration without it stays what it was, and with it the ids of runs that are shown elsewhere.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple


class _Then(NamedTuple):
    path: tuple[str, ...]
    """Where the key stands in a configuration."""
    value: Any
    """What was done before it was there."""
    owner: str | None
    """The `name` of what has the key; another has none. An autoencoder need not say that it is one. None: today's
    default does the same, so that nothing must be said of it."""


_THEN = (
    _Then(("model", "pre_bias"), "none", owner="autoencoder"),
    _Then(("model", "rule", "threshold"), "mean", owner="batch_top_k"),
    _Then(("model", "rule", "boost_strength_factor"), 1.0, owner=None),
    _Then(("model", "rule", "k_inference_factor"), 1.0, owner=None),
    _Then(("model", "rule", "l1_warmup_steps"), 0, owner=None),
    _Then(("data", "scale"), "none", owner=None),
    _Then(("data", "batches"), "shuffled", owner=None),
    _Then(("trainer", "evaluate_every"), "epoch", owner=None),
    _Then(("trainer", "silent_after"), 100_000, owner=None),
    *(_Then(("data", key), None, owner=None) for key in ("groups", "groups_key", "exclude")),
    *(_Then(("data", f"validation_{key}"), None, owner=None) for key in ("file", "labels")),
    *(_Then(("data", f"test_{key}"), None, owner=None) for key in ("file", "labels")),
    *(_Then(("data", key), None, owner=None) for key in ("target", "target_key")),
    *(_Then(("data", f"{split}_target"), None, owner=None) for split in ("validation", "test")),
    _Then(("model", "init_scale"), None, owner=None),
    *(_Then(("model", "rule", key), None, owner=None) for key in ("k_from", "k_steps")),
)


def meant(path: Sequence[object]) -> Any:
    """What a stored configuration means that has no key at ``path``."""
    return next((then.value for then in _THEN if then.path == tuple(path)), None)


def without_what_was_done_then(facts: dict[str, Any]) -> dict[str, Any]:
    """``facts`` without the keys that say what was done before they came: they are as they were stored then."""
    for then in _THEN:
        *parents, key = then.path
        holder: Any = facts
        for name in parents:
            holder = holder.get(name, {})
        if isinstance(holder, dict) and key in holder and holder[key] == then.value:
            del holder[key]
    return facts


def complete(config: Mapping[str, Any]) -> dict[str, Any]:
    """The stored ``config`` of a run with all that it leaves unsaid."""
    whole = copy.deepcopy(dict(config))
    for then in _THEN:
        _put(whole, then)
    return whole


def complete_sweep(spec: Mapping[str, Any], facts: Mapping[str, Any]) -> dict[str, Any]:
    """The file ``spec`` of a sweep with what was left to defaults of then that are others now.

    ``facts`` are what is stored of its variants (:func:`spadam.sweep.definition.extension.facts`), defaults included.
    """
    whole = copy.deepcopy(dict(spec))
    configs = [variant["config"] for variant in facts["variants"].values()]
    axes = {axis for variant in facts["variants"].values() for axis in variant["space"]}
    for then in _THEN:
        if ".".join(then.path) not in axes and not any(_has(config, then.path) for config in configs):
            _put(whole.setdefault("base", {}), then)
            for variant in whole["variants"].values():
                _put(variant or {}, then, named=True)
    if "choose" not in facts.get("repeat", {"choose": None}):
        whole["repeat"] = {"choose": None, **(whole.get("repeat") or {})}  # the best trial was repeated as it was
    return whole


def _put(config: dict[str, Any], then: _Then, named: bool = False) -> None:
    """Set the key where it is missing and has an owner; with ``named`` only if the owner says its name."""
    if then.owner is None:
        return
    named = named or then.owner != "autoencoder"
    *parents, key = then.path
    holder: Any = config
    for name in parents:
        holder = holder.get(name) if named else holder.setdefault(name, {})
        if not isinstance(holder, dict):
            return
    if holder.get("name", None if named else "autoencoder") == then.owner:
        holder.setdefault(key, then.value)


def _has(config: Mapping[str, Any], path: Sequence[str]) -> bool:
    holder: Any = config
    for name in path:
        if not isinstance(holder, Mapping) or name not in holder:
            return False
        holder = holder[name]
    return True
