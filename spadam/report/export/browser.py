"""The process that draws: kaleido and its browser live and die in it, for neither can be trusted to end when told to.

An interruption within kaleido's event loop, or a browser that does not answer, leaves threads that wait for ever. So
whoever wants figures starts this process (:mod:`spadam.report.export.renderer`), and may end it at any moment: it kills
the browser, and does not look back.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

if TYPE_CHECKING:
    from kaleido import Kaleido

JOBS, TROUBLE = "jobs.json", "trouble.txt"
"""In the folder that the process is given: what is to be drawn, and why it was not."""

_NOBODY = "127.0.0.1:9"
"""A proxy that is not there: whatever the browser would like to fetch stays away."""


def main(folder: str, seconds: str, scale: str) -> None:
    """Draw the jobs in ``folder`` into it; a line is printed after each. Ends the process: 0 when all are drawn.

    A job is an object of `name`, `data` and `layout`, and becomes `<name>.svg` and `<name>.png`, the latter with
    ``scale`` pixels for each of the figure. The browser has so many ``seconds`` to start, and for each drawing.
    """
    for library in ("choreographer", "kaleido"):  # they tell whatever the browser mutters
        logging.getLogger(library).setLevel(logging.CRITICAL)
    asyncio.run(_draw_or_leave(Path(folder), float(seconds), float(scale)))


async def _draw_or_leave(place: Path, seconds: float, scale: float) -> None:
    """Draw; in trouble, or told to stop, leave a word about it and end at once: the loop would wait for the browser."""
    from kaleido import Kaleido

    browser = Kaleido(mathjax=False, timeout=seconds, proxy_server=_NOBODY)

    def leave(said: str) -> NoReturn:
        (place / TROUBLE).write_text(said, encoding="utf-8")
        if (process := getattr(browser, "subprocess", None)) is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        os._exit(1)

    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, leave, "stopped")
    try:
        await _draw(browser, json.loads((place / JOBS).read_text(encoding="utf-8")), place, seconds, scale)
    except BaseException as error:
        leave(str(next(iter(error.args), "")) or type(error).__name__)


async def _draw(browser: Kaleido, jobs: Sequence[dict[str, Any]], place: Path, seconds: float, scale: float) -> None:
    async with asyncio.timeout(seconds):
        await browser.open()
    for job in jobs:
        figure = {"data": job["data"], "layout": job["layout"]}
        for form, options in (("svg", {}), ("png", {"scale": scale})):
            drawn = await browser.calc_fig(figure, {"format": form, **options})
            (place / f"{job['name']}.{form}").write_bytes(drawn)
        sys.stdout.write("\n")
        sys.stdout.flush()
    async with asyncio.timeout(seconds):
        await browser.close()
