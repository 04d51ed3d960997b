"""The base of every configuration, and the one way a YAML file becomes one.

A *document* is what a YAML file says, with the place of every value. A *spec* is a checked, frozen document that can
build what it describes. Whatever is wrong with a document is told as one :class:`InputError`.
"""

from __future__ import annotations

import difflib
import importlib
import io
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic_core import ErrorDetails
from ruamel.yaml import YAML
from ruamel.yaml.constructor import DuplicateKeyError
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.nodes import MappingNode, Node, SequenceNode

Path_ = tuple[str | int, ...]


class InputError(ValueError):
    """Something a person gave is wrong: nothing has been started, and the command ends with exit code 2.

    ``argument`` is what was wrong, ``value`` what it held, ``rule`` what must hold, ``remedy`` what to do about it,
    ``where`` the file and line, if it came from a file.
    """

    def __init__(self, argument: str, value: object, rule: str, remedy: str, where: str = "") -> None:
        self.argument, self.value, self.rule, self.remedy, self.where = argument, value, rule, remedy, where
        super().__init__(f"{self.headline}: {rule}; {remedy}")

    def __reduce__(self) -> tuple[type[InputError], tuple[object, ...]]:
        """An error comes out of another process as it went in."""
        return InputError, (self.argument, self.value, self.rule, self.remedy, self.where)

    @property
    def headline(self) -> str:
        """What is wrong: argument, value, and where it stands."""
        shown = "" if self.value is None else f" = {_short(self.value)}"
        return f"{self.argument}{shown}" + (f" ({self.where})" if self.where else "")


class Spec(BaseModel):
    """A frozen description that refuses unknown keys, wrong types, and numbers that are not finite.

    What a key means stands in a string below it; :func:`spadam.schema.meanings` reads it there. Pydantic would read the
    source of every class each time it is imported, which took a third of the time of reading a configuration.
    """

    model_config = ConfigDict(
        frozen=True,
        strict=True,
        extra="forbid",
        allow_inf_nan=False,
        validate_default=True,
        protected_namespaces=(),
    )


def as_tuple(value: object) -> object:
    """A YAML list as the tuple that a frozen spec holds; anything else as it is."""
    return tuple(value) if isinstance(value, list) else value


S = TypeVar("S", bound=BaseModel)


def imported(path: str) -> Any:
    """What ``path`` (package.module.Name) names. So a spec names what it builds: torch takes seconds to import."""
    module, _, name = path.rpartition(".")
    return getattr(importlib.import_module(module), name)


def check_import_path(path: str, argument: str) -> str:
    """``path``, if it may name a class; nothing is imported. Else :class:`InputError` about ``argument``."""
    if "." not in path or not all(part.isidentifier() for part in path.split(".")):
        raise InputError(argument, path, "must name a class in a module", "write package.module.Class")
    return path


def import_subclass(path: str, base: str, argument: str) -> Any:
    """The class of a person's own at ``path``, a subclass of that at ``base``; else :class:`InputError`."""
    module, _, name = path.rpartition(".")
    try:
        found = getattr(importlib.import_module(module), name, None)
    except Exception as error:  # importing runs the user's code: whatever goes wrong there is about this path
        rule = f"its module could not be imported ({type(error).__name__}: {error})"
        raise InputError(argument, path, rule, "check the path, or install the package") from error
    if not (isinstance(found, type) and issubclass(found, imported(base))):
        raise InputError(argument, path, f"must name a {base} class", f"check what {module} holds")
    return found


class Document(NamedTuple):
    """What a YAML text says (``data``), where each value stands (``lines``: path to 1-based line), and its name.

    ``given`` are paths of values that a person gave beside the file, with `--set`.
    """

    data: dict[str, Any]
    lines: dict[Path_, int]
    name: str
    given: frozenset[Path_] = frozenset()

    def where(self, path: Path_) -> str:
        """``file:line`` of the value at ``path``, or of the nearest thing around it."""
        while path and path not in self.lines and path not in self.given:
            path = path[:-1]
        if path in self.given:
            return "--set"
        return f"{self.name}:{self.lines[path]}" if path in self.lines else self.name


def load(path: Path) -> Document:
    """Read the YAML file at ``path``. Raises :class:`InputError` when it cannot be read or is not one mapping."""
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise InputError(str(path), None, f"the file must be readable ({error.strerror})", "check the path") from None
    except UnicodeDecodeError:
        raise InputError(str(path), None, "the file must be UTF-8 text", "give a YAML file") from None
    return parse(text, str(path))


def parse(text: str, name: str) -> Document:
    """Read YAML 1.2 ``text``: plain values only, no tags, no duplicate keys, one mapping with text keys."""
    yaml = YAML(typ="safe", pure=True)
    try:
        for event in yaml.parse(text):
            if getattr(event, "tag", None):
                line = event.start_mark.line + 1
                raise InputError("tag", str(event.tag), "tags are not read", "write the plain value", f"{name}:{line}")
        root = yaml.compose(text)
        lines = dict(_lines(root, (), frozenset())) if root else {}
        data = yaml.load(text)
    except DuplicateKeyError as error:
        line = error.problem_mark.line + 1
        key = str(error.problem).split('"')[1] if '"' in str(error.problem) else str(error.problem)
        rule, remedy = "a key may stand only once in a mapping", "remove one of the two"
        raise InputError(key, None, rule, remedy, f"{name}:{line}") from None
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = f"{name}:{mark.line + 1}" if mark else name
        raise InputError("YAML", None, str(error.problem or error.context), "mend the syntax", place) from None
    except YAMLError as error:
        raise InputError("YAML", None, str(error).splitlines()[0], "mend the syntax", name) from None
    if not isinstance(data, dict):
        rule, remedy = "the file must hold one mapping of keys to values", "see the README for an example"
        raise InputError(name, data, rule, remedy)
    return Document(data, lines, name)


def _lines(node: Node, path: Path_, above: frozenset[int]) -> Iterator[tuple[Path_, int]]:
    if id(node) in above:
        line = node.start_mark.line + 1
        raise InputError("alias", None, "a value must not contain itself", "write it out", f"line {line}")
    yield path, node.start_mark.line + 1
    if isinstance(node, MappingNode):
        for key, value in node.value:
            if not isinstance(key.value, str):
                where = f"line {key.start_mark.line + 1}"
                raise InputError("key", None, "a key must be text", "write a plain key", where)
            for inner, line in _lines(value, (*path, key.value), above | {id(node)}):
                yield inner, key.start_mark.line + 1 if inner == (*path, key.value) else line
    elif isinstance(node, SequenceNode):
        for index, value in enumerate(node.value):
            yield from _lines(value, (*path, index), above | {id(node)})


def dump(data: Mapping[str, Any]) -> str:
    """``data`` as YAML that :func:`parse` reads back to the same values."""
    yaml: Any = YAML(typ="safe", pure=True)
    yaml.default_flow_style = False
    yaml.sort_base_mapping_type_on_output = False
    stream = io.StringIO()
    yaml.dump(dict(data), stream)
    return stream.getvalue()


def merge(base: Mapping[str, Any], overlay: Mapping[str, Any]) -> dict[str, Any]:
    """``overlay`` laid over ``base``, key by key; a mapping whose ``name`` differs replaces the old one whole."""
    merged = dict(base)
    for key, value in overlay.items():
        old = merged.get(key)
        if isinstance(old, Mapping) and isinstance(value, Mapping):
            same = "name" not in old or value.get("name", old["name"]) == old["name"]
            merged[key] = merge(old, value) if same else value
        else:
            merged[key] = value
    return merged


def assign(data: Mapping[str, Any], dotted: str, value: object) -> dict[str, Any]:
    """``data`` with ``value`` at ``dotted`` (``optimizer.lr``). Setting another ``name`` leaves the sibling keys."""
    first, _, rest = dotted.partition(".")
    copy = dict(data)
    if not rest:
        copy[first] = value
        return copy
    inner = copy.get(first)
    copy[first] = assign(inner if isinstance(inner, Mapping) else {}, rest, value)
    return copy


def validate(model: type[S], document: Document, within: str = "") -> S:
    """Check ``document`` against ``model``; the first thing that is wrong is raised as :class:`InputError`.

    ``within`` is put before the name of the argument, for a document that is a part of another.
    """
    try:
        return model.model_validate(document.data)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        raise _explain(first, model, document, within, more=error.error_count() - 1) from None


def _explain(error: ErrorDetails, model: type[BaseModel], document: Document, within: str, more: int) -> InputError:
    path = _path_in(document.data, error["loc"])
    dotted = ".".join(map(str, path)) or document.name
    value = None if error["type"] in ("missing", "extra_forbidden") else error["input"]
    rule, remedy = _rule(error, model, path)
    if isinstance(value, Mapping):
        value = None
    if more:
        remedy += f" ({more} more after this one)"
    cause = error.get("ctx", {}).get("error")
    if isinstance(cause, InputError):
        named = tuple(cause.argument.split("."))
        return InputError(within + cause.argument, cause.value, cause.rule, cause.remedy, document.where(named))
    return InputError(within + dotted, value, rule, remedy, document.where(path))


def _path_in(data: object, loc: tuple[str | int, ...]) -> Path_:
    """``loc`` without the union tags that pydantic puts between the keys of the document."""
    path: list[str | int] = []
    for n, part in enumerate(loc):
        last = n == len(loc) - 1
        if isinstance(data, Mapping):
            tag = part == data.get("name") and part not in data
            if tag or (part not in data and not last):
                continue
            path.append(part)
            data = data.get(part)
        elif isinstance(data, list | tuple) and isinstance(part, int) and part < len(data):
            path.append(part)
            data = data[part]
    return tuple(path)


def _rule(error: ErrorDetails, model: type[BaseModel], path: Path_) -> tuple[str, str]:
    context = error.get("ctx", {})
    match error["type"]:
        case "extra_forbidden":
            known = _known_keys(model, error["loc"][:-1])
            close = difflib.get_close_matches(str(path[-1]), known, 1)
            hint = f"did you mean {close[0]}?" if close else f"known here: {', '.join(sorted(known))}"
            return "this key is not known", hint
        case "missing":
            return "this key is required", "add it"
        case "union_tag_invalid":
            names = str(context["expected_tags"]).replace("'", "")
            close = difflib.get_close_matches(str(context["tag"]), names.split(", "), 1)
            return "this name is not known", f"did you mean {close[0]}?" if close else f"choose one of: {names}"
        case "union_tag_not_found":
            return "the mapping needs a `name`", "add `name: …`"
        case _:
            message = error["msg"].removeprefix("Value error, ").removeprefix("Input should be ")
            return f"must be {message}" if error["msg"].startswith("Input should be ") else message, "change the value"


def _known_keys(model: type[BaseModel], loc: tuple[str | int, ...]) -> list[str]:
    """The keys that the model found by walking ``loc`` (fields and union tags) from ``model`` allows."""
    found: list[type[BaseModel]] = [model]
    for part in loc:
        fields = [m.model_fields[str(part)].annotation for m in found if str(part) in m.model_fields]
        if fields:
            found = [m for field in fields for m in _models(field)]
        else:  # a union tag: keep the member of that name
            found = [m for m in found if "name" in m.model_fields and part in _literals(m)] or found
    return sorted({key for m in found for key in m.model_fields})


def _models(annotation: object) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [m for part in getattr(annotation, "__args__", ()) for m in _models(part)]


def _literals(model: type[BaseModel]) -> tuple[object, ...]:
    return tuple(getattr(model.model_fields["name"].annotation, "__args__", ()))


def _short(value: object) -> str:
    text = repr(value) if isinstance(value, str) else str(value)
    return text if len(text) <= 60 else text[:57] + "…"
