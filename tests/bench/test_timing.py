"""Comparisons: in turns, warmed up, and medians; driven by a clock that only the two sides move."""

import pytest

from spadam.bench.timing import Effort, alternate, compare

EFFORT = Effort(least=4, slow=2, most=10, seconds=0.0, warmup=2)


class Bench:
    """A clock, and sides that move it."""

    def __init__(self) -> None:
        self.now, self.calls = 0.0, ""

    def clock(self) -> float:
        return self.now

    def side(self, name: str, *seconds: float) -> object:
        left = list(seconds)

        def act() -> None:
            self.calls += name
            self.now += left.pop(0) if len(left) > 1 else left[0]

        return act


def test_sides_take_turns_after_they_are_warm() -> None:
    bench = Bench()
    found = alternate(bench.side("a", 9.0, 9.0, 0.3), bench.side("b", 9.0, 9.0, 0.2), EFFORT, bench.clock)
    assert bench.calls == "ab" * (2 + 4)
    assert found.pairs == 4
    assert found.ratio == pytest.approx(1.5), "what warms up is not timed"
    assert found.spread == pytest.approx((1.5, 1.5))


@pytest.mark.parametrize(
    ("seconds", "pair", "pairs"),
    [(0.0, 0.1, 4), (0.0, 0.6, 2), (0.7, 0.1, 7), (99.0, 0.1, 10)],
    ids=["at least", "slow ones fewer", "until the time is used", "at most"],
)
def test_how_often(seconds: float, pair: float, pairs: int) -> None:
    bench = Bench()
    found = alternate(
        bench.side("a", pair), bench.side("b", pair), EFFORT._replace(warmup=0, seconds=2 * seconds), bench.clock
    )
    assert found.pairs == pairs


def test_medians_and_the_middle_half_of_single_ratios() -> None:
    found = compare([(2.0, 1.0), (3.0, 1.0), (4.0, 1.0), (5.0, 1.0), (600.0, 2.0)])
    assert (found.of, found.over, found.ratio) == (4.0, 1.0, 4.0)
    assert found.spread == (3.0, 5.0)
    assert compare([(6.0, 2.0)]).spread == (3.0, 3.0)
