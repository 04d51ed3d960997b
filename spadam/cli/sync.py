"""`spadam sync`: runs that were kept offline, brought to W&B."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from spadam.cli.interruption import sentence
from spadam.cli.options import Out, at_home, error_console, out_console
from spadam.spec import InputError, nearest_path
from spadam.training.interruption import SIGNALS, Interrupted, exit_code

if TYPE_CHECKING:
    from spadam.report.upload import Collected, Piece
    from spadam.sweep.outcome.outcome import Outcome

Place = Annotated[
    Path,
    typer.Argument(
        metavar="SPEC|DIR",
        help="A sweep file (YAML), the folder of a sweep, or that of one training.",
        callback=at_home,
    ),
]


def sync(place: Place, out: Out = Path("runs")) -> None:
    """Upload a sweep, or one training, to Weights & Biases; what is there already is not sent again.

    At any time and any number of times, also while the sweep runs: trainings that have ended are uploaded, and one more
    run with the sweep's table and page. All of it is in their folders, so it does not matter how they were tracked.
    """
    from spadam.tracking import check_environment

    check_environment()
    with _stoppable():
        with error_console.status("reading"):
            found = _find(place, out)
        for sentence in found.lost:
            error_console.print(f"left out: {sentence}", markup=False, soft_wrap=True)
        if found.pieces:
            _upload(found.pieces)
        else:
            out_console.print("nothing to upload yet: no training has ended")
        if found.unfinished:
            said = "a training has" if found.unfinished == 1 else f"{found.unfinished} trainings have"
            out_console.print(f"{said} not ended: the same command uploads what is new")


def _upload(pieces: Sequence[Piece]) -> None:
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    from spadam.report.upload import bring, present_of
    from spadam.tracking import UploadFailed, reach

    address = _server()
    columns = (TextColumn("{task.description}"), BarColumn(20), MofNCompleteColumn(), TimeRemainingColumn())
    sent, notes, failures, last = 0, list[str](), list[str](), None
    with Progress(*columns, console=error_console, transient=True, disable=not error_console.is_terminal) as bar:
        asking = bar.add_task("asking what is there", total=len(pieces))
        try:
            present = present_of(pieces, lambda: bar.advance(asking))
        except ConnectionError as error:
            _give_up(f"W&B: {error}; nothing was uploaded, the same command tries again")
        wanted = [piece for piece in pieces if not piece.is_there(present.get(piece.who.run_id))]
        bar.reset(asking, description="uploading", total=len(wanted))
        for piece in wanted:
            bar.update(asking, description=piece.who.name)
            try:
                last = bring(piece, notes.append)
                sent += 1
            except (UploadFailed, OSError, ValueError) as error:
                failures.append(f"{piece.who.name}: {error}")
                if (found := reach()).reason:  # the others would only wait for it, one by one
                    failures.append(f"{found.address} {found.reason}")
                    break
            bar.advance(asking)
    for note in dict.fromkeys(notes):
        error_console.print(f"without pictures: {note}", markup=False, soft_wrap=True)
    _conclude(sent, len(pieces) - len(wanted), f"{address}, project {pieces[0].spec.project}", failed=bool(failures))
    if last:
        out_console.print(f"look at: {last}", markup=False, soft_wrap=True)
    if failures:
        for failure in failures:
            error_console.print(f"W&B: {failure}", markup=False, soft_wrap=True)
        _give_up(f"{len(wanted) - sent} of {len(wanted)} runs did not get there whole; the same command tries again")


def _conclude(sent: int, there: int, where: str, failed: bool) -> None:
    """Say how much was uploaded to the project ``where``, and how much it had."""
    runs = "1 run" if sent == 1 else f"{sent} runs"
    kept = f"; {there} {'was' if there == 1 else 'were'} there already" if there else ""
    if sent:
        out_console.print(f"uploaded {runs} to {where}{kept}", markup=False, soft_wrap=True)
    elif not failed:
        said = "the only run is" if there == 1 else f"all {there} runs are"
        out_console.print(f"nothing new: {said} there already ({where})", markup=False, soft_wrap=True)


def _server() -> str:
    """The address of the server, once it has answered and takes runs from us."""
    from spadam.tracking import reach

    found = reach(10.0)
    if found.reason and found.reachable:
        remedy = "`wandb login` stores a key, WANDB_API_KEY gives one; WANDB_BASE_URL says which server is meant"
        rule = f"{found.address} {found.reason.partition(' (`')[0]}"
        raise InputError("API key", None, rule, remedy)
    if found.reason:
        _give_up(
            f"W&B: {found.address} {found.reason}; nothing was uploaded. WANDB_BASE_URL says which server is meant"
        )
    return found.address


def _give_up(said: str) -> NoReturn:
    error_console.print(said, markup=False, soft_wrap=True)
    raise typer.Exit(1)


@contextlib.contextmanager
def _stoppable() -> Iterator[None]:
    """End at once, with a sentence, when interrupted: the client's own end would wait for what it still sends."""

    def stop(number: int, _: FrameType | None) -> None:
        raise Interrupted(number)  # within an import as well: what was written meanwhile is to be put away

    before = {number: signal.signal(number, stop) for number in SIGNALS}
    try:
        yield
    except KeyboardInterrupt as interruption:
        error_console.print(sentence())
        sys.stdout.flush()
        os._exit(exit_code(interruption))
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _find(place: Path, out: Path) -> Collected:
    """The pieces of what ``place`` is: a sweep's file, or the folder of one, of a part of one, or of a training."""
    from spadam.report.upload import Collected, lone_piece, training_pieces
    from spadam.sweep.outcome.finding import find_begun, in_folder
    from spadam.sweep.store.home import holds_sweep

    if not place.exists():
        raise _mistyped(place, out)
    if place.is_file():
        return _whole(find_begun(place, out))
    if holds_sweep(place):
        return _whole(in_folder(place))
    around = next(filter(holds_sweep, place.absolute().parents[:3]), None)
    if around is not None:
        found = training_pieces(in_folder(around), place.absolute())
        if not (found.pieces or found.unfinished or found.lost):
            rule = f"no training of the sweep in {around} lies there"
            raise InputError("DIR", str(place), rule, "give the sweep's folder, or that of a variant, slot or attempt")
        return found
    if (place / "result.json").is_file():
        from spadam.config import stored_config
        from spadam.spec import load
        from spadam.training.result import read_result

        result = read_result(stored_config(load(place / "config.yaml")), place)
        assert result is not None
        try:
            return Collected([lone_piece(place, result)], 0, [])
        except (OSError, ValueError) as error:
            raise InputError("DIR", str(place), f"its files must be readable ({error})", "mend them") from None
    if (place / "metrics.jsonl").is_file():
        remedy = "end it: `spadam train` with the same configuration and --out goes on"
        raise InputError("DIR", str(place), "the training in it must have ended", remedy)
    raise _no_runs(place)


def _whole(outcome: Outcome) -> Collected:
    from spadam.report.upload import sweep_piece, training_pieces

    assert outcome.folder is not None
    variants = outcome.status()["variants"].values()
    unfinished = sum(
        variant["slots"] - variant["accepted"] for variant in variants
    )  # repeats too that nobody knows yet
    found = training_pieces(outcome, outcome.folder)._replace(unfinished=unfinished)
    return found._replace(pieces=[*found.pieces, sweep_piece(outcome)]) if found.pieces else found


def _mistyped(place: Path, out: Path) -> InputError:
    """There is nothing at ``place``: what stands near it."""
    rule = "there must be a file or a folder"
    if (out / place).exists():
        return InputError("SPEC|DIR", str(place), rule, f"did you mean {out / place}?")
    near = nearest_path(place)
    return InputError("SPEC|DIR", str(place), rule, f"did you mean {near}?" if near else "check the path")


def _no_runs(folder: Path) -> InputError:
    from spadam.sweep.store.home import FILE, POINTER, holds_sweep

    rule = f"it must hold a sweep ({FILE} or {POINTER}) or a training (result.json)"
    entries = sorted(folder.iterdir())
    inside = [str(entry) for entry in entries if holds_sweep(entry) or (entry / "result.json").is_file()]
    shown = ", ".join(inside[:5]) + (f" and {len(inside) - 5} more" if len(inside) > 5 else "")
    remedy = f"give one of: {shown}" if inside else "give the folder that `spadam sweep run` or `spadam train` wrote"
    return InputError("DIR", str(folder), rule, remedy)
