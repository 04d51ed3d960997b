"""Ctrl-C is not lost, whoever swallows it."""

import contextlib
import gc
import signal
import threading
import time
import weakref

import pytest

from spadam.sweep.outcome.status import status
from spadam.training.interruption import Interrupted, Interruption
from spadam.training.result import RunResult
from support import sweep_quadratic as quadratic
from support.sweep_bench import Bench


def interrupt() -> None:
    signal.raise_signal(signal.SIGINT)


class Swallows:
    """What is raised in a destructor comes to nobody."""

    def __del__(self) -> None:
        with contextlib.suppress(KeyboardInterrupt):
            interrupt()


def test_it_is_raised_at_once_and_the_handler_put_back() -> None:
    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt), Interruption():
        interrupt()
    assert signal.getsignal(signal.SIGINT) is before


def test_what_a_library_makes_of_it_is_still_what_it_was() -> None:
    """Ray raises a KeyboardInterrupt of its own, whatever the signal was."""

    def remake() -> None:
        with Interruption():
            with contextlib.suppress(KeyboardInterrupt):
                signal.raise_signal(signal.SIGTERM)
            raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, lambda *_: None)
    try:
        with pytest.raises(Interrupted) as caught:
            remake()
    finally:
        signal.signal(signal.SIGTERM, before)
    assert caught.value.number == signal.SIGTERM


def test_one_that_was_swallowed_is_raised_at_the_next_check() -> None:
    with Interruption() as interruption:
        interruption.check()
        Swallows()
        with pytest.raises(KeyboardInterrupt):
            interruption.check()


def test_the_garbage_collector_swallows_none() -> None:
    """What its callbacks raise is lost: it comes a moment later, or at the next check."""
    heard: list[str] = []

    def callback(phase: str, _: object) -> None:
        if not heard:
            heard.append(phase)
            signal.raise_signal(signal.SIGINT)

    def interrupted() -> None:
        with Interruption() as interruption:
            gc.collect()
            interruption.check()

    gc.callbacks.append(callback)
    try:
        with pytest.raises(KeyboardInterrupt):
            interrupted()
    finally:
        gc.callbacks.remove(callback)
    assert heard == ["start"]


def test_what_the_garbage_collector_calls_swallows_none() -> None:
    """A library hears by a callback of its own that an object in a circle has gone."""

    class Circle:
        def __init__(self) -> None:
            self.itself = self

    def interrupted() -> None:
        with Interruption() as interruption:
            reference = weakref.ref(Circle(), lambda _: interrupt())
            gc.collect()
            assert reference() is None
            end = time.monotonic() + 10
            while time.monotonic() < end:
                interruption.check()

    gc.disable()
    try:
        with pytest.raises(KeyboardInterrupt):
            interrupted()
    finally:
        gc.enable()


def test_a_thread_leaves_signals_alone() -> None:
    before = signal.getsignal(signal.SIGINT)
    seen = []

    def enter() -> None:
        with Interruption():
            seen.append(signal.getsignal(signal.SIGINT))

    thread = threading.Thread(target=enter)
    thread.start()
    thread.join()
    assert seen == [before]


def test_a_sweep_stops_although_somebody_swallowed_it(bench: Bench) -> None:
    """The training goes on to its end, and nothing begins after it."""

    def swallowing(*arguments: object) -> RunResult:
        Swallows()
        return quadratic.train(*arguments)  # type: ignore[arg-type]

    assert bench.run(swallowing) == 1
    states = status(*bench.read())["variants"].values()
    assert [sum(counts[name] for counts in states) for name in ("accepted", "running")] == [1, 0]
    assert bench.run() == 0
