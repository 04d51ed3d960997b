"""Each sample keeps its k largest (k-sparse autoencoder), with or without lifetime sparsity."""

import torch
from torch import Tensor

from spadam.sparsity.rule import Selection, from_mask, to_mask, top_per_sample
from spadam.sparsity.scheduled_k import ScheduledK


class TopK(ScheduledK):
    """The k largest scores of every sample stay on, whatever their sign.

    With ``lifetime``, in training, every latent also keeps its best sample of the batch: a logical or of the two masks.
    That is what the code base behind "Optimization using Adam on Sparse Tensors" (2019) does, and it makes every latent
    active in every step. Evaluation is without it. For ``k_from`` and ``k_steps`` see
    :class:`spadam.sparsity.scheduled_k.ScheduledK`.

    Reference: Makhzani and Frey, "k-Sparse Autoencoders", 2014.
    """

    def __init__(self, k: int, lifetime: bool = False, k_from: int | None = None, k_steps: int | None = None) -> None:
        super().__init__(k, k_from, k_steps)
        self.lifetime = lifetime

    @property
    def training_k(self) -> int | None:
        """The rule's k, but for lifetime sparsity."""
        return None if self.lifetime else self.k

    def evaluation_k(self, k: int | None) -> int:
        """The rule's k, or what overrides it."""
        return self.k if k is None else k

    def training_selection(self, scores_BL: Tensor) -> Selection:
        """The k best of every sample; with ``lifetime`` also the best sample of every latent."""
        selection = top_per_sample(scores_BL, self.k)
        if not self.lifetime:
            return selection
        latents = scores_BL.shape[1]
        mask_BL = to_mask(selection, latents)
        mask_BL[scores_BL.argmax(0), torch.arange(latents, device=scores_BL.device)] = True
        return from_mask(mask_BL)

    def evaluation_selection(self, scores_BL: Tensor, k: int | None = None) -> Selection:
        """The k best of every sample."""
        return top_per_sample(scores_BL, self.k if k is None else k)
