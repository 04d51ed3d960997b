"""Checking a document against a model, and saying what is wrong with it in a person's words."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TypeVar

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from spadam.spec.document import Document, Path_
from spadam.spec.error import MOST_TOLD, InputError, Mistakes, Written, line_of
from spadam.spec.keys import known_keys, name_remedy, null_remedy, unknown_remedy
from spadam.spec.nodes import shown
from spadam.spec.values import must_be, write_instead

S = TypeVar("S", bound=BaseModel)

_TYPES = ("_type", "int_from_float", "literal_error")
"""How the errors end that say: this is another kind of value."""


def validate(model: type[S], document: Document, within: str = "") -> S:
    """Check ``document`` against ``model``; everything that is wrong is raised as one :class:`InputError`.

    ``within`` is put before the name of each argument, for a document that is a part of another.
    """
    try:
        return model.model_validate(document.data)
    except ValidationError as error:
        found = error.errors(include_url=False)
    mistakes = Mistakes()
    by_place: dict[Path_, list[ErrorDetails]] = {}
    for details in found:
        by_place.setdefault(_path_in(document.data, details), []).append(details)
    places = sorted(by_place, key=lambda path: document.lines.get(path, 0))[: MOST_TOLD + 1]
    told = {path: _explain(by_place[path], model, document, path, within) for path in places}
    for path, mistake in told.items():
        if not _follows(path, mistake, told.values()):
            mistakes.add(mistake)
    mistakes.tell(line_of)
    raise AssertionError("a validation error has errors")


def _follows(path: Path_, mistake: InputError, told: Iterable[InputError]) -> bool:
    """Whether a key is missing only because it is misspelt beside."""
    return (
        bool(path) and mistake.rule == _MISSING and any(other.remedy == f"did you mean {path[-1]}?" for other in told)
    )


def _explain(
    errors: Sequence[ErrorDetails], model: type[BaseModel], document: Document, path: Path_, within: str
) -> InputError:
    """What is wrong at ``path``: of a union every member has said so."""
    error = next((e for e in errors if not e["type"].endswith(_TYPES)), errors[0])
    cause = error.get("ctx", {}).get("error")
    if isinstance(cause, InputError):
        named = _placed(tuple(cause.argument.split(".")), path, document.data)
        value = _at(document.data, named, cause.value)
        value = value if value == cause.value else cause.value  # 3 as it is written, where a model made it 3.0
        argument = ".".join(map(str, named))
        return InputError(within + argument, value, cause.rule, cause.remedy, document.where(named))
    value = None if error["type"] in ("missing", "extra_forbidden") else error["input"]
    if error["type"] == "union_tag_invalid":  # the whole mapping is given as what is wrong
        path, value = (*path, "name"), error["ctx"]["tag"]
        value = _at(document.data, path, value)
    told = [error] if not error["type"].endswith(_TYPES) else errors
    rule, remedy = _rule(told, model, path, _at(document.data, path, None))
    if isinstance(value, Mapping) and not (value and error["type"].endswith(_TYPES)):
        value = None
    elif value is None and error["type"] not in ("missing", "extra_forbidden"):
        value = Written("null")
    dotted = ".".join(map(shown, path)) or document.name
    return InputError(within + dotted, value, rule, remedy, document.where(path))


def _placed(named: Path_, path: Path_, data: object) -> Path_:
    """Where ``named`` stands, which the model at ``path`` has told of: a key of its own, if it stands deeper than it
    knows, as an optimizer that another is wrapped around does.
    """
    *parents, key = named
    deeper = bool(parents) and len(path) > len(parents) and path[: len(parents)] == tuple(parents)
    if deeper and path[: len(named)] != named and isinstance(_at(data, path, None), Mapping):
        return (*path, key)
    return named


def _at(data: object, path: Path_, default: object) -> object:
    for key in path:
        if not isinstance(data, Mapping) or key not in data:
            return default
        data = data[key]
    return data


def _path_in(data: object, details: ErrorDetails) -> Path_:
    """Where it is wrong, without what pydantic puts between the keys of the document: tags and members of unions."""
    path: list[str | int] = []
    for n, part in enumerate(details["loc"]):
        is_missing = details["type"] == "missing" and n == len(details["loc"]) - 1
        if isinstance(data, Mapping):
            if part not in data and not is_missing:
                continue
            path.append(part)
            data = data.get(part)
        elif isinstance(data, list | tuple) and isinstance(part, int):
            path.append(part)
            data = data[part] if part < len(data) else None
    return tuple(path)


_MISSING = "this key is required"
_BEYOND = {"less_than": "lower it", "greater_than": "raise it"}


def _rule(errors: Sequence[ErrorDetails], model: type[BaseModel], path: Path_, value: object) -> tuple[str, str]:
    """Rule and remedy of errors at one place, where ``value`` stands."""
    error = errors[0]
    context = error.get("ctx", {})
    match error["type"]:
        case "extra_forbidden":
            dotted = ".".join(map(str, path))
            return "this key is not known", unknown_remedy(model, error["loc"], dotted)
        case "missing" if isinstance(path[-1], int):
            return f"the list needs more values than {path[-1]}", "add what is missing"
        case "missing":
            return _MISSING, "add it"
        case "union_tag_invalid":
            names = str(context["expected_tags"]).replace("'", "").split(", ")
            return "this name is not known", write_instead(str(context["tag"]), names)
        case "union_tag_not_found":
            return "the mapping needs a `name`", name_remedy(value)
        case kind if kind.endswith(_TYPES):
            rule, remedy = must_be(errors, known_keys(model, error["loc"]))
            return rule, null_remedy(model, error["loc"], path) if value is None else remedy
        case _:
            message = error["msg"].removeprefix("Value error, ").removeprefix("Input should be ")
            remedy = _BEYOND.get(error["type"].removesuffix("_equal"), "change the value")
            return f"must be {message}" if error["msg"].startswith("Input should be ") else message, remedy
