"""The metrics of the group `probe/`, as :mod:`spadam.diagnostics.metrics` registers them."""

from __future__ import annotations

from spadam.diagnostics.metric import SINCE, TEST, TRAIN, VALIDATION, Metric


def probe_metrics() -> list[Metric]:
    """What is said of the classifier on the codes, online and fitted anew."""
    fitted = "Accuracy of the multinomial logistic regression fitted anew at the end"
    fit = "the regression that was chosen"
    baseline = "test split when test metrics are measured, else validation split"
    return [
        Metric(
            "probe/online_accuracy",
            "share",
            SINCE,
            "Samples whose class the online probe gave the largest logit, before its step on their batch.",
            labels=True,
            larger_is_better=True,
        ),
        Metric(
            "probe/train_accuracy",
            "share",
            TRAIN,
            f"{fitted}, on the codes it was fitted to.",
            "train",
            labels=True,
            refit=True,
            larger_is_better=True,
        ),
        Metric(
            "probe/val_accuracy",
            "share",
            VALIDATION,
            f"{fitted}; chooses its L2 strength.",
            "val",
            labels=True,
            refit=True,
            larger_is_better=True,
        ),
        Metric(
            "probe/test_accuracy",
            "share",
            TEST,
            f"{fitted}.",
            "test",
            labels=True,
            searchable=False,
            refit=True,
            larger_is_better=True,
        ),
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
            "Accuracy of the same regression on the inputs, about their mean where `model.pre_bias` is `mean`.",
            labels=True,
            searchable=False,
            refit=True,
            larger_is_better=True,
        ),
        Metric(
            "probe/baseline_untrained",
            "share",
            baseline,
            "Accuracy of the same regression on the codes of the weights at step 0.",
            labels=True,
            searchable=False,
            refit=True,
            larger_is_better=True,
        ),
    ]
