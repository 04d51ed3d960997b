"""Rules: which latents of a batch stay on. One file each; the union below is the registry."""

from typing import Annotated, get_args

from pydantic import Field

from spadam.sparsity.batch_top_k import BatchTopK, BatchTopKSpec
from spadam.sparsity.k_winners import KWinners, KWinnersSpec
from spadam.sparsity.lifetime import Lifetime, LifetimeSpec
from spadam.sparsity.relu import Relu, ReluSpec
from spadam.sparsity.rule import BaseRuleSpec, Rule, Selection
from spadam.sparsity.top_k import TopK, TopKSpec

RuleSpec = Annotated[
    TopKSpec | LifetimeSpec | BatchTopKSpec | KWinnersSpec | ReluSpec,
    Field(discriminator="name"),
]

RULES: tuple[type[BaseRuleSpec], ...] = get_args(get_args(RuleSpec)[0])
"""The members of the registry."""

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
