import copy
import itertools

import pytest
import torch

from spadam.config import RunConfig
from spadam.data import Batches, Dataset
from spadam.data.dataset import Samples
from spadam.data.splits import Splits
from spadam.spec import Document, InputError, validate

NONE = torch.empty(0, dtype=torch.int64)


def dataset(n=100, labels=True):
    """Sample i holds i in both of its features, and has the label i."""
    numbers = torch.arange(n)
    samples = Samples(numbers.float().repeat(2, 1).T.contiguous(), numbers if labels else None, n if labels else None)
    return Dataset(samples, Splits(numbers, NONE, NONE))


def make(batch_size=8, seed=0, n=100, **kwargs):
    data = dataset(n, **kwargs)
    return Batches(data, data.train, batch_size, seed)


def ids(batches):
    """The sample numbers of every batch of one epoch."""
    return [batch[1].tolist() for batch in batches]


def flat(epoch):
    return list(itertools.chain.from_iterable(epoch))


def test_batches_are_rows_with_their_labels():
    for x, y in make():
        assert x.dtype == torch.float32
        assert torch.equal(x, y.float().unsqueeze(1).expand(8, 2))


def test_without_labels_a_batch_is_a_tensor():
    batches = list(make(labels=False))
    assert all(isinstance(x, torch.Tensor) and x.shape == (8, 2) for x in batches)


def test_an_epoch_has_every_sample_at_most_once_and_drops_the_incomplete_batch():
    batches = make()
    handed = flat(ids(batches))
    assert len(batches) == 12
    assert len(handed) == len(set(handed)) == 96


def test_only_the_given_rows_are_used():
    data = dataset()
    rows = torch.tensor([5, 17, 2, 99, 40])
    assert sorted(flat(ids(Batches(data, rows, 1, seed=0)))) == sorted(rows.tolist())


def by_class(n, classes, size, seed=0):
    """Batches of samples of which number i is of the class i modulo ``classes``."""
    numbers = torch.arange(n)
    x = numbers.float().repeat(2, 1).T.contiguous()
    data = Dataset(Samples(x, numbers % classes, classes), Splits(numbers, NONE, NONE))
    return Batches(data, data.train, size, seed, composed="by_class")


def test_by_class_a_batch_has_one_class_or_at_a_border_two():
    batches = by_class(n=100, classes=4, size=8)
    for epoch in range(3):
        found = [batch[1].unique().tolist() for batch in batches]
        assert len(found) == len(batches) == 12
        assert sum(len(classes) == 1 for classes in found) >= 9
        assert max(map(len, found)) == 2
        assert sorted(batches.order(epoch).tolist()) == list(range(100))


def test_by_class_neither_classes_nor_their_samples_come_in_order():
    batches = by_class(n=1000, classes=10, size=10)
    first, second = (batches.order(epoch) for epoch in (0, 1))
    assert not torch.equal(first, second)
    assert torch.equal(first, by_class(n=1000, classes=10, size=10).order(0))
    places = [first.view(100, 10)[:, 0] % 10 == label for label in range(10)]
    assert all(place.nonzero().flatten().diff().max() > 1 for place in places)  # batches of a class lie apart
    assert {int(by_class(95, 10, 10, seed).order(0)[-1]) % 10 for seed in range(40)} == set(range(10))  # what is left


def test_by_class_wants_classes():
    data = dataset(labels=False)
    with pytest.raises(InputError, match="samples without labels have no classes"):
        Batches(data, data.train, 8, 0, composed="by_class")


def test_a_batch_as_large_as_the_split():
    assert [len(batch) for batch in ids(make(batch_size=100))] == [100]


def test_a_batch_larger_than_the_split_is_told():
    with pytest.raises(InputError, match=r"data.batch_size = 101: .* has 100 samples; set it to 100 or less"):
        make(batch_size=101)


def test_order_is_a_function_of_seed_and_epoch_alone():
    first = make()
    epochs = [ids(first) for _ in range(3)]
    assert len({str(epoch) for epoch in epochs}) == 3
    again = make()
    torch.manual_seed(99)
    torch.rand(7)
    assert [ids(again) for _ in range(3)] == epochs
    late = make()
    late.load_state_dict({"epoch": 2, "position": 0})
    assert ids(late) == epochs[2]
    assert ids(make(seed=1)) != epochs[0]
    # the order of the samples does not even depend on how they are batched
    assert flat(ids(make(batch_size=4)))[:96] == flat(epochs[0])


def test_order_does_not_touch_the_global_generator():
    torch.manual_seed(5)
    before = torch.get_rng_state()
    list(make())
    assert torch.equal(before, torch.get_rng_state())


def test_epochs_do_not_repeat_each_other():
    """Neighbouring seeds and epochs share no order: of 8 x 8, all are different."""
    orders = {tuple(make(seed=seed).order(epoch).tolist()) for seed in range(8) for epoch in range(8)}
    assert len(orders) == 64


@pytest.mark.parametrize("stop", range(13))
def test_state_goes_on_with_the_same_remaining_batches(stop):
    reference = make()
    whole = [ids(reference), ids(reference)]
    batches = make()
    iterator = iter(batches)
    seen = [next(iterator)[1].tolist() for _ in range(stop)]
    state = copy.deepcopy(batches.state_dict())
    assert state == {"epoch": 0, "position": stop}
    assert seen == whole[0][:stop]

    resumed = make()
    resumed.load_state_dict(state)
    assert resumed.state_dict() == state
    rest = ids(resumed)
    if stop < 12:
        assert rest == whole[0][stop:]
        rest = ids(resumed)
    assert rest == whole[1]


def test_an_iterator_that_is_not_used_costs_nothing():
    batches = make()
    iter(batches), iter(batches)
    assert batches.state_dict() == {"epoch": 0, "position": 0}
    first = ids(batches)
    assert first == ids(make())
    batches.load_state_dict({"epoch": 0, "position": 5})
    iter(batches), iter(batches)
    assert ids(batches) == first[5:]


def test_an_epoch_can_be_chosen():
    reference = make()
    epochs = [ids(reference) for _ in range(4)]
    batches = make()
    early = iter(batches)
    batches.sampler.set_epoch(2)
    assert ids(early) == epochs[2]
    assert ids(batches) == epochs[3]
    batches.set_epoch(0)
    assert ids(batches) == epochs[0]
    batches.set_epoch(0)
    assert ids(batches) == epochs[0]


def test_choosing_the_epoch_of_a_loaded_state_keeps_its_position():
    reference = make()
    epochs = [ids(reference) for _ in range(3)]
    for chosen, expected in [(1, epochs[1][5:]), (2, epochs[2])]:
        batches = make()
        batches.load_state_dict({"epoch": 1, "position": 5})
        batches.set_epoch(chosen)
        assert ids(batches) == expected


def test_leaving_an_epoch_early_begins_the_next():
    batches = make()
    next(iter(batches))
    reference = make()
    ids(reference)
    assert ids(batches) == ids(reference)
    assert batches.state_dict() == {"epoch": 1, "position": 12}


@pytest.mark.parametrize(
    "state", [{"epoch": 0, "position": 13}, {"epoch": 0, "position": -1}, {"epoch": -1, "position": 0}]
)
def test_a_state_of_another_set_is_refused(state):
    with pytest.raises(ValueError, match="position <= 12"):
        make().load_state_dict(state)


def test_by_class_is_refused_where_a_file_asks_for_it_without_classes():
    given = {"name": "synthetic", "classes": None, "batches": "by_class"}
    with pytest.raises(InputError, match=r"data\.batches = 'by_class'.*have no classes") as caught:
        validate(RunConfig, Document({"data": given, "optimizer": {"name": "adam"}}, {}, "x.yaml"))
    assert "set data.batches: shuffled" in caught.value.remedy
