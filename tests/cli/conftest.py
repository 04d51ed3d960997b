"""What tests of the command line share."""

import functools
from collections.abc import Callable
from typing import Any

import pytest

from spadam.cli import main
from spadam.sweep.running import agent
from spadam.training.result import RunResult
from support import sweep_quadratic as quadratic


@pytest.fixture
def cli(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Any:
    """Run `spadam sweep …`, with trainings that take no time: (exit code, standard output, standard error)."""
    monkeypatch.setenv("COLUMNS", "200")

    def call(*arguments: object, train: Callable[..., RunResult] = quadratic.train) -> tuple[int, str, str]:
        monkeypatch.setattr("sys.argv", ["spadam", "sweep", *map(str, arguments)])
        with monkeypatch.context() as patch:
            patch.setattr(agent, "run_sweep", functools.partial(agent.run_sweep, train=train))
            with pytest.raises(SystemExit) as ended:
                main()
        code = ended.value.code
        return (code if isinstance(code, int) else 0 if code is None else 1, *capsys.readouterr())

    return call
