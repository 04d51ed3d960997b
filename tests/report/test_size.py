"""A page stays small whatever the sweep: what it draws and tells of trainings has bounds, which it says."""

import random

import pytest

from spadam.report.figures.best_so_far import best_so_far
from spadam.report.figures.landscape import landscape
from spadam.report.figures.response import response
from spadam.report.packed import packed, unpacked
from spadam.report.page import page
from spadam.report.section import MOST_ROWS, Section, evenly
from spadam.report.trials import MOST_MARKS, Trial, marked
from spadam.sweep.search.slots import Slot
from spadam.sweep.store.attempts import Record
from support.large_outcome import large_outcome

MEGABYTE = 1_000_000


def trial(number: int, value: float | None) -> Trial:
    return Trial(Record(Slot("adam", "search", 0, number, 0)), {}, value, "complete", "")


def marks(section: Section) -> int:
    return sum(len(t["x"]) for p in section.panels.values() for t in p.data if t["mode"] == "markers")


def test_a_page_of_many_variants_is_under_six_megabytes() -> None:
    """With all the trials that a sweep of 56 variants may have it is a hundredth larger: they are not all drawn."""
    assert len(page(large_outcome(variants=56, trials=25, evaluations=30)).encode()) < 4 * MEGABYTE


def test_a_page_hardly_grows_with_the_trials() -> None:
    few, many = (len(page(large_outcome(2, trials, seeds=3, evaluations=5)).encode()) for trials in (1_200, 2_400))
    assert many - few < 0.02 * MEGABYTE


def test_what_is_left_out_is_said_and_what_is_best_is_drawn() -> None:
    outcome = large_outcome(2, 800, seeds=3, evaluations=5)
    for section in (response(outcome), landscape(outcome)):
        assert MOST_MARKS - 100 < marks(section) <= MOST_MARKS + 2  # and a ring around the best of each
        assert "Of the 1600 trials at most 600 of each variant are drawn: the best 300, and others" in section.html
        assert section.html.count("<tr>") == MOST_MARKS + 1
    assert f"{MOST_ROWS} of 1600 rows, evenly over them" in best_so_far(outcome).html


@pytest.mark.parametrize("minimize", [True, False])
def test_the_best_trials_are_kept_and_others_over_the_whole_search(minimize: bool) -> None:
    draw = random.Random(0)
    values = [None if draw.random() < 0.1 else draw.random() for _ in range(5_000)]
    found = {"adam": [trial(n, value) for n, value in enumerate(values)], "few": [trial(0, 1.0)]}
    shown, said = marked(found, minimize)
    assert len(shown["adam"]) == MOST_MARKS // 2
    assert shown["few"] == found["few"]
    assert said
    kept = [one.record.slot.number for one in shown["adam"]]
    assert kept == sorted(set(kept))
    best = sorted((value for value in values if value is not None), reverse=not minimize)[: MOST_MARKS // 4]
    assert set(best) <= {one.value for one in shown["adam"]}
    assert max(b - a for a, b in zip([0, *kept], [*kept, 5_000], strict=True)) < 40
    assert any(one.value is None for one in shown["adam"])


def test_few_trials_are_all_drawn() -> None:
    found = {"adam": [trial(n, None) for n in range(MOST_MARKS)]}
    assert marked(found, minimize=True) == (found, "")


@pytest.mark.parametrize(("many", "most"), [(0, 3), (3, 3), (10, 3), (10, 1), (1_000, 999)])
def test_evenly(many: int, most: int) -> None:
    found = evenly(range(many), most)
    assert len(found) == min(many, most)
    assert found == sorted(set(found))
    if most > 1 and many:
        assert (found[0], found[-1]) == (0, many - 1)


def test_what_is_packed_comes_out_again() -> None:
    content = "ä<>&\u2028".encode() * 1_000
    element = packed(content, "x")
    assert len(element) < 200
    assert f'data-size="{len(content)}"' in element
    assert unpacked(element.partition(">")[2].removesuffix("</script>")) == content
