"""The tree of values that YAML events describe, with the line of each, built within bounds."""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from ruamel.yaml.events import (
    AliasEvent,
    DocumentStartEvent,
    Event,
    MappingEndEvent,
    MappingStartEvent,
    NodeEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
)
from ruamel.yaml.nodes import ScalarNode

from spadam.spec.document import Path_
from spadam.spec.error import InputError, Mistakes, Written
from spadam.spec.numbers import without_comma

DEEPEST = 50
"""Values may lie in each other so deep."""

_MOST_READ = 3_000  # a tenth of a second
_MOST_VALUES = 20_000
_LARGEST = 2**64
"""Whole numbers stay below it: seeds are of 64 bits, and nothing else is larger."""
_MOST_DIGITS = 2 + 64 + 7  # of such a number, written 0b1010_…


class Node(NamedTuple):
    """A value, with what is in it."""

    data: Any
    line: int
    inner: tuple[tuple[str | int, int, Node], ...] = ()
    """Key or index, its line, and the value, for everything in it."""
    size: int = 1
    """Values in it, itself among them; one that stands there by an alias counts each time."""

    def places(self, path: Path_ = (), line: int = 0) -> Iterator[tuple[Path_, int]]:
        """Every value's path with its line; that of a mapping's value is the line of its key."""
        yield path, line or self.line
        for key, inner_line, node in self.inner:
            yield from node.places((*path, key), inner_line)


class _Entry(NamedTuple):
    """A key of a mapping with its value, before they are checked."""

    start: NodeEvent
    key: Node
    value: Node
    text: str
    """Its value as it is written, where that is a scalar."""

    @property
    def is_merge(self) -> bool:
        """Whether it lays a mapping below its own."""
        return isinstance(self.start, ScalarEvent) and self.start.value == "<<" and not self.start.style

    @property
    def is_bare_number(self) -> bool:
        """A number as a key, with no value: what the comma of 1,000 leaves within { }."""
        return isinstance(self.key.data, int | float) and self.value.data is None and not self.text


class Tree:
    """Builds nodes from the events of one text. What is wrong with a value is noted in ``mistakes``."""

    def __init__(self, where: Callable[[int], str], mistakes: Mistakes, resolver: Any, constructor: Any) -> None:
        self._where, self._mistakes = where, mistakes
        self._resolver, self._constructor = resolver, constructor
        self._anchors: dict[str, Node | None] = {}  # None while what it names is being read
        self._path: list[str] = []
        self._read = 0

    def build(self, events: Iterator[Event]) -> Node | None:
        """The value of the one document that ``events`` describe; None of an empty text.

        Raises :class:`InputError` when a bound is passed; syntax errors of the parser go through.
        """
        root = None
        for event in events:
            if isinstance(event, DocumentStartEvent) and root is not None:
                self._note("---", None, "a file holds one document", "remove what follows", event)
                break
            if isinstance(event, NodeEvent):
                root = self._node(event, events, depth=1)
        return root

    def _node(self, event: NodeEvent, events: Iterator[Event], depth: int) -> Node:
        if isinstance(event, AliasEvent):
            return self._alias(event)
        if tag := getattr(event, "tag", None):
            self._note("tag", str(tag), "tags are not read", "write the plain value", event)
        self._read += 1
        if depth > DEEPEST:
            raise too_deep(self._where(_line(event)))
        if event.anchor:
            self._anchors[event.anchor] = None
        if isinstance(event, MappingStartEvent):
            node = self._mapping(event, events, depth)
        elif isinstance(event, SequenceStartEvent):
            node = self._sequence(event, events, depth)
        else:
            assert isinstance(event, ScalarEvent)
            node = Node(self._scalar(event), _line(event))
        if self._read > _MOST_READ:
            raise self._refusal("YAML", None, f"a file holds at most {_MOST_READ} values", "write fewer", event)
        if node.size > _MOST_VALUES:
            rule = f"a file holds at most {_MOST_VALUES} values, what aliases repeat counted each time"
            raise self._refusal("YAML", None, rule, "write fewer", event)
        if event.anchor:
            self._anchors[event.anchor] = node
        return node

    def _alias(self, event: AliasEvent) -> Node:
        if event.anchor not in self._anchors:
            rule, remedy = "no value above has this name", f"name one with &{event.anchor}, or write the value"
            self._note(f"alias *{event.anchor}", None, rule, remedy, event)
        elif (node := self._anchors[event.anchor]) is not None:
            return node
        else:
            self._note("alias", Written(f"*{event.anchor}"), "a value must not contain itself", "write it out", event)
        return Node(None, _line(event))

    def _sequence(self, start: Event, events: Iterator[Event], depth: int) -> Node:
        nodes: list[Node] = []
        for event in _until(SequenceEndEvent, events):
            self._path.append(str(len(nodes)))
            nodes.append(self._node(event, events, depth + 1))
            self._path.pop()
        inner = tuple((index, node.line, node) for index, node in enumerate(nodes))
        return Node([node.data for node in nodes], _line(start), inner, 1 + sum(node.size for node in nodes))

    def _mapping(self, start: Event, events: Iterator[Event], depth: int) -> Node:
        entries: list[_Entry] = []
        for event in _until(MappingEndEvent, events):
            key, of_value = self._node(event, events, depth + 1), next(events)
            assert isinstance(of_value, NodeEvent)
            self._path.append(shown(str(key.data)))
            value = self._node(of_value, events, depth + 1)
            self._path.pop()
            entries.append(_Entry(event, key, value, getattr(of_value, "value", "")))
        return self._join(start, entries)

    def _join(self, start: Event, entries: list[_Entry]) -> Node:
        own: dict[str, tuple[int, Node]] = {}
        below: dict[str, tuple[int, Node]] = {}
        for number, entry in enumerate(entries):
            key = entry.key.data
            if entry.is_merge:
                below = self._merged(entry) | below
            elif not isinstance(key, str):
                self._refuse_key(entries, number)
            elif key in own:
                rule = f"a key may stand only once in a mapping, and this one stands in line {own[key][0]} too"
                self._note(self._dotted(shown(key)), None, rule, "remove one of the two", entry.start)
            else:
                own[key] = entry.key.line, entry.value
        both = below | own
        inner = tuple((key, line, node) for key, (line, node) in both.items())
        size = 1 + sum(node.size for _, node in both.values())
        return Node({key: node.data for key, (_, node) in both.items()}, _line(start), inner, size)

    def _merged(self, entry: _Entry) -> dict[str, tuple[int, Node]]:
        """What `<<` lays below the keys of a mapping; of several mappings the first counts."""
        nodes = [node for _, _, node in entry.value.inner] if isinstance(entry.value.data, list) else [entry.value]
        found: dict[str, tuple[int, Node]] = {}
        for node in reversed(nodes):
            if not isinstance(node.data, dict):
                self._note("<<", None, "it lays a mapping below this one", "write `<<: *name` of one", entry.start)
            found |= {str(key): (line, inner) for key, line, inner in node.inner}
        return found

    def _refuse_key(self, entries: list[_Entry], number: int) -> None:
        entry = entries[number]
        if (torn := _torn_number(entries, number)) is not None:
            if number + 1 == len(entries) or not entries[number + 1].is_bare_number:
                key, written, meant = torn
                rule = "a comma ends an entry of { }, and a number is written without one"
                self._note(self._dotted(key), Written(written), rule, f"write {meant}", entry.start)
            return
        written = entry.start.value if isinstance(entry.start, ScalarEvent) else ""
        rule = f"a key must be text, and this one is {_kind(entry.key.data)}"
        self._note("key", Written(written) if written else None, rule, "write a name, or put it in quotes", entry.start)

    def _scalar(self, event: ScalarEvent) -> Any:
        tag = self._resolver.resolve(ScalarNode, event.value, event.implicit)
        kind = str(tag).rpartition(":")[2]
        if kind not in ("int", "float", "bool", "null"):  # dates too are text here, as YAML 1.2 has them
            return self._text(event)
        if kind == "int" and len(event.value) > _MOST_DIGITS:
            value = _LARGEST  # Python makes no number of 5,000 digits
        else:
            value = self._constructor.construct_object(ScalarNode(tag, event.value, event.start_mark, event.end_mark))
        if kind == "int" and abs(value) >= _LARGEST:
            rule, remedy = "whole numbers have at most 64 bits", "choose a smaller one"
            self._note(self._dotted() or "number", Written(event.value), rule, remedy, event)
            return 0
        if kind == "float" and math.isinf(value) and "inf" not in event.value.lower():
            rule, remedy = f"numbers go up to {sys.float_info.max:.1e}", "choose a smaller one"
            self._note(self._dotted() or "number", Written(event.value), rule, remedy, event)
            return 0.0
        return value

    def _text(self, event: ScalarEvent) -> str:
        text = str(event.value)
        if "\0" in text or (not text.isascii() and any("\ud800" <= letter <= "\udfff" for letter in text)):
            what = "the character NUL" if "\0" in text else "half a character (a surrogate)"
            self._note(self._dotted() or "text", text, f"it must not hold {what}", "write it without", event)
        return text

    def _dotted(self, *more: str) -> str:
        """The key of what is being read, or of one in it."""
        return ".".join((*self._path, *more))

    def _note(self, argument: str, value: object, rule: str, remedy: str, event: Event) -> None:
        self._mistakes.add(self._refusal(argument, value, rule, remedy, event))

    def _refusal(self, argument: str, value: object, rule: str, remedy: str, event: Event) -> InputError:
        return InputError(argument, value, rule, remedy, self._where(_line(event)))


def shown(key: str | int) -> str:
    """A part of a dotted key, in quotes where it would not read as one."""
    return str(key) if isinstance(key, int) or (key and key.isprintable()) else repr(key)


def _torn_number(entries: list[_Entry], number: int) -> tuple[str, str, str] | None:
    """Key, text and meaning of a number whose commas made the bare keys that end at ``number``; None of other keys."""
    first = number
    while first >= 0 and entries[first].is_bare_number:
        first -= 1
    if first < 0 or first == number:
        return None
    key = entries[first].key.data
    parts = [entry.start.value for entry in entries[first + 1 : number + 1] if isinstance(entry.start, ScalarEvent)]
    written = ",".join((entries[first].text, *parts))
    meant = without_comma(written)
    return None if meant is None or not isinstance(key, str) else (shown(key), written, meant)


def _kind(key: object) -> str:
    """What a key is that is no text."""
    match key:
        case None:
            return "null"
        case bool():
            return "a truth value"
        case int() | float():
            return "a number"
        case list():
            return "a list"
        case _:
            return "a mapping"


def _until(end: type[Event], events: Iterator[Event]) -> Iterator[NodeEvent]:
    """The first event of each node before the ``end``; who asks takes the rest of the node's events."""
    for event in events:
        if isinstance(event, end):
            return
        assert isinstance(event, NodeEvent)
        yield event


def _line(event: Event) -> int:
    return int(event.start_mark.line) + 1


def too_deep(where: str) -> InputError:
    """Values of more than :data:`DEEPEST` levels."""
    return InputError("YAML", None, f"at most {DEEPEST} levels may lie in each other", "flatten it", where)
