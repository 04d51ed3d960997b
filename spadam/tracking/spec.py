"""What a configuration says about tracking."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, field_validator

from spadam.spec import Spec

Mode = Literal["online", "offline", "disabled"]


class TrackingSpec(Spec):
    """Whether and where a run is shown at Weights & Biases."""

    mode: Mode = "offline"
    """`online` streams to the server, `offline` leaves it to `spadam sync`, `disabled` does nothing. `WANDB_MODE` in
    the environment overrides it."""
    project: str = Field("spadam", min_length=1, max_length=128)
    """The project that the runs are shown in."""
    entity: str | None = Field(None, min_length=1)
    """The user or team that owns the project; null takes `WANDB_ENTITY`, or the account's default."""

    agent: bool = False
    """Be the run that a `wandb agent` asks for, so that W&B's own sweep learns of it: for the configurations that
    `spadam wandb sweep-config` writes."""

    @field_validator("project")
    @classmethod
    def _check_project(cls, project: str) -> str:
        wrong = sorted(set(project) & set("/\\#?%:"))
        if wrong:
            raise ValueError(f"a project's name may not hold any of / \\ # ? % : (it holds {' '.join(wrong)})")
        return project
