"""Which comparisons of a sweep cannot tell its variants apart, as far as that is known before it runs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from spadam.diagnostics.comparability import FEW, alike, warn
from spadam.diagnostics.inputs import CODES
from spadam.diagnostics.warned import Warned
from spadam.optim.spec import CENTRE_SQUARE
from spadam.sweep.definition.extension import facts
from spadam.sweep.definition.relative_axes import LR
from spadam.sweep.definition.spec import Sweep
from spadam.sweep.forecast.costs import Sight
from spadam.sweep.forecast.rehearsal import Rehearsal
from spadam.sweep.forecast.sizes import absolute_axes
from spadam.text import number


def find_warnings(sweep: Sweep, sights: Sequence[Sight]) -> list[Warned]:
    """What must be known of the variants that were rehearsed."""
    centres = {sight.variant: sight.rehearsal for sight in sights if sight.end is None}
    return [
        *_twins(sweep, centres),
        *_dense(centres),
        *_rare(centres),
        *_at_ends(centres, sights),
        *_diverged(centres),
        *_of_inputs(centres),
        *_elsewhere(sweep, sights),
    ]


def _twins(sweep: Sweep, rehearsals: Mapping[str, Rehearsal]) -> Iterator[Warned]:
    """Variants with the same configuration and the same space."""
    known = facts(sweep)["variants"]
    for names in alike({name: known[name] for name in rehearsals}):
        text = "the same configuration and the same space: one variant under several names"
        yield Warned("one_variant", text, variants=names)


def _dense(rehearsals: Mapping[str, Rehearsal]) -> Iterator[Warned]:
    """Variants whose steps touch every row, and those among them that are one algorithm then."""
    dense = {name: seen for name, seen in rehearsals.items() if seen.all_touched}
    if not dense:
        return
    for warned in warn(True, float("nan")):
        yield warned._replace(variants=tuple(dense))
    for names in alike({name: seen.config.optimizer.when_all_touched() for name, seen in dense.items()}):
        text = "one algorithm in this sweep: what differs between them is chance, or their spaces"
        yield Warned("one_algorithm", text, variants=names)


def _rare(rehearsals: Mapping[str, Rehearsal]) -> Iterator[Warned]:
    """Variants of which few rows are touched now and then."""
    sparse = {name: seen.rows_intermittent for name, seen in rehearsals.items() if not seen.all_touched}
    few = {name: share for name, share in sparse.items() if share < FEW}
    if few:
        most = "" if len(set(few.values())) == 1 else "at most "
        for warned in warn(False, max(few.values())):
            yield warned._replace(text=most + warned.text, variants=tuple(few))


def _at_ends(rehearsals: Mapping[str, Rehearsal], sights: Sequence[Sight]) -> Iterator[Warned]:
    """The same of the ends of an axis, where the centre is better."""
    for sight in sights:
        centre, seen = rehearsals[sight.variant], sight.rehearsal
        fine = not centre.all_touched and centre.rows_intermittent >= FEW
        if sight.end is not None and fine:
            few = float("nan") if seen.all_touched else seen.rows_intermittent
            for warned in warn(seen.all_touched, few):
                text = f"at {sight.end[0]} = {sight.end[1]}, {warned.text}"
                yield warned._replace(text=text, variants=(sight.variant,))


def _of_inputs(rehearsals: Mapping[str, Rehearsal]) -> Iterator[Warned]:
    """What a rehearsal warns of that does not depend on how long it is, those together that say the same."""
    said: dict[tuple[str, str], list[str]] = {}
    for name, seen in rehearsals.items():
        for warned in seen.warned:
            if warned.code in CODES:
                said.setdefault((warned.code, warned.text), []).append(name)
    for (code, text), names in said.items():
        numbers = next(w.numbers for w in rehearsals[names[0]].warned if (w.code, w.text) == (code, text))
        yield Warned(code, text, numbers, tuple(names))


def _elsewhere(sweep: Sweep, sights: Sequence[Sight]) -> Iterator[Warned]:
    """Variants whose lr is searched around a centre that was measured with samples of another size."""
    for sight in sights:
        proportional = sight.rehearsal.config.optimizer.proportional and LR in absolute_axes(sweep, sight.variant)
        if sight.end is None and sight.sizes is not None and proportional:
            square = sight.sizes.square
            if not 1 / _FAR < square / CENTRE_SQUARE < _FAR:
                text = (
                    f"its steps are proportional to the gradient, and the declared centre of optimizer.lr was measured "
                    f"with mean |x|² = {CENTRE_SQUARE:g}, which is {number(square, 3)} here: measure it with --pilot"
                )
                yield Warned("centre_of_another_scale", text, {"mean_square": square}, (sight.variant,))


_FAR = 10.0 ** (1 / 2)
"""A half-decade: centres are no finer."""


def _diverged(rehearsals: Mapping[str, Rehearsal]) -> Iterator[Warned]:
    for name, seen in rehearsals.items():
        if seen.diverged:
            text = f"diverged within {seen.steps} steps at the centre of its space: lr is too high there"
            yield Warned("diverged_at_centre", text, {"steps": seen.steps}, (name,))
