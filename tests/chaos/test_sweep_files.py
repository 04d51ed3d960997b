"""R9: whatever stands in a sweep's file, it is read, or refused in a sentence that names it: at once, nothing begun."""

import random
import re
import time
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from spadam.spec import InputError, dump, merge
from spadam.sweep.definition.reading import load
from support.chaos.plan import SPEC
from support.chaos.ride import Place
from support.chaos.warm import Warm
from support.chaos.wrong_files import GOOD, Wrong, by_hand, damaged, exchanged

MOST_SECONDS = 0.2
"""Of processor time: what others do on the machine is not counted."""


def read(path: Path, content: bytes, whole: bool = False) -> str | None:
    """What is said of a file with ``content``; None when it is good. Any other error goes through."""
    path.write_bytes(content)
    for tries in range(10):  # a neighbour in the cache makes every step slower: it may be gone a little later
        time.sleep(tries * 0.1)
        start, said = time.process_time(), None
        try:
            load(path)
        except InputError as error:
            said = "\n".join(f"{mistake.headline}\n{mistake.rule}\n{mistake.remedy}" for mistake in error.mistakes)
        if (took := time.process_time() - start) < MOST_SECONDS:
            break
    assert took < MOST_SECONDS, f"{took:.3f} s: {said}"
    if said is not None:
        assert str(path) in said
        whole = whole or "has none of its keys" in said
        assert whole or re.search(rf"{re.escape(str(path))}:\d+", said), said
        assert len(said) < 20_000, said[:500]
    return said


@pytest.fixture(scope="module", autouse=True)
def _imported(tmp_path_factory: pytest.TempPathFactory) -> None:
    """What is imported only when a sweep is read has been."""
    path = tmp_path_factory.mktemp("good") / "sweep.yaml"
    path.write_text(GOOD)
    load(path)


@pytest.mark.parametrize("wrong", list(by_hand()), ids=lambda wrong: wrong.name)
def test_a_wrong_file_is_refused(wrong: Wrong, tmp_path: Path) -> None:
    said = read(tmp_path / "sweep.yaml", wrong.content, wrong.whole)
    assert (said is None) == (wrong.name == "windows")


def test_a_file_with_one_value_exchanged_is_read_or_refused(tmp_path: Path) -> None:
    troubles, refused, files = [], 0, list(exchanged())
    for wrong in files:
        try:
            refused += read(tmp_path / "sweep.yaml", wrong.content) is not None
        except Exception as error:
            troubles.append(f"{wrong.name}: {type(error).__name__}: {str(error)[:300]}")
    assert troubles == []
    assert len(files) > 1000
    assert refused > 0.9 * len(files)


def test_a_file_that_was_damaged_is_read_or_refused(tmp_path: Path) -> None:
    troubles, refused, many = [], 0, 400
    for wrong in damaged(random.Random(0), many):
        try:
            refused += read(tmp_path / "sweep.yaml", wrong.content, whole=not wrong.content.strip()) is not None
        except Exception as error:
            troubles.append(f"{wrong.name}: {type(error).__name__}: {str(error)[:300]}\n{wrong.content.decode()}")
    assert troubles == []
    assert refused > 0.7 * many


_scalars = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text()
_values = st.recursive(_scalars, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=20)
_part = st.dictionaries(st.sampled_from([*SPEC, "search.trials", "nobody"]), _values, min_size=1)


@given(_part)
@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_whatever_is_laid_over_a_good_file_is_read_or_refused(tmp_path: Path, part: dict[str, object]) -> None:
    try:
        text = dump(merge(SPEC, part)).encode()
    except UnicodeEncodeError:
        return  # a half of a pair of surrogates is in no file
    read(tmp_path / "sweep.yaml", text)


@given(st.binary(max_size=300))
@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_bytes_are_refused(tmp_path: Path, content: bytes) -> None:
    assert read(tmp_path / "sweep.yaml", content, whole=True) is not None


def test_a_folder_and_what_is_not_there_are_refused(tmp_path: Path) -> None:
    for path, rule in ((tmp_path, "is a folder"), (tmp_path / "nothing.yaml", "No such file")):
        with pytest.raises(InputError, match=rule):
            load(path)


def test_the_command_leaves_with_2_and_has_begun_nothing(tmp_path: Path, warm: Warm) -> None:
    dice = random.Random(0)
    files = [*dice.sample(list(by_hand()), 14), *dice.sample(list(exchanged()), 8), *damaged(dice, 2)]
    checked = 0
    for number, wrong in enumerate(files):
        place = Place(tmp_path / str(number), SPEC, size=0)
        file = place.folder / "sweep.yaml"
        place.folder.mkdir()
        file.write_bytes(wrong.content)
        try:
            load(file)
        except InputError:
            checked += 1
        else:
            continue
        words = ["sweep", "run", str(file), "--out", str(place.out), "--workers", "0"]
        said = place.folder / "said"
        assert warm.start(words, place.environment(), said).wait() == 2, wrong.name
        assert "Traceback" not in said.read_text()
        assert str(file) in said.read_text()
        assert sorted(path.name for path in place.folder.iterdir()) == ["said", "sweep.yaml"], wrong.name
    assert checked >= 20
