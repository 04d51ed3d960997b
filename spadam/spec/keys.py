"""Which keys a model allows, and which one was probably meant."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Sequence
from functools import cache

from pydantic import BaseModel

_ALIKE = 0.75
"""Similarity from which a whole dotted key counts as a slip of the pen."""
_MOST = 3


def nearest(word: str, known: Sequence[str]) -> str | None:
    """The one of ``known`` that ``word`` was probably meant to be."""
    plain = word.lower().replace("-", "_").replace(" ", "_")
    close = difflib.get_close_matches(plain, known, 1)
    return close[0] if close else None


def alike(dotted: str, known: Sequence[str]) -> list[str]:
    """The keys of ``known``, all dotted, that ``dotted`` was probably meant to be, the likeliest first.

    >>> known = ["optimizer.lr", "probe.lr", "trainer.epochs"]
    >>> alike("optimiser.lr", known), alike("lr", known), alike("epoch", known)
    (['optimizer.lr'], ['optimizer.lr', 'probe.lr'], ['trainer.epochs'])
    """
    others = [key for key in known if key != dotted]
    if close := difflib.get_close_matches(dotted, others, 1, _ALIKE):
        return close
    last = dotted.rpartition(".")[2]
    lasts = {key: key.rpartition(".")[2] for key in others}
    word = last if last in lasts.values() else nearest(last, sorted(set(lasts.values())))
    return [key for key, end in lasts.items() if end == word and word != "name"][:_MOST]


@cache
def unknown_remedy(model: type[BaseModel], loc: tuple[str | int, ...], dotted: str) -> str:
    """What to do about a key that no model at ``loc`` (fields and union tags) has; ``dotted`` is where it stands."""
    siblings, key = known_keys(model, loc[:-1]), str(loc[-1])
    if close := nearest(key, siblings):
        return f"did you mean {close}?"
    if "." in key and (parts := key.split("."))[0] in siblings:
        return f"write it as `{': {'.join(parts)}: …{'}' * (len(parts) - 1)}`: a key in a file has no dots"
    if places := alike(dotted, all_keys(model)):
        return f"did you mean {' or '.join(places)}?"
    return f"known here: {', '.join(siblings)}" if siblings else "remove it"


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


@cache
def all_keys(model: type[BaseModel]) -> tuple[str, ...]:
    """Every dotted key that a document of ``model`` may have, whichever members of its unions it names."""
    return tuple(dict.fromkeys(_walk(model, "")))


def _walk(model: type[BaseModel], before: str) -> Iterator[str]:
    for key, field in model.model_fields.items():
        yield before + key
        for inner in _models(field.annotation):
            yield from _walk(inner, f"{before}{key}.")


def _models(annotation: object) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [m for part in getattr(annotation, "__args__", ()) for m in _models(part)]


def _literals(model: type[BaseModel]) -> tuple[object, ...]:
    return tuple(getattr(model.model_fields["name"].annotation, "__args__", ()))
