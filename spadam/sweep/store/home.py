"""Where the storage of a sweep is: a file in its folder, or at a server, of which a file in the folder tells."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from spadam.files import check_folder, strict_json, write_atomic
from spadam.spec import InputError
from spadam.sweep.store.environment import STORAGE, given_or_set

if TYPE_CHECKING:
    from sqlalchemy.engine import URL

    from spadam.sweep.search.objective import Directions
    from spadam.sweep.store.patience import Patience
    from spadam.sweep.store.studies import Studies

FILE = "sweep.db"
"""The storage of a sweep, in its folder."""

POINTER = "storage.json"
"""Says in a sweep's folder at which address its storage is, and under which name; no password."""


def holds_sweep(folder: Path) -> bool:
    """Whether ``folder`` is that of a sweep, wherever its storage is."""
    return (folder / FILE).is_file() or (folder / POINTER).is_file()


def pointed_to(folder: Path) -> tuple[str, str] | None:
    """The address of the storage of the sweep in ``folder``, and its name there; None where none is named.

    Raises :class:`InputError` when that cannot be read.
    """
    check_folder(folder)
    path = folder / POINTER
    try:
        told = json.loads(path.read_text(encoding="utf-8"))
        return str(told["storage"]), str(told["sweep"])
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, ValueError, LookupError, TypeError) as error:
        rule = f"the file must name a storage and a sweep ({error})"
        raise InputError(str(path), None, rule, "remove it, and give --storage") from None


def server_of(folder: Path, given: str | None) -> URL | None:
    """At which server the sweep in ``folder`` is kept, or is to be; None: in the folder itself.

    A sweep stays where it was begun. Raises :class:`InputError` when ``given``, or what the environment says, is
    another place than that.
    """
    asked, told = given_or_set(given), pointed_to(folder)
    if asked is None and told is None:
        return None
    from spadam.sweep.store.address import read_server, shown  # here, because SQLAlchemy takes time to import

    name = "--storage" if given else STORAGE
    url = read_server(given or (told[0] if asked is None and told else None))
    if (folder / FILE).exists():
        rule = f"the sweep in {folder} keeps its storage there ({FILE})"
        raise InputError(name, shown(url), rule, f"leave {name} out, or choose another --out")
    if told is not None and (before := read_server(told[0])) and _place(before) != _place(url):
        rule, remedy = f"the sweep in {folder} is kept at {told[0]}", f"leave {name} out, or choose another --out"
        raise InputError(name, shown(url), rule, remedy)
    return url


def place_of(folder: Path, given: str | None) -> URL | Path | None:
    """Where the sweep in ``folder`` can be read, be ``folder`` there or not; None where nothing tells.

    What is ``given`` counts first, then what stands in the folder, and then the environment. Raises
    :class:`InputError`.
    """
    if not given and (folder / FILE).is_file():
        return folder / FILE
    told = None if given else pointed_to(folder)
    if told is None and given_or_set(given) is None:
        return None
    from spadam.sweep.store.address import read_place  # here, because SQLAlchemy takes time to import

    return read_place(told[0] if told else given)


def _place(url: URL) -> tuple[object, ...]:
    """What makes two addresses the same: not who asks."""
    return url.host or url.query.get("host"), url.port or 5432, url.database


@contextlib.contextmanager
def open_studies(
    folder: Path, sweep: str, direction: Directions, server: URL | None, patience: Patience
) -> Iterator[Studies]:
    """The studies of ``sweep`` in its ``folder`` or at ``server``, for the one agent that works on them.

    The folder is locked by who calls; at a server the sweep is, too. Raises :class:`InputError` when it cannot be
    opened, and :class:`~spadam.sweep.store.trouble.SweepTaken` when another agent works on it.
    """
    from spadam.sweep.store.connection import open_file
    from spadam.sweep.store.studies import Studies

    if server is None:
        with open_file(folder / FILE) as storage:
            yield Studies(storage, sweep, direction)
        return
    from spadam.sweep.store.served_studies import ServedStudies
    from spadam.sweep.store.server import Server
    from spadam.sweep.store.server_lock import hold_sweep

    at = Server(server)
    at.holds_tables()  # it must let us in: from here on whoever does not answer is waited for
    with hold_sweep(at, sweep) as lock, at.open() as storage:
        studies = ServedStudies(storage, sweep, direction, patience, lock)
        studies.sign_in()
        write_atomic(folder / POINTER, strict_json({"storage": at.shown, "sweep": sweep}) + "\n")
        yield studies
