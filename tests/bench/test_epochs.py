"""An epoch through the platform, in a bare loop and as a baseline: the same steps, and the same images."""

from pathlib import Path

import pytest
import torch

from spadam.bench import QUICK, Settings, epochs, images
from spadam.bench.bare import BareLoop
from spadam.bench.baseline import Baseline, MaskedAutoencoder, PilImages
from spadam.bench.images import Images, find_images
from spadam.bench.steps import Naive, Ours, Size, draw
from spadam.data import Dataset, FashionMnistSpec, SyntheticSpec
from spadam.data.dataset import Samples
from spadam.data.splits import Splits
from spadam.training.progress import Progress

HERE = Settings(QUICK, threads=1, fashion=Path("nowhere"))


@pytest.fixture(autouse=True)
def _small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(images, "QUICK_BATCHES", 4)
    for name, value in (("LATENTS", 64), ("K", 4), ("QUICK_EPOCHS", 2)):
        monkeypatch.setattr(epochs, name, value)
    monkeypatch.setattr(epochs.configure, "__defaults__", (64, 4))
    monkeypatch.setattr("spadam.training.telemetry._PROGRESS_SECONDS", 0.0)  # these epochs are shorter than that


@pytest.mark.parametrize("whole", [False, True])
def test_the_bare_loop_makes_the_platforms_steps(whole: bool) -> None:
    found = epochs.over_bare_loop(whole, HERE)  # raises when weights differ
    assert found.repetitions == 2
    assert "the same weights" in found.note
    assert "nowhere does not hold Fashion-MNIST" in found.note
    assert ("a whole epoch" in found.note) == whole


def test_other_steps_are_not_a_measurement(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(BareLoop, "epoch", lambda self: 1.0)
    with pytest.raises(AssertionError, match="not equal"):
        epochs.over_bare_loop(False, HERE)


def test_epochs_are_timed_between_what_the_platform_tells(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 0.0
    monkeypatch.setattr("spadam.bench.epochs.time.perf_counter", lambda: now)

    def other() -> None:
        nonlocal now
        now += 1000.0

    turns = epochs._Turns(other)
    told = [(0, "evaluating", 5.0), (1, "training", 7.0), (3, "training", 9.0), (5, "evaluating", 13.0)]
    told += [(7, "training", 1020.0), (10, "evaluating", 1029.0), (10, "evaluating", 2050.0)]
    for step, doing, when in told:
        now = when
        turns(Progress(step, 10, None, doing))
    assert turns.epochs == [
        epochs.Epoch(step=(13.0 - 7.0) / 4, whole=13.0 - 5.0),
        epochs.Epoch(step=(1029.0 - 1020.0) / 3, whole=1029.0 - 1013.0),
    ]


def test_epochs_too_short_to_be_told_of_are_not_a_measurement(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("spadam.training.telemetry._PROGRESS_SECONDS", 60.0)
    with pytest.raises(RuntimeError, match="too short"):
        epochs.over_bare_loop(False, HERE)


def test_the_baseline_is_timed_by_the_step() -> None:
    found = epochs.baseline_over_ours(HERE)
    assert found.ratio == pytest.approx(found.of / found.over)
    assert "4 steps an epoch" in found.note


def test_the_baselines_loss_is_ours() -> None:
    size = Size(96, 3, 16, 24)
    batches = draw(size)
    ours, naive = Ours(size, batches), Naive(size, batches)
    module = MaskedAutoencoder(ours.model.encoder_weight.detach(), size.k)
    loss = module.training_step((batches[0], None), 0)
    loss.backward()
    torch.testing.assert_close(loss.detach(), ours.backward())
    naive.backward()
    for mine, theirs in zip((module.weight, module.bias, module.decoder_bias), naive.parameters, strict=True):
        assert mine.grad is not None
        torch.testing.assert_close(mine.grad.reshape_as(theirs), theirs.grad)


def test_pil_images_are_the_samples() -> None:
    x_ND = torch.randint(0, 256, (6, 784), dtype=torch.uint8)
    x_ND[0, :2] = torch.tensor([0, 255], dtype=torch.uint8)
    rows = torch.tensor([0, 4, 2])
    empty = rows[:0]
    dataset = Dataset(Samples(x_ND / 255, torch.arange(6), classes=6), Splits(rows, empty, empty))
    found = PilImages(dataset)
    assert len(found) == 3
    image, target = found[1]
    assert target == 4
    assert image.shape == (1, 28, 28)
    torch.testing.assert_close(image.flatten(), dataset.x[4])
    assert Baseline(dataset, 8, 2, 1, 1).weight_LD.shape == (8, 784)


def test_images_are_of_the_size_of_fashion_mnist(monkeypatch: pytest.MonkeyPatch) -> None:
    full = find_images(Settings(fashion=Path("nowhere"))).spec
    assert isinstance(full, SyntheticSpec)
    sizes = full.fit_sizes(full.samples)
    assert (full.samples, full.features, sizes) == (70_000, 784, (55_000, 5_000, 10_000))
    monkeypatch.setattr(images, "find_files", lambda folder: ((), []))
    found = find_images(HERE)
    assert isinstance(found, Images)
    assert isinstance(found.spec, FashionMnistSpec)
    assert found.spec.root == "nowhere"
    assert found.spec.train_size == 4 * 128
