"""How runs will really be tracked: decided once, before the first of them, and told."""

from __future__ import annotations

from spadam.spec import InputError
from spadam.tracking import client, environment
from spadam.tracking.server import reach
from spadam.tracking.spec import TrackingSpec


def settle(spec: TrackingSpec) -> tuple[TrackingSpec, str | None]:
    """``spec`` with the mode in which its runs will be tracked, and what is to be said of that, a line a sentence.

    `WANDB_MODE` overrides the mode. `online` becomes `offline` when :func:`reach` finds no server, or none that takes
    runs from us; for other modes nobody is asked. Variables `WANDB_…` that do not count, or hold what the client cannot
    take, are named. Raises :class:`InputError` when a run is to be one that an agent asks for, and none does.
    """
    if spec.agent and environment.asked_by_agent() is None:
        rule = f"a `wandb agent` must ask for the run: it sets {environment.RUN_ID} and {environment.SWEEP_ID}"
        raise InputError("tracking.agent", True, rule, "start the agent, or set it to false to train without one")
    spec, overridden = environment.override(spec)
    said = [] if overridden is None else [overridden]
    if spec.mode == "disabled":
        return spec, "\n".join(said) or None
    said += environment.ignored(spec) + [f"W&B: {sentence}" for sentence in _refusals(streams=spec.mode == "online")]
    if spec.mode == "online" and (found := reach()).reason:
        spec = spec.model_copy(update={"mode": "offline"})
        remedy = f"`WANDB_BASE_URL={found.address} spadam sync DIR` uploads them"
        if environment.BASE_URL in client.refused():
            remedy = f"set it to an address such as {client.PUBLIC_ADDRESS}, or unset it"
        said.append(f"W&B: {found.address} {found.reason}; runs are kept offline, {remedy}")
    return spec, "\n".join(said) or None


def check_environment() -> None:
    """Raise :class:`InputError` about the first variable `WANDB_…` that keeps an upload from what it is asked for."""
    if environment.mode_in_force("online") == "disabled":
        rule, remedy = "it says that nothing is sent to W&B", f"unset it: `env -u {environment.MODE} spadam sync …`"
        raise InputError(environment.MODE, "disabled", rule, remedy)
    for name, rule in sorted(client.refused().items()):
        value = environment.given()[name]
        raise InputError(name, value if environment.is_open(name, value) else None, rule, "mend it, or unset it")


def _refusals(streams: bool) -> list[str]:
    """What is said of variables that the client cannot take; a server that has no address is told where it is asked."""
    return [
        f"{name}{f' = {value!r}' if environment.is_open(name, value) else ''} is ignored: {rule}; mend it, or unset it"
        for name, value in sorted(environment.given().items())
        if (rule := client.refused().get(name)) is not None and not (streams and name == environment.BASE_URL)
    ]
