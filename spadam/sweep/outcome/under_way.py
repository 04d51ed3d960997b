"""The trainings that run, as their agent told the storage last: where each is, since when, and how far."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

UNDER_WAY = "under_way"
"""The attribute of a sweep that holds it."""


class Training(NamedTuple):
    """A training that runs. Times are ISO 8601, UTC."""

    variant: str
    slot: str
    """Its slot's id."""
    label: str
    attempt: int
    where: str
    """A host, and a process there."""
    since: str
    heard: str
    """When it last said how far it is."""
    step: int = 0
    total: int | None = None
    loss: float | None = None
    doing: str = "starting"

    @property
    def share(self) -> float | None:
        """Which share of it is done, where that is known."""
        return min(1.0, self.step / self.total) if self.total else None


class UnderWay(NamedTuple):
    """All of them, and how many may run at a time."""

    workers: int = 0
    trainings: list[Training] = []  # noqa: RUF012 # nobody adds to it

    def plain(self) -> dict[str, Any]:
        """As it is stored."""
        return {"workers": self.workers, "trainings": [training._asdict() for training in self.trainings]}


def read_under_way(attributes: Mapping[str, Any]) -> UnderWay:
    """What stands in the ``attributes`` of a sweep; nothing where nothing was told, or in other words than ours."""
    told = attributes.get(UNDER_WAY)
    try:
        return UnderWay(told["workers"], [Training(**one) for one in told["trainings"]]) if told else UnderWay()
    except (TypeError, LookupError):
        return UnderWay()
