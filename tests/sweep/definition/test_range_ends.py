"""The ends of what is searched: tried when a file is read, and never again."""

from collections import Counter
from typing import Any

import pytest

from spadam.config import RunConfig
from support.sweep_bench import Bench

RELATIVE = {"optimizer.eps": None, "optimizer.eps_rel": {"low": 1e-4, "high": 10.0, "log": True}}


@pytest.mark.parametrize("lazy", [{}, {"space": RELATIVE}], ids=["plain", "relative"])
def test_every_corner_is_checked_once_from_the_file_to_the_table(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, lazy: dict[str, Any]
) -> None:
    bench.write({"variants": {"lazy": {"optimizer": {"name": "lazy_adam"}, **lazy}}})
    corners = {
        (variant.name, config.optimizer.lr, config.optimizer.eps)
        for variant in bench.load().variants.values()
        for config in variant.corners
    }
    assert len(corners) == 8
    checked: Counter[tuple[str, float, float]] = Counter()
    original = RunConfig.model_validate.__func__  # type: ignore[attr-defined]

    def count(cls: type[RunConfig], data: Any) -> RunConfig:
        config: RunConfig = original(cls, data)
        variant = {"adam": "adam", "lazy_adam": "lazy"}[config.optimizer.name]
        checked[variant, config.optimizer.lr, config.optimizer.eps] += 1
        return config

    monkeypatch.setattr(RunConfig, "model_validate", classmethod(count))
    assert bench.run() == 0
    assert {corner: checked[corner] for corner in corners} == dict.fromkeys(corners, 1)


def test_corners_have_the_ends_of_every_axis(bench: Bench) -> None:
    bench.write({"space": {"model.rule.k": {"low": 1, "high": 8}, "data.batch_size": {"choices": [16, 32, 64]}}})
    variant = bench.load().variants["adam"]
    assert len(variant.corners) == 2 * 2 * 2 * 3
    assert {config.model.rule.k for config in variant.corners} == {1, 8}
    assert {config.data.batch_size for config in variant.corners} == {16, 32, 64}
