"""A folder of activations: what it holds, what is on its way in `.partial`, and how that becomes whole.

acts-00000.safetensors …   the shards
documents.npy, tokens.npy, special.npy   a number for each row of all shards
activations.json   how they were made; written last, so that where it is, all is there
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from spadam.files import replacing, strict_json, sync, write_atomic
from spadam.spec import InputError

SUMMARY = "activations.json"
PER_TOKEN = ("documents.npy", "tokens.npy", "special.npy")
_PARTIAL, _SETTINGS = ".partial", "settings.json"

_TOLD = {"text_sha256": "the text", "weights_sha256": "the weights", "tokenizer_sha256": "the tokenizer"}
"""Settings of which nobody knows the value."""


def read_whole(folder: Path, settings: Mapping[str, Any]) -> dict[str, Any] | None:
    """The summary of ``folder`` if it holds what ``settings`` make; None if nothing is there, or a part of it.

    Raises :class:`InputError` when something else is there, or not all of it: nothing is ever written over.
    """
    if (summary := _read(folder / SUMMARY)) is not None:
        _agree(folder, summary.get("settings", {}), settings, "give another folder")
        if lost := [name for name in summary["files"] if not (folder / name).is_file()]:
            rule = f"{SUMMARY} names {lost[0]}, which is not there"
            raise InputError("--out", str(folder), rule, "put it back, or remove the folder")
        shutil.rmtree(folder / _PARTIAL, ignore_errors=True)
        return summary
    begun = _read(folder / _PARTIAL / _SETTINGS)
    if begun is not None:
        _agree(folder, begun, settings, f"give another folder, or remove {folder / _PARTIAL} to lose what is there")
    else:
        there = sorted(path.name for path in folder.glob("acts-*")) + [n for n in PER_TOKEN if (folder / n).exists()]
        if there:
            rule = f"{there[0]} is there, and no {SUMMARY} says of what"
            raise InputError("--out", str(folder), rule, "give another folder")
    return None


class Partial:
    """The part of ``folder`` that is not whole; begun, or gone on with."""

    def __init__(self, folder: Path, settings: Mapping[str, Any]) -> None:
        self._folder, self._partial = folder, folder / _PARTIAL
        self._partial.mkdir(exist_ok=True)
        if not (self._partial / _SETTINGS).exists():
            write_atomic(self._partial / _SETTINGS, strict_json(settings, indent=1) + "\n")

    def has(self, name: str) -> bool:
        """Whether the file of that name is there; a file is there whole."""
        return (self._partial / name).exists() or (self._folder / name).exists()

    def write(self, name: str) -> Any:
        """Where to write the file of that name, within a block at whose end it is there."""
        return replacing(self._partial / name)

    def publish(self, names: Iterable[str], summary: Mapping[str, Any]) -> None:
        """Move all files to where they belong, and write the summary."""
        for name in names:
            if (self._partial / name).exists():
                (self._partial / name).replace(self._folder / name)
        sync(self._folder)
        write_atomic(self._folder / SUMMARY, strict_json(summary, indent=1) + "\n")
        shutil.rmtree(self._partial)


def _read(path: Path) -> dict[str, Any] | None:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        if not isinstance(found, dict):
            raise ValueError
    except (FileNotFoundError, NotADirectoryError):
        return None
    except ValueError:
        rule = f"{path.name} must be what this command has written, and is not"
        raise InputError("--out", str(path.parent), rule, "give another folder") from None
    return found


def _agree(folder: Path, there: Mapping[str, Any], wanted: Mapping[str, Any], remedy: str) -> None:
    other = [key for key in wanted if there.get(key) != wanted[key]]
    if other:
        told = [
            f"{_TOLD[key]} is another" if key in _TOLD else f"{key} is {there.get(key)} there, {wanted[key]} here"
            for key in other
        ]
        raise InputError("--out", str(folder), f"it holds other activations: {'; '.join(told)}", remedy)
