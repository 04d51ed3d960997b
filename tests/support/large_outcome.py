"""An outcome as large as sweeps get, put together without training or storing anything."""

import math
import random
from typing import Any

from spadam.diagnostics.metrics import METRICS
from spadam.spec import Document, merge
from spadam.sweep.definition.reading import check
from spadam.sweep.definition.spec import Sweep, Variant
from spadam.sweep.outcome.outcome import Outcome
from spadam.sweep.outcome.progress import survey
from spadam.sweep.search.slots import Slot, digest, enumerate_point, repeat_seeds, search_slots
from spadam.sweep.store.attempts import Attempt, Record
from support.sweep_bench import SPEC

_MEASURED = [name for name, metric in METRICS.items() if not metric.array]


def large_outcome(variants: int, trials: int, seeds: int = 10, evaluations: int = 100) -> Outcome:
    """A sweep that has ended. Every metric is measured, of repeats at so many evaluations; a few trials diverged."""
    changes = {
        "variants": {f"variant_{n:02}": {"optimizer": {"name": "lazy_adam"}} for n in range(variants)},
        "search": {"trials": trials},
        "repeat": {"seeds": seeds},
    }
    spec = {**merge(SPEC, changes), "variants": changes["variants"]}
    sweep = check(Document(spec, {}, "large"))
    attributes = {"spec": spec, "versions": {"spadam": "0", "torch": "0"}, "plan": {"facts": {}}}
    return Outcome(sweep, survey(sweep, _Stored(sweep, evaluations)), attributes, None)


class _Stored:
    """The storage of such a sweep, as far as it is read."""

    def __init__(self, sweep: Sweep, evaluations: int) -> None:
        self._sweep, self._evaluations = sweep, evaluations
        self._plain = {name: variant.corners[0].plain() for name, variant in sweep.variants.items()}

    def attributes(self) -> dict[str, Any]:
        return {}

    def records(self, variant: str, studies: int) -> dict[str, Record]:
        mine, draw = self._sweep.variants[variant], random.Random(variant)
        found, best = {}, (9.0, dict[str, Any]())
        for slot in search_slots(self._sweep, variant, 0):
            params = enumerate_point(self._sweep.spec.search, mine, slot)
            assert params is not None
            value = None if draw.random() < 0.05 else draw.uniform(0.1, 1.0)
            best = min(best, (9.0 if value is None else value, params), key=lambda pair: pair[0])
            found[slot.id] = self._record(mine, slot, params, value, 2)
        for number, seed in enumerate(repeat_seeds(self._sweep, 0)):
            slot = Slot(variant, "repeat", 0, number, seed, digest(best[1]))
            found[slot.id] = self._record(mine, slot, best[1], draw.uniform(0.1, 0.2), self._evaluations)
        return found

    def _record(self, variant: Variant, slot: Slot, params: Any, value: float | None, evaluations: int) -> Record:
        draw, plain = random.Random(slot.id + slot.variant), self._plain[variant.name]
        optimizer = {name.rpartition(".")[2]: given for name, given in params.items()}
        last: dict[str, float | None] = {name: draw.random() for name in _MEASURED}
        last["val/fvu"] = value
        result = {
            "status": "diverged" if value is None else "complete",
            "metrics": last,
            "arrays": {},
            "warnings": [],
            "config": {**plain, "seed": slot.seed, "optimizer": {**plain["optimizer"], **optimizer}},
            "provenance": {"device": "cpu", "threads": 1, "kernels": "compiled", "platform": "Linux", "seconds": 2.0},
            "evaluations": [{**last, "step": 10 * n, "val/fvu": draw.random()} for n in range(evaluations)],
        }
        told = math.inf if value is None else value
        attempt = Attempt(slot.number, slot.number, "complete", True, told, params, {}, {"result": result})
        return Record(slot, (attempt,))
