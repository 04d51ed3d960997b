"""wandb's client; no other file imports it, and importing this one does not.

The client's process outlives a run: the runs of one process follow one another through it.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import logging
import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from numbers import Real
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from spadam.tracking.spec import TrackingSpec
from spadam.tracking.tracker import Draw, NoTracker, Tracker

if TYPE_CHECKING:
    import wandb

log = logging.getLogger(__name__)

STEP: Final = "trainer/global_step"
"""The x axis of every chart. wandb's own counter starts at 0 again in a run that goes on; this one does not."""

PUBLIC_ADDRESS: Final = "https://api.wandb.ai"
"""Where an account lives when nobody said otherwise; the client's own default is another address."""

_ID_LENGTH = 100  # the id becomes part of file names, whose limit is 255 bytes
_TAG_LENGTH = 64  # the client refuses longer ones

_given_up: set[str] = set()
"""Modes that did not start in this process: a wait and a warning for each of its runs would be one too many."""


class WandbTracker:
    """Shows a run through wandb's client, which hands everything to a process of its own."""

    def __init__(self, run: wandb.Run) -> None:
        self._run = run

    def record(self, row: Mapping[str, Any]) -> None:
        """Log the numbers and histograms of ``row``, its ``step`` as the x axis; the rest is left to the ledger."""
        shown = {key: _shown(value) for key, value in row.items()}
        if "step" in shown:
            shown[STEP] = shown.pop("step")
        self._run.log({key: value for key, value in shown.items() if value is not None})

    def show(self, draw: Draw, step: int) -> None:
        """Log what ``draw`` makes as images, files of the run, in a row of their own."""
        import wandb

        images = {name: wandb.Image(picture) for name, picture in draw().items()}
        if images:
            self._run.log({STEP: step} | images)

    def summary(self, values: Mapping[str, Any]) -> None:
        """Set ``values`` in the run's summary, over what the last rows left there."""
        self._run.summary.update(dict(values))

    def finish(self, exit_code: int = 0) -> None:
        """Close the run. Online, the client gives up after its ``finish_timeout`` and says so."""
        try:
            self._run.finish(exit_code=exit_code)
        except Exception:
            _drop_client()
            raise


def open_run(
    spec: TrackingSpec,
    *,
    folder: Path,
    run_id: str,
    config: Mapping[str, Any],
    group: str | None = None,
    job_type: str | None = None,
    tags: tuple[str, ...] = (),
    name: str | None = None,
) -> Tracker:
    """A tracker for one training; any number of them may follow one another in a process.

    ``run_id`` names the run for ever (see :func:`plain_id`); online, a run that is there already goes on. ``group`` is
    its sweep, ``job_type`` its variant. The client writes into ``folder/wandb``, and its own log into the user's cache
    folder (``WANDB_CACHE_DIR``). The address is ``WANDB_BASE_URL``, or what `wandb login` stored, or
    :data:`PUBLIC_ADDRESS`; the client finds the key by itself, it never passes through here.

    A tracker that cannot start (``WANDB_INIT_TIMEOUT``, 20 seconds unless set, is the longest wait for a server) is
    told as one warning, and what is returned does nothing. Online is then not tried again in this process. At the end
    of a run the upload has ``WANDB_FINISH_TIMEOUT`` seconds (60 unless set).
    """
    if spec.mode == "disabled" or spec.mode in _given_up:
        return NoTracker()
    try:
        run = _start(spec, folder, plain_id(run_id), config, group, job_type, tags, name)
    except Exception as error:
        if spec.mode == "online":
            _given_up.add(spec.mode)
        _drop_client()
        reason = " ".join(str(error).split()) or type(error).__name__
        log.warning(
            "W&B (%s) could not start: %s; going on without it, every row is in metrics.jsonl", spec.mode, reason
        )
        return NoTracker()
    return WandbTracker(run)


@dataclass(frozen=True)
class Access:
    """What the client knows of its server."""

    address: str
    """Where the server is: the environment's, or what `wandb login` stored, or :data:`PUBLIC_ADDRESS`."""
    key: bool
    """Whether a key (or a file with a token) for it is known."""
    trouble: str
    """What is wrong with what was found in place of a key; else empty."""
    headers: dict[str, str] = field(repr=False)
    """What the client sends with each request: they hold the key, and go nowhere but there."""
    proxy: str | None = field(repr=False)
    """The proxy of the client's own settings; None leaves it to the environment."""
    verified: bool
    """Whether a certificate is asked for."""


def access() -> Access:
    """What the client's own functions find in environment, settings files and netrc; no process of it is started.

    Raises ImportError where there is no client, and ValueError when an address is none.
    """
    with _relayed():
        from wandb.errors import AuthenticationError
        from wandb.sdk import wandb_setup
        from wandb.sdk.lib import wbauth

        settings = wandb_setup.singleton().settings
    address, trouble, auth = _address(settings), "", None
    try:
        auth = wbauth.authenticate_session(host=address, source="spadam", prompt=False, update_session=False)
    except AuthenticationError as error:
        trouble = _one_line(str(error)).rstrip(".")
    headers = dict(settings.x_extra_http_headers or {})
    if isinstance(auth, wbauth.AuthApiKey):
        headers["Authorization"] = "Basic " + base64.b64encode(f"api:{auth.api_key}".encode()).decode()
    proxy = settings.https_proxy if address.startswith("https:") else settings.http_proxy
    return Access(address, auth is not None, trouble, headers, proxy, not settings.insecure_disable_ssl)


def _address(settings: wandb.Settings) -> str:
    return settings.base_url if "base_url" in settings.model_fields_set else PUBLIC_ADDRESS


def plain_id(text: str) -> str:
    """``text`` as an id that wandb and every file system take: letters, digits, ``.``, ``_`` and ``-``.

    Texts that differ have ids that differ: whatever had to be changed is marked with a hash of the whole.
    """
    plain = re.sub(r"[^A-Za-z0-9._-]+", "-", text)
    if plain == text and 0 < len(text) <= _ID_LENGTH:
        return text
    mark = "-" + hashlib.sha256(text.encode()).hexdigest()[:8]
    return plain[: _ID_LENGTH - len(mark)] + mark


def _start(
    spec: TrackingSpec,
    folder: Path,
    run_id: str,
    config: Mapping[str, Any],
    group: str | None,
    job_type: str | None,
    tags: tuple[str, ...],
    name: str | None,
) -> wandb.Run:
    with _relayed() as silent:
        import wandb

        shared = wandb.setup(silent).settings
    settings = wandb.Settings(
        mode=spec.mode,
        base_url=_address(shared),
        project=spec.project,
        entity=spec.entity,
        root_dir=str(folder),
        run_id=run_id,
        run_name=name,
        run_group=group,
        run_job_type=job_type,
        run_tags=tuple(tag[:_TAG_LENGTH] for tag in tags if tag),
        resume="allow" if spec.mode == "online" else None,
        reinit="create_new",
        # Nothing of this machine leaves it but what is recorded.
        console="off",
        save_code=False,
        disable_code=True,
        disable_git=True,
        disable_job_creation=True,
        label_disable=True,
        x_disable_stats=True,
        x_disable_machine_info=True,
        x_save_requirements=False,
        silent=True,
        # A killed trainer loses the rows of the last second, not of the last fifteen.
        x_transaction_log_flush_interval=1.0,
        init_timeout=shared.init_timeout if "init_timeout" in shared.model_fields_set else 20.0,
        finish_timeout=shared.finish_timeout if "finish_timeout" in shared.model_fields_set else 60.0,
    )
    run = wandb.init(settings=settings, config=dict(config))
    run.define_metric(STEP)
    run.define_metric("*", step_metric=STEP)
    return run


def _shown(value: object) -> object:
    """``value`` as the client takes it; None for what it is not shown."""
    match value:
        case Real():
            return value
        case {"edges": edges, "counts": counts}:
            import wandb

            return wandb.Histogram(np_histogram=(counts, edges))
        case _:
            return None


def _drop_client() -> None:
    """Let the client's process go, so that the next run starts one of its own; a dead one would fail every run."""
    with contextlib.suppress(Exception, SystemExit):  # it leaves Python when its process ended badly
        import wandb

        wandb.teardown()


@contextlib.contextmanager
def _relayed() -> Iterator[wandb.Settings]:
    """Load the client inside, with the settings that are given: what it says then and later goes into our log."""
    # Read from the environment only, by the client and by the process that it starts.
    os.environ.setdefault("WANDB_ERROR_REPORTING", "false")
    import wandb

    silent = wandb.Settings(silent=True)
    wandb.termsetup(silent, _Relay())  # before anything of it can speak, or ask for a key
    yield silent
    wandb.termsetup(silent, _Relay())  # loading puts its own in place


class _Relay:
    """Brings what wandb would print into our log: what went wrong as warnings, the rest for those who debug."""

    def info(self, message: str) -> None:
        log.debug("%s", _one_line(message))

    def warning(self, message: str) -> None:
        log.warning("W&B: %s (every row is in metrics.jsonl)", _one_line(message))

    error = warning


def _one_line(message: str) -> str:
    return " ".join(re.sub(r"^wandb: (WARNING |ERROR )?", "", line) for line in message.splitlines())
