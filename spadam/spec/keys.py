"""Which keys a model allows, and which one was probably meant."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from typing import Any

from pydantic import BaseModel
from pydantic.fields import FieldInfo

_ALIKE = 0.75
"""Similarity from which a key somewhere else counts as a slip of the pen."""
_MOST = 3
_SHORTEST = 2
"""Letters of a word, below which nothing is like it."""
_TORN = re.compile(r"([A-Za-z_][\w.-]*)\s*[:=]\s*(\S.*)")


def nearest(word: str, known: Sequence[str]) -> str | None:
    """The one of ``known`` that ``word`` was probably meant to be."""
    plain = word.lower().replace("-", "_").replace(" ", "_")
    close = difflib.get_close_matches(plain, known, 1) or [name for name in known if name.startswith(plain)][:2]
    return close[0] if len(close) == 1 and len(plain) >= _SHORTEST else None


def alike(dotted: str, known: Sequence[str]) -> list[str]:
    """The keys of ``known``, all dotted, that ``dotted`` was probably meant to be, the likeliest first.

    >>> known = ["optimizer.lr", "probe.lr", "trainer.epochs"]
    >>> alike("optimiser.lr", known), alike("lr", known), alike("epoch", known)
    (['optimizer.lr'], ['optimizer.lr', 'probe.lr'], ['trainer.epochs'])
    """
    others = [key for key in known if key != dotted and not dotted.startswith(f"{key}.")]
    if close := difflib.get_close_matches(dotted, others, 1, _ALIKE):
        return close
    last = dotted.rpartition(".")[2]
    lasts = {key: key.rpartition(".")[2] for key in others}
    words = sorted(set(lasts.values()))
    word = last if last in words else next(iter(difflib.get_close_matches(last, words, 1, _ALIKE)), None)
    return [key for key, end in lasts.items() if end == word and word != "name"][:_MOST]


@cache
def unknown_remedy(model: type[BaseModel], loc: tuple[str | int, ...], dotted: str) -> str:
    """What to do about a key that no model at ``loc`` (fields and union tags) has; ``dotted`` is where it stands."""
    siblings, key = known_keys(model, loc[:-1]), str(loc[-1])
    if (meant := with_space(key)) is not None:
        return f"write {meant}"
    if close := nearest(key, siblings):
        return f"did you mean {close}?"
    if "." in key and (parts := key.split("."))[0] in siblings:
        return f"write it as `{': {'.join(parts)}: …{'}' * (len(parts) - 1)}`: a key in a file has no dots"
    if places := alike(dotted, all_keys(model)):
        return f"did you mean {' or '.join(places)}?"
    return f"known here: {', '.join(siblings)}" if siblings else "remove it"


def with_space(text: str) -> str | None:
    """The key and the value that ``text`` was meant to be; None where it was meant to be one thing.

    >>> with_space("name:adam"), with_space("lr = 0.1"), with_space("adam")
    ('name: adam', 'lr: 0.1', None)
    """
    found = _TORN.fullmatch(text.strip())
    return None if found is None else f"{found[1]}: {found[2]}"


def name_remedy(mapping: object) -> str:
    """What to do about ``mapping``, which needs a `name` and has none."""
    keys = [key for key in mapping if isinstance(key, str)] if isinstance(mapping, Mapping) else []
    for key in keys:
        if (meant := with_space(key)) is not None and meant.startswith("name: "):
            return f"write {meant}"
    close = difflib.get_close_matches("name", keys, 1)
    return f"write name instead of {close[0]}" if close else "add `name: …`"


def null_remedy(model: type[BaseModel], loc: Sequence[str | int], path: Sequence[str | int]) -> str:
    """What to do about null at ``path``, which is ``loc`` without the members of unions, where it cannot stand."""
    depth = max(n for n, part in enumerate(loc) if part == path[-1])
    fields = [m.model_fields[str(loc[depth])] for m in models_at(model, loc[:depth]) if loc[depth] in m.model_fields]
    found = {_default(field) for field in fields}
    if len(found) != 1 or None in found:
        keys = known_keys(model, loc)
        if "name" in keys:
            return "write {name: …}"
        return "give it a value" if fields or not keys else f"write its keys: {', '.join(keys)}; {{}} is none of them"
    return f"leave it out: {found.pop()}"


def _default(field: FieldInfo) -> str | None:
    """What holds when nothing is given; None where something must be given."""
    default: Any = None if field.is_required() else field.get_default(call_default_factory=True)
    if isinstance(default, BaseModel):
        return "its keys have defaults"
    match default:
        case None:
            return None
        case bool():
            return f"it is {'true' if default else 'false'} then"
        case dict():
            return "it is empty then"
        case tuple():
            return f"it is [{', '.join(map(str, default))}] then"
        case _:
            return f"it is {default} then"


def known_keys(model: type[BaseModel], loc: Sequence[str | int]) -> list[str]:
    """The keys that the models found by walking ``loc`` (fields and union tags) from ``model`` allow."""
    return sorted({key for m in models_at(model, loc) for key in m.model_fields})


def models_at(model: type[BaseModel], loc: Sequence[str | int]) -> list[type[BaseModel]]:
    """The models that may stand at ``loc``."""
    found: list[type[BaseModel]] = [model]
    for part in loc:
        fields = [m.model_fields[str(part)].annotation for m in found if str(part) in m.model_fields]
        if fields:
            found = [m for field in fields for m in _models(field)]
        else:  # a union tag: keep the member of that name
            found = [m for m in found if "name" in m.model_fields and part in _literals(m)] or found
    return found


def fields_at(model: type[BaseModel], dotted: str) -> list[FieldInfo]:
    """What may stand at the key ``dotted``, whichever members of its unions a document names."""
    *parents, last = dotted.split(".")
    found = [model]
    for key in parents:
        found = [m for owner in found if key in owner.model_fields for m in _models(owner.model_fields[key].annotation)]
    return [owner.model_fields[last] for owner in found if last in owner.model_fields]


def nearest_key(dotted: str, known: Sequence[str]) -> str:
    """What to do about the key ``dotted``, which is none of ``known``: the one that was meant, or its neighbours."""
    parent, _, last = dotted.rpartition(".")
    beside = [key.rpartition(".")[2] for key in known if key.rpartition(".")[0] == parent]
    if parent in known and not beside:  # it holds no keys
        return f"did you mean {parent}?"
    if parent and (close := nearest(last, beside)):
        return f"did you mean {parent}.{close}?"
    if places := alike(dotted, known):
        return f"did you mean {' or '.join(places)}?"
    return f"known in {parent}: {', '.join(beside)}" if parent and beside else "write a dotted key, as optimizer.lr"


@cache
def all_keys(model: type[BaseModel]) -> tuple[str, ...]:
    """Every dotted key that a document of ``model`` may have, whichever members of its unions it names."""
    return tuple(dict.fromkeys(_walk(model, "")))


def _walk(model: type[BaseModel], before: str) -> Iterator[str]:
    for key, field in model.model_fields.items():
        yield before + key
        outside = {f"{before}{key}.{each}" for each in getattr(model, "outside", {}).get(key, ())}
        for inner in _models(field.annotation):
            found = _walk(inner, f"{before}{key}.")
            yield from (each for each in found if not any(f"{each}.".startswith(f"{out}.") for out in outside))


def _models(annotation: object) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [m for part in getattr(annotation, "__args__", ()) for m in _models(part)]


def _literals(model: type[BaseModel]) -> tuple[object, ...]:
    return tuple(getattr(model.model_fields["name"].annotation, "__args__", ()))
