"""docs/sweeps.md: what a sweep's file may hold, first in prose, then key by key."""

from __future__ import annotations

import sys
import textwrap

from make import keys
from spadam.optim import OPTIMIZERS, CustomSpec

EXAMPLE = """\
name: lr-and-eps
base: # what all trainings share
  data: { name: digits, batch_size: 32 }
  model: { latents: 256, rule: { name: top_k, k: 8 } }
  trainer: { epochs: 5 }
variants: # what is compared
  adam:
    optimizer: { name: adam }
  lazy:
    optimizer: { name: lazy_adam }
  sgd:
    optimizer: { name: sgd }
    space: { optimizer.eps: null } # it has no epsilon
space: # what is searched, for each of them
  optimizer.lr: { around: declared, decades: 4 }
  optimizer.eps: { low: 1.0e-10, high: 1.0e-2, log: true }
search: { sampler: tpe, trials: 24, studies: 2 }
repeat: { seeds: 5 }
objective: { metric: val/fvu, direction: minimize }
"""
"""A complete sweep, shown on the page."""


def _centres() -> str:
    """Which optimizers declare which centre of their lr."""
    named: dict[float, list[str]] = {}
    for member in OPTIMIZERS:
        if member is not CustomSpec:  # of which nothing is known
            named.setdefault(member.lr_center, []).append(f"`{member.model_fields['name'].default}`")
    groups = (
        f"{centre:g}~by~{', '.join(names)}" for centre, names in sorted(named.items())
    )  # not torn by a line's end
    return textwrap.fill(f"Declared are {'; '.join(groups)}.", 120).replace("~", " ")


_HEAD = f"""\
# Sweep files

Made from the models by `make docs`.

A sweep trains the same model with several optimizers, tunes each of them with the same number of trials, trains the
best of each again with fresh seeds, and compares those. Its file says what all trainings share (`base`), what is
compared (`variants`), which keys are searched (`space`), how (`search`), how often the best is repeated (`repeat`),
what is judged (`objective`), and what is shown (`report`). A complete one:

```yaml
{EXAMPLE}```

`spadam sweep run` checks all of it before anything trains, at both ends of every range of every variant; a mistake is
told with its line. An editor with a YAML language server completes and explains keys when the first line of a file is
`# yaml-language-server: $schema=…/docs/schema/sweep.json`, or `run.json` for the configuration that `spadam train`
takes; `spadam schema` prints both.

## How a variant is made

What a variant holds is laid over `base`, key by key, so only what differs needs to be written. A mapping whose `name`
differs replaces the old one whole: its keys belong to something else. Then every trial gives the searched keys their
values.

A variant's own `space` changes ranges or adds them, for this variant alone; `space: {{ optimizer.eps: null }}` takes an
axis away. All variants have the same number of trials however many axes they have, and the same `seed`.

## Ranges

The keys of `space` are dotted: `optimizer.lr` is `lr` under `optimizer`. Its values are written as one of these:

- `{{ low: 1.0e-5, high: 1.0e-1, log: true }}`: from low to high, both included; `log: true` makes every power of ten
  equally likely. Between two whole numbers, a key that takes only those gets only those.
- `{{ around: declared, decades: 4 }}`, for `optimizer.lr`: two powers of ten to each side of the centre that the
  variant's optimizer declares. So every optimizer is searched equally wide around the place where its lr works: in one
  and the same range, the best lr of one lies beyond the end of another.
- `{{ around: 3.0e-3, decades: 4 }}`: two powers of ten to each side of this number.
- `{{ around: {{ rule: sqrt_n, at: 2.0e-4, n: 16384 }}, decades: 2 }}`, for `optimizer.lr`: around at √(n / latents),
  the lr that this gives the variant's number of latents. A configuration takes the same rule for the lr itself.
- `{{ choices: [after, hat] }}`, or in short `[after, hat]`: one of these values.

Any key that holds one value can be searched; `optimizer.beta1` and `optimizer.beta2` are the two of `betas`.

{_centres()}

The same trial of two variants has the same place in both ranges. The sampler `grid` needs `points: 5`, or another
number, in every range.

Three axes are made from keys rather than being keys:

- `optimizer.eps_rel` sets `optimizer.eps` to its value times the root mean square of the gradient in the first 20
  batches, which is measured once, at the weights that training begins with, and stored. Whether an eps is large depends
  on how large gradients are, and so on data, model and `model.reduction`; an eps_rel means the same everywhere.
- `optimizer.lr_over_eps` sets `optimizer.lr` to its value times eps. Where eps is larger than the root of the second
  moment, nothing but lr / eps matters: good values of lr and eps lie along a ridge, and this axis goes across it.
- `optimizer.lr.at` is the `at` of an lr by the number of latents, for a sweep that searches `model.latents` too.

## Samplers and pruners

| `search.sampler` | |
|---|---|
| `random` | independent points: easy to reason about, and never wrong |
| `grid` | every combination of `points` and choices, both ends among them: for a picture of the whole plane |
| `qmc` | points that fill the space more evenly than random ones, of which there may be any number |
| `tpe` | learns from earlier trials where good values are; the first are random. The default |
| `gp` | learns with a Gaussian process: the best of few trials, slow with many hundreds |

The points of `random`, `grid` and `qmc` are known beforehand and the same for every variant. `tpe` and `gp` suggest a
trial from the results that lie `lag` or more trials back: at most so many run at a time, and the suggestions do not
depend on how many workers there are or on which of them was killed.

`search.pruner: median` ends a trial whose best value so far is worse than the median of the study's earlier trials at
the same evaluation. That saves time and has a price: an optimizer that starts slowly is cut where another is not, so
the default, `none`, is the fair one for a comparison. Repeats are never pruned.

## Objectives

One metric may be had at the cost of another: with the rule `relu` and an L1 term the error is the smaller the denser
the code, so a search for it ends where L1 is least. Two kinds of objective cannot be had that way:

- `objective: {{ at: {{ sparsity/l0_eval: [28, 36] }} }}` asks for the best `metric` among the trials within the
  bands. A trial outside is worse than any inside, and the worse the further it lies outside: each band adds what is
  missing to its nearest bound, over the larger of its bounds. So the sampler is drawn into the bands, a pruner cuts
  by the same ranking, and where no trial lies within them, the nearest is the best, and it is said. The advice to
  widen a range leaves out axes that a metric of a band follows.
- `objective: {{ pareto: [val/fvu, sparsity/l0_eval] }}` asks for the front: the trials that no other is as good as in
  every metric and better in one. `tpe` and `gp` learn where it lies; pruners are refused. `repeat.points` says how
  many trials of each front are repeated. A front has no best: `--best adam/search-7` prints the configuration of one
  of its trials. With `at`, what lies outside the bands is on no front while anything lies within.

## Studies, repeats, and what may grow

A search that was lucky once says little. `search.studies: 3` searches each variant three times, independently, with
training seeds of their own; `repeat.seeds: 5` trains the best of each study five times again with seeds that no search
has seen. Only these repeats are compared, and only they see the test samples: the best of many trials looks better than
it is.

The best of many was also the luckiest of many. `repeat: {{ choose: {{ top: 3, seeds: 3 }} }}` looks again before it
decides: when the search of a study has ended, its 3 best trials (with different parameters) are each trained 3 times
more, with seeds that neither the search nor the repeats have, the same for every variant; the one with the best *mean*
of the objective is the setting of the study, and gets the repeats. These *choosing trainings* are of the phase
`choose`, trained as trials are: on validation samples only, and never pruned. One that diverges counts as the worst
that was seen of it, step 0 included; with `objective.at` the means are what must lie within the bands; of equal means
the earlier trial is taken; and where a search has fewer trials with different parameters, or one only, it is chosen
among those. Of several studies that with the best mean is the best. A front (`objective.pareto`) has no setting to
choose.

The file of a sweep that has begun may grow: a larger `search.trials` (not of a grid), `search.studies` or
`repeat.seeds` or `repeat.points`, a `repeat.choose` that was not there or has more `top` or `seeds`, and further
variants; `report` may change as one likes. The same command then does what is new. If another setting comes to be the
best, or to be chosen, it is repeated, and the repeats of the one before are kept as `superseded`; so are choosing
trainings of what is no longer among the best. Anything else would mix results that cannot be compared, and is refused;
give the sweep another `name`.

# Keys

The keys of the file come first, those under `base` (and in the file of `spadam train`, which is what `base` is here)
after them. A default left empty is nothing, or stands in the section that the value leads to.
"""


def as_markdown() -> str:
    """The whole page."""
    return "\n\n".join([_HEAD.rstrip(), *keys.sections()]) + "\n"


if __name__ == "__main__":
    sys.stdout.write(as_markdown())
