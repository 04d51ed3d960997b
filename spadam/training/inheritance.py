"""What an attempt takes over from earlier ones at the same training, each of which was killed in a folder of its own.

So a kill costs what was trained since the last checkpoint, and a start. A folder's *legacy* is its ledger and its whole
checkpoints, with the configuration that they belong to. Neither torch nor Lightning is needed.
"""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Iterable, Sequence
from pathlib import Path

from spadam.config import RunConfig, stored_config
from spadam.files import hold, holder, replacing, sync, write_atomic
from spadam.spec import InputError, load
from spadam.training.checkpoint_files import FOLDER, damage, digest_path, latest, remove_all, saved, step_of
from spadam.training.result import read_result

LEDGER, WEIGHTS, CONFIG, RESULT = "metrics.jsonl", "model.safetensors", "config.yaml", "result.json"


def best_left(folders: Iterable[Path], config: RunConfig) -> Path | None:
    """The one of ``folders`` that has the newest whole checkpoint of a training of ``config``; None where none has one.

    Of several with the same step it is the last. Whoever ships it elsewhere needs its `checkpoints`, `metrics.jsonl`
    and `config.yaml`. Nothing in it is believed that has no right digest, and what cannot be read is passed over.
    """
    candidates = ((saved(folder / FOLDER), folder) for folder in folders if _is_of(folder, config))
    steps = [(path, folder) for paths, folder in candidates for path in paths]
    # The newest first, so that only one is read in full, unless it is damaged; equal steps in the order of attempts.
    ordered = sorted(reversed(steps), key=lambda found: step_of(found[0]), reverse=True)
    return next((folder for path, folder in ordered if damage(path) is None), None)


def inherit(config: RunConfig, earlier: Iterable[Path], out: Path) -> Path | None:
    """Have the training of ``config`` in ``out`` go on from the best that ``earlier`` attempts have left, if anything.

    Gives the folder that it was taken from; None when ``out`` has a whole checkpoint or a result of its own, or nothing
    was left. An attempt that was killed between its result and whoever waited for it has left that: the training is
    done. A kill at any moment loses nothing: what is taken over has a second name first, and only when that is on the
    disk are checkpoints taken out of the earlier folders. A folder in which somebody is still at work is left alone.
    Raises OSError when ``out`` cannot be written, and :class:`InputError` when somebody is at work in it.
    """
    mine = [folder for folder in earlier if _is_of(folder, config) and holder(folder) is None]
    if not mine or (out / RESULT).exists():
        return None
    with hold(out):
        if (source := _finished(mine, config)) is not None:
            for name in (LEDGER, WEIGHTS, CONFIG, RESULT):  # the result last: it says that the others are there
                _link(source / name, out / name)
            sync(out)
            return source
        if latest(out / FOLDER) is None and (source := best_left(mine, config)) is not None:
            _take_over(source, out)
        return source


def forget(earlier: Iterable[Path]) -> None:
    """Delete the checkpoints of attempts that were superseded: they would stay for ever.

    The rest of their folders stays, because it tells how they failed. What cannot be deleted is no trouble of the
    attempt that has succeeded.
    """
    for folder in earlier:
        if holder(folder) is None:
            with contextlib.suppress(OSError):
                remove_all(folder / FOLDER)


def _finished(folders: Sequence[Path], config: RunConfig) -> Path | None:
    """The last of ``folders`` that holds a whole result."""
    for folder in reversed(folders):
        with contextlib.suppress(InputError):
            if read_result(config, folder) is not None and (folder / WEIGHTS).is_file() and (folder / LEDGER).is_file():
                return folder
    return None


def _take_over(source: Path, out: Path) -> None:
    remove_all(out / FOLDER)  # nothing there is whole
    write_atomic(out / CONFIG, (source / CONFIG).read_bytes())  # it says to the next one whose they are
    write_atomic(out / LEDGER, (source / LEDGER).read_bytes() if (source / LEDGER).is_file() else b"")
    folder = out / FOLDER
    folder.mkdir(exist_ok=True)
    for path in saved(source / FOLDER):  # the newest first: it is the one that must not be lost
        if damage(path) is None:
            for each in (digest_path(path), path):  # in this order: without its digest it is not whole
                _link(each, folder / each.name)
    sync(folder)
    sync(out)
    remove_all(source / FOLDER)


def _link(path: Path, target: Path) -> None:
    """Have ``path`` under another name too; a copy where the file system has no second names."""
    target.unlink(missing_ok=True)  # of an attempt that was killed here
    try:
        os.link(path, target)
    except OSError:
        with replacing(target) as temporary:
            shutil.copyfile(path, temporary)


def _is_of(folder: Path, config: RunConfig) -> bool:
    """Whether what lies in ``folder`` is of a training of ``config``."""
    try:
        return stored_config(load(folder / CONFIG)).identity() == config.identity()
    except (InputError, OSError):
        return False
