"""The one registry of metric names: what each number is, in which unit, over what, by which formula.

Objectives are checked against it before anything is trained, and docs/metrics.md is made from it. It imports nothing
heavy.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from typing import Any

from spadam.diagnostics.metric import Metric, Split
from spadam.spec import InputError

_TRAIN = "training split, at most 10,000 samples"
_VALIDATION = "validation split"
_TEST = "test split"
_SINCE = "training steps since the last report"
_MSE = "Sum of the squared errors over samples x features"
_FVU = "Sum of the squared errors over the sum of squares about the per-feature mean of the evaluated samples"
_EVALUATED = "reconstructed with the evaluation code"
_SPREAD: dict[str, Any] = {"least": 2, "undefined": "all samples of the split are equal"}
_NOTHING_MOVED = "no weight moved: the lr is too small, or no gradient came"
_AS_TRAINED = "reconstructed with the training rule in whole batches of the training size"


def _reconstruction() -> list[Metric]:
    metrics = []
    splits: tuple[tuple[Split, str], ...] = (("train", _TRAIN), ("val", _VALIDATION), ("test", _TEST))
    for split, over in splits:
        searchable = split != "test"
        metrics += [
            Metric(
                f"{split}/mse",
                "squared error per feature",
                over,
                f"{_MSE}, {_EVALUATED}.",
                split,
                searchable=searchable,
            ),
            Metric(f"{split}/fvu", "1", over, f"{_FVU}, {_EVALUATED}.", split, searchable=searchable, **_SPREAD),
        ]
        if split != "val":
            mse, fvu = f"{split}/mse_training_code", f"{split}/fvu_training_code"
            end: dict[str, Any] = {"searchable": searchable, "final": True}
            metrics += [
                Metric(mse, "squared error per feature", over, f"{_MSE}, {_AS_TRAINED}.", split, **end),
                Metric(fvu, "1", over, f"{_FVU}, {_AS_TRAINED}.", split, **end, **_SPREAD),
            ]
    return metrics


def _loss() -> list[Metric]:
    formula = "Mean of what was optimised: the squared error as `model.reduction` says, plus the rule's L1 term."
    return [Metric("train/loss_stream", "loss", "training batches of the last epoch", formula)]


def _sparsity() -> list[Metric]:
    rows, latents = f"all rows; {_SINCE}", "all latents; validation split, evaluation code"
    histogram = (
        "Number of latents in each bin of log10 density, density being the share of samples in which a latent is "
        "selected; the first bin takes what lies below it too, and latents never selected are counted apart."
    )
    return [
        Metric("sparsity/l0_train", "latents", _SINCE, "Non-zero values of the training code per sample."),
        Metric("sparsity/l0_eval", "latents", _VALIDATION, "Non-zero values of the evaluation code per sample.", "val"),
        Metric(
            "sparsity/rows_touched",
            "share",
            rows,
            "Rows that the rule selected for some sample of the batch, a zero value included, over all rows, averaged "
            "over the steps.",
        ),
        Metric(
            "sparsity/rows_touched_expected",
            "share",
            rows,
            "Mean over the rows of 1 - (1 - p)^B, with p the share of samples in which the row was on and B the batch "
            "size: what independent samples would give.",
        ),
        Metric(
            "sparsity/rows_intermittent",
            "share",
            rows,
            "Rows touched in at least 2 % and at most 90 % of the steps: only these can tell variants apart.",
        ),
        Metric(
            "sparsity/samples_per_row",
            "samples",
            f"touched rows; {_SINCE}",
            "Samples of the batch in which a touched row was on, averaged over rows and the steps that touched them.",
        ),
        Metric(
            "sparsity/row_age",
            "steps",
            "all rows; the whole training",
            "Steps since a row was last touched, averaged over the rows; a row never touched counts from step 0.",
        ),
        Metric("sparsity/dead", "share", latents, "Latents that are selected for no sample.", "val"),
        Metric(
            "sparsity/dead_1e5",
            "share",
            "all rows; the last 100,000 training samples",
            "Rows whose last touching batch ended at least 100,000 samples ago; missing before so many were seen.",
            seen=100_000,
        ),
        Metric("sparsity/density_histogram", "latents", latents, histogram, "val", array=True, searchable=False),
        Metric(
            "sparsity/usage_entropy",
            "share",
            latents,
            "Entropy of the distribution of all selections over the latents, over the logarithm of their number: 1 "
            "when all are used alike.",
            "val",
            undefined="there is one latent, or none is selected",
        ),
    ]


def _optim() -> list[Metric]:
    return [
        Metric(
            "optim/update_rms",
            "weight",
            "elements of the weight matrices that moved in a step",
            "Root mean square of the change, biases left out, averaged over the steps that were looked at.",
            undefined=_NOTHING_MOVED,
        ),
        Metric(
            "optim/eps_bound",
            "share",
            "elements of touched rows of the weight matrices that moved in a step",
            "Elements of whose denominator eps is more than half (√v < ε), in the optimizer's own formula, averaged "
            "over the steps that were looked at; rows that moved without a gradient are left out; 0 when eps is 0, "
            "missing for an optimizer without a denominator.",
            denominator=True,
            undefined=_NOTHING_MOVED,
        ),
    ]


def _selection() -> list[Metric]:
    return [
        Metric(
            "selection/certified",
            "share",
            "training samples since the last report",
            "Samples whose winners were proven from products in int8 or bfloat16; the others were done in float32. "
            "Missing where everything is scored in float32. Nothing but speed depends on it.",
            searchable=False,
        ),
        Metric(
            "selection/widenings",
            "1",
            _SINCE,
            "How often candidates got twice the room, because those of more than 1 % of a batch did not fit.",
            searchable=False,
        ),
    ]


def _probe() -> list[Metric]:
    fitted = "Accuracy of the multinomial logistic regression fitted anew at the end"
    fit = "the regression that was chosen"
    baseline = "test split when test metrics are measured, else validation split"
    return [
        Metric(
            "probe/online_accuracy",
            "share",
            _SINCE,
            "Samples whose class the online probe gave the largest logit, before its step on their batch.",
            labels=True,
            larger_is_better=True,
        ),
        Metric(
            "probe/train_accuracy",
            "share",
            _TRAIN,
            f"{fitted}, on the codes it was fitted to.",
            "train",
            labels=True,
            refit=True,
            larger_is_better=True,
        ),
        Metric(
            "probe/val_accuracy",
            "share",
            _VALIDATION,
            f"{fitted}; chooses its L2 strength.",
            "val",
            labels=True,
            refit=True,
            larger_is_better=True,
        ),
        Metric("probe/test_accuracy", "share", _TEST, f"{fitted}.", "test", labels=True, searchable=False, refit=True),
        Metric(
            "probe/converged",
            "0 or 1",
            fit,
            "1 when the largest element of the gradient came down to 1e-4 within 100 iterations of L-BFGS.",
            labels=True,
            searchable=False,
            refit=True,
        ),
        Metric(
            "probe/l2",
            "1",
            fit,
            "The strength l of the penalty l/2 x (sum of squared weights) beside the mean cross-entropy, on inputs "
            "whose non-zero values have a root mean square of 1.",
            labels=True,
            searchable=False,
            refit=True,
        ),
        Metric(
            "probe/baseline_pixels",
            "share",
            baseline,
            "Accuracy of the same regression on the raw inputs.",
            labels=True,
            searchable=False,
            refit=True,
        ),
        Metric(
            "probe/baseline_untrained",
            "share",
            baseline,
            "Accuracy of the same regression on the codes of the weights at step 0.",
            labels=True,
            searchable=False,
            refit=True,
        ),
    ]


def _time() -> list[Metric]:
    # Measured everywhere, but by the machine: a search judged by them could not be repeated.
    return [
        Metric("time/step_ms", "ms", _SINCE, "Median wall time of a training step.", searchable=False),
        Metric(
            "time/optimizer_ms", "ms", _SINCE, "Median wall time of a step's clipping and update.", searchable=False
        ),
        Metric(
            "time/probe_s",
            "s",
            "the end",
            "Wall time of the refit and its baselines.",
            labels=True,
            searchable=False,
            refit=True,
        ),
    ]


METRICS: dict[str, Metric] = {
    metric.name: metric
    for metric in [*_reconstruction(), *_loss(), *_sparsity(), *_optim(), *_selection(), *_probe(), *_time()]
}
"""Every metric by its name."""


COMMON: dict[str, Metric] = {
    name: METRICS[name]
    for name in (
        "train/loss_stream",
        "sparsity/rows_touched",
        "sparsity/rows_touched_expected",
        "sparsity/rows_intermittent",
        "sparsity/samples_per_row",
        "sparsity/row_age",
        "sparsity/dead_1e5",
        "optim/update_rms",
        "optim/eps_bound",
        "time/step_ms",
        "time/optimizer_ms",
    )
}
"""What is measured of every task; the others need what not every task has: a code, labels, a reconstruction."""


def lookup(name: str, argument: str = "metric", known: Mapping[str, Metric] = METRICS) -> Metric:
    """The metric called ``name`` among those ``known``; raises :class:`InputError` about ``argument`` otherwise."""
    metric = known.get(name)
    if metric is None and name in METRICS:
        rule = "what is trained here is not measured by it"
        raise InputError(argument, name, rule, f"choose one of: {', '.join(known)}")
    if metric is None:
        close = difflib.get_close_matches(name, known, 1)
        remedy = f"did you mean {close[0]}?" if close else "docs/metrics.md lists them"
        raise InputError(argument, name, "no metric has this name", remedy)
    return metric
