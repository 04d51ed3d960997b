"""How often verdicts are wrong, and how often they find what is there: the long form of the tests of calibration.

    make calibrate
    python benchmarks/calibrate.py --times 1000 --real 30

A variant is compared with its copy, each searched by an own sampler and trained with own seeds, so that whatever tells
them apart is wrong. Simulated sweeps draw what a training gives from a response that was measured; --real trains so
many pairs of tiny sweeps on digits. Prints tables in Markdown; the exit code is 1 when a rate that should be .05 at
most lies above its .999 bound.
"""

from __future__ import annotations

import argparse
import functools
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from scipy.stats import binom

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests"))

import spadam  # noqa: E402
from spadam.claims.arm import Arm  # noqa: E402
from spadam.claims.judging import Case, judge  # noqa: E402
from spadam.claims.spec import ClaimSpec  # noqa: E402
from spadam.claims.verdict import Verdict  # noqa: E402
from spadam.spec import dump  # noqa: E402
from spadam.statistics.paired import interval  # noqa: E402
from spadam.sweep.definition.claims import metric_of  # noqa: E402
from spadam.sweep.outcome.arms import setting_arm  # noqa: E402
from spadam.sweep.running.agent import run_sweep  # noqa: E402
from spadam.sweep.running.means import Means  # noqa: E402
from support.copies import ERROR, generators, verdict  # noqa: E402

NO_MARGIN = 1e-9

COPIES: dict[str, dict[str, Any]] = {
    "variants, 6 studies of 2 repeats, no margin": {"margin": NO_MARGIN, "studies": 6, "seeds": 2},
    "variants, 10 studies of 1 repeat, no margin": {"margin": NO_MARGIN, "studies": 10, "seeds": 1},
    "variants, 6 studies of 2 repeats, margin 1 %": {"margin": 0.01, "studies": 6, "seeds": 2},
    "one search, 6 seeds, no margin": {"margin": NO_MARGIN, "studies": 1, "seeds": 6},
    "one search, 10 seeds, no margin": {"margin": NO_MARGIN, "studies": 1, "seeds": 10},
    "one search, 20 seeds, no margin": {"margin": NO_MARGIN, "studies": 1, "seeds": 20},
    "one search, 10 seeds, margin 1 %": {"margin": 0.01, "studies": 1, "seeds": 10},
    "one search, 10 seeds, margin 3 %": {"margin": 0.03, "studies": 1, "seeds": 10},
}
"""What is said of a variant and its copy. Of one search it is about two settings, which may well differ."""

BETTER = ((0.02, 6), (0.02, 12), (0.05, 6), (0.05, 12), (0.1, 6))
"""How much better, and how many studies."""

DRAWN: dict[str, Callable[[np.random.Generator, int], np.ndarray[Any, Any]]] = {
    "normal": lambda rng, n: rng.normal(0.0, 1.0, n),
    "uniform": lambda rng, n: rng.uniform(-1.0, 1.0, n),
    "skewed (exponential)": lambda rng, n: rng.exponential(1.0, n) - 1.0,
    "heavy tails (t, 3)": lambda rng, n: rng.standard_t(3, n),
}
"""Differences whose mean is 0."""


def counted(times: int, answer: Callable[[np.random.Generator], Verdict], said: str) -> int:
    found = 0
    for number, rng in enumerate(generators(times)):
        found += answer(rng).answer == "supported"
        if (number + 1) % 50 == 0:
            print(f"{said}: {found} of {number + 1}", file=sys.stderr, flush=True)
    return found


def copies(times: int) -> bool:
    bound, holds = int(binom.ppf(0.999, times, 0.05)), True
    print("| a variant and its copy | called different |\n|---|---|")
    for said, how in COPIES.items():
        found = counted(times, functools.partial(verdict, **how), said)
        print(f"| {said} | {found} of {times} |", flush=True)
        holds &= found <= bound or how["studies"] == 1
    print(f"\nOf a true rate of .05, {bound} of {times} are exceeded with a chance of .001.\n")
    return holds


def power(times: int) -> None:
    print("| truly better by | studies of 2 repeats | called better, margin 1 % |\n|---|---|---|")
    for better, studies in BETTER:
        answer = functools.partial(verdict, kind="better", margin=0.01, studies=studies, seeds=2, better=better)
        found = counted(times, answer, f"better by {better}")
        print(f"| {better:.0%} | {studies} | {found / times:.0%} |", flush=True)
    print()


def coverage(times: int) -> None:
    sizes = (5, 6, 10, 19, 20, 40)
    print(f"| differences | {' | '.join(f'n {n}' for n in sizes)} |\n|---|{'---|' * len(sizes)}")
    for said, draw in DRAWN.items():
        cells = []
        for n in sizes:
            found = [interval(list(draw(rng, n)), 0.95) for rng in generators(times)]
            cells.append(f"{sum(one.low <= 0 <= one.high for one in found) / times:.3f}")
        print(f"| {said} | {' | '.join(cells)} |", flush=True)
    print()


def real(pairs: int) -> None:
    """Tiny sweeps on digits, each arm one of its own; the first six seeds of both are paired."""
    claim = ClaimSpec(says="copies differ", variants=("a", "b"), metric="test/fvu", kind="different", margin=0.01)
    answers: list[str] = []
    with tempfile.TemporaryDirectory() as folder:
        for pair in range(pairs):
            first, second = (_arm(name, pair, Path(folder)) for name in ("a", "b"))
            answers.append(judge([Case(claim, ERROR, False, (first, second))])[0].answer)
            print(f"pair {pair + 1} of {pairs}: {answers[-1]}", file=sys.stderr, flush=True)
    print(f"Of {pairs} real pairs, margin 1 %: " + ", ".join(f"{answers.count(a)} {a}" for a in sorted(set(answers))))


def _arm(name: str, pair: int, folder: Path) -> Arm:
    number = 2 * pair + (name == "b")
    spec = {
        "name": f"{name}-{pair}",
        "base": {
            "seed": 100 * number,
            "data": {"name": "digits", "batch_size": 128},
            "model": {"latents": 128, "rule": {"name": "top_k", "k": 8}},
            "trainer": {"epochs": 2},
            "probe": None,
            "tracking": {"mode": "disabled"},
        },
        "variants": {"a": {"optimizer": {"name": "lazy_adam"}}},
        "space": {"optimizer.lr": {"around": "declared", "decades": 2}},
        "search": {"trials": 12, "seed": number},
        "repeat": {"seeds": 6},
    }
    (path := folder / f"{name}-{pair}.yaml").write_text(dump(spec))
    outcome = run_sweep(path, folder, means=Means(0))
    found = setting_arm(outcome.sweep, outcome.searches[0], metric_of(outcome.sweep, "test/fvu"))
    return Arm(name, dict(enumerate(found.units.values())), found.planned)


def main() -> None:
    options = argparse.ArgumentParser(description="How often verdicts are wrong.")
    options.add_argument("--times", type=int, default=1000, help="simulated sweeps of each kind")
    options.add_argument("--real", type=int, default=0, help="pairs of real sweeps")
    given = options.parse_args()
    print(f"spadam {spadam.__version__}, {given.times} simulated sweeps of each kind\n")
    holds = copies(given.times)
    power(max(100, given.times // 5))
    coverage(given.times)
    if given.real:
        real(given.real)
    sys.exit(not holds)


if __name__ == "__main__":
    main()
