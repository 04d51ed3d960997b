"""A task of your own, by its import path."""

from __future__ import annotations

import importlib
from typing import Any, Literal

from pydantic import Field, field_validator

from spadam.models.task_spec import TaskSpec
from spadam.spec import Document, InputError, Spec, validate


class CustomTaskSpec(Spec):
    """A task of your own by its import path; it is imported when it is needed, not when the file is checked."""

    name: Literal["custom"]
    path: str
    """Where its description is: package.module.Class, a spadam.models.task_spec.TaskSpec."""
    options: dict[str, Any] = Field(default_factory=dict)
    """The keys of that description."""

    @field_validator("path")
    @classmethod
    def _check_path(cls, path: str) -> str:
        if "." not in path or not all(part.isidentifier() for part in path.split(".")):
            raise InputError("model.path", path, "must name a class in a module", "write package.module.Class")
        return path

    def resolve(self) -> TaskSpec:
        """What ``path`` names, with ``options`` as its keys. Raises :class:`InputError` when there is no such thing."""
        module, _, name = self.path.rpartition(".")
        try:
            found = getattr(importlib.import_module(module), name, None)
        except Exception as error:  # importing runs the user's code: whatever goes wrong there is about this path
            rule = f"its module could not be imported ({type(error).__name__}: {error})"
            raise InputError("model.path", self.path, rule, "check the path, or install the package") from error
        if not (isinstance(found, type) and issubclass(found, TaskSpec)):
            rule = "must name a spadam.models.task_spec.TaskSpec class"
            raise InputError("model.path", self.path, rule, f"check what {module} holds")
        return validate(found, Document(self.options, {}, ""), within="model.options.")
