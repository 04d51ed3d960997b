"""docs/metrics.md: the registry of metrics as a page, one table a group."""

from __future__ import annotations

import sys

from make import counting
from spadam.diagnostics.metrics import METRICS

_HEAD = """\
# Metrics

Made from `spadam/diagnostics/metrics.py` by `make docs`.

A share lies in [0, 1]. A number that is not finite is `null` in JSON. A metric that a run cannot have (no labels, an
optimizer without a denominator, no clipping, no targets, no validation samples) is absent. Arrays stand under `arrays`.

Step 0 is evaluated, then every epoch or every `trainer.evaluate_every` steps, and the end; values are those of the last
evaluation. A *row* is a line of `metrics.jsonl`: an evaluation, or a short one about every 50 steps in between, with
what is cheap to say.

*Objective*: whether a search may be judged by it; `unpruned` is measured once, at the end of a training, so no pruner
can look at it. Nothing is ever chosen on the test split; test metrics are not even computed in a search.
"""


def as_markdown() -> str:
    """The registry as a page, one table a group, and what others count."""
    parts = [_HEAD]
    for group in dict.fromkeys(name.partition("/")[0] for name in METRICS):
        parts.append(f"\n## {group}/\n\n| name | unit | over | formula | objective |\n|---|---|---|---|---|\n")
        for metric in METRICS.values():
            if metric.name.startswith(group + "/"):
                objective = "yes" if metric.prunable else "unpruned" if metric.searchable else "no"
                cells = (f"`{metric.name}`", metric.unit, metric.over, metric.formula, objective)
                parts.append(f"| {' | '.join(cells)} |\n")
    return "".join([*parts, "\n", counting.section()])


if __name__ == "__main__":
    sys.stdout.write(as_markdown())
