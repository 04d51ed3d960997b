"""Which type has fast products: the fastest that is clearly faster than float32, if there is one."""

import time
from collections.abc import Iterator

import pytest
import torch
from torch import Tensor

from spadam.encoding import speed
from spadam.encoding.speed import fast_type


@pytest.fixture(autouse=True)
def _forget() -> Iterator[None]:
    speed._fast_type.cache_clear()
    yield
    speed._fast_type.cache_clear()


def pretend(monkeypatch: pytest.MonkeyPatch, **seconds: float) -> list[str]:
    """Products that take so long by a clock of their own; returns which were asked for."""
    now, asked = [0.0], []

    def product(left: Tensor, right: Tensor, out: Tensor) -> None:
        name = str(left.dtype).removeprefix("torch.")
        asked.append(name)
        if name not in seconds:
            raise RuntimeError("no such product")
        now[0] += seconds[name]

    monkeypatch.setattr(speed, "product", product)
    monkeypatch.setattr(time, "perf_counter", lambda: now[0])
    return asked


@pytest.mark.parametrize(
    ("seconds", "answer"),
    [
        ({"float32": 1.0, "bfloat16": 0.5, "int8": 0.25}, torch.int8),
        ({"float32": 1.0, "bfloat16": 0.5, "int8": 0.75}, torch.bfloat16),
        ({"float32": 1.0, "bfloat16": 0.9, "int8": 0.9}, None),
        ({"float32": 1.0, "bfloat16": 0.5}, torch.bfloat16),
        ({"float32": 1.0}, None),
    ],
)
def test_the_fastest_type_is_taken_if_it_is_worth_it(
    seconds: dict[str, float], answer: torch.dtype | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    pretend(monkeypatch, **seconds)
    assert fast_type() == answer


def test_it_is_timed_once_and_what_is_far_too_slow_once_only(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = pretend(monkeypatch, float32=1.0, bfloat16=0.5, int8=50.0)
    assert fast_type() == fast_type() == torch.bfloat16
    assert asked.count("float32") == asked.count("bfloat16") == speed._TIMES
    assert asked.count("int8") == 1


def test_this_processor_has_an_answer() -> None:
    assert fast_type() in (None, torch.bfloat16, torch.int8)
