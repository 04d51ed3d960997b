"""Any torch optimizer, by its import path."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field, field_validator
from typing_extensions import override

from spadam.optim.scaled_lr import Lr
from spadam.optim.spec import BaseOptimizerSpec
from spadam.spec import InputError, check_import_path, import_subclass

if TYPE_CHECKING:
    from torch.optim import Optimizer
    from torch.optim.optimizer import ParamsT


class CustomSpec(BaseOptimizerSpec):
    """Any torch optimizer by its import path; it is imported when it is built, not when the file is checked."""

    lr_center: ClassVar[float] = 1e-3  # nothing is known of it, nor of its untouched rows
    moves_untouched: ClassVar[bool] = True
    epsilon_enters: ClassVar[str] = "none"

    name: Literal["custom"] = "custom"
    path: str
    """Where the class is: package.module.Class."""
    gradient: Literal["coo", "dense"]
    """The form of gradient that it takes."""
    lr: Lr = 1e-3
    """Step size, given as `lr`."""
    options: dict[str, Any] = Field(default_factory=dict)
    """Its other arguments, an eps among them."""

    @field_validator("path")
    @classmethod
    def _check_path(cls, path: str) -> str:
        return check_import_path(path, "optimizer.path")

    @field_validator("options")
    @classmethod
    def _check_options(cls, options: dict[str, Any]) -> dict[str, Any]:
        if "lr" in options:
            raise InputError("optimizer.options.lr", options["lr"], "lr stands beside options", "set optimizer.lr")
        return options

    @override
    def divides(self) -> None:
        return None

    @classmethod
    @override
    def eps_remedy(cls) -> str:
        return "if the class takes one, give optimizer.options.eps; else remove optimizer.eps"

    @property
    @override
    def own_code(self) -> str | None:
        return self.path

    @override
    def build(self, params: ParamsT) -> Optimizer:
        algorithm = import_subclass(self.path, "torch.optim.Optimizer", "optimizer.path")
        try:
            optimizer: Optimizer = algorithm(params, lr=self.lr, **self.options)
        except (TypeError, ValueError) as error:
            shown = ", ".join(self.options) or "none"
            raise InputError("optimizer.options", shown, f"{self.path} says: {error}", "change the options") from error
        return optimizer
