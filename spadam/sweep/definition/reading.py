"""Reading a sweep's file: everything in it is checked before anything is trained."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from spadam.config import RunConfig
from spadam.spec import SWEEP, Document, InputError, Mistakes, Written, check_kind, line_of, validate
from spadam.spec import load as load_document
from spadam.sweep.definition import axis_names, range_ends, relative_axes
from spadam.sweep.definition.claims import check_claims
from spadam.sweep.definition.columns import check_columns
from spadam.sweep.definition.measurable import check_data, check_objective
from spadam.sweep.definition.space import Axis, Range, as_range
from spadam.sweep.definition.spec import MOST_TRAININGS, Sweep, SweepSpec, Variant
from spadam.text import count

FIXED = {
    "seed": "every trial of a study has the same seed, and repeats have fresh ones",
    "data.root": "where files lie does not change a result",
    "tracking": "who watches does not change a result",
    "trainer.kernels": "who runs the hot loops is decided once for the whole sweep",
    "trainer.accelerator": "where a training runs is decided once for the whole sweep",
}
"""Keys that cannot be searched, and why."""


def load(path: Path) -> Sweep:
    """Read and check the sweep in the YAML file at ``path``; nothing is trained and no data is read.

    Both ends of every range are tried for every variant. Raises :class:`InputError`, with file and line.
    """
    document = load_document(path)
    check_kind(document, SWEEP)
    sweep = check(document)
    check_data(sweep, {})  # not of what a storage holds: what has been trained can be read
    return sweep


def check(document: Document) -> Sweep:
    """The sweep that ``document`` describes, after all checks but whether its data serve its objective."""
    if "variants" in document.data and not document.data["variants"]:
        remedy = "add one, such as `lazy: {optimizer: {name: lazy_adam}}`"
        where = document.where(("variants",))
        raise InputError("variants", None, "a sweep must have at least one variant, and there is none", remedy, where)
    spec = _spec(document)
    mistakes = Mistakes()
    _check_names(spec, document, mistakes)
    _check_axes(spec, document, mistakes)
    mistakes.tell(line_of)
    dimensions, variants = _number_axes(spec), dict[str, Variant]()
    for name in spec.variants:
        try:
            variants[name] = _variant(name, spec, document, dimensions)
        except InputError as error:
            mistakes.add(error)
    mistakes.tell(line_of)
    seed = next(iter(variants.values())).document.data.get("seed", RunConfig.model_fields["seed"].default)
    trials = _count_trials(spec, variants, document)
    _check_size(spec, trials, document)
    sweep = Sweep(spec, variants, trials, seed, document)
    check_objective(sweep)
    check_columns(sweep)
    check_claims(sweep)
    return sweep


def _number_axes(spec: SweepSpec) -> dict[str, int]:
    """A number for every axis of the sweep: the shared ones by name, then the variants' own in the order of the file.

    So an axis has the same number in every variant, and a variant added at the end changes none.
    """
    own = [axis for variant in spec.variants.values() for axis in variant.space]
    return {axis: number for number, axis in enumerate(dict.fromkeys((*sorted(spec.space), *own)))}


def _variant(name: str, spec: SweepSpec, document: Document, dimensions: Mapping[str, int]) -> Variant:
    ranges: dict[str, Range | None] = {**spec.space, **spec.variants[name].space}
    chosen = {axis: range_ for axis, range_ in ranges.items() if range_ is not None}
    merged = range_ends.lay_over(name, spec.variants[name].overlay, chosen, document)
    placed = relative_axes.place(name, merged, chosen)
    corners = range_ends.check(name, merged, placed)
    if any(config.tracking.agent for config in corners):
        rule = "a `wandb agent` asks for one run, and a sweep has many"
        raise InputError("tracking.agent", True, rule, "remove it", merged.where(("tracking", "agent")))
    whole = range_ends.whole_axes(corners[0], placed)
    axes = (Axis(axis, range_, axis in whole, dimensions[axis]) for axis, range_ in placed.items())
    return Variant(name, merged, tuple(axes), corners)


def _spec(document: Document) -> SweepSpec:
    """What ``document`` says. Every range is checked by itself first, so that a message can name its key and line."""
    document = document._replace(data=_with_choices(document.data))
    mistakes, rest = Mistakes(), document.data
    for path in _ranges(document):
        try:
            validate(Range, range_ends.part(document, path), within=".".join(path) + ".")
        except InputError as error:
            mistakes.add(error)
            rest = _without(rest, path)
    try:
        spec = validate(SweepSpec, document._replace(data=rest))
    except InputError as error:
        mistakes.add(error)
    mistakes.tell(line_of)
    return spec


def _ranges(document: Document) -> Iterator[tuple[str, ...]]:
    """Where something stands that is to be a range."""
    variants = document.data.get("variants")
    spaces: list[tuple[str, ...]] = [("space",)]
    if isinstance(variants, Mapping):
        spaces += [("variants", name, "space") for name in variants]
    for place in spaces:
        space: Any = document.data
        for key in place:
            space = space.get(key) if isinstance(space, Mapping) else None
        if not isinstance(space, Mapping):
            continue
        yield from ((*place, axis) for axis, range_ in space.items() if isinstance(range_, Mapping))


def _with_choices(data: dict[str, Any]) -> dict[str, Any]:
    """``data`` with every list that stands for its choices written out."""
    found = data
    if isinstance(space := data.get("space"), Mapping):
        found = {**found, "space": {axis: as_range(written) for axis, written in space.items()}}
    if isinstance(variants := data.get("variants"), Mapping):
        inner = {name: _with_choices(each) if isinstance(each, dict) else each for name, each in variants.items()}
        found = {**found, "variants": inner}
    return found


def _without(data: Any, path: tuple[str, ...]) -> Any:
    """``data`` but for what stands at ``path``."""
    key, *rest = path
    if not rest:
        return {other: value for other, value in data.items() if other != key}
    return {**data, key: _without(data[key], tuple(rest))}


def _check_names(spec: SweepSpec, document: Document, mistakes: Mistakes) -> None:
    rule = "a name may hold letters, digits, - and _, begins with a letter or digit, and has at most 48 of them"
    for path in (("name",), *(("variants", name) for name in spec.variants)):
        name = spec.name if path == ("name",) else path[-1]
        if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_-]{0,47}", name):
            remedy = "it names folders, studies and W&B runs: choose another"
            mistakes.add(InputError(path[0], name, rule, remedy, document.where(path)))


def _check_axes(spec: SweepSpec, document: Document, mistakes: Mistakes) -> None:
    """Refuse axes that cannot be searched, seeds of a variant's own, and drops of axes that are not there."""
    spaces: list[tuple[tuple[str, ...], Mapping[str, Range | None]]] = [
        (("space",), spec.space),
        *((("variants", n, "space"), v.space) for n, v in spec.variants.items()),
    ]

    def note(path: tuple[str, ...], rule: str, remedy: str, value: object = None) -> None:
        mistakes.add(InputError(".".join(path), value, rule, remedy, document.where(path)))

    for place, space in spaces:
        for axis, range_ in space.items():
            fixed = [why for key, why in FIXED.items() if f"{axis}.".startswith(f"{key}.")]
            if fixed:
                note((*place, axis), f"this key cannot be searched: {fixed[0]}", "remove it, and set it in base")
            elif (why := axis_names.why_not(axis, range_)) is not None:
                note((*place, axis), *why)
            elif range_ is None and axis not in spec.space:
                rule = f"only an axis of the sweep can be dropped ({', '.join(spec.space) or 'it has none'})"
                note((*place, axis), rule, "remove the line")
    for name, variant in spec.variants.items():
        if "seed" in variant.overlay:
            note(("variants", name, "seed"), "all variants share their seeds", "set base.seed", variant.overlay["seed"])


def _count_trials(spec: SweepSpec, variants: Mapping[str, Variant], document: Document) -> int:
    """The number of search slots of every variant in a study: equal for all."""
    if spec.search.sampler != "grid":
        _refuse_points(variants)
        if spec.search.trials is None:
            rule, where = f"the sampler {spec.search.sampler} needs a number of trials", document.where(("search",))
            raise InputError("search.trials", None, rule, "add it, such as `trials: 40`", where)
        return spec.search.trials
    sizes = {}
    for name, variant in variants.items():
        for axis in variant.axes:
            _check_grid(axis, variant)
        sizes[name] = math.prod(len(axis.grid()) for axis in variant.axes)
    trials = spec.search.trials or max(sizes.values())
    for name, size in sizes.items():
        if size != trials:
            rule = f"variant {name} has {size} grid points, and every variant must have as many as there are trials"
            remedy = "set `points` so that they are equal, in `space` of the variant too, or use the sampler random"
            raise InputError("search.trials", trials, rule, remedy, document.where(("search",)))
    return trials


def _check_size(spec: SweepSpec, trials: int, document: Document) -> None:
    """Refuse a sweep of more trainings than anybody waits for."""
    variants, studies, seeds, choosings = len(spec.variants), spec.search.studies, spec.repeats, spec.choosings(trials)
    if (total := variants * studies * (trials + choosings + seeds)) > MOST_TRAININGS:
        counts = [count(trials, "trial"), count(seeds, "repeat")]
        counts[1:1] = [count(choosings, "choosing training")] if choosings else []
        each = f"{count(variants, 'variant')} x {count(studies, 'study')} x ({' + '.join(counts)})"
        rule = f"a sweep has at most {MOST_TRAININGS} trainings: {each}"
        remedy = "plan fewer trials, studies, repeats or variants, or several sweeps"
        raise InputError("search", Written(f"{total} trainings"), rule, remedy, document.where(("search",)))


def _refuse_points(variants: Mapping[str, Variant]) -> None:
    for variant in variants.values():
        for axis in variant.axes:
            if axis.range.points is not None:
                rule, remedy = "only the sampler grid counts points", "remove points, or set search.sampler: grid"
                where = variant.document.where(tuple(axis.name.split(".")))
                raise InputError(f"space.{axis.name}.points", axis.range.points, rule, remedy, where)


def _check_grid(axis: Axis, variant: Variant) -> None:
    where = variant.document.where(tuple(axis.name.split(".")))
    if axis.range.choices is None and axis.range.points is None:
        rule, remedy = "a grid needs a number of points on every range", "add it, such as `points: 5`"
        raise InputError(f"space.{axis.name}.points", None, rule, remedy, where)
    if axis.range.points is not None and len(axis.grid()) < axis.range.points:
        rule = f"so many whole numbers do not lie between {axis.range.low} and {axis.range.high}"
        if axis.range.log:
            rule += " at equal ratios"
        remedy = f"{len(axis.grid())} are possible, or list `choices`"
        raise InputError(f"space.{axis.name}.points", axis.range.points, rule, remedy, where)
