"""Where an outcome is read from: a sweep's file, its folder, or a storage that is anywhere."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from spadam.files import Holder, check_folder, holder
from spadam.spec import InputError
from spadam.sweep.definition.extension import check_extends
from spadam.sweep.definition.reading import load
from spadam.sweep.outcome.damage import told_if_damaged
from spadam.sweep.outcome.outcome import Outcome
from spadam.sweep.outcome.places import lies_elsewhere, no_sweep
from spadam.sweep.outcome.progress import recall, survey
from spadam.sweep.outcome.unattended import Unattended
from spadam.sweep.store.attempts import Reader, Stored
from spadam.sweep.store.environment import given_or_set
from spadam.sweep.store.home import FILE, place_of, pointed_to
from spadam.sweep.store.opening import open_server, open_to_read


class _There(NamedTuple):
    """A storage that is open, and who works on which of its sweeps."""

    reader: Reader
    agents: dict[str, Holder]
    in_folder: Holder | None = None
    """Who works in the folder of a file, which holds one sweep."""

    def agent(self, name: str) -> Holder | None:
        """Who works on the sweep of this name."""
        return self.in_folder or self.agents.get(name)

    def stored(self, name: str) -> Stored:
        """The sweep of this name: where nobody works on it, nothing of it runs."""
        sweep = self.reader.sweep(name)
        return sweep if self.agent(name) is not None else Unattended(sweep)


def find(place: Path, out: Path, storage: str | None = None) -> Outcome:
    """The sweep whose file or whose folder is ``place``; that of a file lives below the folder ``out``.

    Its storage is at the address ``storage``, or where the folder says. Nothing is made, locked or changed. Raises
    :class:`InputError` when the file is wrong or is not that of the sweep of its name there, or the folder holds no
    sweep.
    """
    if os.path.isdir(place):
        return in_folder(place, storage=storage)
    if storage and not place.exists() and place.suffix not in (".yaml", ".yml"):
        return in_storage(storage, place.name)  # a folder that another host has
    check_folder(out)
    sweep = load(place)
    folder = out / sweep.name
    with _open(folder, storage) as there:
        if there is None:
            return Outcome(sweep, survey(sweep, None), {}, folder)
        stored = there.stored(sweep.name)
        if "plan" in (attributes := stored.attributes()):
            check_extends(sweep, attributes["plan"]["facts"])
        return Outcome(sweep, survey(sweep, stored), attributes, folder, agent=there.agent(sweep.name))


def find_begun(place: Path, out: Path, storage: str | None = None) -> Outcome:
    """As :func:`find`; raises :class:`InputError` for a sweep of which nothing has been trained."""
    outcome = find(place, out, storage)
    if not outcome.attributes:
        hint = lies_elsewhere(outcome.sweep.name, out)
        rule = f"the sweep must have begun below {out}" + (f"; {hint}" if hint else "")
        raise InputError("SPEC", outcome.sweep.name, rule, "run it first, or say with --out where it is")
    return outcome


def in_folder(folder: Path, name: str | None = None, storage: str | None = None) -> Outcome:
    """The sweep that lies in ``folder``; nothing is made there. Raises :class:`InputError` when there is none."""
    told = pointed_to(folder)
    if not storage and told is None and not os.path.isfile(folder / FILE):
        raise no_sweep(folder)
    with _open(folder, storage) as there:
        assert there is not None
        if told is None and not storage and not there.reader.sweeps():
            rule = "it must hold a sweep, and holds nothing"
            remedy = "bring back a copy of it, or move it away and begin anew"
            raise InputError(str(folder / FILE), None, rule, remedy)
        name = name or (told[1] if told else _only_name(there.reader, folder))
        return _recall(there, name, folder)


def in_storage(storage: str | None, name: str) -> Outcome:
    """The sweep called ``name`` at the address ``storage``, or at that in the environment, without folders.

    Raises :class:`InputError`.
    """
    with _open(Path(name), storage) as there:
        assert there is not None
        if not there.reader.sweeps():
            from spadam.sweep.store.address import shown_as_given

            rule, remedy = "it must hold a sweep, and holds none", "check the name at its end, or run a sweep first"
            raise InputError("--storage", shown_as_given(given_or_set(storage) or ""), rule, remedy)
        return _recall(there, name, None)


def _recall(there: _There, name: str, folder: Path | None) -> Outcome:
    agent = there.agent(name)
    return Outcome(*recall(there.reader, name, there.stored(name)), folder, agent=agent)


@contextlib.contextmanager
def _open(folder: Path, storage: str | None) -> Iterator[_There | None]:
    """The storage of the sweep in ``folder``, or at the address ``storage``; None where there is none yet."""
    place = place_of(folder, storage)
    if place is None:
        yield None
    elif isinstance(place, Path):
        agent = holder(place.parent)
        with told_if_damaged(place), open_to_read(place) as reader:
            yield _There(reader, {}, agent)
    else:
        with open_server(place) as (reader, agents):
            yield _There(reader, agents)


def _only_name(reader: Reader, folder: Path) -> str:
    """The name of the one sweep that is there, whatever its folder is called by now."""
    names = reader.sweeps()
    return names[0] if len(names) == 1 else folder.resolve().name
