"""What tests of activations share."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor

from spadam.cli import main
from support import tiny_transformers

Call = Callable[..., tuple[int, str, str]]

LINES = [
    "Sparse codes keep few latents.",
    "",
    "Adam keeps two averages for every weight, whether its row was used or not; " * 6,
    "   ",
    "Zwölf Boxkämpfer jagen Viktor quer über den großen Sylter Deich.",
    "one",
]
"""Documents of several lengths, two of them empty."""
FULL = [n for n, line in enumerate(LINES) if line.strip()]


@pytest.fixture
def text(tmp_path: Path) -> Path:
    path = tmp_path / "text.txt"
    path.write_text("\n".join(LINES), encoding="utf-8")
    return path


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_transformers.save("bert", tmp_path_factory.mktemp("tiny"))


@pytest.fixture
def call(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Call:
    """Run `spadam activations …`: (exit code, standard output, standard error)."""
    monkeypatch.setenv("COLUMNS", "200")

    def run(*arguments: object, **options: object) -> tuple[int, str, str]:
        named = [f"--{name.replace('_', '-')}={value}" for name, value in options.items()]
        monkeypatch.setattr("sys.argv", ["spadam", "activations", *map(str, arguments), *named])
        with pytest.raises(SystemExit) as ended:
            main()
        code = ended.value.code
        return (code if isinstance(code, int) else 0 if code is None else 1, *capsys.readouterr())

    return run


class Found:
    """A folder of activations, read."""

    def __init__(self, folder: Path) -> None:
        self.summary: dict[str, Any] = json.loads((folder / "activations.json").read_text())
        self.shards = [load_file(path)["activations"] for path in sorted(folder.glob("acts-*.safetensors"))]
        self.documents, self.tokens, self.special = (
            np.load(folder / f"{name}.npy") for name in ("documents", "tokens", "special")
        )

    @property
    def rows(self) -> Tensor:
        return torch.cat(self.shards)
