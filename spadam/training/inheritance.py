"""What an attempt takes over from earlier ones at the same training, each of which was killed in a folder of its own.

So a kill costs what was trained since the last checkpoint, and a start. A folder's *legacy* is its ledger and its whole
checkpoints, with the configuration that they belong to. Neither torch nor Lightning is needed.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable
from pathlib import Path

from spadam.config import RunConfig
from spadam.files import hold, holder, replacing, sync, write_atomic
from spadam.spec import InputError, load, validate
from spadam.training.checkpoint_files import FOLDER, damage, digest_path, latest, remove_all, saved, step_of

LEDGER, CONFIG = "metrics.jsonl", "config.yaml"


def best_left(folders: Iterable[Path], config: RunConfig) -> Path | None:
    """The one of ``folders`` whose whole checkpoint of a training of ``config`` is the newest; None where there is none.

    Of several with the same step it is the last. Whoever ships it elsewhere needs its `checkpoints`, `metrics.jsonl` and
    `config.yaml`. Nothing in it is believed that has no right digest, and what cannot be read is passed over.
    """
    candidates = ((saved(folder / FOLDER), folder) for folder in folders if _is_of(folder, config))
    steps = [(path, folder) for paths, folder in candidates for path in paths]
    # The newest first, so that only one is read in full, unless it is damaged; equal steps in the order of attempts.
    ordered = sorted(reversed(steps), key=lambda found: step_of(found[0]), reverse=True)
    return next((folder for path, folder in ordered if damage(path) is None), None)


def inherit(config: RunConfig, earlier: Iterable[Path], out: Path) -> Path | None:
    """Have the training of ``config`` in ``out`` go on from the best that ``earlier`` attempts have left, if anything.

    Gives the folder that it was taken from; None when ``out`` has a whole checkpoint or a result of its own, or nothing
    was left. A kill at any moment loses nothing: ledger first, then links to the checkpoints, and only when these are on
    the disk are they taken out of the earlier folders, where they would stay for ever. The rest of those stays: it is
    what tells how they failed. A folder in which somebody is still at work is left alone. Raises OSError when ``out``
    cannot be written, and :class:`InputError` when somebody is at work in it.
    """
    mine = [folder for folder in earlier if folder != out and _is_of(folder, config) and holder(folder) is None]
    if not mine or (out / "result.json").exists():
        return None
    with hold(out):
        source = None if latest(out / FOLDER) is not None else best_left(mine, config)
        if source is not None:
            _take_over(source, out)
        if source is not None or latest(out / FOLDER) is not None:
            for folder in mine:
                remove_all(folder / FOLDER)
    return source


def _take_over(source: Path, out: Path) -> None:
    remove_all(out / FOLDER)  # nothing there is whole
    write_atomic(out / LEDGER, (source / LEDGER).read_bytes() if (source / LEDGER).is_file() else b"")
    folder = out / FOLDER
    folder.mkdir(exist_ok=True)
    for path in saved(source / FOLDER):  # the newest first: it is the one that must not be lost
        if damage(path) is None:
            for each in (digest_path(path), path):  # in this order: without its digest it is not whole
                _link(each, folder / each.name)
    sync(folder)
    sync(out)


def _link(path: Path, target: Path) -> None:
    """Have ``path`` under another name too; a copy where the file system has no second names."""
    try:
        os.link(path, target)
    except OSError:
        with replacing(target) as temporary:
            shutil.copyfile(path, temporary)


def _is_of(folder: Path, config: RunConfig) -> bool:
    """Whether what lies in ``folder`` is of a training of ``config``."""
    try:
        return validate(RunConfig, load(folder / CONFIG)).identity() == config.identity()
    except (InputError, OSError):
        return False



