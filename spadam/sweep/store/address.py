"""The address of a server that keeps sweeps, and the password for it, which must stand in no list of processes."""

from __future__ import annotations

import os
from pathlib import Path

from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError

from spadam.spec import InputError
from spadam.sweep.store.environment import PASSWORD_FILE, STORAGE

DRIVER = "postgresql+psycopg"

_EXAMPLE = f"write {DRIVER}://user@host/name"


def read_server(given: str | None) -> URL:
    """The server at the address ``given``, or else at that in the environment; with its password, where one is known.

    What shows the address must show :func:`shown`. Raises :class:`InputError` when it is none of a PostgreSQL server,
    or holds a password and was not read from the environment.
    """
    name, text = _asked(given)
    url = _parse(name, text)
    if url.get_backend_name() == "sqlite":
        rule = "it must be the address of a server; a file lies beside the runs by itself"
        raise InputError(name, shown(url), rule, f"leave {name} out, or {_EXAMPLE}")
    if url.get_backend_name() != "postgresql":
        raise InputError(name, shown(url), "it must be a PostgreSQL server", _EXAMPLE)
    if not url.database:
        raise InputError(name, shown(url), "it must name a database", _EXAMPLE)
    secret = _secrets(url)
    if given and secret:
        rule = "a password in it would stand in the list of processes"
        remedy = f"leave it out, and put the password into a file that {PASSWORD_FILE} or PGPASSFILE names"
        raise InputError(name, shown(url), rule, remedy)
    if not secret and (file := os.environ.get(PASSWORD_FILE)):
        url = url.set(password=_read_password(file))
    return url.set(drivername=DRIVER)


def read_place(given: str | None) -> URL | Path:
    """The server at the address ``given``, or else at that in the environment; or the SQLite file, which must be there.

    Raises :class:`InputError` as :func:`read_server` does.
    """
    name, text = _asked(given)
    url = _parse(name, text)
    if url.get_backend_name() != "sqlite":
        return read_server(given)
    if not (path := Path(url.database or "")).is_file():
        raise InputError(name, shown(url), "the file must be there", "check the path, which begins after sqlite:///")
    return path


def shown(url: URL) -> str:
    """The address without what is secret in it."""
    left = {key: value for key, value in url.query.items() if not _is_secret(key)}
    return url.set(query=left)._replace(password=None).render_as_string()


def shown_as_given(given: str) -> str:
    """The address ``given`` without what is secret in it."""
    return shown(_parse("--storage", given))


def _asked(given: str | None) -> tuple[str, str]:
    return ("--storage", given) if given else (STORAGE, os.environ.get(STORAGE) or "")


def _parse(name: str, text: str) -> URL:
    if text.startswith("postgres://"):  # as many tools write it, and SQLAlchemy does not read
        text = text.replace("postgres://", "postgresql://", 1)
    try:
        return make_url(text)
    except (ArgumentError, ValueError):  # its text may hold a password
        raise InputError(name, None, "it must be an address", f"{_EXAMPLE} or sqlite:///folder/sweep.db") from None


def _secrets(url: URL) -> bool:
    return bool(url.password) or any(map(_is_secret, url.query))


def _is_secret(key: str) -> bool:
    return "password" in key.lower()


def _read_password(file: str) -> str:
    try:
        text = Path(file).read_text(encoding="utf-8").rstrip("\r\n")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is no UTF-8"
        raise InputError(PASSWORD_FILE, file, f"the file must be readable ({reason})", "check the path") from None
    if not text:
        raise InputError(PASSWORD_FILE, file, "the file must hold a password, and is empty", "write it there")
    return text
