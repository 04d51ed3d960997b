"""Which commit runs: asked of git, and not known where nobody can say."""

import subprocess
from pathlib import Path

from spadam.training.commit import _of_checkout, _of_installation


def git(folder: Path, *arguments: str) -> str:
    who = ["-c", "user.name=a", "-c", "user.email=a@b.example"]
    done = subprocess.run(["git", "-C", str(folder), *who, *arguments], capture_output=True, text=True, check=True)
    return done.stdout.strip()


def test_a_checkout_has_its_commit_and_says_when_it_differs(tmp_path: Path) -> None:
    git(tmp_path, "init", "-q")
    (tmp_path / "file").write_text("1")
    git(tmp_path, "add", "file")
    git(tmp_path, "commit", "-q", "-m", "one")
    git(tmp_path, "tag", "v1")
    head = git(tmp_path, "rev-parse", "HEAD")
    assert _of_checkout(tmp_path) == head
    (tmp_path / "file").write_text("2")
    assert _of_checkout(tmp_path) == f"{head}-dirty"


def test_without_a_repository_it_is_not_known(tmp_path: Path) -> None:
    (tmp_path / ".git").mkdir()
    assert _of_checkout(tmp_path) is None
    assert _of_installation() is None  # these tests run from a checkout, which no metadata names
