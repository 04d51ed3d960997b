"""The scale of the gradient at the first weights, against a bare loop."""

import itertools
import math
from typing import Any

import numpy as np
import pytest
import torch

from spadam.config import RunConfig
from spadam.data import Batches
from spadam.spec import Document, InputError, merge, validate
from spadam.training.gradient_scale import BATCHES, gradient_rms

BASE: dict[str, Any] = {
    "seed": 3,
    "data": {"name": "digits", "batch_size": 100},
    "model": {"latents": 64, "rule": {"name": "top_k", "k": 4}},
    "optimizer": {"name": "lazy_adam"},
}


def config(overlay: dict[str, Any]) -> RunConfig:
    return validate(RunConfig, Document(merge(BASE, overlay), {}, "test"))


CASES: list[dict[str, Any]] = [
    {},
    {"model": {"execution": "dense"}},
    {"model": {"reduction": "sample", "activation": "relu"}},
    {"model": {"tied": False, "decoder_norm": "unit"}},
    {"model": {"rule": {"name": "relu", "l1": 1e-3}}},
    {"data": {"batch_size": 1000}},  # every batch is an epoch
]


@pytest.mark.parametrize("overlay", CASES, ids=str)
def test_is_the_rms_over_touched_rows_of_the_first_batches(overlay: dict[str, Any]) -> None:
    wanted = config(overlay)
    data, spec = wanted.data.load(), wanted.model
    model = wanted.model.begin(data, wanted.seed)
    weights = [p for p in model.latent_parameters if p.dim() == 2]
    batches = Batches(data, data.train, wanted.data.batch_size, wanted.seed)
    orders = itertools.chain.from_iterable(batches.order(epoch).split(batches.batch_size) for epoch in range(BATCHES))
    whole = (rows for rows in orders if len(rows) == batches.batch_size)
    values = []
    for rows in itertools.islice(whole, BATCHES):
        x_BD = data.take(rows)
        output = model(x_BD)
        loss = (output.reconstruction_BD - x_BD).square().sum(1).mean() / (64 if spec.reduction == "mean" else 1)
        if spec.rule.name == "relu":
            lengths_L = model.decoder_rows.square().sum(1).sqrt()
            size = (output.code.dense(spec.latents).abs() * lengths_L).sum(1).mean()
            loss = loss + spec.rule.l1 * size / 64
        grads = [grad.to_dense() for grad in torch.autograd.grad(loss, weights)]
        if spec.decoder_norm == "unit":
            w_LD = weights[1].detach()
            grads[1] = grads[1] - (grads[1] * w_LD).sum(1, keepdim=True) * w_LD
        touched = output.code.selection.latents_P.unique()
        values += [grad[touched].flatten().double() for grad in grads]
    # float32 gradients, summed in another order
    assert gradient_rms(wanted) == pytest.approx(torch.cat(values).square().mean().sqrt().item(), rel=1e-5)


def test_depends_on_model_data_and_seed_alone() -> None:
    same = [{}, {"optimizer": {"name": "adam", "lr": 9.0, "eps": 1.0}}, {"trainer": {"epochs": 1, "clip_norm": 1e-9}}]
    assert len({gradient_rms(config(overlay)) for overlay in same}) == 1
    other = [{}, {"seed": 4}, {"model": {"latents": 128}}, {"data": {"batch_size": 99}}]
    assert len({gradient_rms(config(overlay)) for overlay in other}) == 4


def test_leaves_the_number_of_threads_alone() -> None:
    before = torch.get_num_threads()
    gradient_rms(config({"trainer": {"threads": before + 1}}))
    assert torch.get_num_threads() == before


def test_no_gradient_is_no_scale(tmp_path: Any) -> None:
    np.save(tmp_path / "x.npy", np.zeros((200, 8), dtype=np.float32))
    data = {"data": {"name": "array", "root": str(tmp_path), "file": "x.npy", "batch_size": 32}}
    with pytest.raises(InputError, match=r"search optimizer\.eps instead"):
        gradient_rms(config(data))
    assert math.isfinite(gradient_rms(config({})))
