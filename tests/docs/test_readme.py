"""The README's Python runs as it stands."""

import re
from pathlib import Path

import pytest
from typer.testing import CliRunner

from spadam.cli import app
from spadam.config import RunConfig
from spadam.spec import parse, validate
from spadam.sweep.definition.reading import check
from spadam.training.run import run
from support.paths import ROOT

README = (ROOT / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```python\n(.*?)```", README, re.DOTALL)


@pytest.mark.filterwarnings("ignore:.*does not have many workers")
@pytest.mark.filterwarnings("ignore:.*no `val_dataloader`")
def test_python_blocks_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert len(BLOCKS) == 3
    monkeypatch.chdir(tmp_path)
    small = "{data: {name: digits}, optimizer: {name: adam}, trainer: {epochs: 1}, tracking: {mode: disabled}}"
    run(validate(RunConfig, parse(small, "small")), Path("runs/lazy"))
    for block in BLOCKS:
        exec(compile(block, "README.md", "exec"), {})


def test_the_configuration_is_one() -> None:
    (block,) = re.findall(r"```yaml\n(# fashion.*?)```", README, re.DOTALL)
    config = validate(RunConfig, parse(block, "README.md"))
    assert config.model.latents == 1000


def test_the_sweep_is_one() -> None:
    (block,) = re.findall(r"```yaml\n(# mine.*?)```", README, re.DOTALL)
    sweep = check(parse(block, "README.md"))
    assert [axis.range.high for axis in sweep.variants["adam"].axes] == [0.3, 1e-2]


def test_every_command_is_there() -> None:
    """What the README tells a person to type is a command with these options."""
    lines = {line.split("#")[0].strip() for line in re.findall(r"^spadam .*$", README, re.MULTILINE)}
    assert len(lines) >= 8
    for line in lines:
        words = [word for word in line.split(">")[0].split()[1:] if not word.endswith((".yaml", "quickstart", "lazy"))]
        names = [word for word in words[:2] if not word.startswith("-")]
        options = [word for word in words if word.startswith("--")]
        helped = CliRunner().invoke(app, [*names, "--help"], env={"COLUMNS": "200"})
        assert helped.exit_code == 0, line
        assert all(option in helped.output for option in options), line
