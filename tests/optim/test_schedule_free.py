"""Schedule-free averaging around every member that holds, against the average taken densely, step by step."""

from __future__ import annotations

import copy
import math
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from spadam.config import RunConfig
from spadam.optim import LazyAdam, RowOptimizer, ScheduleFree, SignSGD, Signum
from spadam.spec import Document, InputError, validate
from support.members import ROW_MEMBERS, build_of
from support.row_streams import Entries, give, run, stream, table

SHAPE = (10, 4)
LR, BETA = 1e-2, 0.9

INNER: list[Any] = [build_of(spec) for spec in ROW_MEMBERS if spec().holds and build_of(spec) is not ScheduleFree]
every_inner = pytest.mark.parametrize("inner", INNER)


class Dense:
    """z by the inner optimizer itself, x as the weighted mean of all z so far, in every row and every step."""

    def __init__(self, start: Tensor, inner: type[RowOptimizer], **options: Any) -> None:
        build: Any = inner
        self.z = nn.Parameter(start.clone())
        self.x, self.total, self.largest = start.clone(), 0.0, 0.0
        self.inner = build([self.z], **options)

    def step(self, entries: Entries, lr: float) -> None:
        self.inner.param_groups[0]["lr"] = lr
        give(self.z, entries, "coo")
        self.inner.step()
        self.largest = max(self.largest, lr)
        self.total += self.largest**2
        self.x += self.largest**2 / self.total * (self.z.detach() - self.x)


@every_inner
@pytest.mark.parametrize("lrs", ["constant", "warm-up"])
def test_the_average_is_that_of_all_rows_in_all_steps(inner: Any, lrs: str) -> None:
    """Rows that are silent for long, an lr that rises and falls, steps without any row, changes of lr on the way."""
    grads = [Entries(e.rows[:2], e.values[:2]) for e in stream(SHAPE, 120, seed=1)]
    grads[50] = grads[51] = Entries(torch.zeros(0, dtype=torch.int64), torch.zeros(0, 4).double())
    param = table(SHAPE, seed=2)
    optimizer = ScheduleFree([param], lr=LR, momentum=BETA, inner=inner)
    twin = Dense(param.detach(), inner)
    for step, entries in enumerate(grads):
        lr = LR if lrs == "constant" else LR * min(1.0, (step + 1) / 40) * (0.1 if step > 90 else 1.0)
        optimizer.param_groups[0]["lr"] = lr
        give(param, entries, "coo")
        optimizer.step()
        twin.step(entries, lr)
        torch.testing.assert_close(optimizer.average(param), twin.x, rtol=0, atol=1e-12)
        rows = optimizer.touched(param)
        y = BETA * twin.x + (1 - BETA) * twin.z.detach()
        torch.testing.assert_close(param.detach()[rows], y[rows], rtol=0, atol=1e-12)


def test_the_distance_of_a_silent_row_shrinks_as_t_over_t_plus_delta() -> None:
    param = nn.Parameter(torch.zeros(2, 1, dtype=torch.float64))
    optimizer = ScheduleFree([param], lr=1.0, momentum=BETA)
    one = torch.ones(1, 1, dtype=torch.float64)
    for _ in range(5):
        run(optimizer, param, [Entries(torch.tensor([1]), one)])
    z, after = -5.0, float(optimizer.average(param)[1, 0])
    assert after == pytest.approx(-3.0)  # the mean of -1 … -5
    for silent in range(1, 100):
        held = param.detach().clone()
        run(optimizer, param, [Entries(torch.tensor([0]), one)])
        assert torch.equal(param[1], held[1])
        x = float(optimizer.average(param)[1, 0])
        assert x - z == pytest.approx((after - z) * 5 / (5 + silent), rel=1e-12)


def test_a_parameter_without_a_gradient_is_a_table_of_silent_rows() -> None:
    params = [table(SHAPE, seed=3), table(SHAPE, seed=3)]
    optimizer = ScheduleFree(params, lr=LR)
    grads = stream(SHAPE, 9, seed=4)
    for step, entries in enumerate(grads):
        give(params[0], entries, "coo")
        give(params[1], None if step > 4 else entries, "coo")
        optimizer.step()
    twin = Dense(table(SHAPE, seed=3).detach(), SignSGD)
    nothing = Entries(torch.zeros(0, dtype=torch.int64), torch.zeros(0, 4).double())
    for step, entries in enumerate(grads):
        twin.step(nothing if step > 4 else entries, LR)
    torch.testing.assert_close(optimizer.average(params[1]), twin.x, rtol=0, atol=1e-12)
    assert optimizer.state[params[1]]["step"] == 5


def test_a_change_of_the_weights_from_outside_moves_both_points() -> None:
    """Rows that somebody shifts go on from where they were put: x and z with them."""
    grads = stream(SHAPE, 20, seed=5)
    first, second = (table(SHAPE, seed=6) for _ in range(2))
    one, two = (ScheduleFree([param], lr=LR) for param in (first, second))
    run(one, first, grads[:10])
    run(two, second, grads[:10])
    with torch.no_grad():
        second += 3.0
    torch.testing.assert_close(two.average(second), one.average(first) + 3.0, rtol=0, atol=1e-12)
    run(one, first, grads[10:])
    run(two, second, grads[10:])
    torch.testing.assert_close(two.average(second), one.average(first) + 3.0, rtol=0, atol=1e-12)


def test_an_lr_of_0_counts_for_nothing() -> None:
    param, twin = table(SHAPE, seed=7), table(SHAPE, seed=7)
    late, plain = ScheduleFree([param], lr=0.0), ScheduleFree([twin], lr=LR)
    grads = stream(SHAPE, 8, seed=8)
    run(late, param, grads[:3])
    assert torch.equal(param, twin)
    assert torch.equal(late.average(param), twin)
    late.param_groups[0]["lr"] = LR
    run(late, param, grads[3:])
    run(plain, twin, grads[3:])
    torch.testing.assert_close(late.average(param), plain.average(twin), rtol=0, atol=1e-12)


def test_before_its_first_step_the_average_is_the_weights() -> None:
    param = table(SHAPE, seed=9)
    found = ScheduleFree([param]).average(param)
    assert torch.equal(found, param)
    assert found.data_ptr() != param.data_ptr()


@pytest.mark.parametrize("inner", [Signum, torch.optim.Adam])
def test_what_moves_untouched_rows_is_refused(inner: Any) -> None:
    with pytest.raises(InputError, match=f"inner = '{inner.__name__}'.*holds the rows"):
        ScheduleFree([table(SHAPE, seed=1)], inner=inner)


def test_options_are_the_inner_optimizers_and_no_others() -> None:
    optimizer = ScheduleFree([table(SHAPE, seed=1)], inner=LazyAdam, betas=(0.0, 0.9), eps=1e-3)
    assert optimizer.defaults["betas"] == (0.0, 0.9)
    with pytest.raises(TypeError, match="betas"):
        ScheduleFree([table(SHAPE, seed=1)], betas=(0.0, 0.9))
    with pytest.raises(InputError, match="momentum"):
        ScheduleFree([table(SHAPE, seed=1)], momentum=1.0)


def test_a_state_is_taken_by_the_same_inner_optimizer_only() -> None:
    param = table(SHAPE, seed=1)
    lazy = ScheduleFree([param], inner=LazyAdam)
    run(lazy, param, stream(SHAPE, 3, seed=2))
    with pytest.raises(InputError, match=r"another optimizer than ScheduleFree\(SignSGD\)"):
        ScheduleFree([table(SHAPE, seed=1)]).load_state_dict(copy.deepcopy(lazy.state_dict()))


@every_inner
def test_a_copy_and_a_saved_state_go_on_to_the_last_bit(inner: Any) -> None:
    param = table(SHAPE, seed=3, dtype=torch.float32)
    optimizer = ScheduleFree([param], lr=LR, inner=inner)
    run(optimizer, param, stream(SHAPE, 9, seed=4, dtype=torch.float32))
    twin, copied = copy.deepcopy((optimizer, param))
    third = nn.Parameter(param.detach().clone())
    fresh = ScheduleFree([third], lr=0.5, inner=inner)
    fresh.load_state_dict(copy.deepcopy(optimizer.state_dict()))
    rest = stream(SHAPE, 9, seed=5, dtype=torch.float32)
    want = run(optimizer, param, rest)
    for other, weight in ((twin, copied), (fresh, third)):
        assert torch.equal(run(other, weight, rest), want)
        assert torch.equal(other.average(weight), optimizer.average(param))


# ---------------------------------------------------------------- in a configuration


def config(**optimizer: Any) -> RunConfig:
    data = {"data": {"name": "digits"}, "optimizer": {"name": "schedule_free", **optimizer}}
    return validate(RunConfig, Document(data, {("optimizer",): 3}, "x.yaml"))


def test_by_default_it_is_what_sparsify_trains_with() -> None:
    optimizer = config().optimizer.build([table(SHAPE, seed=1)])
    assert isinstance(optimizer, ScheduleFree)
    assert optimizer.param_groups[0]["optimizer"] == "ScheduleFree(SignSGD)"
    assert (optimizer.defaults["lr"], optimizer.defaults["momentum"]) == (5e-3, 0.95)


def test_options_of_the_inner_optimizer_stand_inside_and_come_back() -> None:
    written = config(
        inner={"name": "lazy_adam", "beta1": 0.0, "eps": 1e-3, "epsilon": "after"}, row_accumulate=2, lr=0.1
    )
    again = validate(RunConfig, Document(written.plain(), {}, "again"))
    assert again == written
    assert again.identity() == written.identity()
    group = again.optimizer.build([table(SHAPE, seed=1)]).param_groups[0]
    assert (group["betas"], group["eps"], group["row_accumulate"], group["lr"]) == ((0.0, 0.999), 1e-3, 2, 0.1)


@pytest.mark.parametrize(
    ("optimizer", "argument", "rule"),
    [
        ({"inner": {"name": "adam"}}, "optimizer.inner.name", "holds the rows that a step does not touch"),
        ({"inner": {"name": "signum"}}, "optimizer.inner.name", "holds the rows that a step does not touch"),
        ({"inner": {"name": "sign_sgd", "lr": 0.1}}, "optimizer.inner.lr", "lr stands beside inner"),
        ({"inner": {"name": "sign_sgd", "row_accumulate": 2}}, "optimizer.inner.row_accumulate", "stands beside inner"),
        ({"inner": {"name": "sign_sgd", "eps": 0.1}}, "optimizer.inner.eps", "sign_sgd has no epsilon"),
        ({"inner": {"name": "lazy"}}, "optimizer.inner.name", "this name is not known"),
        ({"inner": {"name": "schedule_free"}}, "optimizer.inner.name", "this name is not known"),
        ({"inner": {"name": "lazy_adam", "beta1": 1.0}}, "optimizer.inner.beta1", "less than 1"),
        ({"inner": {"name": "lazy_adam", "momentum": 0.9}}, "optimizer.inner.momentum", "this key is not known"),
        ({"momentum": 1.0}, "optimizer.momentum", "less than 1"),
        ({"ema": {"decay": 0.9}}, "optimizer.ema", "schedule_free evaluates an average of its own"),
    ],
)
def test_what_cannot_be_is_refused_where_it_stands(optimizer: dict[str, Any], argument: str, rule: str) -> None:
    with pytest.raises(InputError) as caught:
        config(**optimizer)
    assert caught.value.argument == argument
    assert rule in caught.value.rule
    assert caught.value.where == "x.yaml:3"


def test_signum_without_momentum_is_sign_sgd_and_may_be_averaged() -> None:
    found = config(inner={"name": "signum", "momentum": 0.0}).optimizer
    assert found.when_all_touched() == config().optimizer.when_all_touched()
    assert found.build([table(SHAPE, seed=1)]).param_groups[0]["optimizer"] == "ScheduleFree(SignSGD)"
    assert math.isclose(found.lr, 5e-3)
