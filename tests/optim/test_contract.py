"""What every optimizer of the registry promises; a newcomer is tested without a line here."""

from __future__ import annotations

import copy
import doctest
import importlib
import io
import pkgutil

import pytest
import torch
from torch import nn

import spadam.optim
from spadam.optim import OPTIMIZERS, BaseOptimizerSpec, RowOptimizer
from spadam.optim.inspection import view
from spadam.spec import Document, InputError, Spec, validate
from support.members import NAMES, every_member, example, spec_form
from support.row_streams import Entries, give, run, stream, table

SHAPE = (10, 4)


class Holder(Spec):
    optimizer: spadam.optim.OptimizerSpec


def check(**optimizer) -> BaseOptimizerSpec:
    return validate(Holder, Document({"optimizer": optimizer}, {("optimizer",): 3}, "x.yaml")).optimizer


def test_the_registry_has_each_name_and_class_once() -> None:
    torch_names = {"adam", "adamw", "sgd", "rmsprop", "adagrad", "custom"}
    row_names = {"tf_sparse_adam", "masked_adam", "lazy_adam", "row_clock_adam", "selective_adam", "rowwise_adam"}
    others = {"active_adam", "rowwise_adagrad", "sign_sgd", "signum", "schedule_free"}
    assert sorted(NAMES) == sorted({*torch_names, *row_names, *others})
    built = [type(example(s).build([nn.Parameter(torch.ones(1))])) for s in OPTIMIZERS]
    assert len(set(built)) == len(built)
    exported = {
        getattr(spadam.optim, name)
        for name in spadam.optim.__all__
        if isinstance(getattr(spadam.optim, name), type) and issubclass(getattr(spadam.optim, name), RowOptimizer)
    }
    assert exported - {RowOptimizer} == {kind for kind in built if issubclass(kind, RowOptimizer)}


@every_member
def test_builds_from_its_name_and_declares_itself(spec) -> None:
    member = example(spec)
    named = check(**{k: v for k, v in member.model_dump().items() if k in ("name", "path", "gradient")})
    assert named == member
    assert spec.summary().endswith(".")
    assert len(spec.summary()) < 120
    assert member.gradient in ("coo", "dense")
    assert 0 < spec.lr_center < 1e3
    assert member.schedule.name == "constant"
    assert (spec.epsilon_enters == "none") == ("eps" not in spec.model_fields)


@every_member
def test_numbers_out_of_range_are_refused(spec) -> None:
    given = example(spec).model_dump(include={"name", "path", "gradient"})
    wrong = [("lr", 0.0), ("lr", -1.0), ("eps", -1e-8), ("betas", [0.9, 1.0]), ("betas", [0.9]), ("lr", "fast")]
    wrong += [("momentum", 1.0), ("row_accumulate", 0), ("alpha", 1.0), ("weight_decay", -1.0), ("epsilon", "inside")]
    for key, value in wrong:
        if key in spec.model_fields:
            with pytest.raises(InputError, match=f"optimizer.{key}"):
                check(**given, **{key: value})
    with pytest.raises(InputError, match="this key is not known"):
        check(**given, learning_rate=1.0)


@every_member
def test_an_eps_is_taken_or_refused_kindly(spec) -> None:
    given = example(spec).model_dump(include={"name", "path", "gradient"})
    if "eps" in spec.model_fields:
        optimizer = check(**given, eps=0.125).build([nn.Parameter(torch.ones(1))])
        assert optimizer.param_groups[0]["eps"] == 0.125
        return
    with pytest.raises(InputError) as caught:
        check(**given, eps=0.125)
    assert caught.value.argument == "optimizer.eps"
    assert caught.value.value == 0.125
    assert caught.value.rule == f"{given['name']} has no epsilon"
    assert "remove optimizer.eps" in caught.value.remedy
    assert caught.value.where == "x.yaml:3"


@every_member
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_steps_are_deterministic_and_go_downhill(spec, dtype) -> None:
    paths = []
    for _ in range(2):
        param = table(SHAPE, seed=1, dtype=dtype)
        paths.append(run(example(spec).build([param]), param, stream(SHAPE, 20, seed=2, dtype=dtype), spec_form(spec)))
        assert param.dtype is dtype
    assert torch.equal(*paths)
    assert paths[0].isfinite().all()
    param = nn.Parameter(torch.full((2, 2), 3.0, dtype=dtype))
    give(param, Entries(torch.tensor([0, 1]), torch.ones(2, 2, dtype=dtype)), spec_form(spec))
    example(spec).build([param]).step()
    assert (param < 3).all()


@every_member
def test_state_dict_goes_on_to_the_last_bit(spec) -> None:
    first, form = table(SHAPE, seed=3, dtype=torch.float32), spec_form(spec)
    optimizer = example(spec).build([first])
    run(optimizer, first, stream(SHAPE, 9, seed=4, dtype=torch.float32), form)
    buffer = io.BytesIO()
    torch.save(optimizer.state_dict(), buffer)
    buffer.seek(0)
    second = nn.Parameter(first.detach().clone())
    fresh = example(spec, lr=0.5).build([second])  # the saved lr replaces it
    fresh.load_state_dict(torch.load(buffer, weights_only=True))
    rest = stream(SHAPE, 9, seed=5, dtype=torch.float32)
    assert torch.equal(run(optimizer, first, rest, form), run(fresh, second, rest, form))


@every_member
def test_a_deep_copy_goes_on_to_the_last_bit(spec) -> None:
    param, form = table(SHAPE, seed=3, dtype=torch.float32), spec_form(spec)
    optimizer = example(spec).build([param])
    run(optimizer, param, stream(SHAPE, 9, seed=4, dtype=torch.float32), form)
    twin, copied = copy.deepcopy((optimizer, param))
    rest = stream(SHAPE, 9, seed=5, dtype=torch.float32)
    assert torch.equal(run(optimizer, param, rest, form), run(twin, copied, rest, form))


@every_member
def test_a_closure_is_called_with_gradients_and_its_loss_returned(spec) -> None:
    param, entries = table(SHAPE, seed=6), stream(SHAPE, 1, seed=7)[0]
    optimizer = example(spec).build([param])
    before = param.detach().clone()

    def closure() -> torch.Tensor:
        assert torch.is_grad_enabled()
        give(param, entries, spec_form(spec))
        return torch.tensor(4.5)

    assert float(optimizer.step(closure)) == 4.5
    assert not torch.equal(before, param)
    assert optimizer.step() is None


@every_member
def test_a_scheduler_changes_the_next_step(spec) -> None:
    moves = {}
    for factor in (1.0, 0.5):
        param = table(SHAPE, seed=8)
        optimizer = example(spec).build([param])
        scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step, f=factor: f if step else 1.0)
        first, second = stream(SHAPE, 2, seed=9)
        run(optimizer, param, [first], spec_form(spec))
        scheduler.step()
        before = param.detach().clone()
        run(optimizer, param, [second], spec_form(spec))
        moves[factor] = param.detach() - before
    # differences of weights of size 1, rounded at 1e-16; the smallest lr is 1e-4
    torch.testing.assert_close(moves[0.5], moves[1.0] / 2, rtol=1e-9, atol=1e-14)


@every_member
def test_without_a_gradient_nothing_happens(spec) -> None:
    param, other = table(SHAPE, seed=10), table(SHAPE, seed=11)
    optimizer = example(spec).build([param, other])
    run(optimizer, other, stream(SHAPE, 3, seed=12), spec_form(spec))
    assert torch.equal(param, table(SHAPE, seed=10))
    assert optimizer.state.get(param, {}).get("step", 0) == 0
    assert view(optimizer).touched(param).tolist() == []


@every_member
def test_untouched_rows_hold_or_move_as_declared(spec) -> None:
    param, form = table(SHAPE, seed=13, dtype=torch.float32), spec_form(spec)
    optimizer = example(spec).build([param])
    warm_up = Entries(torch.arange(10).repeat(2), torch.randn(20, 4, generator=torch.Generator().manual_seed(14)))
    run(optimizer, param, [warm_up], form)
    before = param.detach().clone()
    run(optimizer, param, [Entries(torch.tensor([2, 7]), torch.ones(2, 4))] * 3, form)
    held = (param == before).all(1)
    assert not held[[2, 7]].any()
    others = [r for r in range(10) if r not in (2, 7)]
    assert not held[others].any() if spec.moves_untouched else held[others].all()


@every_member
def test_the_view_tells_touched_rows_and_denominators(spec) -> None:
    param, form = table(SHAPE, seed=15), spec_form(spec)
    optimizer = example(spec).build([param])
    seen = view(optimizer)
    rows = torch.tensor([1, 4, 8])
    if spec.epsilon_enters != "none":
        with pytest.raises(InputError, match="no step yet"):
            seen.denominator(param, rows)
    for entries in stream(SHAPE, 5, seed=16):
        give(param, entries, form)
        optimizer.step()
        assert seen.touched(param).tolist() == entries.rows.unique().tolist()
        denominator = seen.denominator(param, rows)
        if spec.epsilon_enters == "none":
            assert denominator is None
            continue
        eps = optimizer.param_groups[0]["eps"]
        assert denominator.shape == (3, 4)
        assert (denominator >= eps).all()
    assert seen.touched(param).dtype is torch.int64


@every_member
def test_the_documentation_says_where_epsilon_enters(spec) -> None:
    kind = type(example(spec).build([nn.Parameter(torch.ones(1))]))
    if not issubclass(kind, RowOptimizer):
        assert spec.epsilon_enters
        return
    text = kind.__doc__
    assert "psilon" in text
    assert r".. math::" in text
    assert "*not*" in text
    assert "Reference:" in text
    assert ("There is no epsilon" in text) == (spec.epsilon_enters == "none")


@pytest.mark.parametrize("module", [m.name for m in pkgutil.iter_modules(spadam.optim.__path__)])
def test_examples_in_the_documentation_are_true(module) -> None:
    result = doctest.testmod(importlib.import_module(f"spadam.optim.{module}"))
    assert result.failed == 0
