"""What W&B's environment variables may say here, and what not.

A configuration says how its runs are tracked and a run's identity is its own, so that the same command makes the same
run on every machine. Of the variables `WANDB_…` that the client reads, those count that say where its server is, who
asks, and how long it waits, and `WANDB_MODE`. Those in :data:`OURS` would replace what is decided here; the client does
not see them.
"""

from __future__ import annotations

import contextlib
import math
import os
import pwd
import stat
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Final

from spadam.tracking.spec import Mode, TrackingSpec

PREFIX: Final = "WANDB_"
MODE: Final = "WANDB_MODE"
BASE_URL: Final = "WANDB_BASE_URL"
PROJECT: Final = "WANDB_PROJECT"

_IDENTITY: Final = "id, name, group, job type, tags and configuration of a run are spadam's own"
_PLACE: Final = "a run's files lie in its folder"

OURS: Final[Mapping[str, str]] = {
    **dict.fromkeys(
        (
            *("WANDB_RUN_ID", "WANDB_NAME", "WANDB_RUN_NAME", "WANDB_RUN_GROUP", "WANDB_JOB_TYPE"),
            *("WANDB_RUN_JOB_TYPE", "WANDB_TAGS", "WANDB_RUN_TAGS", "WANDB_CONFIG_PATHS", "WANDB_RESUME"),
            *("WANDB_RESUMED", "WANDB_RESUME_FROM", "WANDB_FORK_FROM", "WANDB_SWEEP_ID", "WANDB_SWEEP_PARAM_PATH"),
            *("WANDB_SWEEP_URL", "WANDB_LAUNCH", "WANDB_LAUNCH_CONFIG_PATH"),
        ),
        _IDENTITY,
    ),
    PROJECT: "`tracking.project` says it",
    **dict.fromkeys(("WANDB_DIR", "WANDB_ROOT_DIR", "WANDB_RUN_DIR"), _PLACE),
}
"""The variables that do not count, and who decides instead."""

RUN_ID, SWEEP_ID = "WANDB_RUN_ID", "WANDB_SWEEP_ID"

_AGENT_S: Final = {RUN_ID, SWEEP_ID, "WANDB_SWEEP_PARAM_PATH", "WANDB_DIR"}
"""What an agent of W&B's own sweeps sets for the runs that it asks for."""

_UNSEEN: Final = {MODE, "WANDB_SERVICE", "WANDB_REINIT"}
"""What the client need not see either: what they would say is settled before, or is about the process that set it."""

_MEANT: Final[Mapping[str, Mode]] = {
    "online": "online",
    "run": "online",
    "offline": "offline",
    "dryrun": "offline",
    "disabled": "disabled",
}
"""What `WANDB_MODE` may say; two of the words are the client's older ones."""

_ORDER: Final[tuple[Mode, ...]] = ("disabled", "offline", "online")


def mode_in_force(mode: Mode) -> Mode:
    """What `WANDB_MODE` makes of a configuration's ``mode``: its own, where it is set.

    A word that is none lets nothing out of this machine: what was `online` is `offline` then.
    """
    word = os.environ.get(MODE, "").strip().lower()
    return _MEANT.get(word, least(mode, "offline")) if word else mode


def least(*modes: Mode) -> Mode:
    """The one of ``modes`` that shows least."""
    return min(modes, key=_ORDER.index)


def override(spec: TrackingSpec) -> tuple[TrackingSpec, str | None]:
    """``spec`` with the mode that `WANDB_MODE` gives it, and a sentence where that is another, or it cannot be read."""
    mode, word = mode_in_force(spec.mode), os.environ.get(MODE, "").strip()
    changed = spec if mode == spec.mode else spec.model_copy(update={"mode": mode})
    if word and word.lower() not in _MEANT:
        said = (
            f"{MODE} = {word!r} is none of online, offline and disabled: runs are {_STATES[mode]}; mend it, or unset it"
        )
        return changed, f"W&B: {said}"
    if mode != spec.mode:
        return changed, f"W&B: {MODE}={word} overrides `tracking.mode: {spec.mode}`"
    return spec, None


_STATES: Final[Mapping[Mode, str]] = {
    "online": "streamed",
    "offline": "kept offline",
    "disabled": "not tracked, as `tracking.mode: disabled` says",
}


def asked_by_agent() -> tuple[str, str] | None:
    """The ids of the run that a `wandb agent` asks this process for, and of its sweep; None when no agent does."""
    run, sweep = (os.environ.get(name, "").strip() for name in (RUN_ID, SWEEP_ID))
    return (run, sweep) if run and sweep else None


def given() -> dict[str, str]:
    """The client's variables that are set to something."""
    return {name: value for name, value in os.environ.items() if name.startswith(PREFIX) and value.strip()}


def candidates() -> dict[str, str]:
    """Those of them that the client is to see, unless it refuses their value."""
    return {name: value for name, value in given().items() if name not in OURS and name not in _UNSEEN}


def ignored(spec: TrackingSpec) -> list[str]:
    """A sentence for every reason why variables that are set do not count."""
    by_reason: dict[str, list[str]] = {}
    for name, value in sorted(given().items()):
        if name in OURS and (name, value) != (PROJECT, spec.project) and not (spec.agent and name in _AGENT_S):
            by_reason.setdefault(OURS[name], []).append(name)
    return [f"W&B: {_listed(names)} ignored: {reason}" for reason, names in by_reason.items()]


def _listed(names: list[str]) -> str:
    *first, last = names
    return f"{', '.join(first)} and {last} are" if first else f"{last} is"


def unusable(variables: Mapping[str, str]) -> dict[str, str]:
    """What is wrong with those of ``variables`` whose values the client would take as they are, by name."""
    found = {}
    for name, value in variables.items():
        if name in ("WANDB_CACHE_DIR", "WANDB_CONFIG_DIR", "WANDB_DATA_DIR") and not _can_hold_files(Path(value)):
            found[name] = "it must be a folder that can be written"
        elif name in ("WANDB_INIT_TIMEOUT", "WANDB_FINISH_TIMEOUT", "WANDB_HTTP_TIMEOUT") and not _are_seconds(value):
            found[name] = "it must be a number of seconds above 0"
        elif name == "WANDB_IDENTITY_TOKEN_FILE" and not os.access(value, os.R_OK):
            found[name] = "it must be a file that can be read"
        elif name == "WANDB_ENTITY" and set(value) & set("/\\#?%: \t\n"):
            found[name] = "it must be the name of a user or a team"
    return found


def is_open(name: str, value: str) -> bool:
    """Whether the ``value`` of a variable cannot hold a secret, so that it may be shown."""
    return "@" not in value and not any(word in name for word in ("KEY", "TOKEN", "HEADER", "PROXY", "PASS", "SECRET"))


@contextlib.contextmanager
def hidden(refused: Iterable[str]) -> Iterator[None]:
    """The environment as the client is to see it: without what does not count, what is empty, and ``refused``."""
    seen = set(candidates()) - set(refused)
    taken = {name: value for name, value in os.environ.items() if name.startswith(PREFIX) and name not in seen}
    for name in taken:
        del os.environ[name]
    try:
        yield
    finally:
        os.environ.update(taken)


@contextlib.contextmanager
def with_home(folder: Path) -> Iterator[None]:
    """A place below ``folder`` for what the client keeps in a home, while there is none that can be written.

    So it is in a container that runs as any user: the client's process would complain of it to the terminal.
    """
    ours = folder.absolute() / "wandb" / "home"
    home = os.environ.get("HOME") or _home_of_user() or str(ours)
    changed = {"HOME": home}
    for name, inside in {
        "XDG_CACHE_HOME": ".cache",
        "XDG_CONFIG_HOME": ".config",
        "XDG_DATA_HOME": ".local/share",
    }.items():
        if not _can_hold_files(Path(os.environ.get(name) or Path(home, inside), "wandb")):
            changed[name] = str(ours / inside)
    before = {name: os.environ.get(name) for name in changed}
    os.environ.update(changed)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def _home_of_user() -> str | None:
    try:
        return pwd.getpwuid(os.getuid()).pw_dir
    except KeyError:  # a user that nobody has described
        return None


def _are_seconds(value: str) -> bool:
    try:
        return 0 < float(value) < math.inf
    except ValueError:
        return False


def _can_hold_files(folder: Path) -> bool:
    """Whether files can be made in ``folder``, which need not be there yet."""
    there = next(place for place in (folder.absolute(), *folder.absolute().parents) if os.path.lexists(place))
    return stat.S_ISDIR(there.stat().st_mode) and os.access(there, os.W_OK | os.X_OK)
