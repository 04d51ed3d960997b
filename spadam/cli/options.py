"""Options that several commands share, the two consoles, and JSON as every command prints it."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from spadam.spec import InputError

out_console = Console(highlight=False)
error_console = Console(stderr=True, highlight=False)


def at_home(param: typer.CallbackParam, value: Path | None) -> Path | None:
    """A path as a person writes it, with the home folder for a leading ~; every path that a command takes goes here.

    A shell expands it only where it stands bare: neither in quotes nor in --out=~/x.
    """
    from spadam import spec

    return None if value is None else spec.at_home(value, _shown(param))


def both_at_home(param: typer.CallbackParam, value: tuple[Path, Path] | None) -> tuple[Path, Path] | None:
    """The same of two paths."""
    from spadam import spec

    return None if value is None else (spec.at_home(value[0], _shown(param)), spec.at_home(value[1], _shown(param)))


def must_be_there(context: typer.Context, param: typer.CallbackParam, value: Path | None) -> Path | None:
    """The same, of a folder that must be there when it is named."""
    from spadam.files import check_folder

    path = at_home(param, value)
    if path is not None:
        check_folder(path)
    named = context.get_parameter_source(str(param.name))
    if path is not None and named is not None and named.name == "COMMANDLINE" and not path.is_dir():
        from spadam.spec import nearest_path

        near = nearest_path(path)
        rule = "it must be a folder" if path.exists() else "there must be such a folder"
        remedy = f"did you mean {near}?" if near and near != path else "check the path"
        raise InputError(_shown(param), str(path), rule, remedy)
    return path


def _shown(param: typer.CallbackParam) -> str:
    return max(param.opts, key=len) if param.param_type_name == "option" else param.metavar or str(param.name).upper()


SpecFile = Annotated[Path, typer.Argument(metavar="SPEC", help="A sweep file (YAML).", callback=at_home)]
_SPEC_OR_FOLDER = typer.Argument(
    metavar="SPEC|FOLDER", help="A sweep file (YAML), or the folder of a sweep: OUT/<sweep name>.", callback=at_home
)
SpecOrFolder = Annotated[Path, _SPEC_OR_FOLDER]
SpecOrFolderIfAny = Annotated[Path | None, _SPEC_OR_FOLDER]
"""Of a command that may be given a storage instead."""
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Storage = Annotated[
    str | None,
    typer.Option(
        metavar="URL",
        help="Address of a sweep's storage at a server: postgresql+psycopg://user@host/name. Default: SPADAM_STORAGE, "
        "or a file beside the runs. A password has no place in it: SPADAM_STORAGE_PASSWORD_FILE or PGPASSFILE.",
    ),
]
Out = Annotated[Path, typer.Option("--out", help="Folder for results.", show_default=True, callback=at_home)]
OutThere = Annotated[Path, typer.Option("--out", help="Folder for results.", show_default=True, callback=must_be_there)]
"""Of a command that only looks at what is there."""


def _refuse_custom(context: typer.Context, wanted: bool) -> bool:
    """Have no code run that a file names, until the command has ended."""
    from spadam.spec import NO_CUSTOM

    if wanted:
        before = os.environ.get(NO_CUSTOM)
        os.environ[NO_CUSTOM] = "1"
        context.call_on_close(lambda: _put_back(NO_CUSTOM, before))
    return wanted


def _put_back(name: str, value: str | None) -> None:
    if value is None:
        os.environ.pop(name, None)
    else:
        os.environ[name] = value


NoCustom = Annotated[
    bool,
    typer.Option(
        "--no-custom",
        help="Refuse files that name code of their own (model or optimizer: custom). SPADAM_NO_CUSTOM=1 does, always.",
        callback=_refuse_custom,
        is_eager=True,
    ),
]


def write_text(text: str) -> None:
    """Print ``text`` as a file holds it, in UTF-8 whatever the terminal's encoding: it may be sent into one."""
    sys.stdout.flush()
    sys.stdout.buffer.write(text.encode())


def write_json(value: object) -> None:
    """Print ``value`` as strict JSON; a list with a line for each of its members, of which there may be many."""
    from spadam.files import strict_json

    if isinstance(value, list):
        lines = ",\n ".join(map(strict_json, value))
        sys.stdout.write(f"[{lines}]\n" if len(value) < 2 else f"[\n {lines}\n]\n")
        return
    sys.stdout.write(strict_json(value, indent=1) + "\n")
