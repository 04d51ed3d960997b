"""`spadam dashboard`: Optuna's dashboard over a sweep."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Annotated

import typer

from spadam.cli.options import Out, SpecOrFolderIfAny, Storage, error_console, out_console


def dashboard(
    place: SpecOrFolderIfAny = None,
    storage: Storage = None,
    out: Out = Path("runs"),
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port on this machine; 0 takes a free one.")] = 8080,
) -> None:
    """Look at a sweep's studies in a browser, with Optuna's dashboard. End it with Ctrl-C.

    It listens on this machine only (127.0.0.1): it has no passwords, and whoever reaches it can rename and delete
    studies. For a sweep on another machine, tunnel: `ssh -L 8080:127.0.0.1:8080 host`.
    """
    from spadam.sweep.definition.reading import load
    from spadam.sweep.store.dashboard import HOST, open_storage, serve

    folder = place if place is None or not place.is_file() else out / load(place).name
    with open_storage(folder, storage) as opened, serve(opened, port) as server:
        out_console.print(f"http://{HOST}:{server.server_port}/", markup=False)
        error_console.print("It has no passwords and can change and delete studies. End it with Ctrl-C.")
        with contextlib.suppress(KeyboardInterrupt):
            server.serve_forever()
