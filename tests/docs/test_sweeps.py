"""docs/sweeps.md: as committed, its example a sweep, every key and name in it, and no link into nothing."""

import re

import pytest

from make.keys import anchor
from make.sweeps import EXAMPLE, as_markdown
from spadam import schema
from spadam.optim import OPTIMIZERS
from spadam.spec import parse
from spadam.sweep.definition.reading import check
from support.paths import ROOT

PAGE = as_markdown()


def test_the_committed_page_is_made_from_the_models() -> None:
    committed = ROOT / "docs/sweeps.md"
    assert committed.read_text(encoding="utf-8") == PAGE, "run make docs"


def test_the_example_is_a_sweep() -> None:
    assert f"```yaml\n{EXAMPLE}```" in PAGE
    sweep = check(parse(EXAMPLE, "example"))
    lowest = {name: variant.axes[0].range.low for name, variant in sweep.variants.items()}
    assert lowest["sgd"] == pytest.approx(1000 * lowest["adam"])  # each is searched around its own centre


def test_every_key_has_its_row() -> None:
    models = [schema.run(), schema.sweep(), *schema.run()["$defs"].values(), *schema.sweep()["$defs"].values()]
    keys = {key for model in models for key, value in model["properties"].items() if "const" not in value}
    assert not {key for key in keys if f"\n| `{key}` |" not in PAGE}


def test_every_member_has_its_section_and_every_declared_centre_is_told() -> None:
    for model in schema.run()["$defs"].values():
        if "const" in (name := model["properties"].get("name", {})):
            assert f": {name['const']}`\n\n{model['description']}" in PAGE
    centres = {f"{member.lr_center:g} by " for member in OPTIMIZERS if member.model_fields["name"].default}
    assert all(centre in PAGE for centre in centres)


def test_defaults_are_those_of_each_member() -> None:
    sections = {name: text for name, text in re.findall(r"### `optimizer: (\w+)`\n(.*?)(?=\n##)", PAGE, re.DOTALL)}
    assert "`epsilon` = hat" in sections["lazy_adam"]
    assert "`epsilon` = after" in sections["row_clock_adam"]
    assert "`lr` = 0.01" in sections["adagrad"]
    assert "| `eps` | number ≥ 0 | `1e-10` |" in sections["adagrad"]
    assert "`schedule`" not in sections["adam"]  # all have it: it stands above, once


def test_links_lead_to_headings_and_headings_differ() -> None:
    anchors = [anchor(heading) for heading in re.findall(r"^#+ (.*)$", PAGE, re.MULTILINE)]
    assert len(anchors) == len(set(anchors))
    links = set(re.findall(r"\]\(#(.*?)\)", PAGE))
    assert {"modelrule", "search", "base"} <= links <= set(anchors)


def test_nothing_of_the_source_shows() -> None:
    assert not re.search(r":\w+:`|\$ref|\|  \| *$", PAGE)
    rows = [line for line in PAGE.partition("\n# Keys\n")[2].splitlines() if line.startswith("| `")]
    assert len(rows) > 80
    assert all(row.count(" | ") == 3 for row in rows)
