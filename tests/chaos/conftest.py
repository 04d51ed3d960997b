"""What tests of the worst share."""

from typing import Any, NamedTuple

import pytest

from spadam.cli import main


class Ended(NamedTuple):
    """How a command ended."""

    code: int
    out: str
    err: str


@pytest.fixture
def spadam(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Any:
    """Run a command in this process; what it raises, other than its exit code, is a traceback, and fails the test."""
    monkeypatch.setenv("COLUMNS", "200")

    def call(*arguments: object) -> Ended:
        monkeypatch.setattr("sys.argv", ["spadam", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            main()
        code = ended.value.code
        found = Ended(code if isinstance(code, int) else 0 if code is None else 1, *capsys.readouterr())
        assert "Traceback" not in found.out + found.err
        return found

    return call
