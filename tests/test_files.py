"""Folders that are held, and those that cannot be written to; an error names its file."""

import errno
import os
import socket
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from spadam.files import LOCK, check_folder, hold, holder, last_sign, replacing, write_atomic
from spadam.spec import InputError


def test_who_is_at_work_is_told_while_they_are(tmp_path: Path) -> None:
    assert holder(tmp_path) is None
    assert last_sign(tmp_path) is None
    before = datetime.now(UTC).replace(microsecond=0)
    with hold(tmp_path):
        found = holder(tmp_path)
        assert found is not None
        assert (found.host, found.pid) == (socket.gethostname(), os.getpid())
        assert before <= datetime.fromisoformat(found.since) <= datetime.now(UTC)
    assert holder(tmp_path) is None


def test_of_whoever_was_killed_the_last_sign_is_left(tmp_path: Path) -> None:
    code = (
        "import os, sys\nfrom pathlib import Path\nfrom spadam.files import hold\n"
        "with hold(Path(sys.argv[1])) as held:\n    os.utime(sys.argv[1] + '/.lock', (0, 0))\n"
        "    held.beat()\n    os._exit(9)\n"
    )
    subprocess.run([sys.executable, "-c", code, str(tmp_path)], check=False)
    assert (tmp_path / LOCK).read_text() != ""
    assert holder(tmp_path) is None
    sign = last_sign(tmp_path)
    assert sign is not None
    assert abs(sign.timestamp() - time.time()) < 60


def test_who_only_looks_keeps_nobody_from_work(tmp_path: Path) -> None:
    """A look takes the lock for a moment."""
    code = (
        "import sys, time\nfrom pathlib import Path\nfrom spadam.files import holder\n"
        "end = time.monotonic() + 20\nprint('on', flush=True)\n"
        "while time.monotonic() < end:\n    holder(Path(sys.argv[1]))\n"
    )
    with hold(tmp_path):
        pass
    looking = subprocess.Popen([sys.executable, "-c", code, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    try:
        assert looking.stdout is not None
        assert looking.stdout.readline() == "on\n"
        for _ in range(200):
            with hold(tmp_path):
                pass
    finally:
        looking.kill()
        looking.communicate()


@pytest.mark.parametrize(
    ("name", "rule"),
    [
        ("x" * 300, "File name too long"),
        (os.fsdecode(b"a\xff"), "must be UTF-8"),
        ("a\0b", "must be a path"),
        ("/".join(["x" * 200] * 18), "leave room for names below it"),
    ],
)
def test_a_name_under_which_nothing_can_be_written(name: str, rule: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="--out") as caught:
        check_folder(tmp_path / name)
    assert rule in caught.value.rule
    str(caught.value).encode()
    with pytest.raises(InputError), hold(tmp_path / name):
        pass


@pytest.mark.parametrize("act", ["write", "replace"])
def test_what_the_disk_refuses_is_told_with_its_file(act: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: Any, **__: Any) -> Any:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(Path, "write_bytes" if act == "write" else "replace", full)
    with pytest.raises(OSError, match="No space left") as caught:
        write_atomic(tmp_path / "file", "content")
    assert caught.value.filename == str(tmp_path / "file")
    assert caught.value.errno == errno.ENOSPC
    assert not list(tmp_path.iterdir())


def test_another_error_stays_what_it_is(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), replacing(tmp_path / "file"):
        raise ZeroDivisionError
