"""Axes and ranges that are relative to a variant: to its optimizer's centre, to the gradient, to another axis.

A *relative axis* is searched, but is no key of a configuration: `optimizer.eps_rel` and `optimizer.lr_over_eps` become
`optimizer.eps` and `optimizer.lr` here. `optimizer.eps_rel` is eps in units of the *scale*, the root mean square of the
gradient before the first step (:func:`spadam.training.gradient_scale.gradient_rms`): where an optimizer feels its eps
depends on how large gradients are, so an eps of 1e-8 is much for one loss and nothing for another.
`optimizer.lr_over_eps` is lr / eps: where eps outweighs the second moment it alone sets the step, and the pair
(lr_over_eps, eps) has the ridge of good values along an axis. `optimizer.lr.at` is the `at` of an lr by the number of
latents, and gives `optimizer.lr` with the latents of each trial.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from spadam.config import RunConfig, latents_of
from spadam.optim import OPTIMIZERS, BaseOptimizerSpec, CustomSpec, ScaledLr
from spadam.spec import Document, InputError, assign
from spadam.sweep.definition.space import Axis, Range, Value

EPS, LR = "optimizer.eps", "optimizer.lr"
EPS_REL, LR_OVER_EPS, LR_AT = "optimizer.eps_rel", "optimizer.lr_over_eps", "optimizer.lr.at"
LATENTS = "model.latents"

RELATIVE = {EPS_REL: EPS, LR_OVER_EPS: LR, LR_AT: LR}
"""The relative axes, and the key that each gives."""

PLACEHOLDER = 1.0
"""The scale while a file is checked: the gradient is not known before data is read, and any scale has the same ends
in error."""

_GIVE_A_NUMBER = "give a number, such as `around: 1.0e-3`"

_EXAMPLE_CENTRE = 1e-3
"""The centre of an optimizer that does not exist, until the check of its variant says so."""


def key_of(axis: str) -> str:
    """The key of the configuration that ``axis`` gives."""
    return RELATIVE.get(axis, axis)


def lay_in(data: Mapping[str, Any], params: Mapping[str, Value], gradient_rms: float | None) -> dict[str, Any]:
    """``data`` with every parameter at its key; ``gradient_rms`` is the scale, needed for `optimizer.eps_rel`."""
    laid = dict(data)
    for name, value in params.items():
        if name not in RELATIVE or name == LR_AT:
            laid = assign(laid, name, value)
    if EPS_REL in params:
        assert gradient_rms is not None, f"{EPS_REL} is in units of it"
        laid = assign(laid, EPS, _number(params[EPS_REL]) * gradient_rms)
    if LR_OVER_EPS in params:
        laid = assign(laid, LR, _number(params[LR_OVER_EPS]) * _eps(laid))
    return laid


def place(variant: str, document: Document, ranges: Mapping[str, Range]) -> dict[str, Range]:
    """The ``ranges`` of a variant with the configuration ``document``, from low to high.

    Raises :class:`InputError` when a centre is not known, or when a relative axis does not go together with the
    optimizer or with another axis.
    """
    for axis, range_ in ranges.items():
        why = _unplaceable(axis, range_, ranges, document.data)
        if why is not None:
            argument, rule, remedy = why
            where = document.where(tuple(axis.split(".")))
            raise InputError(f"variant {variant}: space.{axis}{argument}", None, rule, remedy, where)
    optimizer = _optimizer(document.data)
    centre = _EXAMPLE_CENTRE if optimizer is None else optimizer.lr_center
    latents = latents_of(document.data.get("model")) or 1
    return {axis: range_.placed(centre, latents) for axis, range_ in ranges.items()}


def scale_key(config: RunConfig) -> str:
    """A hash of all that the scale of ``config`` depends on: data, model, seed, and threads."""
    facts = config.facts()
    text = json.dumps([facts["data"], facts["model"], facts["seed"], facts["trainer"]["threads"]], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _unplaceable(
    axis: str, range_: Range, ranges: Mapping[str, Range], data: Mapping[str, Any]
) -> tuple[str, str, str] | None:
    """Why the axis cannot be searched: which of its keys, rule, remedy; None when it can, as far as is known here."""
    declared, optimizer = range_.around == "declared", _optimizer(data)
    if isinstance(range_.around, ScaledLr):
        return _not_by_latents(axis, ranges, data)
    if axis == LR_AT and LR in ranges:
        return "", f"{LR} is searched too, and one follows from the other", f"drop one, as with `space: {{{LR}: null}}`"
    if not declared and axis not in (EPS_REL, LR_OVER_EPS):
        return None
    if declared and axis != LR:
        return ".around", f"optimizers declare a centre for {LR} only", _GIVE_A_NUMBER
    if "optimizer.name" in ranges:
        return "", "it depends on the optimizer, which is searched itself", "make each optimizer a variant"
    if declared:
        rule = "the centre of a custom optimizer is not known"
        return (".around", rule, _GIVE_A_NUMBER) if optimizer is CustomSpec else None
    drop = f"drop the axis in this variant with `space: {{{axis}: null}}`"
    if key_of(axis) in ranges:
        rule = f"{key_of(axis)} is searched too, and one follows from the other"
        return "", rule, f"drop one of the two, in a variant with `space: {{{key_of(axis)}: null}}`"
    if optimizer is not None and "eps" not in optimizer.model_fields:
        remedy = f"search optimizer.options.eps, or {drop}" if optimizer is CustomSpec else drop
        return "", f"{optimizer.model_fields['name'].default} has no epsilon", remedy
    if range_.choices is not None and not all(_is_number(choice) for choice in range_.choices):
        return ".choices", "it is a factor: every choice must be a number", "list numbers only"
    if axis == LR_OVER_EPS and (zero := _zero_eps(ranges, data)) is not None:
        return "", f"lr is a multiple of eps, and {zero} may be 0", f"let {zero} begin above 0"
    return None


def _not_by_latents(axis: str, ranges: Mapping[str, Range], data: Mapping[str, Any]) -> tuple[str, str, str] | None:
    """Why a centre by the number of latents is not known, in the same form."""
    if axis != LR:
        return ".around", f"an lr by the number of latents is a centre for {LR} only", _GIVE_A_NUMBER
    if LATENTS in ranges:
        rule = "the centre depends on the number of latents, which is searched itself"
        return ".around", rule, f"write the rule in base, as `optimizer: {{lr: {{…}}}}`, and search {LR_AT}"
    if latents_of(data.get("model")) is None:
        return ".around", "what is trained has no number of latents", _GIVE_A_NUMBER
    return None


def _zero_eps(ranges: Mapping[str, Range], data: Mapping[str, Any]) -> str | None:
    """What makes eps 0, if anything does."""
    for name in (EPS, EPS_REL):
        if name in ranges:
            return name if 0 in Axis(name, ranges[name].placed(_EXAMPLE_CENTRE), whole=False).ends() else None
    return EPS if _eps(data) == 0 else None


def _optimizer(data: Mapping[str, Any]) -> type[BaseOptimizerSpec] | None:
    """The optimizer that ``data`` names; None when there is none of that name, which is told where all is checked."""
    given = data.get("optimizer")
    name = given.get("name") if isinstance(given, Mapping) else None
    return next((spec for spec in OPTIMIZERS if spec.model_fields["name"].default == name), None)


def _eps(data: Mapping[str, Any]) -> float:
    """The eps of the optimizer in ``data``; 1 where it is not a number, which is told where all is checked."""
    optimizer = _optimizer(data)
    default = 1.0 if optimizer is None else optimizer.model_fields["eps"].default
    eps = data["optimizer"].get("eps", default) if isinstance(data.get("optimizer"), Mapping) else default
    return float(eps) if _is_number(eps) else 1.0


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _number(value: Value) -> float:
    assert isinstance(value, int | float), "checked with the sweep"
    return float(value)
