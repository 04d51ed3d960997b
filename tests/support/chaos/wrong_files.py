"""Sweep files that are wrong, or may be: by hand, with one value exchanged, and damaged at random."""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from spadam.spec import dump
from support.chaos.plan import SPEC

GOOD = dump(SPEC)


class Wrong(NamedTuple):
    """A file."""

    name: str
    content: bytes
    whole: bool = False
    """Whether what is wrong with it, if anything, has no line: it is no text, or holds nothing."""


VALUES = {
    "null": "null",
    "true": "true",
    "text": "text",
    "empty text": '""',
    "minus one": "-1",
    "zero": "0",
    "half": "0.5",
    "huge": "1e400",
    "negative huge": "-1e400",
    "NaN": ".nan",
    "infinity": ".inf",
    "a large number": "1" * 40,
    "many digits": "9" * 5000,
    "old octal": "010",
    "yes": "yes",
    "a comma": "1,5",
    "list": "[]",
    "numbers": "[1, 2]",
    "mapping": "{}",
    "unknown key": "{nobody: 1}",
    "unknown name": "{name: nobody}",
    "no text key": "{1: 2, null: 3, [a]: b}",
    "duplicate": "{name: adam, name: adam}",
    "object": "!!python/object/apply:os.system [touch stolen]",
    "name": "!!python/name:os.system",
    "tag": "!spadam {a: 1}",
    "binary": "!!binary R0lGODlh",
    "set": "!!set {a, b}",
    "date": "2026-11-28",
    "alias": "*nobody",
    "itself": "&a [*a]",
    "merge": "{<<: 3}",
    "path": "../../etc/passwd",
    "colon": "a: b: c",
    "open": "[1, {",
    "quote": "'never closed",
    "emoji": '"\\U0001F600"',
    "control": '"\\u0000\\u001b[31m"',
    "surrogate": '"\\ud800"',
    "long": "x" * 10_000,
    "deep": "[" * 60 + "]" * 60,
    "very deep": "[" * 3000 + "]" * 3000,
    "bomb": "[&a [x, x, x, x, x, x, x, x, x], &b [*a, *a, *a, *a, *a, *a, *a, *a, *a], "
    "&c [*b, *b, *b, *b, *b, *b, *b, *b, *b], &d [*c, *c, *c, *c, *c, *c, *c, *c, *c], "
    "&e [*d, *d, *d, *d, *d, *d, *d]]",
}
"""What may stand where something else should, as it is written."""

_HERE = "put-it-here"


def by_hand() -> Iterator[Wrong]:
    """Files that are wrong as a whole."""
    yield Wrong("nothing", b"", True)
    yield Wrong("comments", b"# nothing\n# at all\n", True)
    yield Wrong("spaces", b" \n\n  \n", True)
    yield Wrong("utf-16", GOOD.encode("utf-16"), True)
    yield Wrong("utf-16 without a mark", GOOD.encode("utf-16-le"), True)
    yield Wrong("utf-32", GOOD.encode("utf-32"), True)
    yield Wrong("latin-1", GOOD.replace("chaos", "ch\xe4os").encode("latin-1"), True)
    yield Wrong("zeros", bytes(1000), True)
    yield Wrong("database", b"SQLite format 3\0" + bytes(100), True)
    yield Wrong("picture", bytes.fromhex("89504e470d0a1a0a0000000d49484452"), True)
    yield Wrong("large", b"# " + b"x" * 10_000_000, True)
    yield Wrong("a million lines", b"a:\n" * 1_000_000, True)
    yield Wrong("large within bounds", b"name: [" + b"1," * 100_000 + b"]", False)
    yield Wrong("many keys", b"".join(b"key%d: 1\n" % number for number in range(15_000)))
    yield Wrong("unknown keys", (GOOD + "".join(f"key{number}: 1\n" for number in range(1_400))).encode())
    unknown = "".join(f"    key{number}: {number}\n" for number in range(1_400))
    yield Wrong("unknown keys in base", GOOD.replace("    name: digits\n", f"    name: digits\n{unknown}").encode())
    variants = "".join(f"  v{number}: *v\n" for number in range(400))
    yield Wrong(
        "many variants",
        (GOOD[: GOOD.index("variants:")] + f"variants:\n  v: &v {{optimizer: {{name: x}}}}\n{variants}").encode(),
    )
    yield Wrong("many choices", GOOD.replace("log: true", f"choices: [{', '.join(['[]'] * 2_800)}]").encode())
    yield Wrong("a list", b"- 1\n- 2\n", True)
    yield Wrong("a text", b"sweep\n", True)
    yield Wrong("a number", b"3\n", True)
    yield Wrong("twice", (GOOD + "---\n" + GOOD).encode())
    yield Wrong("a tab", b"name: a\nbase:\n\tdata: {}\n")
    yield Wrong("an old version", b"%YAML 1.1\n---\n" + GOOD.encode())
    yield Wrong("json lines", b'{"a": 1}\n{"a": 2}\n')
    yield Wrong("windows", GOOD.replace("\n", "\r\n").encode())
    yield Wrong("nul within", GOOD.replace("chaos", "ch\0os").encode(), True)
    yield Wrong("a billion laughs", _laughs().encode())
    for key in SPEC:
        yield Wrong(f"{key} twice", (GOOD + dump({key: SPEC[key]})).encode())
        if key not in ("space", "search", "repeat", "objective"):
            yield Wrong(f"no {key}", dump({other: value for other, value in SPEC.items() if other != key}).encode())


def exchanged() -> Iterator[Wrong]:
    """A good file with one value of it exchanged: each of its values for each of :data:`VALUES`."""
    for path in _paths(SPEC):
        text = dump(_put(SPEC, path, _HERE))
        for name, value in VALUES.items():
            yield Wrong(f"{name} at {'.'.join(path)}", text.replace(_HERE, value).encode())


def damaged(dice: random.Random, many: int) -> Iterator[Wrong]:
    """A good file with some of its characters or lines lost, doubled, exchanged or made up."""
    alphabet = "abz019 .:-[]{}#&*!|>'\"%@`,?\\\n\t\x07\xe4\u2028\U0001f600"
    for number in range(many):
        lines, text = GOOD.splitlines(keepends=True), GOOD
        for _ in range(dice.randint(1, 4)):
            at, to = dice.randrange(len(text)), dice.choice(alphabet)
            match dice.randrange(5):
                case 0:
                    text = text[:at] + text[at + dice.randint(1, 9) :]
                case 1:
                    text = text[:at] + to * dice.randint(1, 3) + text[at:]
                case 2:
                    text = text[:at] + text[at:] + dice.choice(lines)
                case 3:
                    lines = text.splitlines(keepends=True)
                    dice.shuffle(lines)
                    text = "".join(lines)
                case _:
                    text = text[:at]
            if not text:
                break
        yield Wrong(f"damage {number}", text.encode())


def _laughs() -> str:
    names = [f"l{number}" for number in range(12)]
    lines = ["l0: &l0 [ha, ha, ha, ha, ha, ha, ha, ha, ha]"]
    lines += [f"{name}: &{name} [{', '.join([f'*{before}'] * 9)}]" for before, name in itertools.pairwise(names)]
    return "\n".join(lines) + "\n"


def _paths(data: Mapping[str, Any], path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    for key, value in data.items():
        yield (*path, key)
        if isinstance(value, Mapping):
            yield from _paths(value, (*path, key))


def _put(data: Mapping[str, Any], path: tuple[str, ...], value: object) -> dict[str, Any]:
    key, *rest = path
    return {**data, key: _put(data[key], tuple(rest), value) if rest else value}
