"""A sweep as W&B's own sweeps would search it: one a variant, for those who want `wandb agent`."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple

from spadam.spec import InputError
from spadam.sweep.definition.relative_axes import RELATIVE
from spadam.sweep.definition.space import Axis, Value
from spadam.sweep.definition.spec import Sweep, Variant

_METHODS: Final[Mapping[str, str]] = {
    "random": "random",
    "qmc": "random",
    "grid": "grid",
    "tpe": "bayes",
    "gp": "bayes",
}

_COMMAND: Final = 'exec "$0" train {config} --out "{out}/$WANDB_RUN_ID" "$@"'
"""The agent sets the run's id in the environment only, and gives the parameters as `key=value`."""


class WandbSweep(NamedTuple):
    """A sweep of W&B's own."""

    variant: str
    config: dict[str, Any]
    """The training's configuration, which the parameters are set in."""
    sweep: dict[str, Any]
    """What `wandb sweep` takes."""


def wandb_sweeps(sweep: Sweep, folder: Path) -> list[WandbSweep]:
    """A W&B sweep for every variant, whose configurations are to lie in ``folder`` (see :func:`config_file`).

    Raises :class:`InputError` where W&B cannot search what ``sweep`` does.
    """
    objective = sweep.spec.objective
    if objective.is_front:
        rule = "W&B's sweeps search for the best of one metric, and this one for the front of several"
        where = sweep.document.where(("objective", "pareto"))
        remedy = "give objective.metric, or let `spadam sweep run` do it"
        raise InputError("objective.pareto", list(objective.metrics), rule, remedy, where)
    return [_of(sweep, variant, folder) for variant in sweep.variants.values()]


def config_file(folder: Path, variant: str) -> Path:
    """Where the configuration of ``variant`` lies."""
    return folder / f"{variant}.config.yaml"


def lost(sweep: Sweep) -> list[str]:
    """What a sweep of W&B's own does not do that this one does: a sentence each."""
    search, repeats = sweep.spec.search, sweep.spec.repeat.seeds
    said = [
        "Equal budgets: run_cap counts what was begun, so a run that crashed is one trial less for its variant.",
        "Pairing: each variant is searched alone, with points of its own; here they share points, seeds and limits.",
        "Verdicts: nothing compares the variants at the end.",
        "Retries, resumption and the same numbers again: a trial that was killed is gone, and an agent's points depend "
        "on what it heard in which order.",
    ]
    if (choose := sweep.spec.chooses) is not None:
        how = f"the best of {choose.top} by the mean of {choose.seeds} fresh seeds"
        said.append(f"Choosing: the best run is taken as it is, not {how}.")
    if repeats:
        said.append(f"Repeats: the best of each variant is not trained again with {repeats} fresh seeds.")
    for name, (low, high) in sweep.spec.objective.at.items():
        said.append(
            f"Bands: a run whose {name} is not {low:g} to {high:g} counts as any other, so a search may find it best."
        )
    if search.studies > 1:
        said.append(f"Studies: one search a variant, not {search.studies} independent ones.")
    if _METHODS[search.sampler] != search.sampler:
        said.append(f"The sampler {search.sampler}: W&B has none; method: {_METHODS[search.sampler]} stands for it.")
    if search.pruner != "none":
        said.append(f"The pruner {search.pruner}: W&B has none like it, so every run is trained to its end.")
    return said


def _of(sweep: Sweep, variant: Variant, folder: Path) -> WandbSweep:
    tracking = variant.corners[0].tracking
    config = dict(variant.document.data)
    config["tracking"] = {**config.get("tracking", {}), "mode": "online", "agent": True}
    grid = sweep.spec.search.sampler == "grid"
    place, out = shlex.quote(str(config_file(folder, variant.name))), f"runs/{sweep.name}-wandb/{variant.name}"
    command = _COMMAND.format(config=place, out=out)
    made: dict[str, Any] = {
        "program": "spadam",
        "name": f"{sweep.name} · {variant.name}",
        "project": tracking.project,
        **({"entity": tracking.entity} if tracking.entity else {}),
        "method": _METHODS[sweep.spec.search.sampler],
        "metric": {"name": sweep.spec.objective.metric, "goal": sweep.spec.objective.direction},
        "run_cap": sweep.trials,
        "parameters": {axis.name: _parameter(variant.name, axis, grid) for axis in variant.axes},
        "command": ["${env}", "sh", "-c", command, "${program}", "${args_no_hyphens}"],
    }
    return WandbSweep(variant.name, config, made)


def _parameter(variant: str, axis: Axis, grid: bool) -> dict[str, Any]:
    if axis.name in RELATIVE:
        rule = "W&B's sweeps search keys of a configuration, and this one is made from others"
        remedy = f"search {RELATIVE[axis.name]}, or let `spadam sweep run` do it"
        raise InputError(f"variant {variant}: space.{axis.name}", None, rule, remedy)
    if grid or axis.range.choices is not None:
        return {"values": [_written(value) for value in axis.grid()]}
    low, high = axis.ends()
    if axis.whole:
        kind: dict[str, Any] = {"distribution": "q_log_uniform_values", "q": 1} if axis.range.log else {}
        return {**(kind or {"distribution": "int_uniform"}), "min": low, "max": high}
    return {"distribution": "log_uniform_values" if axis.range.log else "uniform", "min": low, "max": high}


def _written(value: Value) -> Value:
    """``value`` as the agent's `key=value` keeps it: it writes Python's words, which YAML reads as texts."""
    return {None: "null", True: "true", False: "false"}[value] if value is None or isinstance(value, bool) else value
