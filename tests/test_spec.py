"""Documents: what is read, what is refused, and how a refusal reads."""

import pickle
from typing import Annotated, Literal

import pytest
from pydantic import Field

from spadam.optim.spec import Betas
from spadam.spec import InputError, Spec, assign, dump, load, merge, parse, validate


class Cat(Spec):
    name: Literal["cat"]
    lives: int = 9


class Dog(Spec):
    name: Literal["dog"]
    weight: float = 1.0


class House(Spec):
    pet: Annotated[Cat | Dog, Field(discriminator="name")]
    rooms: int = 1
    betas: Betas = (0.9, 0.999)


def check(text: str) -> House:
    return validate(House, parse(text, "house.yaml"))


def refusal(text: str) -> InputError:
    with pytest.raises(InputError) as caught:
        check(text)
    return caught.value


def test_reads_yaml_1_2() -> None:
    data = parse("a: 1e-3\nb: yes\nc: 010\nd: 0o10\n", "x").data
    assert data == {"a": 0.001, "b": "yes", "c": 10, "d": 8}


def test_checks_and_builds() -> None:
    house = check("pet: {name: dog, weight: 3}\nbetas: [0.5, 0.9]\n")
    assert house == House(pet=Dog(name="dog", weight=3.0), betas=(0.5, 0.9))


@pytest.mark.parametrize(
    ("text", "argument", "rule", "remedy", "where"),
    [
        ("pet: {name: cat}\nroms: 2\n", "roms", "not known", "did you mean rooms?", "house.yaml:2"),
        ("rooms: 1\npet:\n  name: cat\n  live: 3\n", "pet.live", "not known", "did you mean lives?", "house.yaml:4"),
        ("pet: {name: cat}\nxyz: 2\n", "xyz", "not known", "known here: betas, pet, rooms", "house.yaml:2"),
        ("pet: {name: cats}\n", "pet.name", "name is not known", "did you mean cat?", "house.yaml:1"),
        ("pet: {lives: 3}\n", "pet", "needs a `name`", "add `name: …`", "house.yaml:1"),
        ("rooms: 3\n", "pet", "required", "add it", "house.yaml:1"),
        ("pet: {name: cat}\n\nrooms: two\n", "rooms", "whole number", "change the value", "house.yaml:3"),
        ("pet: {name: cat}\nrooms: true\n", "rooms", "whole number", "change the value", "house.yaml:2"),
        ("pet: {name: cat}\nrooms: 2.0\n", "rooms", "whole number", "write 2", "house.yaml:2"),
        ("pet: {name: dog, weight: .inf}\n", "pet.weight", "finite", "change the value", "house.yaml:1"),
        (
            "pet: {name: dog, weight: '1'}\n",
            "pet.weight",
            "must be a number",
            "take the quotes away: 1",
            "house.yaml:1",
        ),
    ],
)
def test_refusal_names_argument_rule_remedy_and_line(
    text: str, argument: str, rule: str, remedy: str, where: str
) -> None:
    error = refusal(text)
    assert error.argument == argument
    assert rule in error.rule
    assert remedy in error.remedy
    assert error.where == where
    assert "\n" not in str(error)


def test_tells_everything_that_is_wrong_in_the_order_of_the_lines() -> None:
    error = refusal("pet: {name: cat, lives: x}\nrooms: x\nroms: 1\nbetas: [2.0, 0.5]\n")
    assert [mistake.argument for mistake in error.mistakes] == ["pet.lives", "rooms", "roms", "betas"]
    assert [line.partition(":")[0] for line in str(error).splitlines()] == [
        "pet.lives = 'x' (house.yaml",
        "rooms = 'x' (house.yaml",
        "roms (house.yaml",
        "betas = [2.0, 0.5] (house.yaml",
    ]
    assert pickle.loads(pickle.dumps(error)).mistakes[3].rule == error.mistakes[3].rule


def test_a_misspelt_key_is_not_missing_as_well() -> None:
    assert [mistake.argument for mistake in refusal("pets: {name: cat}\n").mistakes] == ["pets"]


@pytest.mark.parametrize(
    ("text", "rule", "where"),
    [
        ("a: 1\nb: 2\na: 3\n", "a key may stand only once in a mapping", "x.yaml:3"),
        ("a: 1\nb: !!str 5\n", "tags are not read", "x.yaml:2"),
        ("a: !!python/object:os.system x\n", "tags are not read", "x.yaml:1"),
        ("a: [1,\n", "expected the node content", "x.yaml:2"),
        ("a: &b [*b]\n", "must not contain itself", "x.yaml:1"),
        ("? [1, 2]\n: 3\n", "a key must be text", "x.yaml:1"),
        ("- 1\n", "one mapping", "x.yaml:1"),
        ("", "one mapping", ""),
        ("\t- a", "token", "x.yaml:1"),
    ],
)
def test_refuses_what_is_not_plain_yaml(text: str, rule: str, where: str) -> None:
    with pytest.raises(InputError) as caught:
        parse(text, "x.yaml")
    assert rule in caught.value.rule
    assert caught.value.where == where


def test_unreadable_files(tmp_path) -> None:
    with pytest.raises(InputError, match="No such file"):
        load(tmp_path / "none.yaml")
    (tmp_path / "latin.yaml").write_bytes(b"a: \xff")
    with pytest.raises(InputError, match="UTF-8"):
        load(tmp_path / "latin.yaml")


def test_merge_goes_key_by_key_but_another_name_replaces() -> None:
    base = {"optimizer": {"name": "adam", "lr": 1}, "model": {"latents": 5, "rule": {"name": "top_k", "k": 3}}}
    assert merge(base, {"model": {"rule": {"k": 4}}})["model"] == {"latents": 5, "rule": {"name": "top_k", "k": 4}}
    assert merge(base, {"optimizer": {"name": "adam", "eps": 2}})["optimizer"] == {"name": "adam", "lr": 1, "eps": 2}
    assert merge(base, {"optimizer": {"name": "sgd"}})["optimizer"] == {"name": "sgd"}
    unnamed = {"optimizer": {"lr": 1}}  # says something of whatever optimizer there will be
    assert merge(unnamed, {"optimizer": {"name": "sgd"}})["optimizer"] == {"lr": 1, "name": "sgd"}
    assert base["optimizer"] == {"name": "adam", "lr": 1}


def test_assign_sets_one_value() -> None:
    assert assign({"a": {"b": 1, "c": 2}}, "a.b", 5) == {"a": {"b": 5, "c": 2}}
    assert assign({}, "a.b.c", 5) == {"a": {"b": {"c": 5}}}


def test_dump_reads_back() -> None:
    data = {"lr": 1e-10, "name": "yes", "none": None, "list": [0.9, 0.999], "deep": {"k": 1, "flag": True}}
    assert parse(dump(data), "x").data == data


@pytest.mark.parametrize(
    ("text", "argument", "value", "remedy"),
    [
        ("pet: {name: cat}\nrooms: null\n", "rooms", "null", "leave it out: it is 1 then"),
        ("pet: null\n", "pet", "null", "write {name: …}"),
        ("pet: cat\n", "pet", "'cat'", "write {name: cat}"),
        ("pet: [cat]\n", "pet", "['cat']", "write {name: cat}"),
        ("pet: name:cat\n", "pet", "'name:cat'", "write name: cat"),
        ("pet: {name:cat}\n", "pet", "", "write name: cat"),
        ("pet: {nam: cat}\n", "pet", "", "write name instead of nam"),
        ("pet: {name: cat, lives:9}\n", "pet.lives:9", "", "write lives: 9"),
        ("pet: {name: cat}\nrooms: {a: 1}\n", "rooms", "{a: 1}", "change the value"),
        ("pet: {name: dog, weight: true}\n", "pet.weight", "true", "change the value"),
        ("pet: {name: dog, weight: -.inf}\n", "pet.weight", "-.inf", "change the value"),
        ("pet: {name: dog, weight: 1e−3}\n", "pet.weight", "'1e−3'", "write it with a plain minus: 1e-3"),
        ("pet: {name: dog, weight: 1e400}\n", "pet.weight", "1e400", "choose a smaller one"),
        ("pet: {name: cat}\nrooms: 1.0e+30\n", "rooms", "1e+30", "change the value"),
    ],
)
def test_values_are_shown_as_they_are_written_with_what_was_meant(
    text: str, argument: str, value: str, remedy: str
) -> None:
    error = refusal(text)
    assert error.headline.split(" (")[0] == argument + (f" = {value}" if value else "")
    assert error.remedy == remedy


@pytest.mark.parametrize(
    ("text", "line", "remedy"),
    [
        ("pet:\n\tname: cat\n", 2, "replace the tab by spaces: they alone indent"),
        ("pet: {name: cat}\nb: 'x\nc: 3\n", 2, "close the quotes"),
        ("pet: {name: cat\nrooms: 3\n", 2, "close the bracket, and separate what is in it with commas"),
        ("rooms: 3\n pet: {name: cat}\n", 2, "begin each key in a line of its own"),
        ("pet: @cat\n", 1, "put the text in quotes"),
    ],
)
def test_bad_syntax_is_told_with_a_remedy(text: str, line: int, remedy: str) -> None:
    error = refusal(text)
    assert error.where == f"house.yaml:{line}"
    assert error.remedy.startswith(remedy)
