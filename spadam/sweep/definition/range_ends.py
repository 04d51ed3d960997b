"""Whether all that a sweep may suggest can be trained, found out before anything is.

A *corner* of a variant is its configuration with every axis at one of its ends.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import BaseModel

from spadam.config import RunConfig
from spadam.spec import Document, InputError, Mistakes, Path_, line_of, merge, validate
from spadam.sweep.definition.relative_axes import PLACEHOLDER, key_of, lay_in
from spadam.sweep.definition.space import Axis, Range, Value, takes_only_whole_numbers

_MOST_CORNERS = 4096
"""All corners are tried, at some 0.1 ms each; beyond this a space is refused, rather than checked in part."""


def part(document: Document, path: Path_) -> Document:
    """What stands at ``path``, as a document of its own that keeps its lines."""
    data: Any = document.data
    for key in path:
        data = data[key]
    lines = {place[len(path) :]: line for place, line in document.lines.items() if place[: len(path)] == path}
    return Document(data, lines, document.name)


def lay_over(variant: str, overlay: Mapping[str, Any], ranges: Mapping[str, Range], document: Document) -> Document:
    """Base with ``overlay`` laid over it. Lines are the sweep's; those of axes point to their ranges.

    Raises :class:`InputError` when an axis lies inside something that holds no keys.
    """
    data = merge(document.data["base"], overlay)
    lines = dict(part(document, ("base",)).lines)
    lines |= part(document, ("variants", variant)).lines
    for axis in ranges:
        own = ("variants", variant, "space", axis)
        path = own if own in document.lines else ("space", axis)
        keys = tuple(axis.split("."))
        _check_parents(variant, axis, data, document)
        if (line := document.lines.get(path)) is None:  # a sweep as its storage knows it has no lines
            continue
        for depth in range(1, len(keys)):
            lines.setdefault(keys[:depth], line)
        lines[keys] = lines[tuple(key_of(axis).split("."))] = line
    return Document(data, lines, document.name)


def check(variant: str, document: Document, ranges: Mapping[str, Range]) -> tuple[RunConfig, ...]:
    """The configuration at every corner of a variant; eps is that of a scale of 1 where it depends on the gradient.

    Raises :class:`InputError` that says at which end of which axis, when it is an axis that is wrong.
    """
    ends = {name: Axis(name, range_, whole=False).ends() for name, range_ in ranges.items()}
    if (count := math.prod(len(values) for values in ends.values())) > _MOST_CORNERS:
        rule = f"all combinations of ends and choices are tried beforehand, at most {_MOST_CORNERS}"
        remedy = "search fewer keys, or list fewer choices"
        raise InputError("space", f"{count} combinations", rule, remedy, document.where(()))
    errors: list[tuple[dict[str, Value], InputError]] = []
    configs = []
    for corner in _corners(ends):
        data = lay_in(document.data, corner, PLACEHOLDER)
        try:
            configs.append(validate(RunConfig, document._replace(data=data), within=f"variant {variant}: "))
        except InputError as error:
            errors.append((corner, error))
    mistakes = Mistakes()
    for told in dict.fromkeys((mistake.argument, mistake.rule) for _, error in errors for mistake in error.mistakes):
        same = [(at, m) for at, error in errors for m in error.mistakes if (m.argument, m.rule) == told]
        mistakes.add(_blame(same, ends, ranges))
    mistakes.tell(line_of)
    return tuple(configs)


def whole_axes(config: RunConfig, ranges: Mapping[str, Range]) -> set[str]:
    """The names of the axes that take only whole numbers, by a configuration of their variant."""
    return {name for name, range_ in ranges.items() if _is_whole(config, key_of(name), range_)}


def _corners(ends: Mapping[str, tuple[Value, ...]]) -> Iterator[dict[str, Value]]:
    for values in itertools.product(*ends.values()):
        yield dict(zip(ends, values, strict=True))


def _blame(
    same: list[tuple[dict[str, Value], InputError]],
    ends: Mapping[str, tuple[Value, ...]],
    ranges: Mapping[str, Range],
) -> InputError:
    """A mistake at some corners, with the ends that it takes: those at which all of them agree."""
    corner, error = same[0]
    error = InputError(error.argument, error.value, error.rule, error.remedy, error.where)  # the others have their turn
    if len(same) == math.prod(len(values) for values in ends.values()):
        axis = next((name for name in ranges if error.argument.endswith(f": {key_of(name)}")), None)
        if axis is None:
            return error
        drop = f"`space: {{{axis}: null}}`"
        joined = (
            f"{error.remedy}{'' if error.remedy.endswith('?') else ','} or drop the axis in this variant with {drop}"
        )
        remedy = error.remedy if drop in error.remedy else joined
        rule = error.rule if error.value is None else f"at both ends of its range, {error.rule}"
        return InputError(error.argument, error.value, rule, remedy, error.where)
    blamed = [name for name in ends if len({failing[name] for failing, _ in same}) < len(ends[name])] or list(ends)
    place = " and ".join(_name_end(name, corner[name], ranges[name]) for name in blamed)
    return InputError(error.argument, error.value, f"{place}, {error.rule}", error.remedy, error.where)


def _name_end(name: str, value: Value, range_: Range) -> str:
    if range_.choices is not None:
        return f"at the choice {value} of {name}"
    return f"at the {'low' if value == range_.low else 'high'} end of {name} ({value})"


def _check_parents(variant: str, axis: str, data: Any, document: Document) -> None:
    keys = axis.split(".")
    for depth, key in enumerate(keys[:-1], start=1):
        if not isinstance(data, Mapping) or key not in data:
            return
        data = data[key]
        if not isinstance(data, Mapping):
            inside = ".".join(keys[:depth])
            rule = f"{'it is null, and' if data is None else 'it'} holds no key to be searched as {axis}"
            remedy = f"give {inside} its keys, or drop the axis with `space: {{{axis}: null}}`"
            own = ("variants", variant, *keys[:depth])
            where = document.where(own if own in document.lines else ("base", *keys[:depth]))
            raise InputError(f"variant {variant}: {inside}", data, rule, remedy, where)


def _is_whole(config: RunConfig, dotted: str, range_: Range) -> bool:
    *parents, key = dotted.split(".")
    owner: Any = config
    for name in parents:
        owner = getattr(owner, name) if isinstance(owner, BaseModel) else owner[name]
    written = isinstance(range_.low, int) and isinstance(range_.high, int)
    if not isinstance(owner, BaseModel):  # free options: as written
        return written
    return written and takes_only_whole_numbers(type(owner).model_fields[key].annotation)
