import pytest
import torch
from pydantic import ValidationError
from sklearn.datasets import load_digits

from spadam.data import DigitsSpec


def test_values_are_scikit_learns_over_sixteen():
    data = DigitsSpec().load()
    images, digits = load_digits(return_X_y=True)
    assert torch.equal(data.x, torch.from_numpy(images).float() / 16)
    assert torch.equal(data.y, torch.from_numpy(digits).long())
    assert (data.classes, data.image_shape, data.features) == (10, (8, 8), 64)
    assert (data.x.min(), data.x.max()) == (0, 1)


def test_default_sizes():
    data = DigitsSpec().load()
    assert [len(rows) for rows in data.splits] == [1200, 300, 297]


def test_the_test_part_is_drawn_too():
    assert not torch.equal(DigitsSpec().load().test, DigitsSpec(split_seed=1).load().test)


@pytest.mark.parametrize("field", [{"train_size": 1201}, {"validation_size": 1500}, {"batch_size": 1201}])
def test_sizes_are_checked_before_loading(field):
    with pytest.raises(ValidationError, match=f"data.{next(iter(field))}"):
        DigitsSpec(**field)


def test_the_largest_sizes_fit():
    data = DigitsSpec(train_size=1500, validation_size=0, batch_size=1500).load()
    assert [len(rows) for rows in data.splits] == [1500, 0, 297]
