"""What is measured once, when a training has ended: the training code, the test set, the probe's regression."""

from __future__ import annotations

import time
from functools import lru_cache

from spadam.config import RunConfig
from spadam.data import Dataset
from spadam.diagnostics.probe_regression import baseline_pixels, baseline_untrained, refit
from spadam.diagnostics.reconstruction import EVALUATED_TRAIN, evaluate, evaluate_training_code
from spadam.models.autoencoder import SparseAutoencoder


def measure(
    autoencoder: SparseAutoencoder, dataset: Dataset, config: RunConfig, *, test: bool, fit_probe: bool
) -> dict[str, float]:
    """The metrics of a finished training by their names; those of the test split only if ``test``.

    ``fit_probe`` fits the probe's regression anew; with ``test`` its two baselines stand beside it.
    """
    metrics: dict[str, float] = {}
    splits = {"train": dataset.train[:EVALUATED_TRAIN]} | ({"test": dataset.test} if test else {})
    for split, rows in splits.items():
        if not len(rows):
            continue
        trained = evaluate_training_code(autoencoder, dataset.take, rows, config.data.batch_size)
        metrics |= trained.metrics(split, training_code=True)
        if split == "test":
            metrics |= evaluate(autoencoder, dataset.take, rows).reconstruction.metrics("test")
    if fit_probe:
        start = time.perf_counter()
        metrics |= refit(autoencoder, dataset, config.seed, test)
        if test:
            metrics |= _baselines(config, dataset)
        metrics["time/probe_s"] = time.perf_counter() - start
    return metrics


def _baselines(config: RunConfig, dataset: Dataset) -> dict[str, float]:
    """Both baselines. They depend on neither the optimizer nor the training, so repeats of a sweep share them."""
    return _pixels(_Key(config, dataset, "pixels")) | _untrained(_Key(config, dataset, "untrained"))


class _Key:
    """A configuration and its data, equal to another when ``what`` would be measured the same on both."""

    def __init__(self, config: RunConfig, dataset: Dataset, what: str) -> None:
        self.config, self.dataset = config, dataset
        model = config.model.model_dump_json() if what == "untrained" else ""
        self._identity = (dataset.content_hash(), config.seed, model)

    def __hash__(self) -> int:
        return hash(self._identity)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Key) and self._identity == other._identity


@lru_cache(maxsize=16)
def _pixels(key: _Key) -> dict[str, float]:
    return baseline_pixels(key.dataset, key.config.seed, test=True)


@lru_cache(maxsize=16)
def _untrained(key: _Key) -> dict[str, float]:
    untrained = key.config.build_autoencoder(key.dataset).to(key.dataset.x.device).eval()
    return baseline_untrained(untrained, key.dataset, key.config.seed, test=True)
