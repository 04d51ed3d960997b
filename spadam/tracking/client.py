"""wandb's client; no other file imports it, and importing this one does not.

The client's process outlives a run: the runs of one process follow one another through it.
"""

from __future__ import annotations

import base64
import contextlib
import functools
import logging
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from numbers import Real
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from pydantic import ValidationError

from spadam.tracking import environment
from spadam.tracking.identity import Identity, plain_id
from spadam.tracking.spec import TrackingSpec
from spadam.tracking.tracker import Draw, Rows

if TYPE_CHECKING:
    import wandb

log = logging.getLogger(__name__)

STEP: Final = "trainer/global_step"
"""The x axis of every chart. wandb's own counter starts at 0 again in a run that goes on; this one does not."""

PUBLIC_ADDRESS: Final = "https://api.wandb.ai"
"""Where an account lives when nobody said otherwise; the client's own default is another address."""

_TAG_LENGTH = 64  # the client refuses longer ones
_TAKEN_AS_THEY_ARE = {"WANDB_API_KEY", "WANDB_ENTITY", "WANDB_ERROR_REPORTING"}


class WandbTracker:
    """Shows a run through wandb's client, which hands everything to a process of its own.

    With ``before``, the rows that the run has recorded already, every row is shown once: those of them are shown now of
    which the server has not heard (offline: all), and what it has of those that follow is left out. Rows are counted
    from 0, and the pictures stand behind the last. Without it rows follow those there.
    """

    def __init__(self, run: wandb.Run, before: Rows | None = None) -> None:
        self._run, self._left_out, there = run, 0, run.starting_step
        if before is not None:
            for row in before[there:]:
                self.record(row)
            self._left_out = max(0, there - len(before))

    @property
    def address(self) -> str | None:
        """Where the run can be looked at; None when it is kept offline."""
        return self._run.url

    def record(self, row: Mapping[str, Any]) -> None:
        """Log the numbers and histograms of ``row``, its ``step`` as the x axis; the rest is left to the ledger."""
        if self._is_there():
            return
        shown = {key: _shown(value) for key, value in row.items()}
        if "step" in shown:
            shown[STEP] = shown.pop("step")
        self._run.log({key: value for key, value in shown.items() if value is not None})

    def show(self, draw: Draw, step: int) -> None:
        """Log what ``draw`` makes as images, files of the run, in a row of their own."""
        if self._is_there():
            return
        import wandb

        images = {name: wandb.Image(picture) for name, picture in draw().items()}
        if images:
            self._run.log({STEP: step} | images)

    def show_table(self, name: str, columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
        """Log a table: a value of any plain kind, or None, for every column of every row."""
        import wandb

        self._run.log({name: wandb.Table(list(columns), [list(row) for row in rows], allow_mixed_types=True)})

    def show_page(self, name: str, markup: str) -> None:
        """Log a page of HTML."""
        import wandb

        self._run.log({name: wandb.Html(markup, inject=False, data_is_not_path=True)})

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

    def _is_there(self) -> bool:
        there = self._left_out > 0
        self._left_out -= there
        return there


def start(
    spec: TrackingSpec, who: Identity, folder: Path, before: Rows | None = None, patience: float = 60.0
) -> WandbTracker:
    """A tracker for the run ``who``, in the mode of ``spec``; raises whatever the client does.

    See :func:`spadam.tracking.open_run`. The end of an upload is waited for ``patience`` seconds, unless
    ``WANDB_FINISH_TIMEOUT`` is set.
    """
    try:
        return WandbTracker(_init(spec, who, folder, patience), before)
    except Exception:
        _drop_client()
        raise


def reason(error: Exception) -> str:
    """What a client's error says, on one line."""
    return _one_line(str(error)) or type(error).__name__


def refused() -> dict[str, str]:
    """The variables `WANDB_…` whose values the client cannot take, with what must hold; it does not see them."""
    return _refused(tuple(sorted(environment.candidates().items())))


@functools.cache
def _refused(variables: tuple[tuple[str, str], ...]) -> dict[str, str]:
    found = environment.unusable(dict(variables))
    asked = {name: value for name, value in variables if name not in found and name not in _TAKEN_AS_THEY_ARE}
    if not asked:
        return found
    with contextlib.suppress(ImportError), environment.hidden(asked), _relayed():
        import wandb

        for name, value in asked.items():
            try:
                wandb.Settings().update_from_env_vars({name: value})
            except ValidationError as error:
                said = error.errors()[0]["msg"].replace(value, "…").removeprefix("Value error, ")
                rule, known = re.subn("^Input should be (a valid [a-zA-Z]+)?(, .*)?", r"it must be \1", said)
                found[name] = rule if known else f"the client refuses it ({said})"
            except Exception as error:
                found[name] = f"the client refuses it ({reason(error).replace(value, '…')})"
    return found


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
    entity: str | None = None
    """Who owns the projects of a configuration that names nobody; None leaves it to the account."""


def access() -> Access:
    """What the client's own functions find in environment, settings files and netrc; no process of it is started.

    Raises ImportError where there is no client, and ValueError when an address is none.
    """
    if environment.BASE_URL in refused():
        raise ValueError(f"{environment.BASE_URL}: {refused()[environment.BASE_URL]}")
    with environment.hidden(refused()), environment.with_home(Path(os.devnull)), _relayed():
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
    return Access(
        address, auth is not None, trouble, headers, proxy, not settings.insecure_disable_ssl, settings.entity
    )


def _address(settings: wandb.Settings) -> str:
    return settings.base_url if "base_url" in settings.model_fields_set else PUBLIC_ADDRESS


def _init(spec: TrackingSpec, who: Identity, folder: Path, patience: float) -> wandb.Run:
    if spec.mode == "online" and environment.BASE_URL in refused():  # not to another place instead
        raise ValueError(f"{environment.BASE_URL}: {refused()[environment.BASE_URL]}")
    with environment.hidden(refused()), _relayed() as silent:
        import wandb

        with environment.with_home(folder):
            shared = wandb.setup(silent).settings
        settings = wandb.Settings(
            mode=spec.mode,
            base_url=_address(shared),
            project=spec.project,
            entity=spec.entity,
            root_dir=str(folder),
            run_id=plain_id(who.run_id),
            run_name=who.name or None,
            run_group=who.group,
            run_job_type=who.job_type or None,
            run_tags=tuple(tag[:_TAG_LENGTH] for tag in who.tags if tag),
            sweep_id=who.sweep,
            resume="allow" if spec.mode == "online" else None,
            reinit="create_new",
            # Nothing of this machine leaves it but what is recorded.
            console="off",
            save_code=False,
            disable_code=True,
            disable_git=True,
            disable_job_creation=True,
            label_disable=True,
            sagemaker_disable=True,
            x_disable_stats=True,
            x_disable_machine_info=True,
            x_save_requirements=False,
            silent=True,
            # A killed trainer loses the rows of the last second, not of the last fifteen.
            x_transaction_log_flush_interval=1.0,
            init_timeout=shared.init_timeout if "init_timeout" in shared.model_fields_set else 20.0,
            finish_timeout=shared.finish_timeout if "finish_timeout" in shared.model_fields_set else patience,
        )
        run = wandb.init(settings=settings, config=dict(who.config))
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
