r"""SAELens: ``sae_weights.safetensors`` and ``cfg.json``, as its ``SAE.load_from_disk`` reads them.

There an autoencoder is

.. math:: s = (x - c) W_{enc} + b_{enc} \qquad z = \mathrm{relu}(s) \cdot mask \qquad \hat x = z W_{dec} + b_{dec}

with c the decoder bias or 0 (``apply_b_dec_to_input``), and a mask by its architecture: none (``standard``), a sample's
k largest (``topk``), or s above a threshold (``jumprelu``). Ours is that one with the same code where the values that
its rule keeps are not negative, or a relu follows. Our pre-bias p is c, or becomes it: what is left of p - c goes into
the encoder bias, :math:`b_{enc} - W_{enc} (p - c)`, and c is the one of the two that is nearer to p, so that no large
numbers cancel in float32.

Shapes: D features, L latents.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from torch import Tensor

from spadam.files import strict_json
from spadam.formats.trained import Trained
from spadam.models.autoencoder import SparseAutoencoder
from spadam.spec import InputError

WEIGHTS, CONFIG = "sae_weights.safetensors", "cfg.json"

FORMAT_VERSION = "6.54.12"
"""The release of SAELens that these files are as if from. Without one they are read as files of before 6.0 were."""


class Architecture(NamedTuple):
    """How SAELens chooses the latents that are on."""

    name: str
    options: dict[str, Any]
    """What its configuration has beside that of others."""
    threshold: Tensor | None = None
    """The score above which a latent is on, (); with `jumprelu`."""


@torch.no_grad()
def contents(autoencoder: SparseAutoencoder, trained: Trained) -> dict[str, dict[str, Tensor] | str]:
    """What the two files hold of ``autoencoder``: the weights, and then what they are.

    Raises :class:`InputError` when SAELens has no architecture with this evaluation code.
    """
    found = architecture(autoencoder)
    b_dec_D = autoencoder.decoder_bias[0]
    centred, b_enc_L = _encoder_bias(autoencoder)
    tensors = {
        "W_enc": autoencoder.encoder_weight.T.contiguous(),
        "b_enc": b_enc_L,
        "W_dec": autoencoder.decoder_rows.clone(),
        "b_dec": b_dec_D.clone(),
    }
    if found.threshold is not None:
        tensors["threshold"] = found.threshold.expand(autoencoder.spec.latents).clone()
    config = {
        "architecture": found.name,
        "d_in": autoencoder.features,
        "d_sae": autoencoder.spec.latents,
        **found.options,
        "dtype": "float32",
        "device": "cpu",
        "apply_b_dec_to_input": centred,
        "normalize_activations": "none",
        "reshape_activations": "none",
        "metadata": {
            "sae_lens_version": FORMAT_VERSION,
            "trained_by": trained.by,
            "trained_on": trained.data,
            "trained_on_hash": trained.data_hash,
            "optimizer": trained.optimizer,
        },
    }
    return {WEIGHTS: tensors, CONFIG: strict_json(config, indent=1) + "\n"}


def architecture(autoencoder: SparseAutoencoder) -> Architecture:
    """The architecture that has the evaluation code of ``autoencoder``.

    Raises :class:`InputError` when there is none.
    """
    spec, rule = autoencoder.spec, autoencoder.rule
    if autoencoder.targets is not None:
        why = "what was trained is a transcoder, and SAELens's autoencoders reconstruct what they read"
        raise InputError("data.target", None, why, "train without data.target")
    relu, forced = spec.activation == "relu", autoencoder.forced_k()
    k, bound = rule.evaluation_k(forced), rule.evaluation_bound() if forced is None else None
    if k is None and bound is None:
        why = f"by the rule {spec.rule.name} a latent is on neither for being among its sample's k best scores nor for "
        why += "having one above a bound, and SAELens knows these two only"
        raise InputError("model.rule.name", spec.rule.name, why, "train with the rule top_k, batch_top_k or relu")
    if not relu and (bound is None or bound < 0):
        why = "the values that are on may be negative, and SAELens has a relu behind every mask"
        raise InputError("model.activation", spec.activation, why, "train with model.activation: relu")
    if bound is None:
        return Architecture("topk", {"k": k, "rescale_acts_by_decoder_norm": False})
    return Architecture("jumprelu", {}, bound) if bound > 0 else Architecture("standard", {})


def _encoder_bias(autoencoder: SparseAutoencoder) -> tuple[bool, Tensor]:
    """Whether the decoder bias is subtracted from the encoder's inputs, and the encoder bias that then is right."""
    b_dec_D = autoencoder.decoder_bias[0].double()
    if autoencoder.spec.pre_bias == "learned":
        pre_bias_D = b_dec_D
    else:
        pre_bias_D = torch.zeros_like(b_dec_D) if autoencoder.pre_bias is None else autoencoder.pre_bias.double()
    centred = bool((pre_bias_D - b_dec_D).norm() < pre_bias_D.norm())
    left_D = pre_bias_D - b_dec_D if centred else pre_bias_D
    return centred, (autoencoder.encoder_bias.double() - autoencoder.encoder_weight.double() @ left_D).float()
