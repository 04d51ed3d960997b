"""What the probe's accuracy is to be held against. Neither baseline depends on the optimizer or the training, so they
are kept for the repeats of a sweep, which share them.
"""

from __future__ import annotations

from functools import lru_cache

from spadam.data import Dataset
from spadam.diagnostics.probe_regression import baseline_pixels, baseline_untrained
from spadam.models.spec import AutoencoderSpec


def baselines(spec: AutoencoderSpec, dataset: Dataset, seed: int) -> dict[str, float]:
    """Both baselines on the test split: of the inputs, and of the codes of the model that ``seed`` begins with.

    The inputs are taken about their mean where the model's encoder sees them so.
    """
    return _pixels(_Key(None, dataset, seed), spec.pre_bias == "mean") | _untrained(_Key(spec, dataset, seed))


class _Key:
    """What a baseline is measured on, equal to another when it would be the same there."""

    def __init__(self, spec: AutoencoderSpec | None, dataset: Dataset, seed: int) -> None:
        self.spec, self.dataset, self.seed = spec, dataset, seed
        self._identity = (dataset.content_hash(), seed, "" if spec is None else spec.model_dump_json())

    def __hash__(self) -> int:
        return hash(self._identity)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Key) and self._identity == other._identity


@lru_cache(maxsize=16)
def _pixels(key: _Key, centred: bool) -> dict[str, float]:
    return baseline_pixels(key.dataset, key.seed, test=True, centred=centred)


@lru_cache(maxsize=16)
def _untrained(key: _Key) -> dict[str, float]:
    assert key.spec is not None
    untrained = key.spec.begin(key.dataset, key.seed).to(key.dataset.x.device).eval()
    return baseline_untrained(untrained, key.dataset, key.seed, test=True)
