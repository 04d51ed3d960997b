"""The one registry of metric names: what each number is, in which unit, over what, by which formula.

Objectives are checked against it before anything is trained, and docs/metrics.md is made from it. It imports nothing
heavy.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from typing import Any

from spadam.diagnostics.data_metrics import OF_DATA
from spadam.diagnostics.metric import SINCE, TEST, TRAIN, VALIDATION, Metric, Split
from spadam.diagnostics.probe_metrics import probe_metrics
from spadam.spec import InputError

_ROW = "training steps since the last row, be it of an evaluation or a short one in between"
_SAMPLES = "training samples since the last evaluation"
_MSE = (
    "Sum of the squared errors over samples x features, of samples (with `data.target`: of their targets) as they are "
    "trained on (times data/scale, or data/target_scale)"
)
_FVU = (
    "Sum of the squared errors over the sum of squares about the per-feature mean of the evaluated samples (with "
    "`data.target`: of their targets)"
)
_EVALUATED = "reconstructed with the evaluation code"
_SPREAD: dict[str, Any] = {"least": 2, "undefined": "all samples of the split are equal"}
_NOTHING_MOVED = "no weight moved: the lr is too small, or no gradient came"
_MEDIAN_SAMPLE = (
    "Median over the samples x of ‖x̂ - x‖² / ‖x - m‖², m being the median of every feature over the first 2,000 of the "
    "samples (the lower of two middle values), x̂ the reconstruction with the evaluation code; a sample that is m is "
    "left out. With `data.target` x is a target. A few outliers may make up nearly all of FVU's two sums; this they do "
    "not decide."
)
_AS_TRAINED = "reconstructed with the training rule in whole batches of the training size"


def _reconstruction() -> list[Metric]:
    metrics = []
    splits: tuple[tuple[Split, str], ...] = (("train", TRAIN), ("val", VALIDATION), ("test", TEST))
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
                error=True,
            ),
            Metric(
                f"{split}/fvu",
                "1",
                over,
                f"{_FVU}, {_EVALUATED}.",
                split,
                searchable=searchable,
                error=True,
                **_SPREAD,
            ),
        ]
        if split == "val":
            metrics.append(Metric("val/fvu_median_sample", "1", over, _MEDIAN_SAMPLE, split, error=True, **_SPREAD))
        else:
            mse, fvu = f"{split}/mse_training_code", f"{split}/fvu_training_code"
            end: dict[str, Any] = {"searchable": searchable, "final": True, "error": True}
            metrics += [
                Metric(mse, "squared error per feature", over, f"{_MSE}, {_AS_TRAINED}.", split, **end),
                Metric(fvu, "1", over, f"{_FVU}, {_AS_TRAINED}.", split, **end, **_SPREAD),
            ]
    return metrics


def _loss() -> list[Metric]:
    error = "the squared error as `model.reduction` says, of samples times data/scale (targets: data/target_scale)"
    formula = f"Mean of what was optimised: {error}, plus the rule's L1 term."
    return [Metric("train/loss_stream", "loss", _ROW, formula, error=True)]


def _sparsity() -> list[Metric]:
    rows, latents = f"all rows; {SINCE}", "all latents; validation split, evaluation code"
    histogram = (
        "Number of latents in each bin of log10 density, density being the share of samples in which a latent is "
        "selected; the first bin takes what lies below it too, and latents never selected are counted apart."
    )
    return [
        Metric("sparsity/l0_train", "latents", SINCE, "Non-zero values of the training code per sample."),
        Metric("sparsity/l0_eval", "latents", VALIDATION, "Non-zero values of the evaluation code per sample.", "val"),
        Metric("sparsity/fired", "latents", VALIDATION, "Values above 0 of the evaluation code per sample.", "val"),
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
            f"touched rows; {SINCE}",
            "Samples of the batch in which a touched row was on, averaged over rows and the steps that touched them.",
        ),
        Metric(
            "sparsity/row_age",
            "steps",
            "all rows; the whole training",
            "Steps since a row was last touched, averaged over the rows; a row never touched counts from step 0.",
        ),
        Metric(
            "sparsity/dead",
            "share",
            latents,
            "Latents that are selected for no sample, whatever their values.",
            "val",
            smaller_is_better=True,
        ),
        Metric(
            "sparsity/dead_fired",
            "share",
            latents,
            "Latents that have a value above 0 in no sample.",
            "val",
            smaller_is_better=True,
        ),
        Metric(
            "sparsity/silent",
            "share",
            "all rows; the last `trainer.silent_after` training samples",
            "Rows whose last touching batch ended at least `trainer.silent_after` samples ago (100,000, unless the "
            "configuration says otherwise); touched is what the rule selected, whatever its value; missing before so "
            "many samples were seen.",
            silence=True,
            smaller_is_better=True,
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
        Metric(
            "optim/clipped",
            "share",
            _ROW,
            "Steps whose gradient had a larger norm than `trainer.clip_norm`, and was scaled down to it.",
            clipping=True,
        ),
        Metric(
            "optim/clip_factor",
            "1",
            _ROW,
            "Mean over the steps of min(1, c / (norm + 1e-6)), c being `trainer.clip_norm`: what the gradient was "
            "multiplied by; 1 where no step was clipped.",
            clipping=True,
        ),
    ]


def _selection() -> list[Metric]:
    return [
        Metric(
            "selection/certified",
            "share",
            _SAMPLES,
            "Samples whose winners were proven from products in int8 or bfloat16; the others were done in float32. "
            "Missing where everything is scored in float32. Nothing but speed depends on it.",
            searchable=False,
        ),
        Metric(
            "selection/widenings",
            "1",
            SINCE,
            "How often candidates got twice the room, because those of more than 1 % of a batch did not fit.",
            searchable=False,
        ),
    ]


def _time() -> list[Metric]:
    # Measured everywhere, but by the machine: a search judged by them could not be repeated.
    return [
        Metric("time/step_ms", "ms", SINCE, "Median wall time of a training step.", searchable=False),
        Metric("time/optimizer_ms", "ms", SINCE, "Median wall time of a step's clipping and update.", searchable=False),
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
    for metric in [
        *OF_DATA,
        *_reconstruction(),
        *_loss(),
        *_sparsity(),
        *_optim(),
        *_selection(),
        *probe_metrics(),
        *_time(),
    ]
}
"""Every metric by its name."""


COMMON: dict[str, Metric] = {
    name: METRICS[name]
    for name in (
        "data/gamma",
        "data/scale",
        "train/loss_stream",
        "sparsity/rows_touched",
        "sparsity/rows_touched_expected",
        "sparsity/rows_intermittent",
        "sparsity/samples_per_row",
        "sparsity/row_age",
        "sparsity/silent",
        "optim/update_rms",
        "optim/eps_bound",
        "optim/clipped",
        "optim/clip_factor",
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
