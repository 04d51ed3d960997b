"""What a terminal shows while activations are computed: how far it is, and the time left; in a file nothing."""

import io
import time

from rich.console import Console

from spadam.activations.extraction import Progress
from spadam.terminal.activations import ExtractionProgress


def shown(*steps: Progress, terminal: bool) -> str:
    console = Console(file=io.StringIO(), force_terminal=terminal, width=80)
    with ExtractionProgress(console) as progress:
        for step in steps:
            progress.update(step)
            time.sleep(0.15)  # it is drawn ten times a second
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


STEPS = (
    Progress("loading"),
    Progress("tokenizing", 128),
    Progress("computing", 0, 20_000),
    Progress("computing", 12_345, 20_000),
)


def test_it_says_how_far_it_is() -> None:
    said = shown(*STEPS, terminal=True)
    for words in ("loading", "128 documents", "computing", "12,345 of 20,000 tokens", "left"):
        assert words in said


def test_a_file_gets_nothing_of_it() -> None:
    assert shown(*STEPS, terminal=False) == ""
