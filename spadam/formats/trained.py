"""A finished training's folder, and what a reader of its weights wants to know of it."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any, NamedTuple

from spadam.spec import InputError, nearest_path

RESULT = "result.json"


class Trained(NamedTuple):
    """What made an autoencoder. Nothing of it names a place on a machine."""

    status: str
    """How the training ended."""
    by: str
    """The release that trained it, such as "spadam 0.1.0"."""
    data: str
    """The name of its data in the configuration."""
    data_hash: str | None
    """A hash of what that held."""
    optimizer: str
    """The name of its optimizer."""
    model: str
    """The name of what was trained."""


def find_run(folder: Path) -> Path:
    """The folder of a finished training that ``folder`` is, or that holds the attempts at it, as a sweep's slots do.

    Raises :class:`InputError` where there is none.
    """
    if not os.path.isdir(folder):
        near = nearest_path(folder)
        rule = "it must be a folder" if os.path.exists(folder) else "there must be such a folder"
        remedy = f"did you mean {near}?" if near and near != folder else "check the path"
        raise InputError("folder", str(folder), rule, remedy)
    if (folder / RESULT).is_file():
        return folder
    ended = sorted(path.parent for path in folder.glob(f"attempt-*/{RESULT}"))
    if ended:
        return ended[0]  # of several all have the same bits
    inside = next((path.parent for depth in ("*", "*/*", "*/*/*") for path in folder.glob(f"{depth}/{RESULT}")), None)
    if inside is not None:
        rule = "it must be the folder of one training, and holds those of several"
        raise InputError("folder", str(folder), rule, f"give one of them, such as {inside}")
    if (folder / "config.yaml").is_file():
        rule = "the training in it must have ended, and has no result yet"
        remedy = f"go on with it: spadam train {folder / 'config.yaml'} --out {folder}"
        raise InputError("folder", str(folder), rule, remedy)
    rule = f"it must be the folder of a training that has ended, and holds no {RESULT}"
    raise InputError("folder", str(folder), rule, "give what `spadam train` had as --out")


def read_trained(folder: Path) -> Trained:
    """What the result in ``folder`` says of its training. Raises :class:`InputError` when it cannot be read."""
    try:
        stored: dict[str, Any] = json.loads((folder / RESULT).read_text(encoding="utf-8"))
        config, provenance = stored["config"], stored["provenance"]
        return Trained(
            status=str(stored["status"]),
            by=f"spadam {provenance['versions']['spadam']}",
            data=str(config["data"]["name"]),
            data_hash=provenance.get("data"),
            optimizer=str(config["optimizer"]["name"]),
            model=str(config["model"].get("name", "autoencoder")),
        )
    except OSError as error:
        rule = f"its {RESULT} must be readable ({error.strerror})"
    except (ValueError, KeyError, TypeError, AttributeError):
        rule = f"its {RESULT} must be that of a training, and is not, or is damaged"
    raise InputError("folder", str(folder), rule, "copy it again, or train again")
