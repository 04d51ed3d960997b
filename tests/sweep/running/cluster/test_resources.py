"""What one training has of its node."""

import pytest

from spadam.spec import InputError
from spadam.sweep.running.cluster.resources import Share, parse_share


@pytest.mark.parametrize(
    ("text", "share"),
    [
        ("cpus=1", Share(1, 0)),
        ("cpus=2,gpus=0.25", Share(2, 0.25)),
        ("gpus=1", Share(1, 1)),
        (" gpus = .5 , cpus = 0.5 ", Share(0.5, 0.5)),
        ("gpus=0", Share(1, 0)),
    ],
)
def test_shares_are_read(text: str, share: Share) -> None:
    assert parse_share(text) == share


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("", "every part must be a name, = and a number, and '' is not"),
        ("cpus", "every part must be a name, = and a number, and 'cpus' is not"),
        ("cpus=", "every part must be a name, = and a number, and 'cpus=' is not"),
        ("cpus=1,", "every part must be a name, = and a number, and '' is not"),
        ("cpus:1", "every part must be a name, = and a number, and 'cpus:1' is not"),
        ("gpu=1", "a training has cpus and gpus, and no 'gpu'"),
        ("memory=1", "a training has cpus and gpus, and no 'memory'"),
        ("cpus=1,cpus=2", "cpus is said twice"),
        ("cpus=one", "cpus must be a number, and 'one' is none"),
        ("cpus=nan", "cpus must be a finite number, and not below 0"),
        ("cpus=inf", "cpus must be a finite number, and not below 0"),
        ("cpus=-1", "cpus must be a finite number, and not below 0"),
        ("gpus=-0.5", "gpus must be a finite number, and not below 0"),
        ("cpus=0", "cpus must be above 0: every training computes on some core"),
        ("cpus=0.00001", "cpus must be at least 0.0001: Ray counts no smaller parts"),
        ("gpus=1.5", "gpus must be at most 1: a training uses one GPU, or a part of one"),
    ],
)
def test_what_is_no_share_is_refused(text: str, rule: str) -> None:
    with pytest.raises(InputError) as caught:
        parse_share(text)
    assert (caught.value.argument, caught.value.value, caught.value.rule) == ("--per-trial", text, rule)
    assert caught.value.remedy


@pytest.mark.parametrize(
    ("share", "cpus", "gpus", "times"),
    [
        (Share(1, 0), 4, 0, 4),
        (Share(1.5, 0), 4, 8, 2),
        (Share(0.1, 0), 1, 0, 10),
        (Share(1, 0.25), 16, 2, 8),
        (Share(1, 0.3), 16, 2, 6),  # three on each GPU: a training has its part of one
        (Share(1, 1), 1, 8, 1),
        (Share(1, 0.5), 8, 0, 0),
        (Share(2, 0), 1, 0, 0),
    ],
)
def test_how_often_a_share_fits_a_node(share: Share, cpus: float, gpus: float, times: int) -> None:
    assert share.times_in(cpus, gpus) == times
