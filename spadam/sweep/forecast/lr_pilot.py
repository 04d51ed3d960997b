"""The pilot of a sweep: where to centre the search of each variant's lr.

Every variant is trained shortly at half-decades of its lr (1, 3, 10, …) around the centre that its optimizer declares,
everything else in the middle of its space. The lr with the smallest training loss is the measured centre; while that is
the first or the last of them, more are tried beyond it. The same file gives the same centres.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from spadam.config import RunConfig
from spadam.sweep.definition.relative_axes import LR
from spadam.sweep.definition.space import Axis
from spadam.sweep.definition.spec import Sweep
from spadam.sweep.forecast.costs import Announce, configure
from spadam.sweep.forecast.rehearsal import measure_length, run_short
from spadam.sweep.forecast.sizes import Sizes, gauge, plain_sizes
from spadam.training.ledger import rows
from spadam.training.progress import Progress
from spadam.training.scratch import scratch_folder

STEPS = 400
"""Steps of each training, or as many as it has: as many as the declared centres were measured with."""

_SIDE = 2  # half-decades to each side, at first
_FURTHER = 4  # and so many more where the best is the outermost


class Centre(NamedTuple):
    """The lr of a variant, declared and measured."""

    variant: str
    declared: float
    measured: float | None
    """None when every training diverged."""
    losses: tuple[tuple[float, float], ...]
    """(lr, training loss), by lr; infinite where the training diverged."""
    at_edge: bool
    """Something better may lie beyond the last lr that was tried."""
    decades: float
    """How wide the file searches now."""
    sizes: Sizes | None = None
    """How large samples and gradient are where it was measured."""


def measure_centres(sweep: Sweep, variants: Sequence[str], announce: Announce) -> list[Centre]:
    """The centre of every one of ``variants`` that searches optimizer.lr, in this order.

    Raises :class:`InputError` when data is missing or sizes do not fit it.
    """
    searched = [name for name in variants if _lr_axis(sweep, name) is not None]
    return [_measure(sweep, name, number, len(searched), announce) for number, name in enumerate(searched, start=1)]


def snippet(centres: Sequence[Centre]) -> str:
    """The measured centres as YAML to be pasted into a sweep's file, with the scale that they hold for."""
    scalings = sorted({centre.sizes.scaling for centre in centres if centre.sizes is not None})
    lines = ["variants:" + (f"  # measured with data.scale: {', '.join(scalings)}" if scalings else "")]
    for centre in centres:
        if centre.measured is not None:
            space = f"{{{LR}: {{around: {_yaml(centre.measured)}, decades: {centre.decades:g}}}}}"
            lines.append(f"  {centre.variant}: {{space: {space}}}")
    return "\n".join(lines) + "\n"


def plain_centres(centres: Sequence[Centre]) -> list[dict[str, Any]]:
    """Centres as plain values: `variant`, `declared`, `measured`, `at_edge`, `losses`: [lr, loss or null] by lr; and of
    where they were measured `scaling` (`data.scale`), `mean_square` of the norms of samples, and `gradient_rms`.
    """
    return [
        {
            "variant": centre.variant,
            "declared": centre.declared,
            "measured": centre.measured,
            "at_edge": centre.at_edge,
            "losses": centre.losses,
            **plain_sizes(centre.sizes),
        }
        for centre in centres
    ]


def _measure(sweep: Sweep, name: str, number: int, total: int, announce: Announce) -> Centre:
    variant, axis = sweep.variants[name], _lr_axis(sweep, name)
    assert axis is not None
    base = configure(variant, sweep.seed)
    declared = base.optimizer.lr_center
    middle = _index(declared)
    losses: dict[int, float] = {}

    def train(index: int) -> None:
        lr = _half_decade(index)
        config = base.model_copy(update={"optimizer": base.optimizer.model_copy(update={"lr": lr})})
        losses[index] = final_loss(config, announce(f"{name}, lr {lr:g}", number, total))

    for index in range(middle - _SIDE, middle + _SIDE + 1):
        train(index)
    most = _SIDE + _FURTHER
    while (best := _best(losses)) in (min(losses), max(losses)):
        beyond = best - 1 if best == min(losses) else best + 1
        if abs(beyond - middle) > most:
            break
        train(beyond)
    return Centre(
        name,
        declared,
        _half_decade(best) if math.isfinite(losses[best]) else None,
        tuple((_half_decade(index), losses[index]) for index in sorted(losses)),
        best in (min(losses), max(losses)),
        _width(axis),
        gauge(base),
    )


def final_loss(config: RunConfig, progress: Callable[[Progress], None] | None = None) -> float:
    """The mean training loss over the last half of :data:`STEPS` steps, or of as many as there are.

    It is infinite when the training diverged.
    """
    planned = measure_length(config, len(config.data.load().train)).steps
    steps = STEPS if planned is None else min(STEPS, planned)
    with scratch_folder("pilot") as folder:
        out = folder / "run"
        tracking = config.tracking.model_copy(update={"mode": "disabled"})
        result = run_short(config.model_copy(update={"tracking": tracking}), steps, out, progress=progress)
        return _late_loss(rows(out / "metrics.jsonl")) if result.status == "complete" else math.inf


def _late_loss(rows: Sequence[dict[str, Any]]) -> float:
    """The mean loss after the last row in the first half of the steps, from the means since the row before each."""
    sums = [(0, 0.0)]
    for row in rows:
        if "train/loss_stream" not in row:
            continue
        if row["train/loss_stream"] is None:
            return math.inf
        step, total = sums[-1]
        sums.append((row["step"], total + row["train/loss_stream"] * (row["step"] - step)))
    end, whole = sums[-1]
    middle, first = max(pair for pair in sums if pair[0] <= end / 2)
    return (whole - first) / (end - middle)


def _best(losses: dict[int, float]) -> int:
    """The index of the smallest loss, the lowest lr of equal ones."""
    return min(sorted(losses), key=lambda index: losses[index])


def _lr_axis(sweep: Sweep, variant: str) -> Axis | None:
    return next((axis for axis in sweep.variants[variant].axes if axis.name == LR), None)


def _width(axis: Axis) -> float:
    """Decades between the ends of an lr axis; 4, which is wide, where it has no ends or begins at 0."""
    low, high = axis.range.low, axis.range.high
    return 4.0 if low is None or high is None or low <= 0 else round(math.log10(high / low), 2)


def _index(lr: float) -> int:
    """The nearest half-decade."""
    return round(2 * math.log10(lr))


def _half_decade(index: int) -> float:
    """1, 3, 10, 30, …: the numbers that people write, √10 = 3.16 rounded."""
    return float(f"{3 if index % 2 else 1}e{index // 2}")


def _yaml(number: float) -> str:
    mantissa, exponent = f"{number:.1e}".split("e")
    return f"{mantissa}e{int(exponent)}"
