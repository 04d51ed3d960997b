"""What is written for SAELens is there the same autoencoder: by SAELens itself, and to the last bit where sums are."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor

from spadam.formats import Format
from spadam.formats.export import export, put
from spadam.formats.saelens import architecture, contents
from spadam.formats.trained import Trained
from spadam.models.autoencoder import SparseAutoencoder
from spadam.models.spec import AutoencoderSpec
from spadam.spec import Document, InputError, validate
from spadam.training.run import run
from support import short_training
from support.paths import ROOT, SUPPORT

FEATURES, LATENTS = 8, 48
TRAINED = Trained("complete", "spadam 0.1.0", "digits", "0123", "lazy_adam", "autoencoder")

CASES: dict[str, tuple[str, dict[str, Any]]] = {
    "relu": ("standard", {"rule": {"name": "relu"}}),
    "relu, linear": ("standard", {"rule": {"name": "relu", "l1": 0.1}, "activation": "linear"}),
    "lifetime, which keeps everything": ("standard", {"rule": {"name": "lifetime"}}),
    "lifetime, k forced": ("topk", {"rule": {"name": "lifetime", "rate": 0.1}, "evaluation": "per_sample_k"}),
    "top_k": ("topk", {"rule": {"name": "top_k", "k": 5}}),
    "top_k of most": ("topk", {"rule": {"name": "top_k", "k": 40}}),
    "top_k, on its way": ("topk", {"rule": {"name": "top_k", "k": 3, "k_from": 20, "k_steps": 10}}),
    "top_k, lifetime": ("topk", {"rule": {"name": "top_k", "k": 5, "lifetime": True}, "eval_factor": 2.0}),
    "top_k, k forced": ("topk", {"rule": {"name": "top_k", "k": 5}, "evaluation": "per_sample_k", "tied": True}),
    "top_k, unit": ("topk", {"rule": {"name": "top_k", "k": 5}, "decoder_norm": "unit", "execution": "dense"}),
    "batch_top_k": ("jumprelu", {"rule": {"name": "batch_top_k", "k": 5}}),
    "batch_top_k, linear": ("jumprelu", {"rule": {"name": "batch_top_k", "k": 5}, "activation": "linear"}),
    "batch_top_k, ema": ("jumprelu", {"rule": {"name": "batch_top_k", "k": 5, "threshold": "ema"}, "tied": True}),
    "batch_top_k, mean": ("jumprelu", {"rule": {"name": "batch_top_k", "k": 5, "threshold": "mean"}}),
    "batch_top_k, at 0": ("standard", {"rule": {"name": "batch_top_k", "k": 5}}),
    "batch_top_k, below 0": ("standard", {"rule": {"name": "batch_top_k", "k": 5}}),
    "batch_top_k, rounded to": ("jumprelu", {"rule": {"name": "batch_top_k", "k": 5}}),
    "batch_top_k, rounded above": ("jumprelu", {"rule": {"name": "batch_top_k", "k": 5}}),
    "batch_top_k, k forced": ("topk", {"rule": {"name": "batch_top_k", "k": 5}, "evaluation": "per_sample_k"}),
}
"""The architecture in SAELens, and the model."""

THRESHOLDS = {"at 0": 0.0, "below 0": -1.0, "rounded to": 1 + 2**-26, "rounded above": 1 + 2**-23}
"""In units of the score of a pair that there is, see `model_of`; where it meets float32 scores the third is that score
again, and the last a number above it."""


def whole(generator: torch.Generator, *shape: int, unit: float) -> Tensor:
    """Multiples of ``unit`` from -1 to 1."""
    most = round(1 / unit)
    return torch.randint(-most, most + 1, shape, generator=generator) * unit


def model_of(overlay: dict[str, Any], pre_bias: str, threshold: float = 1.0) -> SparseAutoencoder:
    """A model whose sums are exact in float32, in any order, and no two scores of a sample equal.

    Samples are multiples of 1/2, weights of 1/4, and the encoder bias adds to latent i its own multiple of 2⁻⁹: scores
    are below 2⁶, reconstructions multiples of 2⁻¹¹ below 2¹³, which is 24 bits. ``threshold`` is in units of one score.
    """
    values = {"latents": LATENTS, "tied": False, "activation": "relu", "pre_bias": pre_bias, **overlay}
    model = SparseAutoencoder(validate(AutoencoderSpec, Document(values, {}, "test")), FEATURES).eval()
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            parameter.copy_(whole(generator, *parameter.shape, unit=0.25 if "weight" in name else 0.5))
        model.encoder_bias.copy_(torch.arange(LATENTS) * 2.0**-9)
        if model.pre_bias is not None:
            model.pre_bias.copy_(whole(generator, FEATURES, unit=0.5))
        buffers, threshold = dict(model.rule.named_buffers()), threshold * score_of(model)
        if "threshold" in buffers:
            buffers["threshold"].fill_(threshold)
        elif "threshold_sum" in buffers:
            buffers["threshold_sum"].fill_(4 * threshold)
            buffers["batches"].fill_(4)
        if "steps" in buffers:
            state = {**model.state_dict(), "rule.steps": torch.tensor(4)}
            model.load_state_dict(state)
    return model


def samples(batch: int = 64) -> Tensor:
    return whole(torch.Generator().manual_seed(1), batch, FEATURES, unit=0.25) * 2


def score_of(model: SparseAutoencoder) -> float:
    """That of a pair: the middle one of those that are positive."""
    return (scores := model.scores(samples()))[scores > 0].median().item()


def dense(model: SparseAutoencoder, x: Tensor) -> dict[str, Tensor]:
    with torch.no_grad():
        return {"code": model.encode(x).dense(model.spec.latents), "reconstruction": model(x).reconstruction_BD}


def ask_saelens(root: Path) -> None:
    program = [sys.executable, "-m", "support.saelens_codes", str(root)]
    apart = Path(sys.prefix) / "saelens"
    assert apart.is_dir(), f"`make test-slow` installs SAELens into {apart}"
    path = os.pathsep.join((str(ROOT), str(SUPPORT), str(apart)))
    done = subprocess.run(program, env={**os.environ, "PYTHONPATH": path}, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


@pytest.mark.slow
def test_saelens_has_the_same_codes(tmp_path: Path) -> None:
    """One test of all: importing SAELens takes longer than everything else."""
    x, ours = samples(), {}
    for name, (expected, overlay) in CASES.items():
        threshold = THRESHOLDS.get(name.removeprefix("batch_top_k, "), 1.0)
        for pre_bias in ("none", "mean", "learned"):
            model = model_of(overlay, pre_bias, threshold)
            folder = tmp_path / f"{name}, {pre_bias}"
            put(contents(model, TRAINED), folder / "saelens")
            save_file({"x": x}, folder / "samples.safetensors")
            ours[folder] = expected, dense(model, x)
    trained, x_real = (
        tmp_path / "trained",
        torch.randint(0, 17, (8, 64), generator=torch.Generator().manual_seed(2)).float(),
    )
    overlay = {"activation": "relu", "tied": False, "rule": {"name": "batch_top_k", "k": 4}}
    run(short_training.config(model=overlay, data={"scale": "unit_sq"}), trained)
    assert export(trained, Format.saelens) == trained / "saelens"
    save_file({"x": x_real}, trained / "samples.safetensors")

    ask_saelens(tmp_path)
    for folder, (expected, mine) in ours.items():
        theirs = load_file(folder / "theirs.safetensors")
        assert torch.equal(theirs["code"], mine["code"]), folder.name
        assert torch.equal(theirs["reconstruction"], mine["reconstruction"]), folder.name
        assert 0 < (mine["code"] > 0).sum() < mine["code"].numel(), folder.name
        with safe_open(folder / "theirs.safetensors", "pt") as file:
            assert file.metadata() == {"architecture": expected}, folder.name
    theirs, mine = load_file(trained / "theirs.safetensors"), dense(SparseAutoencoder.load(trained), x_real)
    for (
        name,
        value,
    ) in mine.items():  # sums of 64 products, rounded in another order: some units of the largest's last bit
        torch.testing.assert_close(theirs[name], value, rtol=0, atol=64 * 2**-24 * x_real.norm(dim=1).max().item())


@pytest.mark.parametrize("pre_bias", ["none", "mean", "learned"])
def test_a_score_at_the_threshold_is_on_and_the_next_below_is_not(pre_bias: str) -> None:
    """There are such pairs, so that the comparison with SAELens looks at them; and rounding up leaves them out."""
    overlay = CASES["batch_top_k"][1]
    counts = []
    for threshold in (1.0, THRESHOLDS["rounded to"], THRESHOLDS["rounded above"]):
        model, x = model_of(overlay, pre_bias, threshold), samples()
        at = model.scores(x) == score_of(model)
        counts.append((int(at.sum()), int((dense(model, x)["code"][at] > 0).sum())))
    (there, on), rounded, above = counts
    assert there == on > 0
    assert rounded == (there, there)
    assert above == (there, 0)


def test_the_numbers_subtracted_are_those_nearer_to_the_pre_bias() -> None:
    """Where inputs lie far from 0, a bias that makes up for them would cost digits."""
    model = model_of(CASES["top_k"][1], "mean")
    assert model.pre_bias is not None
    mean = torch.linspace(1000, 2000, FEATURES)
    with torch.no_grad():
        model.pre_bias.copy_(mean)
        model.decoder_bias.copy_(mean[None] + 1)
    written = contents(model, TRAINED)
    assert '"apply_b_dec_to_input": true' in str(written["cfg.json"])
    weights: Any = written["sae_weights.safetensors"]
    expected = model.encoder_bias + model.encoder_weight.sum(1)  # of p - b_dec, which is -1 everywhere
    assert torch.equal(weights["b_enc"], expected.detach())
    with torch.no_grad():
        model.decoder_bias.neg_()
    written = contents(model, TRAINED)
    assert '"apply_b_dec_to_input": false' in str(written["cfg.json"])


REFUSED: dict[str, tuple[str, dict[str, Any]]] = {
    "top_k keeps negative scores": ("model.activation", {"rule": {"name": "top_k", "k": 5}, "activation": "linear"}),
    "lifetime keeps everything": ("model.activation", {"rule": {"name": "lifetime"}, "activation": "linear"}),
    "a threshold below 0": ("model.activation", {"rule": {"name": "batch_top_k", "k": 5}, "activation": "linear"}),
    "a forced k": (
        "model.activation",
        {"rule": {"name": "batch_top_k", "k": 5}, "evaluation": "per_sample_k", "activation": "linear"},
    ),
    "boosted scores": ("model.rule.name", {"rule": {"name": "k_winners", "k": 5}}),
    "boosted scores, a forced k": (
        "model.rule.name",
        {"rule": {"name": "k_winners", "k": 5}, "evaluation": "per_sample_k"},
    ),
    "no threshold yet": ("model.rule.name", {"rule": {"name": "batch_top_k", "k": 5, "threshold": "ema"}}),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_saelens_cannot_compute_is_refused(name: str) -> None:
    argument, overlay = REFUSED[name]
    threshold = torch.inf if name == "no threshold yet" else -1.0
    with pytest.raises(InputError) as told:
        architecture(model_of(overlay, "mean", threshold))
    assert told.value.argument == argument
    assert told.value.remedy.startswith("train with ")


def test_a_transcoder_is_refused() -> None:
    spec = validate(AutoencoderSpec, Document({"latents": 32, "tied": False, "activation": "relu"}, {}, "test"))
    with pytest.raises(InputError, match="what was trained is a transcoder") as told:
        architecture(SparseAutoencoder(spec, 4, 6))
    assert (told.value.argument, told.value.remedy) == ("data.target", "train without data.target")
