"""JSON schemas of the two files that a person writes: a run's configuration, and a sweep.

An editor that knows them completes keys, shows what each one means, and underlines what is wrong; docs/sweeps.md is
made from them (:mod:`make.sweeps`). They are made from the models, so they say what the models say. What lies between
keys (``k <= latents``, an eps for an optimizer without one in a sweep's base) only the models check.
"""

from __future__ import annotations

import ast
import inspect
import sys
from functools import cache
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core.core_schema import CoreSchema, ModelSchema, TaggedUnionSchema, UnionSchema
from typing_extensions import override

from spadam.config import RunConfig
from spadam.diagnostics.metrics import METRICS
from spadam.sweep.definition.spec import SweepSpec

Json = dict[str, Any]

DIALECT = "https://json-schema.org/draft/2020-12/schema"


def run() -> Json:
    """The schema of a run's configuration."""
    return _finish(RunConfig.model_json_schema(schema_generator=_Generator), "A spadam run")


def sweep() -> Json:
    """The schema of a sweep's file.

    What its base and its variants hold are parts of a configuration: nothing is required of them, and a union takes
    whatever one of its members would.
    """
    schema = SweepSpec.model_json_schema(schema_generator=_Generator)
    part = RunConfig.model_json_schema(schema_generator=_PartGenerator)
    definitions: Json = {**schema["$defs"], **part.pop("$defs")}
    definitions["RunConfig"] = part
    schema["$defs"] = dict(sorted(definitions.items()))
    schema["properties"]["base"] = {**_refer("RunConfig"), "description": schema["properties"]["base"]["description"]}
    variant = definitions["VariantSpec"]
    variant["properties"] = part["properties"] | variant["properties"]
    variant["additionalProperties"] = False
    metrics = [metric.name for metric in METRICS.values() if metric.searchable]
    objective = definitions["ObjectiveSpec"]["properties"]
    objective["metric"]["enum"] = metrics
    objective["at"]["propertyNames"] = {"enum": metrics}
    for member in objective["pareto"]["anyOf"]:
        if "items" in member:
            member["items"] = {"enum": metrics}
        elif "additionalProperties" in member:
            member["propertyNames"] = {"enum": metrics}
    shown = {"enum": [metric.name for metric in METRICS.values() if not metric.array]}
    next(m for m in definitions["ReportSpec"]["properties"]["columns"]["anyOf"] if "items" in m)["items"] = shown
    return _finish(schema, "A spadam sweep")


def _finish(schema: Json, title: str) -> Json:
    return {"$schema": DIALECT, "title": title, **schema}


def _refer(name: str) -> Json:
    return {"$ref": f"#/$defs/{name}"}


class _Generator(GenerateJsonSchema):
    """Pydantic's generator, with less repetition and every description.

    Titles that only repeat a name are left out, and so are defaults that are models: each of their keys has its own.
    """

    @override
    def field_title_should_be_set(self, schema: Any) -> bool:
        return False

    @override
    def model_schema(self, schema: ModelSchema) -> JsonSchemaValue:
        made = super().model_schema(schema)
        made.pop("title", None)
        for key, value in made.get("properties", {}).items():
            if isinstance(value.get("default"), dict):
                del value["default"]
            if text := meanings(schema["cls"]).get(key):
                value["description"] = text
        return made

    @override
    def union_schema(self, schema: UnionSchema) -> JsonSchemaValue:
        made = super().union_schema(schema)
        if {"type": "number"} in made.get("anyOf", []):  # a whole number is one
            made["anyOf"] = [member for member in made["anyOf"] if member != {"type": "integer"}]
        return made

    @override
    def tagged_union_schema(self, schema: TaggedUnionSchema) -> JsonSchemaValue:
        named = {"required": ["name"]} if isinstance(schema["discriminator"], str) else {}  # else one may go without
        return {**named, "oneOf": self._members(schema)}

    def _members(self, schema: TaggedUnionSchema) -> list[JsonSchemaValue]:
        choices: list[CoreSchema] = list(schema["choices"].values())
        return [self.generate_inner(choice) for choice in choices]


class _PartGenerator(_Generator):
    """The same, with nothing required: without a name, a mapping may be part of several members of a union."""

    @override
    def model_schema(self, schema: ModelSchema) -> JsonSchemaValue:
        made = super().model_schema(schema)
        made.pop("required", None)
        return made

    @override
    def tagged_union_schema(self, schema: TaggedUnionSchema) -> JsonSchemaValue:
        return {"anyOf": self._members(schema)}


def meanings(model: type[BaseModel]) -> dict[str, str]:
    """What each key of ``model`` means: the string below it in the source.

    What a base class says holds for a subclass that gives the key another default and says nothing.
    """
    found: dict[str, str] = {}
    for base in reversed(model.__mro__):
        if issubclass(base, BaseModel) and base is not BaseModel:
            found |= _strings(base.__module__).get(base.__qualname__, {})
    return {key: found[key] for key in model.model_fields if key in found}


@cache
def _strings(module: str) -> dict[str, dict[str, str]]:
    """By class of ``module``, the string below each of its annotated names."""
    tree = ast.parse(inspect.getsource(sys.modules[module]))
    found: dict[str, dict[str, str]] = {}
    for node in tree.body:
        if isinstance(node, ast.ClassDef):
            found[node.name] = {}
            for above, below in zip(node.body, node.body[1:], strict=False):
                match above, below:
                    case ast.AnnAssign(target=ast.Name(id=key)), ast.Expr(value=ast.Constant(value=str(text))):
                        found[node.name][key] = inspect.cleandoc(text)
    return found
