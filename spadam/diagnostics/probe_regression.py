"""The probe's regression: a multinomial logistic regression fitted anew to frozen codes, and its two baselines.

Shapes: B samples, N rows of a split, F features of the regression's input (latents L, or pixels), C classes.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.sparse import csr_array, vstack
from threadpoolctl import threadpool_limits
from torch import Tensor

from spadam.data import Dataset
from spadam.data.splits import seeded
from spadam.models.autoencoder import SparseAutoencoder

SAMPLES = 10_000
"""Training codes that the regression is fitted to, at most."""

STRENGTHS = (1e-2, 1e-3, 1e-4)
"""L2 strengths, the strongest first: each fit starts where the stronger one ended."""

TOLERANCE = 1e-4
"""The largest element of the gradient (mean cross-entropy and penalty) of a fit that has converged."""

ITERATIONS = 100

_BLOCK = 256
"""Samples encoded at a time."""


def refit(autoencoder: SparseAutoencoder, dataset: Dataset, seed: int, test: bool) -> dict[str, float]:
    r"""Fit a multinomial logistic regression anew to frozen codes; ``probe/…`` metrics by their names.

    .. math:: \min_{W, b}\; \frac1N \sum_n -\log softmax(z_n W / s + b)_{y_n} + \frac l2 \lVert W \rVert^2

    The codes z are evaluation codes with ``probe_k`` latents per sample (the rule's own where it has no k), of at most
    10,000 training samples that ``seed`` draws. s is their common scale, the root mean square of all their non-zero
    values: latents that are never on change nothing then. L-BFGS runs until the gradient has no element above 1e-4,
    or for 100 iterations, for three strengths l with warm starts. The strength with the best accuracy on validation is
    chosen, the stronger of equals; without validation samples the middle one is taken and ``probe/val_accuracy`` is
    absent. Nothing is chosen on test, and ``probe/test_accuracy`` is there only if ``test``.

    Given the codes, the numbers depend on the arguments alone: sums run in one thread. The training codes are held in
    memory: 8 bytes for every value that is on. Raises ValueError for a set without labels.
    """
    measured = _measure(_codes(autoencoder, dataset), dataset, seed, test)
    found = {
        "probe/train_accuracy": measured.train,
        "probe/val_accuracy": measured.validation,
        "probe/test_accuracy": measured.test,
        "probe/converged": float(measured.fit.converged),
        "probe/l2": measured.fit.l2,
    }
    return {name: value for name, value in found.items() if value is not None}


def baseline_pixels(dataset: Dataset, seed: int, test: bool, centred: bool = False) -> dict[str, float]:
    """``probe/baseline_pixels``: the same regression on the inputs; on test if ``test``, else on validation.

    With ``centred`` they are taken about the mean of the training samples, so that the strengths, which hold for
    inputs of a common scale, do not depend on where the samples lie. Empty when there is no such split. A function of
    its arguments alone, so a caller may keep it for other runs.
    """
    mean_D = dataset.train_mean() if centred else None

    def features(rows_N: Tensor) -> Matrix:
        x_ND = dataset.take(rows_N)
        return (x_ND if mean_D is None else x_ND - mean_D).cpu().numpy()

    return _baseline("probe/baseline_pixels", features, dataset, seed, test)


def baseline_untrained(untrained: SparseAutoencoder, dataset: Dataset, seed: int, test: bool) -> dict[str, float]:
    """``probe/baseline_untrained``: the same regression on codes of the weights at step 0. As above."""
    return _baseline("probe/baseline_untrained", _codes(untrained, dataset), dataset, seed, test)


Matrix: TypeAlias = "NDArray[np.float32] | csr_array"
Features = Callable[[Tensor], Matrix]
"""Gives the regression's inputs (N, F) for sample indices (N,)."""


class _Fit(NamedTuple):
    """A fitted regression: logits ``input @ weight_FC + bias_C`` over ``classes_C``, the class of each column."""

    weight_FC: NDArray[np.float64]
    bias_C: NDArray[np.float64]
    classes_C: NDArray[np.int64]
    l2: float
    converged: bool


class _Measured(NamedTuple):
    """The chosen fit and its accuracies; None for a split that has no samples or is not to be looked at."""

    fit: _Fit
    train: float
    validation: float | None
    test: float | None


def _baseline(name: str, features: Features, dataset: Dataset, seed: int, test: bool) -> dict[str, float]:
    measured = _measure(features, dataset, seed, test)
    accuracy = measured.test if test else measured.validation
    return {} if accuracy is None else {name: accuracy}


def _measure(features: Features, dataset: Dataset, seed: int, test: bool) -> _Measured:
    if dataset.y is None:
        raise ValueError("dataset.y = None: a probe needs labels; give labels, or measure no probe")
    y_N = dataset.y.cpu().numpy()
    order = torch.randperm(len(dataset.train), generator=seeded("refit", seed))[:SAMPLES]
    rows = dataset.forwards(dataset.train.cpu()[order.sort().values])
    with threadpool_limits(1, user_api="blas"):  # more threads, other roundings
        train = features(rows)
        fits = _fit_all(train, y_N[rows.numpy()])
        on_validation = _accuracies(fits, features, dataset.forwards(dataset.validation.cpu()), y_N)
        best = fits[len(fits) // 2]
        if on_validation:
            best = fits[int(np.argmax(on_validation))]  # the first of equals, so the stronger
        on_test = _accuracies([best], features, dataset.forwards(dataset.test.cpu()), y_N) if test else []
        return _Measured(
            best,
            train=_share_right(train, y_N[rows.numpy()], best),
            validation=max(on_validation, default=None),
            test=max(on_test, default=None),
        )


def _accuracies(fits: list[_Fit], features: Features, rows_N: Tensor, y_N: NDArray[np.int64]) -> list[float]:
    """Accuracy of each fit on a split, block by block; none of an empty split."""
    right = np.zeros(len(fits))
    for rows in torch.split(rows_N, SAMPLES):
        if len(rows):
            x, y = features(rows), y_N[rows.numpy()]
            right += [len(rows) * _share_right(x, y, fit) for fit in fits]
    return [round(n) / len(rows_N) for n in right] if len(rows_N) else []


def _share_right(x_NF: Matrix, y_N: NDArray[np.int64], fit: _Fit) -> float:
    logits_NC = x_NF @ fit.weight_FC + fit.bias_C
    return float((fit.classes_C[logits_NC.argmax(1)] == y_N).mean())


def _fit_all(x_NF: Matrix, y_N: NDArray[np.int64]) -> list[_Fit]:
    """One fit for each strength; the classes are those that are there."""
    values = x_NF if isinstance(x_NF, np.ndarray) else x_NF.data
    on = np.count_nonzero(values)
    scale = np.sqrt(np.square(values, dtype=np.float64).sum() / on) if on else 1.0
    scaled_NF = x_NF * np.float32(1 / scale)
    classes_C, column_N = np.unique(y_N, return_inverse=True)
    mean_F = np.asarray(scaled_NF.mean(0, dtype=np.float64)).reshape(-1)
    start = np.zeros((len(mean_F) + 1) * len(classes_C))
    fits = []
    # Not by scikit-learn: its LogisticRegression (1.9) keeps parameters in the type of the samples, so float64 ones
    # would need the codes in float64; it takes no mean out and has 10 corrections, where more converge in half the
    # iterations; it also stops where the loss is flat, and does not say how large the gradient was then.
    for l2 in STRENGTHS:
        solution = minimize(
            _objective,
            start,
            args=(scaled_NF, column_N, mean_F, l2),
            jac=True,
            method="L-BFGS-B",
            # ftol 0: nothing but the gradient ends it early. With 30 corrections it converges in half the iterations.
            options={"maxiter": ITERATIONS, "gtol": TOLERANCE, "ftol": 0.0, "maxls": 50, "maxcor": 30},
        )
        start = solution.x
        weight_FC, bias_C = start[: -len(classes_C)].reshape(len(mean_F), -1), start[-len(classes_C) :]
        converged = bool(np.abs(solution.jac).max() <= TOLERANCE)
        fits.append(_Fit(weight_FC / scale, bias_C - mean_F @ weight_FC, classes_C, l2, converged))
    return fits


def _objective(
    parameters: NDArray[np.float64], x_NF: Matrix, column_N: NDArray[np.int64], mean_F: NDArray[np.float64], l2: float
) -> tuple[float, NDArray[np.float64]]:
    """Mean cross-entropy plus penalty, and its gradient, with logits ``(x - mean) @ weight + bias``.

    Taking the mean out moves only the (unpenalised) bias: the minimum is the same, the way to it far shorter. Products
    with the samples are float32, as the samples are; everything else is float64.
    """
    samples, features = x_NF.shape
    classes = len(parameters) // (features + 1)
    weight_FC, bias_C = parameters[:-classes].reshape(features, classes), parameters[-classes:]
    logits_NC: NDArray[np.float64] = x_NF @ weight_FC.astype(np.float32) + (bias_C - mean_F @ weight_FC)
    logits_NC -= logits_NC.max(1, keepdims=True)
    error_NC = np.exp(logits_NC)
    sums_N = error_NC.sum(1)
    every = np.arange(samples)
    loss = (np.log(sums_N) - logits_NC[every, column_N]).mean() + l2 / 2 * np.square(weight_FC).sum()
    error_NC /= sums_N[:, None]
    error_NC[every, column_N] -= 1
    error_NC /= samples
    bias_gradient_C = error_NC.sum(0)
    gradient_FC = x_NF.T @ error_NC.astype(np.float32) - np.outer(mean_F, bias_gradient_C) + l2 * weight_FC
    return float(loss), np.concatenate([gradient_FC.reshape(-1), bias_gradient_C])


def _codes(autoencoder: SparseAutoencoder, dataset: Dataset) -> Features:
    spec = autoencoder.spec

    def features(rows_N: Tensor) -> Matrix:
        blocks = []
        for rows in torch.split(rows_N, _BLOCK):
            code = autoencoder.encode(dataset.take(rows).to(autoencoder.decoder_bias), k=spec.probe_k)
            latents, offsets = code.selection.latents_P.cpu().int(), code.selection.offsets_B.cpu().int()
            ends = np.append(offsets.numpy(), np.int32(len(latents)))
            values = code.values_P.float().cpu().numpy()
            blocks.append(csr_array((values, latents.numpy(), ends), shape=(len(rows), spec.latents)))
        return vstack(blocks, format="csr")

    return features
