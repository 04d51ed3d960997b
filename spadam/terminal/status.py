"""What a person sees of a sweep from elsewhere: how many slots are where, what runs, what failed, who is at work."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from rich.console import Console, Group
from rich.live import Live
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from spadam.sweep.outcome.outcome import Outcome
from spadam.terminal.tables import print_table
from spadam.text import count, duration, number

_STATES = ("slots", "accepted", "running", "waiting", "failed")
_MOST_SHOWN = 12


def show_status(outcome: Outcome, console: Console) -> None:
    """Print it."""
    status = outcome.status()
    print_table(console, _table(status))
    for line in _lines(status, outcome):
        console.print(line, markup=False, highlight=False, soft_wrap=not console.is_terminal)


def watch_status(look: Callable[[], Outcome], console: Console, seconds: float) -> None:
    """Keep it on the screen until the sweep is done, with a new look every ``seconds``, or more where looks are slow.

    Where there is no screen, it is printed anew whenever something has changed.
    """
    if not console.is_terminal:
        before: object = None
        for outcome in _looks(look, seconds):
            status = outcome.status()
            if (now := (status["variants"], status["agent"], status["failures"])) != before:
                show_status(outcome, console)
                before = now
        return
    with Live(console=console, auto_refresh=False) as live:
        for outcome in _looks(look, seconds):
            status = outcome.status()
            lines = [Text(line, no_wrap=True, overflow="ellipsis") for line in _lines(status, outcome)]
            live.update(Group(_table(status), *lines), refresh=True)


def _looks(look: Callable[[], Outcome], seconds: float) -> Iterator[Outcome]:
    """Looks, until it is done; a look takes a fifth of the time at most, however large the sweep."""
    while True:
        begun = time.monotonic()
        yield (outcome := look())
        if outcome.done:
            return
        time.sleep(max(seconds, 4 * (time.monotonic() - begun)))


def _table(status: Mapping[str, Any]) -> Table:
    title = f"{status['sweep']}: {'done' if status['done'] else 'not done'}"
    table = Table(title=title, title_justify="left", box=None)
    table.add_column("variant", no_wrap=True)
    for state in _STATES:
        table.add_column(state, justify="right")
    for variant, counts in status["variants"].items():
        table.add_row(escape(variant), *(str(counts[state]) for state in _STATES))
    return table


def _lines(status: Mapping[str, Any], outcome: Outcome) -> Iterator[str]:
    """What is known beside the numbers."""
    now = datetime.now(UTC)
    for one in status["running"][:_MOST_SHOWN]:
        yield f"{one['variant']} {one['label']}: {_how_far(one)}; {one['where']}; {_since(one, now)}"
    if (more := len(status["running"]) - _MOST_SHOWN) > 0:
        yield f"… and {count(more, 'more training')}"
    for one in status["failures"][:_MOST_SHOWN]:
        what = f"given up, {one['given_up']}" if one["given_up"] else "will be tried again"
        yield f"{one['variant']} {one['label']}: {what} ({one['failure']}: {one['reason']})"
    if (more := len(status["failures"]) - _MOST_SHOWN) > 0:
        yield f"… and {count(more, 'more failed slot')}"
    if status["seconds_left"]:
        yield f"left: about {duration(status['seconds_left'])}"
    if (agent := outcome.agent) is not None:
        yield f"at work: {agent.described}"
    elif (since := outcome.left_since) is not None:
        yield f"nobody works on it since {since:%Y-%m-%d %H:%M:%S} UTC; `spadam sweep run` goes on"
    elif not outcome.done:
        yield "nobody works on it; `spadam sweep run` goes on"


def _how_far(one: Mapping[str, Any]) -> str:
    if one["doing"] != "training" or one["share"] is None:
        return str(one["doing"])
    return f"{100 * one['share']:.0f} %" + ("" if one["loss"] is None else f", loss {number(one['loss'])}")


def _since(one: Mapping[str, Any], now: datetime) -> str:
    """For how long it has been running, and when it was last heard of, as its agent told it."""
    began, heard = (
        duration(max(0.0, (now - datetime.fromisoformat(one[k])).total_seconds())) for k in ("since", "heard")
    )
    return f"for {began}, last heard of {heard} ago"
