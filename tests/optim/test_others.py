"""Active Adam, row-wise Adagrad, SignSGD and Signum against plain arithmetic."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from spadam.optim import ActiveAdam, RowClockAdam, RowwiseAdagrad, SignSGD, SignSGDSpec, Signum, SignumSpec
from support.row_streams import Entries, coo, give, stream, table

SHAPE = (12, 5)
EPS = 1e-3


def test_active_takes_the_number_of_active_samples_out_of_a_gradient() -> None:
    """Samples with one gradient each: whatever n is, the row sees their mean, as if it were alone."""
    sample = torch.tensor([[0.5, -2.0]], dtype=torch.float64)
    batched, alone = (table((3, 2), seed=18) for _ in range(2))
    one, two = ActiveAdam([batched], lr=1e-2), RowClockAdam([alone], lr=1e-2)
    for n in (1, 7, 3, 20):
        batched.grad = coo(Entries(torch.tensor([1]), sample * n / 64), batched.shape)  # a mean over 64 samples
        batched.row_samples = (torch.tensor([1]), torch.tensor([n]), 64)
        alone.grad = coo(Entries(torch.tensor([1]), sample), alone.shape)
        one.step()
        two.step()
    torch.testing.assert_close(batched, alone, rtol=0, atol=1e-14)


def test_rowwise_adagrad_sums_the_mean_square_of_a_row() -> None:
    grads = stream(SHAPE, 30, seed=19)
    param = table(SHAPE, seed=20)
    w, total = param.detach().clone(), torch.zeros(SHAPE[0], 1).double()
    optimizer = RowwiseAdagrad([param], lr=0.1, eps=EPS)
    for entries in grads:
        give(param, entries, "coo")
        optimizer.step()
        g = torch.zeros_like(w).index_add_(0, *entries)
        total += (g**2).mean(1, keepdim=True)
        w -= 0.1 * g / (total.sqrt() + EPS)
        torch.testing.assert_close(param.detach(), w, rtol=0, atol=1e-12)
    torch.testing.assert_close(optimizer.state[param]["sum"], total, rtol=1e-14, atol=0)


@pytest.mark.parametrize("form", ["coo", "dense"])
def test_sign_sgd_moves_elements_by_lr_against_their_gradient(form: str) -> None:
    """As signSGD does on dense gradients: ``w.add_(g.sign(), alpha=-lr)``, in which a gradient of 0 moves nothing."""
    grads = stream(SHAPE, 30, seed=23)
    param = table(SHAPE, seed=24)
    w = param.detach().clone()
    optimizer = SignSGD([param], lr=1e-3)
    for entries in grads:
        entries.values[:, 0] = 0.0
        give(param, entries, form)
        optimizer.step()
        w.add_(torch.zeros_like(w).index_add_(0, *entries).sign(), alpha=-1e-3)
        assert torch.equal(param.detach(), w)


def test_signum_without_momentum_is_sign_sgd() -> None:
    one, two = table(SHAPE, seed=25), table(SHAPE, seed=25)
    pairs = [(one, SignSGD([one], lr=1e-3)), (two, Signum([two], lr=1e-3, momentum=0.0))]
    for entries in stream(SHAPE, 30, seed=26):
        for param, optimizer in pairs:
            give(param, entries, "coo")
            optimizer.step()
        assert torch.equal(one, two)


@pytest.mark.parametrize("form", ["coo", "dense"])
def test_signum_without_momentum_holds_in_a_configuration(form: str) -> None:
    """There it is built as sign_sgd: untouched rows do not move, and nobody looks at them."""
    spec, plain = SignumSpec(momentum=0.0, lr=1e-3, row_accumulate=2), SignSGDSpec(lr=1e-3, row_accumulate=2)
    assert spec.holds
    assert not SignumSpec().holds
    assert spec.when_all_touched() == plain.when_all_touched() != SignumSpec().when_all_touched()
    one, two = table(SHAPE, seed=27), table(SHAPE, seed=27)
    pairs = [(one, spec.build([one])), (two, plain.build([two]))]
    for entries in stream(SHAPE, 20, seed=28):
        before = one.detach().clone()
        for param, optimizer in pairs:
            give(param, entries, form)
            optimizer.step()
        assert torch.equal(one, two)
        untouched = [row for row in range(SHAPE[0]) if row not in entries.rows.tolist()]
        assert torch.equal(one[untouched], before[untouched])


def test_one_gradient_and_silence_move_sign_sgd_once_and_signum_in_every_step() -> None:
    moved = {}
    for name, build in (("sign_sgd", SignSGD), ("signum", Signum)):
        param = nn.Parameter(torch.zeros(2, 3, dtype=torch.float64))
        optimizer = build([param], lr=1.0)
        param.grad = coo(Entries(torch.tensor([1]), torch.full((1, 3), 1e-3, dtype=torch.float64)), param.shape)
        optimizer.step()
        for _ in range(49):
            param.grad = coo(Entries(torch.tensor([0]), torch.zeros(1, 3, dtype=torch.float64)), param.shape)
            optimizer.step()
        assert param[0].abs().max() == 0
        moved[name] = float(param[1, 0].detach())
    assert moved == {"sign_sgd": -1.0, "signum": -50.0}


def test_signum_moves_every_element_by_lr_along_its_momentum() -> None:
    grads = stream(SHAPE, 30, seed=21)
    param = table(SHAPE, seed=22)
    w, m = param.detach().clone(), torch.zeros(SHAPE).double()
    optimizer = Signum([param], lr=1e-3, momentum=0.8)
    for entries in grads:
        give(param, entries, "coo")
        optimizer.step()
        m = 0.8 * m + 0.2 * torch.zeros_like(w).index_add_(0, *entries)
        w -= 1e-3 * m.sign()
        torch.testing.assert_close(param.detach(), w, rtol=0, atol=1e-14)


def test_signum_never_comes_to_rest_in_float32_unless_denormals_are_flushed() -> None:
    moved = {}
    for flush in (False, True):
        param = nn.Parameter(torch.zeros(1, 8))
        optimizer = Signum([param], lr=1.0)
        param.grad = torch.full((1, 8), 1e-30)
        torch.set_flush_denormal(flush)
        try:
            for _ in range(400):
                optimizer.step()
                param.grad = torch.zeros(1, 8)
        finally:
            torch.set_flush_denormal(False)
        moved[flush] = float(param[0, 0].detach())
    assert moved[False] == -400.0
    assert -400.0 < moved[True] < 0.0
