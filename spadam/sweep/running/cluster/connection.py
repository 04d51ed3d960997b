"""The agent's connection to a Ray cluster: one that runs, or one that is started here and ends with the agent."""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import socket
import sys
import threading
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Any, NamedTuple

import ray
from ray._private import worker as ray_worker  # for `_keep_quiet`

from spadam import machine
from spadam.spec import InputError
from spadam.training.interruption import SIGNALS

log = logging.getLogger(__name__)

ADDRESS = "RAY_ADDRESS"
HERE = "local"
"""What Ray calls a cluster that is started on this machine."""

_REACH_SECONDS = 10.0


class Connection(NamedTuple):
    """A cluster that this process works with."""

    address: str
    """Of its head."""
    started: bool
    """Whether it was started here."""


@contextlib.contextmanager
def connected(address: str | None) -> Iterator[Connection]:
    """Have this process be connected to the cluster at ``address``: by default that of RAY_ADDRESS, else a new one.

    A new one is on this machine, and ends with the block. A connection that this process has already is used, and
    stays. Raises :class:`InputError` when there is no such cluster.
    """
    if ray.is_initialized():
        yield Connection(_head(), started=False)
        return
    wanted = address or os.environ.get(ADDRESS) or HERE
    argument = "--ray-address" if address else ADDRESS
    _check(argument, wanted)
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # nothing is sent to anybody
    here: dict[str, Any] = {"num_cpus": machine.cores(), "include_dashboard": False} if wanted == HERE else {}
    try:
        with _undisturbed(), _at_the_root():
            try:
                ray.init(wanted, log_to_driver=False, logging_level=logging.CRITICAL, **here)
            except Exception as error:  # of many kinds
                raise _refused(argument, wanted, error) from error
            _keep_quiet()
        yield Connection(_head(), started=wanted == HERE)
    finally:
        with _undisturbed():
            ray.shutdown()


def environment() -> dict[str, Any]:
    """What a worker's environment needs to import what this process does: for a checkout, or modules of your own.

    Of a node without such folders nothing is asked: there the installed packages count.
    """
    ours = [os.path.abspath(place) for place in sys.path]
    installed = (sys.prefix, sys.base_prefix)
    own = [place for place in ours if not any(place == base or place.startswith(base + os.sep) for base in installed)]
    return {"env_vars": {"PYTHONPATH": os.pathsep.join((*own, "${PYTHONPATH}"))}} if own else {}


def _head() -> str:
    return str(ray.get_runtime_context().gcs_address)


def _check(argument: str, address: str) -> None:
    """Raise :class:`InputError` where nobody listens: Ray would try for a minute, and then say little."""
    if address in (HERE, "auto"):
        return
    host, colon, port = address.rpartition(":")
    if "://" in address or not colon or not port.isdecimal():
        rule = "it must be the address of a cluster's head, host:port, or auto"
        raise InputError(argument, address, rule, "take what `ray start --head` printed; its port is 6379 by default")
    try:
        socket.create_connection((host.strip("[]"), int(port)), _REACH_SECONDS).close()
    except (OSError, OverflowError) as error:
        rule = f"a Ray cluster must answer there ({error})"
        remedy = "check the address, and `ray status` on a machine of the cluster"
        raise InputError(argument, address, rule, remedy) from None


def _refused(argument: str, address: str, error: Exception) -> InputError:
    said = (str(error).strip() or type(error).__name__).splitlines()[0]
    if address == HERE:
        rule, remedy = f"a Ray cluster must start on this machine ({said})", "look into /tmp/ray/session_latest/logs"
        return InputError("--crew", "ray", rule, remedy)
    rule = f"this machine must be able to join the cluster ({said})"
    remedy = "run this on a machine of the cluster, with the cluster's token in ~/.ray/auth_token"
    return InputError(argument, address, rule, remedy)


@contextlib.contextmanager
def _undisturbed() -> Iterator[None]:
    """Have no signal come in the middle, and leave its handlers as they were: Ray puts its own in place.

    A cluster that is half started would be left running. What comes meanwhile comes at the end.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    heard: list[int] = []

    def hear(number: int, _: FrameType | None) -> None:
        heard.append(number)

    before: dict[int, Callable[..., Any] | int | None] = {number: signal.getsignal(number) for number in SIGNALS}
    for number, handler in before.items():
        if callable(handler):
            signal.signal(number, hear)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        if heard:
            signal.raise_signal(heard[0])


@contextlib.contextmanager
def _at_the_root() -> Iterator[None]:
    """Have Ray begin in /: it puts the folder where it begins before all others that its workers import from.

    A file of that folder with the name of one of the standard library would be taken for it.
    """
    before = os.getcwd()
    os.chdir("/")
    try:
        yield
    finally:
        os.chdir(before)


def _keep_quiet() -> None:
    """Send to our log what Ray prints on the terminal when a worker or a node dies; there is no setting for it."""

    def record(data: dict[str, Any], **_: Any) -> None:
        log.debug("Ray: %s", " ".join(map(str, data.get("lines", ()))))

    assert hasattr(ray_worker, "print_to_stdstream")
    ray_worker.print_to_stdstream = record
