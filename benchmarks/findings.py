"""Runs a finding of sweeps/findings/ as docs/findings.md has it: the sweep that ships, with fewer or shorter trainings.

    python benchmarks/findings.py article_settled

writes OUT/recorded/article_settled.yaml, the same file with what RECORDED says laid over it, and runs that: so it can
be stopped and gone on with, and `spadam report` makes its page. Without a name it runs them all, in about two hours on
two cores. What a page has not is printed by

    python benchmarks/findings.py --tell article_settled
"""

from __future__ import annotations

import argparse
import math
import statistics
import subprocess
import sys
from pathlib import Path
from typing import Any

import spadam
from spadam.spec import dump, load, merge
from spadam.statistics.paired import interval
from spadam.sweep.outcome.outcome import Outcome
from spadam.text import number, share

ROOT = Path(__file__).resolve().parents[1]
SWEEPS = ROOT / "sweeps" / "findings"

_SHORT = {"trainer": {"epochs": None, "steps": 400}}
_SMALL = {"model": {"latents": 1024}, "trainer": {"steps": 400, "evaluate_every": 200}}
_UNPROBED = {**_SHORT, "probe": None}
_CELLS = ("sample_tf", "sample_lazy", "union_tf", "union_lazy", "density_tf")

_BY_ROWS = [f"{name}_{rows}" for rows in ("few", "some", "all") for name in ("adam", "lazy_adam", "adagrad")]


def _dense(tf: int, lazy: int) -> dict[str, Any]:
    """The controls with as many latents as the unions have in these shorter trainings."""
    by = {"density_tf": tf, "density_lazy": lazy}
    return {name: {"model": {"rule": {"k": k, "k_inference_factor": 25 / k}}} for name, k in by.items()}


RECORDED: dict[str, dict[str, Any]] = {
    "article_settled": {"base": _SHORT, "variants": _dense(117, 123)},
    "article_settled_centred": {
        "base": _SHORT,
        "variants": _dense(331, 333),
        "keep": (*_CELLS, "lifetime_tf", "lifetime_lazy", "union_lifetime_tf"),
    },
    "article_tuned": {"base": _UNPROBED, "variants": _dense(100, 133), "repeat": {"choose": None}, "keep": _CELLS},
    "article_tuned_centred": {
        "base": _UNPROBED,
        "variants": _dense(331, 333),
        "repeat": {"choose": None},
        "keep": _CELLS,
    },
    "lr_latents": {"keep": _BY_ROWS, "search": {"studies": 2}},
    "lr_batch": {"keep": _BY_ROWS, "search": {"studies": 2}},
    "lr_samples": {},
    "eps": {"keep": ("lazy_after", "lazy_hat")},
    "eps_long": {
        "keep": ("lazy_after",),
        "space": {"optimizer.eps": {"low": 1.0e-8, "high": 1.0e-2, "points": 4}, "optimizer.lr": None},
        "search": {"studies": 2},
    },
    "disputes": {"base": _SMALL},
    "disputes_fashion": {"base": _SMALL},
}
"""What is laid over each file, and of what variants it `keep`s, with the claims about them, where not all."""


def recorded(name: str) -> dict[str, Any]:
    """The sweep of docs/findings.md."""
    changes = dict(RECORDED[name])
    kept = changes.pop("keep", None)
    found = merge(load(SWEEPS / f"{name}.yaml").data, changes)
    found["space"] = {key: axis for key, axis in found.get("space", {}).items() if axis is not None}
    if kept is not None:
        found["variants"] = {variant: found["variants"][variant] for variant in kept}
        found["claims"] = [claim for claim in found.get("claims", []) if set(claim["variants"]) <= set(kept)]
    if not found["base"].get("probe", True):
        found["claims"] = [claim for claim in found.get("claims", []) if not claim["metric"].startswith("probe/")]
        columns = found.get("report", {}).get("columns", [])
        found["report"] = {"columns": [name for name in columns if not name.startswith("probe/")] or None}
    return found


def run(name: str, out: Path) -> int:
    """Run it; the exit code of `spadam sweep run`."""
    path = out / "recorded" / f"{name}.yaml"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(dump(recorded(name)), encoding="utf-8")
    return subprocess.call([sys.executable, str(ROOT / "cli.py"), "sweep", "run", str(path), "--out", str(out)])


def tell(outcome: Outcome) -> None:
    """Print what the page of a sweep has not."""
    for metric in ("train/mse_training_code", "test/mse") if "union_lazy" in outcome.sweep.variants else ():
        decompose(outcome, metric)
    rows = outcome.trials()
    if found := outcome.verdicts().get("responsiveness"):
        head = ("variant", "rows touched", "best", "width", "sensitivity", "slope at the default", "best lr's val/fvu")
        print(f"\n| {' | '.join(head)} |\n|{'---|' * len(head)}")
    for one in found or ():
        mine = [row for row in rows if row["variant"] == one["variant"]]
        touched = [row["metrics"]["sparsity/rows_touched"] for row in mine if "sparsity/rows_touched" in row["metrics"]]
        best = [row["value"] for row in mine if row["value"] is not None and _at(row["params"], one["best"])]
        width, sensitivity, slope = one["width"], one["lr_sensitivity"], one["slope_at_default"]
        ends = "".join(f", open {side}" for side in ("below", "above") if width[f"open_{side}"])
        cells = (
            one["variant"],
            share(statistics.median(touched)),
            ", ".join(f"{key.rpartition('.')[2]} {number(value, 2)}" for key, value in one["best"].items()),
            f"{number(width['decades'], 2)}{ends}",
            "–" if sensitivity is None else f"{number(sensitivity['value'], 2)}",
            "–" if slope is None else f"{slope['slope']:+.2f}",
            number(statistics.fmean(best), 3),
        )
        print(f"| {' | '.join(cells)} |")


def _at(params: dict[str, Any], place: dict[str, Any]) -> bool:
    return all(math.isclose(params[key], value, rel_tol=1e-6) for key, value in place.items())


def decompose(outcome: Outcome, metric: str) -> None:
    """What the optimizer, the second mask and both together do to ln ``metric``: means over seeds, with 95 % intervals.

    With y of one seed, *optimizer* is the mean over both codes of y(lazy) - y(tf), *mask* the mean over both optimizers
    of y(union) - y(sample), and *interaction* how much more y(lazy) - y(tf) is on the union than on the sample.
    """
    of: dict[str, dict[int, float]] = {}
    for row in outcome.repeats():
        if (value := row["metrics"].get(metric)) is not None:
            of.setdefault(row["variant"], {})[row["seed"]] = math.log(value)

    def less(first: str, second: str) -> list[float]:
        return [of[first][seed] - of[second][seed] for seed in sorted(of[first].keys() & of[second].keys())]

    for other in ("lazy", "masked") if "union_masked" in of else ("lazy",):
        on_sample, on_union = (less(f"{code}_{other}", f"{code}_tf") for code in ("sample", "union"))
        of_tf, of_other = (less(f"union_{name}", f"sample_{name}") for name in ("tf", other))
        effects = {
            f"optimizer ({other} for tf)": [(a + b) / 2 for a, b in zip(on_sample, on_union, strict=True)],
            "mask (union for sample)": [(a + b) / 2 for a, b in zip(of_tf, of_other, strict=True)],
            "interaction": [b - a for a, b in zip(on_sample, on_union, strict=True)],
        }
        print(f"\n| ln {metric}, {len(on_sample)} seeds | mean | 95 % interval |\n|---|---|---|")
        for name, found in effects.items():
            mean, low, high, _, _ = interval(found, 0.95)
            print(f"| {name} | {mean:+.4f} | {low:+.4f} to {high:+.4f} |")


def main() -> int:
    """Run one, or all, or tell what came of it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("name", nargs="?", choices=RECORDED)
    parser.add_argument("--tell", action="store_true", help="Print what came of it.")
    parser.add_argument("--out", type=Path, default=Path("runs"))
    given = parser.parse_args()
    names = [given.name] if given.name else list(RECORDED)
    if given.tell:
        for name in names:
            print(f"\n## {name}")
            tell(spadam.load(given.out / name))
        return 0
    return max(run(name, given.out) for name in names)


if __name__ == "__main__":
    sys.exit(main())
