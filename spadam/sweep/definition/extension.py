"""What may change in the file of a sweep that has begun: it may grow, and nothing else."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from spadam.diagnostics.former_names import present
from spadam.spec import InputError, Path_, Written, earlier
from spadam.sweep.definition.relative_axes import key_of
from spadam.sweep.definition.space import Axis
from spadam.sweep.definition.spec import Sweep

_CHOOSING: tuple[Path_, ...] = (("repeat", "choose", "top"), ("repeat", "choose", "seeds"))
"""They may come later, too: until then the best trial is taken as it is."""

GROWING: tuple[Path_, ...] = (
    *(("search", "trials"), ("search", "studies"), ("repeat", "seeds"), ("repeat", "points")),
    *_CHOOSING,
)
"""Numbers that may become larger."""

_METRIC: Path_ = ("objective", "metric")


def facts(sweep: Sweep) -> dict[str, Any]:
    """What determines the results of a sweep, as plain values; what was left to a default is spelled out."""
    variants = {}
    for name, variant in sweep.variants.items():
        config = variant.corners[0].facts()
        for axis in variant.axes:
            _drop(config, key_of(axis.name))
        space = {axis.name: _axis_facts(sweep, axis) for axis in variant.axes}
        variants[name] = {"config": config, "space": space}
    front, chooses = sweep.spec.objective.is_front, sweep.spec.chooses
    search = {**sweep.spec.search.model_dump(mode="json"), "trials": sweep.trials}
    return {
        "objective": sweep.spec.objective.facts(),
        "search": search,
        "repeat": {"seeds": sweep.spec.repeat.seeds}
        | ({"points": sweep.spec.points} if front else {})
        | ({"choose": chooses.model_dump(mode="json")} if chooses is not None else {}),
        "variants": variants,
    }


def _axis_facts(sweep: Sweep, axis: Axis) -> dict[str, Any]:
    """What an axis tries. Around which centre it was written is no fact: its bounds are."""
    found = axis.range.model_dump(mode="json", exclude={"around", "decades"})
    return found | ({"dimension": axis.dimension} if sweep.spec.search.sampler == "qmc" else {})


def check_extends(sweep: Sweep, stored: Mapping[str, Any]) -> None:
    """Raise :class:`InputError` unless ``sweep`` is what it was created as, ``stored``, or more of it."""
    old, new = dict(_leaves(stored)), dict(_leaves(facts(sweep)))
    if _METRIC in old:
        old[_METRIC] = present(str(old[_METRIC]))
    added = {name for name in sweep.variants if name not in stored["variants"]}
    # An axis that came or went has left its trace in the configuration too: it is told as the axis that it is.
    for path in sorted(dict.fromkeys((*old, *new)), key=lambda path: path[2:3] == ("config",)):
        before, now = old.get(path, _ABSENT), new.get(path, _ABSENT)
        if before == now or (path[0] == "variants" and path[1] in added):
            continue
        if path[2:3] != ("space",):
            before, now = (_meant(path) if value is _ABSENT else value for value in (before, now))
            if before == now or (before in _NOTHING and now in _NOTHING):  # a key that there was not yet
                continue
        if path in GROWING and isinstance(before, int) and isinstance(now, int) and now > before:
            continue
        if path in _CHOOSING and before is _ABSENT:
            if "choose" not in sweep.spec.repeat.model_fields_set:
                raise _unasked(sweep)
            continue
        raise _changed(sweep, path, before, now)


def _unasked(sweep: Sweep) -> InputError:
    """What to say where claims were added to a sweep that repeats its best trials: they would choose anew."""
    rule = "with claims settings are chosen by fresh seeds, and this sweep was begun without: others may be repeated"
    remedy = "write `choose: null` under repeat to keep its settings, or `choose: {top: 3, seeds: 3}` to choose anew"
    return InputError("repeat.choose", None, rule, remedy, sweep.document.where(("repeat",)))


_ABSENT = object()
_NOTHING = (None, _ABSENT)


def _meant(path: Path_) -> object:
    """What is said by a key that is not there, if it is one that came later."""
    then = earlier.meant(path[3:])
    return _ABSENT if then is None else then


def _changed(sweep: Sweep, path: Path_, before: object, now: object) -> InputError:
    """What has changed at ``path``, as a person wrote it."""
    remedy = "put it back, or begin another sweep with another `name` or --out"
    value = None if now is _ABSENT else Written("null") if now is None else now
    was = "without it" if before is _ABSENT else f"with {'null' if before is None else before}"
    rule = f"the sweep was created {was}" + (", and may only grow" if path in GROWING else "")
    if path[0] != "variants":
        return InputError(".".join(map(str, path)), value, rule, remedy, sweep.document.where(path))
    variant, part, inner = str(path[1]), path[2], tuple(map(str, path[3:]))
    if variant not in sweep.variants:
        remedy += "; to run some variants only, use --variants"
        return InputError(f"variants.{variant}", None, "the sweep was created with this variant", remedy)
    document = sweep.variants[variant].document
    if part == "config":
        return InputError(f"variant {variant}: {'.'.join(inner)}", value, rule, remedy, document.where(inner))
    if inner[-1:] == ("dimension",) and not (before is _ABSENT or now is _ABSENT):
        rule = (
            f"the sampler qmc numbers a variant's own axes in the order of the file, and this one had number {before}"
        )
        remedy = "put new variants after those that were there"
    if before is _ABSENT or now is _ABSENT:  # a whole axis came or went
        value, inner = None, inner[:1]
        rule = f"the sweep was created {'without' if before is _ABSENT else 'with'} this axis"
    where = document.where(tuple(inner[0].split("."))) if inner else document.where(())
    return InputError(f"variant {variant}: {'.'.join(('space', *inner))}", value, rule, remedy, where)


def _drop(config: dict[str, Any], dotted: str) -> None:
    """Take the key ``dotted`` out of ``config``: what an axis gives it is no fact of the configuration."""
    *parents, key = dotted.split(".")
    for name in parents:
        config = config[name]
    config.pop(key, None)  # `model.name` is none in any case


def _leaves(data: object, path: Path_ = ()) -> Iterator[tuple[Path_, object]]:
    if isinstance(data, Mapping) and data:
        for key, value in data.items():
            yield from _leaves(value, (*path, key))
    else:
        yield path, list(data) if isinstance(data, tuple) else data
