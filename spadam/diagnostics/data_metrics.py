"""The names of what is measured of the samples themselves, whatever is trained on them; part of the registry."""

from __future__ import annotations

from spadam.diagnostics.metric import Metric

_TRAINING = "training split"

OF_DATA = (
    Metric(
        "data/gamma",
        "1",
        _TRAINING,
        "Norm of the mean over norm of the standard deviation, both over the features: 0 for centred inputs.",
        searchable=False,
        final=True,
        undefined="all training samples are equal",
    ),
    Metric(
        "data/scale",
        "1",
        _TRAINING,
        "The number that `data.scale` has samples multiplied by; 1 for `none`. mse and train/loss_stream are of the "
        "products, and so in units of its square; fvu, shares and counts have none.",
        searchable=False,
        final=True,
    ),
    Metric(
        "data/target_scale",
        "1",
        _TRAINING,
        "The number that it has targets multiplied by, where `data.target` gives some: mse and train/loss_stream are "
        "then in units of its square.",
        searchable=False,
        final=True,
        targets=True,
    ),
)
