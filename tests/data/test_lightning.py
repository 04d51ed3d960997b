"""How Lightning drives batches: which samples a real training saw, stopped and resumed at every kind of place."""

import pytest
import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import ModelCheckpoint

from spadam.data import Batches, Dataset
from spadam.data.dataset import Samples
from spadam.data.splits import Splits

pytestmark = [
    # Lightning asks torch's trees in a way that this torch calls old
    pytest.mark.filterwarnings("ignore:.*LeafSpec.*is deprecated:FutureWarning"),
    # a resumed run writes elsewhere than the one it goes on from
    pytest.mark.filterwarnings("ignore:The dirpath has changed:UserWarning"),
]


def make():
    """Twelve batches of eight samples; the label of a sample is its number."""
    numbers = torch.arange(100)
    none = numbers[:0]
    return Batches(Dataset(Samples(torch.rand(100, 2), numbers, 100), Splits(numbers, none, none)), numbers, 8, seed=0)


class Recorder(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.layer = torch.nn.Linear(2, 1)
        self.seen = []

    def training_step(self, batch, index):
        x, y = batch
        self.seen.append((self.current_epoch, index, y.tolist()))
        return self.layer(x).square().mean()

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=1e-6)


def quiet_trainer(**fields):
    return pl.Trainer(
        accelerator="cpu",
        logger=False,
        enable_checkpointing="callbacks" in fields,
        enable_progress_bar=False,
        enable_model_summary=False,
        **fields,
    )


def fit(folder, resume=None, epochs=3, steps=-1, on_epoch_end=False):
    """One training of at most three epochs of twelve batches; gives (what was seen, its batches)."""
    kind = {"every_n_epochs": 1} if on_epoch_end else {"every_n_train_steps": 1}
    checkpoint = ModelCheckpoint(dirpath=folder, save_top_k=-1, filename="{step}", **kind)
    trainer = quiet_trainer(max_epochs=epochs, max_steps=steps, callbacks=[checkpoint])
    module, batches = Recorder(), make()
    trainer.fit(module, batches, ckpt_path=resume, weights_only=True)
    return module.seen, batches


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory):
    folder = tmp_path_factory.mktemp("run")
    seen, _ = fit(folder)
    return folder, seen


def test_lightning_trains_on_every_epochs_own_order(uninterrupted):
    _, seen = uninterrupted
    batches = make()
    assert seen == [(epoch, i, y.tolist()) for epoch in range(3) for i, (_, y) in enumerate(batches)]


@pytest.mark.parametrize("step", [1, 7, 11, 12, 13, 23, 24, 25, 29])
@pytest.mark.parametrize("limit", [-1, 30])
def test_lightning_resumes_behind_what_was_trained_on(step, limit, tmp_path, uninterrupted):
    folder, seen = uninterrupted
    checkpoint = folder / f"step={step}.ckpt"
    state = torch.load(checkpoint, weights_only=True)["loops"]["fit_loop"]["state_dict"]["combined_loader"]
    assert state == [{"epoch": (step - 1) // 12, "position": (step - 1) % 12 + 1}]
    rest, _ = fit(tmp_path, resume=checkpoint, steps=limit)
    assert rest == seen[step : None if limit < 0 else limit]


@pytest.mark.parametrize("step", [12, 24])
def test_lightning_resumes_from_the_end_of_an_epoch(step, tmp_path, uninterrupted):
    """Without `max_steps`: with it, Lightning itself counts such a resumed epoch twice, whatever the loader."""
    fit(tmp_path / "first", epochs=2, on_epoch_end=True)
    rest, _ = fit(tmp_path / "second", resume=tmp_path / f"first/step={step}.ckpt", on_epoch_end=True)
    assert rest == uninterrupted[1][step:]


def test_lightning_begins_a_second_training_as_the_first(uninterrupted):
    """Also when it is given the same batches again, and when it leaves every epoch early."""
    batches = make()
    for _ in range(2):
        trainer = quiet_trainer(max_epochs=3, limit_train_batches=5)
        module = Recorder()
        trainer.fit(module, batches)
        assert module.seen == [entry for entry in uninterrupted[1] if entry[1] < 5]


def test_lightning_goes_on_after_limits_of_steps(tmp_path, uninterrupted):
    _, seen = uninterrupted
    assert fit(tmp_path / "first", steps=5)[0] == seen[:5]
    assert fit(tmp_path / "second", resume=tmp_path / "first/step=5.ckpt", steps=17)[0] == seen[5:17]
    rest, batches = fit(tmp_path / "third", resume=tmp_path / "second/step=17.ckpt")
    assert rest == seen[17:]
    assert batches.state_dict() == {"epoch": 2, "position": 12}
