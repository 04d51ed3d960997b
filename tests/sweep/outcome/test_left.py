"""The time that a sweep still needs."""

import pytest

from spadam.sweep.outcome.left import seconds_left, total
from spadam.sweep.outcome.progress import Tally
from spadam.sweep.search.slots import Slot
from support.sweep_bench import Bench

Times = tuple[float, ...]


def tally(variant: str, trials_left: int, repeats_left: int, trials: Times, repeats: Times) -> Tally:
    return Tally(variant, 20, 0, 0, 0, 0, 0, None, trials_left, repeats_left, trials, repeats)


def test_rows_add_up_to_the_whole_and_both_are_divided_by_the_workers() -> None:
    tallies = [tally("a", 4, 2, (1.0, 1.0, 1.0), (3.0, 3.0, 3.0)), tally("b", 2, 2, (2.0, 2.0, 2.0), (4.0,) * 3)]
    left = seconds_left(tallies, 2)
    assert left == {"a": (4 + 6) / 2, "b": (4 + 8) / 2}
    assert total(left) == 11.0


def test_what_runs_counts_by_its_share() -> None:
    tallies = [tally("a", 4, 2, (1.0,) * 3, (3.0,) * 3)]
    one, two, other = Slot("a", "search", 0, 1, 0), Slot("a", "repeat", 0, 1, 0, "x"), Slot("b", "search", 0, 1, 0)
    under_way = {one: 0.25, two: 0.5, other: 1.0}
    assert seconds_left(tallies, 1, under_way) == {"a": 10 - 0.25 - 1.5}


def test_a_slow_start_does_not_count() -> None:
    started = tally("a", 10, 0, (60.0, 1.0, 1.0), ())
    assert seconds_left([started], 1) == {"a": 10.0}


def test_with_few_of_its_own_a_variant_is_as_fast_as_the_others() -> None:
    tallies = [tally("a", 3, 0, (30.0,), ()), tally("b", 3, 0, (2.0, 2.0, 2.0), ()), tally("c", 3, 0, (), ())]
    assert seconds_left(tallies, 1) == {"a": 6.0, "b": 6.0, "c": 6.0}


def test_repeats_of_which_none_has_ended_are_taken_for_trials() -> None:
    assert seconds_left([tally("a", 1, 2, (2.0,), ())], 1) == {"a": 6.0}


def test_nothing_is_known_at_first_and_nothing_left_at_last() -> None:
    assert seconds_left([tally("a", 1, 2, (), ())], 1) == {"a": None}
    assert total(seconds_left([tally("a", 1, 2, (), ())], 1)) is None
    assert total(seconds_left([tally("a", 0, 0, (2.0,), ())], 1)) == 0.0


def test_a_tally_has_the_times_of_the_last_trainings(bench: Bench) -> None:
    from spadam.sweep.outcome.progress import tally as count

    bench.write({"search": {"trials": 9}, "repeat": {"seeds": 2}})
    assert bench.run() == 0
    for found in count(*bench.read()):
        assert found.trial_times == pytest.approx((2.0,) * 7)
        assert found.repeat_times == pytest.approx((2.0,) * 2)
        assert (found.trials_left, found.repeats_left) == (0, 0)
