"""The README's Python runs as it stands."""

import re
from pathlib import Path

import pytest

from spadam.config import RunConfig
from spadam.spec import parse, validate
from spadam.train import run

README = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```python\n(.*?)```", README, re.DOTALL)


@pytest.mark.filterwarnings("ignore:.*does not have many workers")
@pytest.mark.filterwarnings("ignore:.*no `val_dataloader`")
def test_python_blocks_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert len(BLOCKS) == 2
    monkeypatch.chdir(tmp_path)
    small = "{data: {name: digits}, optimizer: {name: adam}, trainer: {epochs: 1}, tracking: {mode: disabled}}"
    run(validate(RunConfig, parse(small, "small")), Path("runs/lazy"))
    for block in BLOCKS:
        exec(compile(block, "README.md", "exec"), {})


def test_the_configuration_is_one() -> None:
    (block,) = re.findall(r"```yaml\n(# fashion.*?)```", README, re.DOTALL)
    config = validate(RunConfig, parse(block, "README.md"))
    assert config.model.latents == 1000
