"""Every key of a sweep's file and of a configuration as Markdown, with what the JSON schemas say of it.

A model becomes a section with one table; a union becomes a section with the keys that its members share, and a
subsection for each member.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator
from typing import Any, NamedTuple

from spadam import schema

Json = dict[str, Any]
Models = dict[str, Json]
Links = dict[tuple[str, ...], str]
"""From models to the link to their section."""

_MOST_NAMES = 12
"""So many allowed names are listed in a table; more are not."""


class _Section(NamedTuple):
    """What stands under one heading: a model, or the members of a union."""

    path: str
    """Where it is found in the file: `model.rule`; `<name>` stands for a name of one's own."""
    models: tuple[str, ...]


def sections() -> Iterator[str]:
    """Headings, paragraphs and tables, those of the sweep's own keys first."""
    configuration, sweep = schema.run(), schema.sweep()
    models: Models = {**sweep["$defs"], **configuration["$defs"], "RunConfig": configuration, "SweepSpec": sweep}
    variant = models["VariantSpec"]["properties"]
    own = {key: value for key, value in variant.items() if key not in configuration["properties"]}
    models["VariantSpec"] = {**models["VariantSpec"], "properties": own}
    found = [_Section("", ("SweepSpec",)), *_inner(models, "SweepSpec", "")]
    found += [_Section("base", ("RunConfig",)), *_inner(models, "RunConfig", "")]
    # What is found in several places is shown once, under its shortest path.
    shown = {section.models: section for section in sorted(found, key=lambda section: -section.path.count("."))}
    for names in [names for names in shown if len(names) > 1]:  # members of a larger union are shown there
        for wider in [other for other in shown if set(names) < set(other)]:
            shown[names] = shown[wider]
    links = {names: f"[`{section.path}`](#{anchor(section.path)})" for names, section in shown.items()}
    for section in dict.fromkeys(found):
        if shown[section.models] == section:
            yield from _render(section, models, links)


def _inner(models: Models, name: str, path: str) -> Iterator[_Section]:
    """The sections of the models that the keys of ``name`` hold, and of those within them."""
    for key, value in models[name]["properties"].items():
        inside = f"{path}.{key}" if path else key
        if "additionalProperties" in value:
            value, inside = value["additionalProperties"], f"{inside}.<name>"
        elif "items" in value:
            value, inside = value["items"], f"{inside}[]"
        names = _referred(value)
        if names and names != ("RunConfig",):
            yield _Section(inside, names)
            for each in names:
                yield from _inner(models, each, inside)


def _referred(value: Any) -> tuple[str, ...]:
    """The models that ``value`` may be."""
    if not isinstance(value, dict):
        return ()
    members = [value, *value.get("anyOf", ()), *value.get("oneOf", ())]
    return tuple(member["$ref"].rpartition("/")[2] for member in members if "$ref" in member)


def _render(section: _Section, models: Models, links: Links) -> Iterator[str]:
    yield f"## `{section.path}`" if section.path else "## The file"
    members = [models[name] for name in section.models]
    if len(members) == 1:
        yield members[0]["description"]
        yield _table(members[0], members[0]["properties"], models, links)
    else:
        yield from _render_union(section.path, members, models, links)


def _render_union(path: str, members: list[Json], models: Models, links: Links) -> Iterator[str]:
    shared = _shared(members)
    named = f"Its `name` is {_either([f'`{_name(member)}`' for member in members])}."
    yield f"{named} Keys that several of them have:" if shared else named
    if shared:
        yield _table({}, shared, models, links)
    for member in members:
        yield f"### `{path}: {_name(member)}`"
        yield member["description"]
        own, listed = {}, []
        for key, value in member["properties"].items():
            if key == "name":
                continue
            if key not in shared or _meaning(value) != _meaning(shared[key]):
                own[key] = value
            elif "default" in value and "default" not in shared[key]:
                listed.append(f"`{key}` = {_plain(value['default'])}")
            elif any(key not in other["properties"] for other in members):
                listed.append(f"`{key}`")
        if listed:
            yield f"Keys from above: {', '.join(listed)}."
        if own:
            yield _table(member, own, models, links)


def _shared(members: list[Json]) -> Json:
    """The keys that at least two members describe alike, with the default if that is the same too."""
    shared: Json = {}
    for key in dict.fromkeys(key for member in members for key in member["properties"] if key != "name"):
        values = [member["properties"][key] for member in members if key in member["properties"]]
        meaning, count = Counter(map(_meaning, values)).most_common(1)[0]
        if count > 1:
            alike = [value for value in values if _meaning(value) == meaning]
            same = all(value.get("default") == alike[0].get("default") for value in alike)
            shared[key] = alike[0] if same else {k: v for k, v in alike[0].items() if k != "default"}
    return shared


def _meaning(value: Json) -> str:
    """All that the schema says of a key but its default."""
    return json.dumps({key: part for key, part in value.items() if key != "default"}, sort_keys=True)


def _name(member: Json) -> str:
    return str(member["properties"]["name"]["const"])


def _table(model: Json, properties: Json, models: Models, links: Links) -> str:
    rows = ["| key | value | default | meaning |", "|---|---|---|---|"]
    for key, value in properties.items():
        default = "required" if key in model.get("required", ()) else ""
        if "default" in value:
            default = f"`{_plain(value['default'])}`"
        names = _referred(value)
        of_model = models[names[0]]["description"].partition("\n")[0] if len(names) == 1 else ""
        cells = (f"`{key}`", _kind(value, links), default, value.get("description", of_model))
        rows.append(f"| {' | '.join(cells)} |".replace("\n", " "))
    return "\n".join(rows)


def _kind(value: Json, links: Links) -> str:
    """What a key may hold, in words."""
    if names := _referred(value):
        others = [_kind(member, links) for member in value.get("anyOf", ()) if not _referred(member)]
        null = [word for word in others if word == "`null`"]
        words = [word for word in others if word not in null]
        return _either([*words, links.get(names, "a part of a configuration"), *null])
    if "anyOf" in value:
        return _either([_kind(member, links) for member in value["anyOf"]])
    if "enum" in value and len(value["enum"]) <= _MOST_NAMES:
        return _either([f"`{member}`" for member in value["enum"]])
    if "const" in value:
        return f"`{value['const']}`"
    match value.get("type"):
        case "integer" | "number" as kind:
            return " ".join(["whole number" if kind == "integer" else "number", *_bounds(value)])
        case "array":
            if names := _referred(value.get("items")):
                return f"list, each {links.get(names, 'a part of a configuration')}"
            items = value.get("prefixItems")
            return f"{len(items)} numbers" if items else "list"
        case "object":
            inner = value.get("additionalProperties")
            return f"names, each with {_kind(inner, links)}" if isinstance(inner, dict) else "mapping"
        case kind:
            return {"boolean": "`true` or `false`", "string": "text", "null": "`null`"}[str(kind)]


def _bounds(value: Json) -> list[str]:
    signs = {"minimum": "≥", "exclusiveMinimum": ">", "maximum": "≤", "exclusiveMaximum": "<"}
    found = [f"{sign} {value[key]:g}" for key, sign in signs.items() if key in value]
    return [", ".join(found)] if found else []


def _plain(value: Any) -> str:
    return json.dumps(value).strip('"')


def _either(words: list[str]) -> str:
    return " or ".join(filter(None, (", ".join(words[:-1]), words[-1])))


def anchor(heading: str) -> str:
    """What a heading is called in a link, as GitHub does it."""
    return re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-")
