"""What must hold of a sweep that has come to its end, whatever happened to it: N1 to N8, each by itself.

Each says what it found wrong, in sentences; nothing is right. Rows, files and the log are read as they are: what is
counted here, the package counts nowhere.
"""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import safetensors.torch
import torch

from support.chaos import stored
from support.chaos.plan import CHECKPOINT_EVERY, promises, steps
from support.chaos.ride import Look, Ride
from support.chaos.stored import Stored
from support.chaos.trained import Step

Found = list[str]


def check(ride: Ride, expected: list[dict[str, Any]] | None, interval: int | None = CHECKPOINT_EVERY) -> Found:
    """Everything that is wrong; ``expected`` are the results of a sweep to which nothing happened.

    ``interval`` is how many steps a kill may cost; on a cluster, whose checkpoints come home now and then, all of them.
    """
    place = ride.place
    trials = place.trials()
    results = place.ask("results")
    found = [
        *(f"N1 {said}" for said in one_outcome(place.spec, trials)),
        *(f"N2 {said}" for said in unchanged(ride.acknowledged.values(), trials, place.home, place.spec)),
        *(f"N3 {said}" for said in none_twice(trials, ride.begun)),
        *(f"N4 {said}" for said in lost_steps(ride.steps, interval if place.crew == "local" else None)),
        *(f"N5 {said}" for said in ledgers(place.spec, trials, place.home)),
        *(f"N6 {said}" for said in counts(place.spec, results)),
        *(f"N8 {said}" for said in codes(place.spec, ride.codes)),
        *(f"N8 {said}" for look in ride.looks for said in status(place.spec, look)),
    ]
    if "Traceback" in ride.said:
        found.append(f"N8 a traceback was shown:\n{ride.said[ride.said.index('Traceback') :][:2000]}")
    return found + [f"N7 {said}" for said in ([] if expected is None else differences(expected, results))]


def one_outcome(spec: dict[str, Any], trials: list[Stored]) -> Found:
    """N1: each planned slot has one accepted attempt, nothing runs or waits, and nothing else was accepted."""
    found = [f"{t.study} {t.number} is {t.state}" for t in trials if t.state not in (*stored.ACCEPTED, "FAIL")]
    accepted = [trial for trial in trials if trial.accepted]
    planned: set[int] = set()
    for variant, study, number, repeats in promises(spec):
        home = f"{spec['name']}/{variant}"
        search = [trial for trial in accepted if trial.study == f"{home}/search-{study}"]
        for slot in (f"search-{study}/{n}" for n in range(number)):
            mine = [trial for trial in search if trial.known["slot"] == slot]
            planned |= {trial.id for trial in mine}
            if len(mine) != 1:
                found.append(f"{variant} {slot} has {len(mine)} accepted attempts")
        best = min((t for t in search if t.known["result"]["status"] == "complete"), key=_value, default=None)
        again = [t for t in accepted if t.study == f"{home}/repeat" and t.known["study"] == study]
        mine = [trial for trial in again if best is not None and trial.params == best.params]
        old = [trial for trial in again if trial not in mine]
        planned |= {trial.id for trial in again}
        if len(mine) != repeats or len({trial.known["seed"] for trial in mine}) != repeats:
            found.append(f"{variant} has {len(mine)} accepted repeats of its best, and {repeats} are planned")
        if stray := [t for t in old if t.params not in [s.params for s in search]]:
            found.append(f"{variant} has {len(stray)} repeats of what no trial had")
    return found + [f"{t.study} {t.number} was accepted, and is not planned" for t in accepted if t.id not in planned]


def unchanged(
    acknowledged: Iterable[tuple[Stored, dict[str, str]]], trials: list[Stored], home: Path, spec: dict[str, Any]
) -> Found:
    """N2: what was accepted before a fault is the same to the last bit: every row of it, and its files."""
    now, found = {trial.id: trial for trial in trials}, []
    for before, files in acknowledged:
        name = f"{before.study} {before.number}"
        if (after := now.get(before.id)) is None:
            found.append(f"{name} is gone")
        elif after != before:
            changed = [field for field in Stored._fields if getattr(before, field) != getattr(after, field)]
            found.append(f"{name} has another {', '.join(changed)}")
        elif (there := stored.hashes(home / stored.folder_of(trials, after, spec))) != files:
            differ = sorted(name for name in {*there, *files} if there.get(name) != files.get(name))
            found.append(f"{name} has other files: {', '.join(differ)}")
    return found


def none_twice(trials: list[Stored], begun: set[int]) -> Found:
    """N3: no slot was accepted twice; what failed is still there, and says why."""
    accepted = Counter((trial.study, trial.known.get("slot")) for trial in trials if trial.accepted)
    found = [f"{study} {slot} was accepted {many} times" for (study, slot), many in accepted.items() if many > 1]
    for trial in trials:
        if trial.state == "FAIL" and trial.known.get("failure") not in ("infra", "bug", "input", "superseded"):
            found.append(f"{trial.study} {trial.number} failed, and nothing says why")
    numbers = defaultdict(list)
    for trial in trials:
        numbers[trial.study].append(trial.number)
    found += [f"{study} has the trials {mine}" for study, mine in numbers.items() if mine != list(range(len(mine)))]
    return found + [f"attempt {id_} is gone" for id_ in begun - {trial.id for trial in trials}]


def lost_steps(log: Iterable[Step], interval: int | None) -> Found:
    """N4: an attempt begins at most one interval behind the last step of those before; None: it may begin anew.

    Within an attempt no step is left out, and one process makes them all.
    """
    found: Found = []
    slots: dict[tuple[str, str], dict[int, list[Step]]] = defaultdict(lambda: defaultdict(list))
    for step in log:
        slots[step.variant, step.slot][step.attempt].append(step)
    for slot, attempts in slots.items():
        done = 0
        for attempt, mine in sorted(attempts.items()):
            name, numbers = f"{slot[0]} {slot[1]} attempt {attempt}", [step.number for step in mine if step.number]
            if len({step.pid for step in mine}) > 1:
                found.append(f"{name} was trained by several processes")
            if not numbers:
                continue
            least = 1 if interval is None else max(1, done - interval + 1)
            if not least <= numbers[0] <= done + 1:
                found.append(f"{name} begins with step {numbers[0]}, and {done} were made before")
            if numbers != list(range(numbers[0], numbers[0] + len(numbers))):
                found.append(f"{name} leaves steps out, or makes them twice: {numbers}")
            done = max(done, numbers[-1])
    return found


def ledgers(spec: dict[str, Any], trials: list[Stored], home: Path) -> Found:
    """N5: the ledger of an accepted attempt has each evaluation once and in order, and its weights match its end."""
    found: Found = []
    for trial in trials:
        if not trial.accepted:
            continue
        folder = home / stored.folder_of(trials, trial, spec)
        name, result = f"{trial.study} {trial.number}", trial.known["result"]
        lines = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
        rows = [line for line in lines if "val/mse" in line]
        if [row["step"] for row in rows] != steps(spec):
            found.append(f"{name} evaluated at the steps {[row['step'] for row in rows]}")
            continue
        if [row["step"] for row in result["evaluations"]] != steps(spec):
            found.append(f"{name} has other evaluations in its result")
        if json.loads((folder / "result.json").read_text()) != result:
            found.append(f"{name} has another result in its folder than in the storage")
        if rows[-1]["val/mse"] != result["metrics"]["val/mse"]:
            found.append(f"{name} has another end in its ledger than in its result")
        measured = error_of(folder / "model.safetensors", spec)
        if abs(measured / rows[-1]["val/mse"] - 1) > 1e-4:  # float32, and another order of sums
            found.append(f"{name} has weights of {measured:.6g}, and its last row says {rows[-1]['val/mse']:.6g}")
    return found


def error_of(weights: Path, spec: dict[str, Any]) -> float:
    """The mean squared error of stored weights on the validation images, worked out by its definition."""
    there = safetensors.torch.load_file(weights)
    images = _validation(json.dumps(spec["base"]["data"]))
    scores = (images - there["pre_bias"]) @ there["encoder_weight"].T + there["encoder_bias"]
    best = scores.topk(spec["base"]["model"]["rule"]["k"], dim=1)
    code = torch.zeros_like(scores).scatter(1, best.indices, best.values)
    decoder = there.get("decoder_weight", there["encoder_weight"])
    return float(((code @ decoder + there["decoder_bias"] - images) ** 2).double().mean())


def counts(spec: dict[str, Any], results: list[dict[str, Any]]) -> Found:
    """N6: so many were accepted in each variant, phase and study as the file says."""
    found: Found = []
    ended = Counter(
        (row["variant"], row["study"], row["phase"])
        for row in results
        if row["status"] in ("complete", "pruned", "diverged")
    )
    for variant, study, trials, repeats in promises(spec):
        for phase, planned in (("search", trials), ("repeat", repeats)):
            if (many := ended.pop((variant, study, phase), 0)) != planned:
                found.append(f"{variant} has {many} results of phase {phase}, and {planned} are planned")
    return found + [f"{many} results of {which}, which is not planned" for which, many in ended.items()]


def differences(expected: list[dict[str, Any]], results: list[dict[str, Any]]) -> Found:
    """N7: the same numbers as where nothing happened; times and numbers of attempts are no results."""

    def plain(rows: list[dict[str, Any]]) -> dict[tuple[Any, ...], dict[str, Any]]:
        return {
            (
                row["variant"],
                row["phase"],
                row["study"],
                row["seed"],
                row["slot"] if row["phase"] == "search" else "",
            ): {
                **{key: value for key, value in row.items() if key not in ("attempts", "metrics", "slot")},
                **{key: value for key, value in row["metrics"].items() if not key.startswith("time/")},
            }
            for row in rows
            if row["status"] != "superseded"
        }  # repeats of what was the best before an extension are counted on: a seed names one, not its number

    there, here = plain(expected), plain(results)
    found = [f"{which} is in one of them only" for which in there.keys() ^ here.keys()]
    for which in there.keys() & here.keys():
        if there[which] != here[which]:
            keys = {*there[which], *here[which]}
            differ = sorted(key for key in keys if there[which].get(key) != here[which].get(key))
            found.append(f"{which} differs in {', '.join(differ)}")
    return found


def codes(spec: dict[str, Any], ended: Iterable[tuple[int, list[Stored]]]) -> Found:
    """N8: 0 is said when all is done and only then; 1 when something is left; a kill is a kill."""
    found: Found = []
    for code, trials in ended:
        wrong = one_outcome(spec, trials)
        if code == 0 and wrong:
            found.append(f"exit code 0, and {wrong[0]}")
        elif code == 1 and not wrong:
            found.append("exit code 1, and nothing is left to do")
        elif code not in (0, 1, -9):
            found.append(f"exit code {code}")
    return found


def status(spec: dict[str, Any], look: Look) -> Found:
    """N8: what is told of a sweep is what is stored."""
    found: Found = []
    said = look.status
    if (said["agent"] is not None) != look.attended:
        found.append(f"status says agent {said['agent']}, and it {'lives' if look.attended else 'is gone'}")
    for variant, numbers in said["variants"].items():
        least, most = (_accepted(spec, trials, variant) for trials in (look.before, look.after))
        slots = sum(p.trials + p.repeats for p in promises(spec) if p.variant == variant)
        if not least <= numbers["accepted"] <= most:
            found.append(f"status says {numbers['accepted']} of {variant} are accepted, stored are {least} to {most}")
        if numbers["slots"] != slots:
            found.append(f"status says {variant} has {numbers['slots']} slots, planned are {slots}")
        if sum(numbers[name] for name in ("accepted", "running", "waiting", "failed")) != slots:
            found.append(f"status says of {variant}: {numbers}")
        if not look.attended and numbers["running"]:
            found.append(f"status says {numbers['running']} of {variant} run, and nobody is there")
    done = all(numbers["accepted"] == numbers["slots"] for numbers in said["variants"].values())
    return found + ([f"status says done: {said['done']}"] if said["done"] != done else [])


def _accepted(spec: dict[str, Any], trials: list[Stored], variant: str) -> int:
    """So many slots of ``variant`` are accepted; repeats count that are of what is the best by now."""
    mine = [trial for trial in trials if trial.accepted and trial.slot[0] == variant]
    searches = [trial for trial in mine if not trial.study.endswith("/repeat")]
    best = {}
    for study in range(spec["search"]["studies"]):
        there = [t for t in searches if t.known["study"] == study and t.known["result"]["status"] == "complete"]
        best[study] = min(there, key=_value).params if there else ()
    return len(searches) + sum(t.params == best[t.known["study"]] for t in mine if t not in searches)


def _value(trial: Stored) -> float:
    return float(trial.values[0][1])


_images: dict[str, torch.Tensor] = {}


def _validation(data: str) -> torch.Tensor:
    if data not in _images:
        from spadam.config import RunConfig
        from spadam.spec import Document, validate

        given = {"data": json.loads(data), "optimizer": {"name": "adam"}}
        dataset = validate(RunConfig, Document(given, {}, "chaos")).data.load()
        _images[data] = dataset.x[dataset.validation]
    return _images[data]
