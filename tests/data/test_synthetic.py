import pytest
import torch
from pydantic import ValidationError

from spadam.data import SyntheticSpec


def make(**fields):
    return SyntheticSpec(**{"samples": 4000, "features": 40, "atoms": 30, "active": 3, **fields}).load()


def solve(data):
    """The strengths of every atom in every sample, (N, A): the dictionary has full row rank here."""
    return data.x.double() @ torch.linalg.pinv(data.atoms.double())


def test_atoms_are_unit_and_available():
    data = make()
    assert data.atoms.shape == (30, 40)
    # a float32 norm of 40 squares: 1e-6 is eight units in the last place
    torch.testing.assert_close(data.atoms.norm(dim=1), torch.ones(30), atol=1e-6, rtol=0)


def test_without_noise_every_sample_is_k_atoms_with_strengths_from_half_to_one_and_a_half():
    strengths = solve(make(noise=0.0))
    on = strengths.abs() > 0.1
    assert torch.equal(on.sum(1), torch.full((4000,), 3))
    # samples are rounded to float32 (6e-8) and the pseudo-inverse stretches that by its norm, below 100
    assert strengths[~on].abs().max() < 1e-5
    assert 0.5 - 1e-5 < strengths[on].min() < 0.51
    assert 1.49 < strengths[on].max() < 1.5 + 1e-5


def test_noise_has_its_standard_deviation():
    clean, noisy = make(noise=0.0), make(noise=0.25)
    assert torch.equal(clean.atoms, noisy.atoms)
    # 160,000 numbers: the relative error of a standard deviation is 1 / sqrt(2 n) = 0.2 %; five of them
    assert abs((noisy.x - clean.x).std() / 0.25 - 1) < 5 * 0.002


def test_uniform_frequencies():
    fired = (solve(make(noise=0.0, samples=20_000)) > 0.1).double().mean(0)
    # each fires with probability 0.1; five standard deviations of 20,000 draws
    assert (fired - 0.1).abs().max() < 5 * (0.1 * 0.9 / 20_000) ** 0.5


@pytest.mark.parametrize(("exponent", "expected"), [(None, 1.0), (0.5, 0.5), (2.0, 2.0)])
def test_zipf_frequencies(exponent, expected):
    data = make(noise=0.0, samples=20_000, active=1, frequencies="zipf", exponent=exponent)
    weights = torch.arange(1, 31, dtype=torch.float64) ** -expected
    probability = weights / weights.sum()
    fired = (solve(data) > 0.1).double().mean(0)
    assert ((fired - probability).abs() < 5 * (probability * (1 - probability) / 20_000).sqrt()).all()


def test_atoms_of_a_sample_are_drawn_without_replacement_by_their_weights():
    """Probability of {first, second} in either order: w1 w2 / (1 - w1) + w1 w2 / (1 - w2), for the top two of three."""
    data = SyntheticSpec(
        samples=20_000, features=8, atoms=3, active=2, frequencies="zipf", noise=0.0, classes=None
    ).load()
    w1, w2 = 6 / 11, 3 / 11
    expected = w1 * w2 / (1 - w1) + w1 * w2 / (1 - w2)
    on = solve(data) > 0.1
    share = (on[:, 0] & on[:, 1]).double().mean()
    assert abs(share - expected) < 5 * (expected * (1 - expected) / 20_000) ** 0.5


def test_labels_are_the_strongest_atoms():
    data = make(noise=0.0, classes=7)
    assert torch.equal(data.y, solve(data).argmax(1) % 7)
    assert data.classes == 7


def test_no_labels():
    data = make(classes=None)
    assert data.y is None
    assert data.classes is None
    assert torch.equal(data.batch(torch.tensor([3, 1])), data.x[[3, 1]])


def test_sizes():
    assert [len(rows) for rows in make().splits] == [3200, 400, 400]
    assert [len(rows) for rows in make(test_size=50, validation_size=70).splits] == [3880, 70, 50]
    assert [len(rows) for rows in make(test_size=0, validation_size=0).splits] == [4000, 0, 0]


def test_numbers_are_a_function_of_the_seed():
    first = make(seed=1)
    hash_ = first.content_hash()
    make(seed=2), make(seed=3)  # push it out of the memory
    torch.manual_seed(123)
    again = make(seed=1)
    assert again.samples is not first.samples
    assert again.content_hash() == hash_
    assert make(seed=2).content_hash() != hash_
    torch.set_num_threads(2)  # the fixture sets it back
    make(seed=3), make(seed=4)
    assert make(seed=1).content_hash() == hash_


def test_the_dictionary_does_not_depend_on_the_samples():
    assert torch.equal(make().atoms, make(samples=1000, active=5, frequencies="zipf").atoms)


def test_many_atoms_are_made_in_chunks():
    data = SyntheticSpec(samples=300, features=4, atoms=50_000, active=2, batch_size=8).load()  # 83 samples a chunk
    assert data.x.shape == (300, 4)
    assert len({tuple(x.tolist()) for x in data.x}) == 300


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"active": 31}, "data.active = 31: a sample cannot have more atoms than the dictionary, which has 30"),
        ({"classes": 31}, "data.classes = 31: there cannot be more classes than atoms"),
        ({"exponent": 1.0}, "data.exponent = 1.0: uniform frequencies have no exponent"),
        ({"noise": -0.1}, "noise"),
        ({"classes": 1}, "classes"),
        ({"frequencies": "normal"}, "frequencies"),
        ({"test_size": 4000}, "data.validation_size"),
    ],
)
def test_fields_that_do_not_agree_are_told(fields, message):
    with pytest.raises(ValidationError, match=message):
        SyntheticSpec(**{"samples": 4000, "atoms": 30, "active": 3, **fields})
