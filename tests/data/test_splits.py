import pytest
import torch

from spadam.data.splits import Sizes, draw, fit, seeded
from spadam.spec import InputError


def test_seeded_depends_on_purpose_and_every_number_in_its_place():
    keys = [("split", 0), ("batches", 0), ("batches", 0, 0), ("batches", 0, 1), ("batches", 1, 0)]
    drawn = {tuple(torch.randint(1 << 60, (2,), generator=seeded(*key)).tolist()) for key in keys}
    assert len(drawn) == len(keys)


def test_seeded_does_not_touch_the_global_generator():
    torch.manual_seed(5)
    before = torch.get_rng_state()
    torch.rand(3, generator=seeded("split", 5))
    assert torch.equal(before, torch.get_rng_state())


def test_fit_gives_training_what_is_left():
    assert fit(100, None, 10, 20) == Sizes(70, 10, 20)
    assert fit(100, 70, 10, 20) == Sizes(70, 10, 20)
    assert fit(100, 100, 0, 0) == Sizes(100, 0, 0)


@pytest.mark.parametrize(
    ("arguments", "argument", "remedy"),
    [
        ((100, 71, 10, 20), "data.train_size", "at most 70"),
        ((100, None, 80, 20), "data.validation_size", "lower it"),
        ((100, None, 1, 100), "data.validation_size", "data.test_size"),
        ((1, None, 1, 0), "data.validation_size", "at least 1"),
    ],
)
def test_fit_tells_what_does_not_fit(arguments, argument, remedy):
    with pytest.raises(InputError, match=remedy) as caught:
        fit(*arguments)
    assert caught.value.argument == argument


def test_draw_uses_every_sample_once():
    rows = torch.arange(3, 40)
    splits = draw(rows, Sizes(25, 5, 7), seed=0)
    assert [len(part) for part in splits] == [25, 5, 7]
    assert torch.equal(torch.cat(splits).sort().values, rows)


def test_draw_mixes():
    splits = draw(torch.arange(1000), Sizes(800, 100, 100), seed=0)
    for rows in splits:
        # the mean of m of 1000 numbers has standard deviation 289 / sqrt(m); five of them
        assert abs(rows.double().mean() - 499.5) < 5 * 289 / len(rows) ** 0.5
    assert not torch.equal(splits.train, splits.train.sort().values)
