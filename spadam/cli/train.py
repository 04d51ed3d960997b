"""`spadam train`: one training."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from spadam.cli.options import NoCustom, Out, at_home, error_console, out_console
from spadam.spec import InputError

if TYPE_CHECKING:
    from spadam.spec import Document


def train(
    config: Annotated[Path, typer.Argument(help="Configuration of one run, a YAML file.", callback=at_home)],
    sets: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="Set one value, such as optimizer.lr=1e-3. Repeatable."),
    ] = None,
    more: Annotated[
        list[str] | None,
        typer.Argument(metavar="KEY=VALUE", help="As --set: so `wandb agent` writes them.", show_default=False),
    ] = None,
    out: Out = Path("runs"),
    no_custom: NoCustom = False,
) -> None:
    """Train one model. The folder gets result.json, metrics.jsonl, model.safetensors and config.yaml.

    The same command again goes on where it was interrupted, and does nothing when the run is finished.
    """
    from spadam.config import RunConfig
    from spadam.spec import RUN, check_kind, load, validate

    document = load(config)
    check_kind(document, RUN)
    run_config = validate(RunConfig, _with_sets(document, [*(sets or ()), *(more or ())]))

    from spadam.terminal.training import TrainingProgress, show_result
    from spadam.tracking import settle
    from spadam.training.home import cache
    from spadam.training.result import read_result

    finished = read_result(run_config, out)
    if finished is not None:
        out_console.print(f"done already: {out} holds this run", markup=False)
        show_result(finished, out, out_console)
        return
    tracking, said = settle(run_config.tracking)
    if said:
        error_console.print(said, markup=False, soft_wrap=True)
    run_config = run_config.model_copy(update={"tracking": tracking})
    with cache() as said, TrainingProgress(error_console) as progress:
        if said:
            error_console.print(said, markup=False, soft_wrap=True)
        from spadam.training.run import run

        result = run(run_config, out, progress=progress.update)
    show_result(result, out, out_console)


def _with_sets(document: Document, sets: list[str]) -> Document:
    """``document`` with the values of ``--set key=value``; values are YAML."""
    from spadam.spec import Mistakes, assign, parse_value

    data, given, mistakes = document.data, set(), Mistakes()
    for text in sets:
        key, equals, value = text.partition("=")
        keys = tuple(part.strip() for part in key.split("."))
        try:
            if not equals or not all(keys):
                raise InputError("--set", text, "must be KEY=VALUE with a dotted key", "write --set optimizer.lr=1e-3")
            given.add(_topmost_new(data, keys))
            data = assign(data, ".".join(keys), parse_value(value, f"--set {key}"))
        except InputError as error:
            mistakes.add(error)
    mistakes.tell()
    return document._replace(data=data, given=frozenset(given))


def _topmost_new(data: Any, keys: tuple[str, ...]) -> tuple[str, ...]:
    """The beginning of ``keys`` up to what a value at ``keys`` makes, or replaces."""
    for depth, key in enumerate(keys[:-1], start=1):
        data = data.get(key)
        if not isinstance(data, dict):
            return keys[:depth]
    return keys
