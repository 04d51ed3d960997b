"""Two sweeps side by side: what each is called, and everything that is told of them together."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

from spadam.claims.verdict import Verdict
from spadam.report.heading import state
from spadam.report.pair.changes import Change, asked, ran_with
from spadam.report.pair.contrast import Contrast, contrasts
from spadam.spec import InputError
from spadam.sweep.outcome.finding import in_folder
from spadam.sweep.outcome.outcome import Outcome


class Answers(NamedTuple):
    """What each of the two says to one claim; None where its file does not make it."""

    first: Verdict | None
    second: Verdict | None

    @property
    def says(self) -> str:
        """The claim in its file's words."""
        return next(verdict.claim.says for verdict in self if verdict is not None)


class Pair:
    """Two sweeps, the first of which is what the second is held against."""

    def __init__(self, first: Outcome, second: Outcome, names: tuple[str, str]) -> None:
        self.first, self.second, self.names = first, second, names

    @property
    def outcomes(self) -> tuple[Outcome, Outcome]:
        """Both."""
        return self.first, self.second

    @cached_property
    def asked(self) -> list[Change]:
        """What differs in what they were asked."""
        return asked(self.first, self.second)

    @cached_property
    def ran_with(self) -> list[Change]:
        """What differs in what they ran with."""
        return ran_with(self.first, self.second)

    @cached_property
    def contrasts(self) -> list[Contrast]:
        """How far they lie apart; nothing of a front, which has no one setting."""
        return [] if self.first.is_front or self.second.is_front else contrasts(self.first, self.second)

    @property
    def only(self) -> tuple[list[str], list[str]]:
        """The variants that the first alone has, and those of the second."""
        mine, theirs = (list(one.sweep.variants) for one in self.outcomes)
        return [name for name in mine if name not in theirs], [name for name in theirs if name not in mine]

    @cached_property
    def answers(self) -> list[Answers]:
        """Their verdicts, claim by claim: the same by all that decides on it, or by its words."""
        left, found = list(self.second.answers), []
        for mine in self.first.answers:
            same = [one for one in left if one.claim.key == mine.claim.key]
            same += [one for one in left if one.claim.says == mine.claim.says]
            other = same[0] if same else None
            left = [one for one in left if one is not other]
            found.append(Answers(mine, other))
        return [*found, *(Answers(None, one) for one in left)]

    def as_json(self) -> dict[str, Any]:
        """Plain values: what compare.json holds."""
        return {
            "sweeps": [
                {"name": one.sweep.name, "called": name, "done": one.done, "state": "".join(state(one))}
                for one, name in zip(self.outcomes, self.names, strict=True)
            ],
            "asked": [change.as_json() for change in self.asked],
            "ran_with": [change.as_json() for change in self.ran_with],
            "only": dict(zip(("first", "second"), self.only, strict=True)),
            "differences": [one.as_json() for one in self.contrasts],
            "verdicts": [
                {"says": one.says, **{side: v and v.as_json() for side, v in one._asdict().items()}}
                for one in self.answers
            ],
        }


def read(folders: Sequence[Path]) -> Pair:
    """The sweeps in two folders. Raises :class:`InputError` when one holds none, or both are one."""
    first, second = folders
    outcomes = [_read(folder) for folder in folders]
    if first.resolve() == second.resolve():
        rule = "a sweep is compared with another one, and both are the same folder"
        raise InputError("--compare", f"{first} {second}", rule, "give the folders of two sweeps")
    return Pair(outcomes[0], outcomes[1], names_of(first, second))


def _read(folder: Path) -> Outcome:
    try:
        return in_folder(folder)
    except InputError as error:
        argument = "--compare" if error.argument == "FOLDER" else error.argument
        raise InputError(argument, error.value, error.rule, error.remedy) from None


def names_of(first: Path, second: Path) -> tuple[str, str]:
    """As much of the ends of two paths as tells them apart.

    >>> names_of(Path("runs/before"), Path("runs/after")), names_of(Path("old/digits"), Path("new/digits"))
    (('before', 'after'), ('old/digits', 'new/digits'))
    """
    mine, theirs = (path.absolute().parts for path in (first, second))
    long = next((n for n in range(1, max(len(mine), len(theirs))) if mine[-n:] != theirs[-n:]), 1)
    return "/".join(mine[-long:]), "/".join(theirs[-long:])
