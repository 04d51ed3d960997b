"""`spadam bench`: its table, its JSON, its exit codes, and that wrong input starts nothing."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from spadam import bench
from spadam.bench import Case, Effort, Measured, NotRun, Settings
from spadam.bench.training import naive_over_ours, over_floor
from spadam.cli import main
from spadam.cli.bench import DEBIAN
from spadam.data import mnist
from support.paths import ROOT


def _case(name: str, bar: float, measure: Any, direction: Any = "at most", quick: bool = True) -> Case:
    return Case(name, bar, direction, f"{name}, said", measure, seconds=1.0, quick=quick)


def _absent(settings: Settings) -> Measured:
    raise NotRun("pip install --group bench")


@pytest.fixture
def cli(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Any:
    """Run `spadam bench …` with cases that are small, in an empty folder: (exit code, output, errors)."""
    from spadam.bench.steps import Size

    size = Size(latents=96, k=3, batch=16, features=24)
    cases = (
        _case("float32 step / floor", 1e-9, lambda settings: over_floor(size, "float32", settings)),
        _case("naive step / ours", 1e-9, lambda settings: naive_over_ours(size, settings), "at least"),
        _case("the peer / ours", 3.0, _absent, "at least"),
        _case("large", 2.0, lambda settings: Measured(1.5, 3.0, 2.0, note="of note"), quick=False),
    )
    monkeypatch.setattr(bench, "CASES", cases)
    monkeypatch.setattr(bench, "QUICK", Effort(least=2, slow=1, most=2, seconds=0.0, warmup=1, quick=True))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "160")

    def call(*arguments: str) -> tuple[int, str, str]:
        monkeypatch.setattr("sys.argv", ["spadam", "bench", *arguments])
        with pytest.raises(SystemExit) as ended:
            main()
        code = ended.value.code
        return (code if isinstance(code, int) else 0 if code is None else 1, *capsys.readouterr())

    return call


def test_a_quick_run(cli: Any) -> None:
    code, output, error = cli("--quick", "--json", "rows.json")
    assert (code, error) == (0, "")
    table = {line.split("  ")[0].strip(): line for line in output.splitlines()}
    assert re.search(r"≤ 1e-09\s+no\s", table["float32 step / floor"]), "a bar that does not hold is information"
    assert re.search(r"≥ 1e-09\s+yes\s", table["naive step / ours"])
    assert re.search(r"≥ 3\s+not run\s+pip install --group bench", table["the peer / ours"])
    assert re.search(r"≤ 2\s+not run\s+left out of the quick run", table["large"])
    assert "a quick run" in output
    assert "torch threads" in output
    rows = json.loads(Path("rows.json").read_text())
    assert [row["case"] for row in rows] == ["float32 step / floor", "naive step / ours", "the peer / ours", "large"]
    assert all({"case", "ratio", "bar", "holds"} <= set(row) for row in rows)
    assert [row["holds"] for row in rows] == [False, True, None, None]
    assert rows[0]["ratio"] > 0
    assert rows[0]["ratio"] == pytest.approx(rows[0]["of"] / rows[0]["over"])
    assert rows[2]["ratio"] is None
    assert rows[2]["why"] == "pip install --group bench"
    assert all(row["quick"] and "torch" in row["machine"] for row in rows)


def test_only_some_cases(cli: Any) -> None:
    code, output, _ = cli("--only", "LARGE", "--json", "rows.json")
    assert code == 0
    assert re.search(r"large\s+1.50\s+≤ 2\s+yes\s+3 / 2 ms; of note", output)
    assert "floor" not in output
    assert "quick" not in output
    (row,) = json.loads(Path("rows.json").read_text())
    assert (row["case"], row["ratio"], row["holds"], row["quick"]) == ("large", 1.5, True, False)


def test_a_case_that_breaks_down_is_told_and_the_others_are_kept(cli: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(settings: Settings) -> Measured:
        raise RuntimeError("the sweep failed")

    monkeypatch.setattr(bench, "CASES", (_case("broken", 1.0, broken), *bench.CASES[-1:]))
    code, output, _ = cli("--json", "rows.json")
    assert code == 1
    assert re.search(r"broken\s+≤ 1\s+failed\s+failed: RuntimeError: the sweep failed", output)
    assert [row["holds"] for row in json.loads(Path("rows.json").read_text())] == [None, True]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--json", "none/rows.json"), ("--json = 'none/rows.json'", "the folder none must exist")),
        (("--json", "."), ("--json", "must be a file")),
        (("--only", "nothing"), ("--only = 'nothing'", "float32 step / floor; naive step / ours")),
    ],
)
def test_wrong_input_starts_nothing(
    arguments: tuple[str, ...], words: tuple[str, ...], cli: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bench, "run", lambda *_: pytest.fail("nothing is run"))
    code, output, error = cli(*arguments)
    assert (code, output) == (2, "")
    assert all(word in error for word in words)
    assert len(error.splitlines()) == 3


def test_ctrl_c_is_told(cli: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(settings: Settings) -> Measured:
        raise KeyboardInterrupt

    monkeypatch.setattr(bench, "CASES", (_case("long", 1.0, interrupted),))
    code, output, error = cli("--json", "rows.json")
    assert (code, output) == (130, "")
    assert "interrupted" in error
    assert not Path("rows.json").exists()


def test_fashion_mnist_is_looked_for_where_debian_puts_it(cli: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []

    def look(settings: Settings) -> Measured:
        seen.append(str(settings.fashion))
        return Measured(1.0, 1.0, 1.0)

    monkeypatch.setattr(bench, "CASES", (_case("look", 1.0, look),))
    monkeypatch.delenv("SPADAM_FASHION_MNIST", raising=False)
    cli()
    monkeypatch.setenv("SPADAM_FASHION_MNIST", "here")
    cli()
    cli("--fashion", "there")
    assert seen == [str(DEBIAN), "here", "there"]
    assert str(DEBIAN) == mnist.DEBIAN


def test_the_page_has_a_place_for_every_table() -> None:
    page = (ROOT / "docs" / "performance.md").read_text(encoding="utf-8")
    for name in ("bench", "parts", "break-even", "plot"):
        assert page.count(f"<!-- {name} -->\n") == page.count(f"<!-- /{name} -->\n") == 1
    for path in re.findall(r"\]\((?!http)([^)#]+)", page):
        assert (ROOT / "docs" / path).exists(), path
