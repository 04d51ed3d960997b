"""Who has no home has a cache all the same, for as long as a command works."""

import os
import tempfile
from pathlib import Path

import pytest

from spadam.kernels.cpu import compiling
from spadam.training.home import CACHE, cache


@pytest.fixture
def homeless(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine whose user has a file for a home; the folder for what is temporary."""
    (tmp_path / "file").touch()
    (tmp_path / "tmp").mkdir()
    monkeypatch.delenv(CACHE, raising=False)
    monkeypatch.delenv("NUMBA_CACHE_DIR", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path / "file"))
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "tmp"))
    return tmp_path / "tmp"


def test_one_is_made_told_of_and_removed(homeless: Path) -> None:
    with cache() as said:
        folder = Path(os.environ[CACHE])
        assert folder.parent == homeless
        assert folder.is_dir()
        assert said is not None
        assert said.startswith(f"{homeless.parent / 'file' / '.cache'} cannot be written: ")
        assert str(folder) in said
        compiling.cache_folder.cache_clear()
        assert Path(compiling.cache_folder()).is_relative_to(folder)
    compiling.cache_folder.cache_clear()
    assert CACHE not in os.environ
    assert not list(homeless.iterdir())


def test_what_the_user_named_is_named_again(homeless: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    named = str(homeless.parent / "file" / "named")
    monkeypatch.setenv(CACHE, named)
    with cache() as said:
        assert os.environ[CACHE] != named
        assert said is not None
        assert said.startswith(f"{named} cannot be written")
    assert os.environ[CACHE] == named


def test_nothing_is_done_where_there_is_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(CACHE, str(tmp_path / "mine"))
    with cache() as said:
        assert said is None
        assert os.environ[CACHE] == str(tmp_path / "mine")
