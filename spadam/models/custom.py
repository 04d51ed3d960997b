"""A task of your own, by its import path."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field, field_validator

from spadam.models.task_spec import TaskSpec
from spadam.spec import Document, Spec, check_import_path, import_subclass, validate


class CustomTaskSpec(Spec):
    """A task of your own by its import path; it is imported when it is needed, not when the file is checked."""

    name: Literal["custom"] = "custom"
    path: str
    """Where its description is: package.module.Class, a spadam.models.task_spec.TaskSpec."""
    options: dict[str, Any] = Field(default_factory=dict)
    """The keys of that description."""

    @field_validator("path")
    @classmethod
    def _check_path(cls, path: str) -> str:
        return check_import_path(path, "model.path")

    @property
    def own_code(self) -> str | None:
        """Where it is."""
        return self.path

    @property
    def meanings(self) -> dict[str, str]:
        """None that is known without its code."""
        return {}

    def check_targets(self) -> None:
        """Nothing is known of targets without its code."""
        return

    def resolve(self) -> TaskSpec:
        """What ``path`` names, with ``options`` as its keys. Raises :class:`InputError` when there is no such thing."""
        found: type[TaskSpec] = import_subclass(self.path, "spadam.models.task_spec.TaskSpec", "model.path")
        return validate(found, Document(self.options, {}, ""), within="model.options.")
