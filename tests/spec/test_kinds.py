"""Every kind of file is told apart from every other, and who takes it is said."""

import pytest

from spadam.config import RunConfig
from spadam.spec import KINDS, RESULT, RUN, SWEEP, InputError, check_kind, parse
from spadam.spec.kinds import Kind
from spadam.sweep.definition.spec import SweepSpec
from spadam.training.result import RunResult


def test_marks_are_keys_of_their_kind_and_of_no_other() -> None:
    keys = {RUN: set(RunConfig.model_fields), SWEEP: set(SweepSpec.model_fields), RESULT: set(RunResult._fields)}
    assert set(keys) == set(KINDS)
    for kind in KINDS:
        assert set(kind.marks) <= keys[kind]
        assert not any(set(kind.marks) & keys[other] for other in KINDS if other is not kind)


@pytest.mark.parametrize("wanted", [RUN, SWEEP])
@pytest.mark.parametrize("given", KINDS)
def test_another_kind_is_told_as_what_it_is(given: Kind, wanted: Kind) -> None:
    document = parse("".join(f"{mark}: 1\n" for mark in given.marks[:2]), "runs/x.yaml")
    if given is wanted:
        check_kind(document, wanted)
        return
    with pytest.raises(InputError) as caught:
        check_kind(document, wanted)
    assert caught.value.rule == f"must be {wanted.what}, and is {given.what}"
    assert "runs/" in caught.value.remedy


@pytest.mark.parametrize("text", ["basse: {}\nvariant: {}\n", "name: x\n", "base: {}\ndata: {}\nmodel: {}\n", "{}\n"])
def test_a_file_with_slips_is_still_of_its_kind(text: str) -> None:
    check_kind(parse(text, "x.yaml"), SWEEP)


def test_any_other_file_is_told_with_what_it_has() -> None:
    with pytest.raises(InputError, match=r"has none of its keys \(base, .*\) but version, scripts"):
        check_kind(parse('{"version": 3, "scripts": {}}', "package.json"), SWEEP)
