"""The pages name what is there: links, files, commands, configurations, members, and the points of the family."""

import re
from pathlib import Path
from types import ModuleType

import pytest
from typer.testing import CliRunner

from make.keys import anchor
from spadam import optim, sparsity
from spadam.cli import app
from spadam.config import RunConfig
from spadam.optim.rows.adam_family import Point
from spadam.spec import parse, validate
from spadam.sweep.definition.reading import check
from support.paths import ROOT

DOCS = ROOT / "docs"
PAGES = sorted(DOCS.rglob("*.md"))
ALL = [*PAGES, ROOT / "README.md", ROOT / "CONTRIBUTING.md"]
MADE = {DOCS / "metrics.md", DOCS / "sweeps.md"}
WRITTEN = [page for page in ALL if page not in MADE]


def relative(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


def text_of(page: Path) -> str:
    return page.read_text(encoding="utf-8")


def blocks(page: Path, language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", text_of(page), re.DOTALL)


def prose(page: Path) -> str:
    """Without blocks, and without what stands in backticks."""
    return re.sub(r"`[^`]*`", "", re.sub(r"```.*?```", "", text_of(page), flags=re.DOTALL))


def rows(page: Path, heading: str) -> list[list[str]]:
    """The cells of the first table after ``heading``, without its head."""
    after = text_of(page).split(heading, 1)[1]
    (table,) = re.findall(r"(?:^\|.*\n)+", after, re.MULTILINE)[:1]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines()[2:]]


@pytest.mark.parametrize("page", ALL, ids=relative)
def test_links_lead_to_files_and_headings(page: Path) -> None:
    for target in re.findall(r"\]\(([^)\s]+)\)", prose(page)):
        if target.startswith("http"):
            continue
        file, _, heading = target.partition("#")
        found = (page.parent / file).resolve() if file else page
        assert found.exists(), target
        if heading:
            headings = re.findall(r"^#+ (.*)$", text_of(found), re.MULTILINE)
            assert heading in {anchor(h) for h in headings}, target


def test_every_page_is_in_the_menu() -> None:
    listed = {line for block in blocks(DOCS / "index.md", r"\{toctree\}") for line in block.splitlines()}
    pages = {page.relative_to(DOCS).with_suffix("").as_posix() for page in PAGES}
    assert pages - {"index"} <= listed


@pytest.mark.parametrize("page", [DOCS / "architecture.md", ROOT / "CONTRIBUTING.md"], ids=relative)
def test_where_to_add_what_names_what_is_there(page: Path) -> None:
    table = rows(page, "## Where to add what" if page.parent == DOCS else "## Where things go")
    assert len(table) == 9
    for path in re.findall(r"`((?:spadam|docs)/[^`]*)`", str(table)):
        place = ROOT / path
        assert list(place.parent.glob("*" + place.suffix)) if "<name>" in path else place.exists(), path


def test_architecture_names_rooms_and_files_that_are_there() -> None:
    page = DOCS / "architecture.md"
    (picture,) = blocks(page, "text")
    rooms = re.findall(r"^ {4}(\w+(?:, \w+)*) ", picture, re.MULTILINE)
    named = {name for room in rooms for name in room.split(", ")}
    there = {path.parent.name for path in (ROOT / "spadam").glob("*/__init__.py")}
    assert named == there | {path.stem for path in (ROOT / "spadam").glob("[!_]*.py")}
    inner = set(re.findall(r"(\w+)/ ", picture.partition("many trainings")[2].partition("one training")[0]))
    assert inner == {path.parent.name for path in (ROOT / "spadam/sweep").glob("*/__init__.py")}
    walks = text_of(page).partition("## From a YAML")[2].partition("## Where to add")[0]
    for path in re.findall(r"`([\w/]+(?:\.py|/))`", walks):
        found = [folder / path for folder in (ROOT / "spadam", ROOT / "spadam/sweep", ROOT / "spadam/sweep/running")]
        found += [ROOT / "spadam/kernels" / path]
        assert any(place.exists() for place in found), path


def test_readme_names_what_is_there() -> None:
    for cell, _ in rows(ROOT / "README.md", "## Where things are"):
        for path in re.findall(r"`([^`]*/)`", cell):
            assert (ROOT / path).is_dir() or (ROOT / "spadam" / path).is_dir(), path


@pytest.mark.parametrize("page", [page for page in WRITTEN if blocks(page, "yaml")], ids=relative)
def test_configurations_are_valid(page: Path) -> None:
    for block in blocks(page, "yaml"):
        document = parse(block, relative(page))
        if "variants" in document.data:
            check(document)
        else:
            validate(RunConfig, document)


@pytest.mark.parametrize("page", [page for page in WRITTEN if blocks(page, "sh")], ids=relative)
def test_commands_are_there(page: Path) -> None:
    """What a page tells a person to type is a command with these options; `make` and files of this repository too."""
    lines = [line.split(" #")[0].strip() for block in blocks(page, "sh") for line in block.splitlines()]
    targets = re.findall(r"^(\w+):", text_of(ROOT / "Makefile"), re.MULTILINE)
    for line in lines:
        words = line.split(">")[0].split()
        if words[:1] == ["make"]:
            assert words[1] in targets, line
        if words[:1] == ["spadam"]:
            names = [word for word in words[1:3] if re.fullmatch(r"[a-z]+(-[a-z]+)*", word)]
            options = [word for word in words if word.startswith("--")]
            helped = CliRunner().invoke(app, [*names, "--help"], env={"COLUMNS": "200"})
            assert helped.exit_code == 0, line
            assert all(option in helped.output for option in options), line
        for path in (word for word in words if word.startswith(("sweeps/", "benchmarks/", "tests/"))):
            assert (ROOT / path).exists(), line


@pytest.mark.parametrize("page", [page for page in WRITTEN if blocks(page, "python")], ids=relative)
def test_python_is_python(page: Path) -> None:
    for block in blocks(page, "python"):
        compile(block, relative(page), "exec")


@pytest.mark.filterwarnings("ignore:.*does not have many workers")
@pytest.mark.filterwarnings("ignore:.*no `val_dataloader`")
def test_ones_own_loop_runs() -> None:
    known: dict[str, object] = {}
    for block in blocks(DOCS / "how-to/own-loop.md", "python"):
        given = "parameter, rows, counts, batch = table.weight, torch.tensor([3]), torch.tensor([1]), 256\n"
        exec(compile(given * ("parameter." in block) + block, "own-loop.md", "exec"), known)


def test_the_family_is_as_the_page_says() -> None:
    points = {name.lower(): member.point for name in optim.__all__ if hasattr(member := getattr(optim, name), "point")}
    told = {}
    for name, *values, _ in rows(DOCS / "concepts/optimizer-family.md", "<!-- the members -->"):
        told[name.strip("`").replace("_", "")] = Point(*values)
    assert told.pop("adam") == Point("decay", "move", "global", "after", "element", "batch")  # torch's own
    assert told == {name: point for name, point in points.items() if not name.endswith("spec")}


@pytest.mark.parametrize(
    ("room", "base", "page"), [(optim, "RowOptimizer", "optimizers"), (sparsity, "Rule", "rules")], ids=lambda x: str(x)
)
def test_the_reference_has_every_member(room: ModuleType, base: str, page: str) -> None:
    public = {name: getattr(room, name) for name in room.__all__ if name != base}
    members = {name for name, thing in public.items() if isinstance(thing, type) and getattr(room, base) in thing.mro()}
    shown = re.findall(r"autoclass:: (\w+)$", text_of(DOCS / "reference" / f"{page}.md"), re.MULTILINE)
    assert len(members) >= 5
    assert members <= set(shown)


def test_the_articles_table_is_the_readmes() -> None:
    ours = rows(DOCS / "concepts/codes.md", "## The article's confound")
    theirs = rows(ROOT / "README.md", "## The article's puzzle")
    assert [[*row[:5], *row[6:]] for row in ours] == [[*row[:4], *row[5:]] for row in theirs]  # dead, probe accuracy
