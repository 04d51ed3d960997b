"""Each sample keeps its k largest after rarely used latents were boosted."""

import torch
from torch import Tensor
from typing_extensions import override

from spadam.sparsity.rule import Rule, Selection, top_per_sample


class KWinners(Rule):
    r"""The k largest *boosted* scores of every sample stay on; the code holds the scores as they were.

    .. math:: boosted_i = score_i \exp(β (k / L - d_i))

    with β ``boost_strength`` and d the duty cycle, the running share of samples on which latent i was on, over about
    ``duty_cycle_period`` samples. Evaluation boosts as well, with the duty cycles as training left them, and keeps
    ``k_inference``. After each epoch β is multiplied by ``boost_strength_factor``.

    nupic.torch counts something else: the samples in which a winner's value was positive. Here a duty cycle counts
    selections, as everything else that says which latents are on, so a winner with a score of 0 or less counts too.

    Reference: Ahmad and Scheinkman, "How Can We Be So Dense? The Benefits of Using Highly Sparse Representations",
    2019.
    """

    duty_cycle_L: Tensor
    samples_seen: Tensor
    boost_strength: Tensor | float
    """() float64, a buffer, where it changes."""

    def __init__(
        self,
        k: int,
        latents: int,
        boost_strength: float,
        duty_cycle_period: int,
        *,
        boost_strength_factor: float = 1.0,
        k_inference: int | None = None,
    ) -> None:
        super().__init__()
        self.k: int = k
        self.k_inference = k if k_inference is None else k_inference
        self.boost_strength_factor = boost_strength_factor
        self.duty_cycle_period = duty_cycle_period
        if boost_strength_factor == 1:
            self.boost_strength = boost_strength
        else:
            self.register_buffer("boost_strength", torch.tensor(boost_strength, dtype=torch.float64))
        self.register_buffer("duty_cycle_L", torch.zeros(latents))
        self.register_buffer("samples_seen", torch.zeros((), dtype=torch.int64))

    def _boosted(self, scores_BL: Tensor) -> Tensor:
        target = self.k / len(self.duty_cycle_L)
        return scores_BL * torch.exp(self.boost_strength * (target - self.duty_cycle_L))

    def training_selection(self, scores_BL: Tensor) -> Selection:
        """The k best boosted scores of every sample."""
        return top_per_sample(self._boosted(scores_BL), self.k)

    def evaluation_selection(self, scores_BL: Tensor, k: int | None = None) -> Selection:
        """The ``k_inference`` best boosted scores of every sample."""
        return top_per_sample(self._boosted(scores_BL), self.k_inference if k is None else k)

    def evaluation_k(self, k: int | None) -> None:
        """None: boosted scores are compared."""
        return

    def observe(self, selection: Selection, scores_P: Tensor) -> None:
        """Move the duty cycles towards this batch; while fewer samples than the period were seen, they are the mean."""
        batch, latents = len(selection.offsets_B), len(self.duty_cycle_L)
        self.samples_seen += batch
        share_L = torch.bincount(selection.latents_P, minlength=latents).to(self.duty_cycle_L) / batch
        weight = (batch / self.samples_seen.clamp(max=self.duty_cycle_period)).clamp(max=1).to(share_L)
        self.duty_cycle_L += weight * (share_L - self.duty_cycle_L)

    @override
    def end_epoch(self) -> None:
        self.boost_strength *= self.boost_strength_factor
