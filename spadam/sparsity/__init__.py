"""Rules: which latents of a batch stay on. The union of specs below is the registry.

Ours are two files each: ``specs/top_k.py`` is what a configuration says, and imports no torch, so that checking a file
or listing what there is takes no seconds; ``top_k.py`` is the rule. One file with both, torch imported at its top,
works as well: its spec's name in the union is all it needs. The rules are imported when they are asked for.
"""

import importlib
from typing import TYPE_CHECKING, Annotated, Any, get_args

from pydantic import Field

from spadam.sparsity.spec import BaseRuleSpec
from spadam.sparsity.specs.batch_top_k import BatchTopKSpec
from spadam.sparsity.specs.k_winners import KWinnersSpec
from spadam.sparsity.specs.lifetime import LifetimeSpec
from spadam.sparsity.specs.relu import ReluSpec
from spadam.sparsity.specs.top_k import TopKSpec

if TYPE_CHECKING:
    from spadam.sparsity.batch_top_k import BatchTopK
    from spadam.sparsity.k_winners import KWinners
    from spadam.sparsity.lifetime import Lifetime
    from spadam.sparsity.relu import Relu
    from spadam.sparsity.rule import Rule, Selection
    from spadam.sparsity.top_k import TopK

RuleSpec = Annotated[
    TopKSpec | LifetimeSpec | BatchTopKSpec | KWinnersSpec | ReluSpec,
    Field(discriminator="name"),
]

RULES: tuple[type[BaseRuleSpec], ...] = get_args(get_args(RuleSpec)[0])
"""The members of the registry."""

_NEEDS_TORCH = {
    "BatchTopK": "batch_top_k",
    "KWinners": "k_winners",
    "Lifetime": "lifetime",
    "Relu": "relu",
    "Rule": "rule",
    "Selection": "rule",
    "TopK": "top_k",
}
"""Where each name is that is imported when it is asked for."""


def __getattr__(name: str) -> Any:
    if name not in _NEEDS_TORCH:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found = globals()[name] = getattr(importlib.import_module(f"{__name__}.{_NEEDS_TORCH[name]}"), name)
    return found


def __dir__() -> list[str]:
    return sorted({*globals(), *_NEEDS_TORCH})


__all__ = [
    "RULES",
    "BaseRuleSpec",
    "BatchTopK",
    "BatchTopKSpec",
    "KWinners",
    "KWinnersSpec",
    "Lifetime",
    "LifetimeSpec",
    "Relu",
    "ReluSpec",
    "Rule",
    "RuleSpec",
    "Selection",
    "TopK",
    "TopKSpec",
]
