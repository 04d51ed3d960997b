"""A whole text in windows of tokens, and what is known of each token.

Shapes: N tokens of all windows, W windows.
"""

from __future__ import annotations

import itertools
from array import array
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from spadam.activations.documents import Text
from spadam.spec import InputError

if TYPE_CHECKING:
    from spadam.activations.transformer import Transformer

_AT_ONCE = 64
"""Documents that are given to the tokenizer together."""


@dataclass(frozen=True)
class Windows:
    """Every window of a text, one behind the other, in the order of the text."""

    tokens_N: NDArray[np.int32]
    """Which of the vocabulary."""
    special_N: NDArray[np.bool_]
    """What the tokenizer has put around the window, such as [CLS] and [SEP]."""
    documents_N: NDArray[np.int64]
    """The line of the document in the text, counted from 0."""
    starts: NDArray[np.int64]
    """Where each window begins, (W + 1,): the last is N."""
    documents: int
    empty: int
    """Documents without a token of their own, which are left out."""
    split: int
    """Documents in more than one window."""

    @property
    def tokens(self) -> int:
        """How many there are, N."""
        return len(self.tokens_N)


def cut(text: Text, transformer: Transformer, most: int, told: Callable[[int], None]) -> Windows:
    """The windows of ``text``, each of at most ``most`` tokens; ``told`` hears how many documents are done.

    A longer document becomes several windows, which know nothing of each other. Raises :class:`InputError` when there
    is no token at all.
    """
    tokens, special, numbers, starts = array("i"), array("b"), array("q"), array("q", [0])
    documents = empty = split = 0
    documents_left = text.documents()
    while batch := list(itertools.islice(documents_left, _AT_ONCE)):
        pieces = transformer.cut([document.text for document in batch], most)
        windows_of = [0] * len(batch)
        for piece in pieces:
            if all(piece.special):
                continue
            windows_of[piece.text] += 1
            tokens.extend(piece.tokens)
            special.extend(piece.special)
            numbers.extend([batch[piece.text].number] * len(piece.tokens))
            starts.append(len(tokens))
        documents += sum(windows > 0 for windows in windows_of)
        split += sum(windows > 1 for windows in windows_of)
        empty += windows_of.count(0)
        told(documents)
    if not tokens:
        rule = "must hold a document, and all that it holds is empty"
        raise InputError("--text", str(text.path), rule, "give a text")
    return Windows(
        np.frombuffer(tokens, np.int32),
        np.frombuffer(special, np.int8).astype(np.bool_),
        np.frombuffer(numbers, np.int64),
        np.frombuffer(starts, np.int64),
        documents,
        empty + text.empty,
        split,
    )
