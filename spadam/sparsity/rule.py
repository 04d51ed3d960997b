"""What a rule is: which latents of a batch stay on.

Shapes: B samples, L latents, P pairs (sample, latent) that are on. Scores are pre-activations.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable
from typing import ClassVar, NamedTuple, Self

import torch
from torch import Tensor, nn
from typing_extensions import override

from spadam.kernels.reference import samples_of_pairs


class Selection(NamedTuple):
    """The latents that are on, sample after sample.

    ``latents_P`` holds each sample's latents, int64; ``offsets_B`` where each sample begins in it. No pair is twice.
    """

    latents_P: Tensor
    offsets_B: Tensor

    def samples(self) -> Tensor:
        """The sample of each pair, (P,)."""
        return samples_of_pairs(self.offsets_B, len(self.latents_P))


class Rule(nn.Module, ABC):
    """Chooses the latents of a batch from their scores. What it learns while training stands in buffers.

    ``training_selection`` and ``evaluation_selection`` change nothing and may be called at any time, without gradient;
    ``observe`` is called once for every training batch, after the selection. A rule that has a ``training_k`` or an
    ``evaluation_k`` may be left out there: it has nothing to decide, nor to learn. ``advance`` is called after every
    training batch, ``end_epoch`` after every epoch, ``calibrate`` before an evaluation.
    """

    k: int | None
    """Latents per sample now, or their number on average; None for a rule that has no such number."""
    relu: bool = False
    """Whoever has the rule sets it where a relu follows: a score of 0 or less becomes a value of 0."""

    score_buffers: ClassVar[tuple[str, ...]] = ()
    """The buffers that hold scores, or sums of scores: what is divided when all scores are."""

    @override
    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> Self:
        """Move to a device, but keep the types of buffers: a count or a mean in bfloat16 would soon stand still."""
        before = dict(self.named_buffers(recurse=False))
        super()._apply(fn, recurse)  # type: ignore[no-untyped-call]
        for name, buffer in before.items():
            moved = self.get_buffer(name)
            if moved.dtype != buffer.dtype:
                setattr(self, name, buffer.to(moved.device))
        return self

    @property
    def training_k(self) -> int | None:
        """The k of a training code that is each sample's k best and nothing else: nobody need score every latent."""
        return None

    def evaluation_k(self, k: int | None) -> int | None:
        """The same of the evaluation code, when ``k`` is asked for (None: the rule's own)."""
        return k

    def evaluation_bound(self) -> Tensor | None:
        """The score above which a latent is on in the rule's own evaluation code, () float32, whatever others have.

        None for a rule that compares scores with one another, or cannot say yet. It is for scores in float32.
        """
        return None

    @abstractmethod
    def training_selection(self, scores_BL: Tensor) -> Selection:
        """The latents that stay on in training."""

    @abstractmethod
    def evaluation_selection(self, scores_BL: Tensor, k: int | None = None) -> Selection:
        """The latents that stay on in evaluation: the rule's own, or the best ``k`` of each sample."""

    def observe(self, selection: Selection, scores_P: Tensor) -> None:
        """Take note of a training batch: what is on, and its scores, (P,)."""

    def advance(self) -> None:
        """Take note that a training batch is done."""
        return

    def end_epoch(self) -> None:
        """Take note that an epoch of training is done."""
        return

    def calibrate(self, samples: int, blocks: Iterable[Tensor]) -> None:
        """Find out from the scores of so many training samples what the evaluation code needs.

        ``blocks`` has some samples (B, L) at a time, and may compute them as they are asked for: a rule that needs none
        asks for none. It changes no training code.
        """
        return

    @torch.no_grad()
    def divide_scores(self, by: float) -> None:
        """Choose from scores divided by a number above 0 what was chosen from them before."""
        for name, buffer in self.named_buffers():
            if name in self.score_buffers:
                buffer.div_(by)

    def penalty(self, size: Tensor) -> Tensor:
        """The rule's own term of a loss that is summed over features, asked for where its spec `penalises`; else none.

        ``size``, (), is that of the code: the sum of a sample's ``|z| |d|``, averaged over the batch (see
        :mod:`spadam.encoding.size`).
        """
        return torch.zeros_like(size)


def top_per_sample(scores_BL: Tensor, k: int) -> Selection:
    """The ``k`` best of every sample. Ties fall the same way whenever device and kernel are the same."""
    indices_Bk = scores_BL.topk(k, dim=1, sorted=False).indices
    return Selection(indices_Bk.reshape(-1), torch.arange(len(scores_BL), device=scores_BL.device) * k)


def from_mask(mask_BL: Tensor) -> Selection:
    """The pairs where the mask holds."""
    latents_P = mask_BL.nonzero()[:, 1]
    counts_B = mask_BL.sum(1)
    return Selection(latents_P, counts_B.cumsum(0) - counts_B)


def to_mask(selection: Selection, latents: int) -> Tensor:
    """The selection as a bool matrix, (B, L)."""
    batch = len(selection.offsets_B)
    mask_BL = torch.zeros(batch, latents, dtype=torch.bool, device=selection.latents_P.device)
    mask_BL[selection.samples(), selection.latents_P] = True
    return mask_BL


def everything(scores_BL: Tensor) -> Selection:
    """All latents of every sample: a code without a mask."""
    batch, latents = scores_BL.shape
    return Selection(
        torch.arange(latents, device=scores_BL.device).repeat(batch),
        torch.arange(batch, device=scores_BL.device) * latents,
    )
