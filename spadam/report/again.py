"""How to run a sweep again: its file to take along, and the commands."""

from __future__ import annotations

import base64

from spadam.report.markup import join, paragraph, tag
from spadam.report.provenance import COMMIT
from spadam.report.section import Section, code
from spadam.spec import dump
from spadam.sweep.outcome.outcome import Outcome


def again(outcome: Outcome) -> Section:
    """The file as a link that saves it, what it takes, and the commands for all of it and for one training."""
    name = outcome.sweep.name
    file, first = f"{name}.yaml", next(iter(outcome.sweep.variants))
    text = base64.b64encode(dump(dict(outcome.attributes["spec"])).encode()).decode()
    link = tag("a", file, href=f"data:application/yaml;base64,{text}", download=file)
    storage = "" if outcome.folder is not None else " --storage URL"
    check = " --check" if outcome.sweep.spec.claims else ""
    everything = [
        f"spadam sweep plan {file}{storage}",
        f"spadam sweep run {file}{storage}",
        f"spadam report {file}{storage}{check}",
    ]
    one = [
        f"spadam sweep results {file}{storage} --best {first} > best.yaml",
        "spadam train best.yaml --out runs/best",
    ]
    return Section(
        "again",
        "How to run it again",
        join(
            [
                tag("p", "Save the sweep's file, ", link, ", and give these commands beside it. ", _needs(outcome)),
                code("\n".join(everything)),
                paragraph(
                    "The first says how long it takes. Neither the number of workers nor an interruption changes a "
                    "number; another version, processor or number of threads may, in the last digits."
                ),
                paragraph(f"Of one training alone, the best of {first}:"),
                code("\n".join(one)),
            ]
        ),
    )


def _needs(outcome: Outcome) -> str:
    """With what it was run, in words."""
    versions = outcome.attributes["versions"]
    commits = dict.fromkeys(str(r.provenance[COMMIT]) for r in outcome.results if COMMIT in r.provenance)
    at = f" (commit {', '.join(commits)})" if commits else ""
    data = ", ".join(dict.fromkeys(str(v.document.data["data"]["name"]) for v in outcome.sweep.variants.values()))
    return f"They take spadam {versions['spadam']}{at} with torch {versions['torch']}, and the data: {data}."
