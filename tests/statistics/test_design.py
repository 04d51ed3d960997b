"""The analysis of a design: against least squares with dummies, a naive sum, and a surface of known shares."""

import itertools
import math
from typing import Any

import numpy as np
import pytest
import scipy.stats

from spadam.statistics.design import RESIDUAL, SEED, Design, Observation, Term, anova, design, seed_deviation

LR, EPS, RULE = "optimizer.lr", "optimizer.eps", "rule"


def observed(logs: Any, axes: dict[str, list[Any]]) -> list[Observation]:
    """``logs`` has the levels of every axis, then the seeds."""
    found = []
    for where in itertools.product(*(range(size) for size in logs.shape)):
        at = {axis: levels[n] for (axis, levels), n in zip(axes.items(), where, strict=False)}
        found.append(Observation(at, where[-1], math.exp(logs[where])))
    return found


def drawn(shape: tuple[int, ...], seed: int = 0) -> Design:
    rng = np.random.default_rng(seed)
    axes = dict(zip((LR, EPS, RULE), ([-4.0, -3.0, -2.0, -1.0], [-8.0, -6.0, -4.0], ["a", "b"]), strict=True))
    axes = {axis: levels[:size] for (axis, levels), size in zip(axes.items(), shape[:-1], strict=False)}
    return design(observed(rng.normal(size=shape), axes))


def by_name(terms: list[Term]) -> dict[str, Term]:
    return {term.name: term for term in terms}


def contrast(size: int, power: int) -> Any:
    """Of unit length, with the mean 0, orthogonal to those of other powers."""
    basis = np.linalg.qr(np.vander(np.linspace(-1, 1, size), increasing=True))[0]
    return basis[:, power]


def test_a_surface_of_known_shares_has_them() -> None:
    lr, eps, seed = 0.51, 0.48, 0.002
    one = np.ones((5, 4, 3)) / math.sqrt(60)
    flat5, flat4, flat3 = (np.ones(n) / math.sqrt(n) for n in (5, 4, 3))
    y = 7 * one
    y = y + math.sqrt(lr) * np.einsum("i,j,k", 0.6 * contrast(5, 1) + 0.8 * contrast(5, 2), flat4, flat3)
    y = y + math.sqrt(eps) * np.einsum("i,j,k", flat5, contrast(4, 3), flat3)
    y = y + math.sqrt(0.005) * np.einsum("i,j,k", contrast(5, 1), contrast(4, 2), flat3)
    y = y + math.sqrt(seed) * np.einsum("i,j,k", flat5, flat4, contrast(3, 1))
    y = y + math.sqrt(0.003) * np.einsum("i,j,k", contrast(5, 4), contrast(4, 1), contrast(3, 2))
    found = by_name(anova(design(observed(y, {LR: [-5.0, -4.0, -3.0, -2.0, -1.0], EPS: [-10.0, -8.0, -6.0, -4.0]}))))
    shares = {name: term.share for name, term in found.items()}
    assert shares == pytest.approx({LR: lr, EPS: eps, f"{LR} x {EPS}": 0.005, SEED: seed, RESIDUAL: 0.003})
    assert [found[name].freedom for name in (LR, EPS, f"{LR} x {EPS}", SEED, RESIDUAL)] == [4, 3, 12, 2, 38]


@pytest.mark.parametrize("shape", [(4, 3), (4, 3, 3), (3, 2, 2, 2), (4, 1, 3)])
def test_terms_are_what_least_squares_lose_without_them(shape: tuple[int, ...]) -> None:
    found = drawn(shape)
    y, many = found.logs.ravel(), len(shape) - 1
    index = np.indices(shape).reshape(len(shape), -1)

    def dummies(axes: tuple[int, ...]) -> Any:
        columns = np.ones((y.size, 1))
        for axis in axes:
            own = np.equal.outer(index[axis], np.arange(1, shape[axis])).astype(float)
            own -= np.equal(index[axis], 0)[:, None]  # effects add up to 0, so that terms are orthogonal
            columns = (columns[:, :, None] * own[:, None, :]).reshape(y.size, -1)
        return columns

    sets = [each for n in range(1, many + 1) for each in itertools.combinations(range(many), n)]
    parts = {" x ".join(found.axes[a] for a in each): dummies(each) for each in sets} | {SEED: dummies((many,))}
    parts = {name: columns for name, columns in parts.items() if columns.shape[1]}

    def left(names: list[str]) -> float:
        columns = np.hstack([np.ones((y.size, 1)), *(parts[name] for name in names)])
        return float(((y - columns @ np.linalg.lstsq(columns, y, rcond=None)[0]) ** 2).sum())

    terms = by_name(anova(found))
    assert list(terms) == [*parts, RESIDUAL]
    rest, freedom = left(list(parts)), y.size - 1 - sum(columns.shape[1] for columns in parts.values())
    assert terms[RESIDUAL][1:5] == (pytest.approx(rest), freedom, pytest.approx(rest / y.var() / y.size), None)
    for name, columns in parts.items():
        squares = left([other for other in parts if other != name]) - rest
        f = squares / columns.shape[1] / (rest / freedom)
        p = scipy.stats.f.sf(f, columns.shape[1], freedom)
        assert terms[name] == (name, *map(pytest.approx, (squares, columns.shape[1], squares / y.var() / y.size, f, p)))


def test_two_seeds_are_a_paired_t_test() -> None:
    found = drawn((2, 6))
    term = by_name(anova(found))[LR]
    t = scipy.stats.ttest_rel(*found.logs)
    assert (term.f, term.p) == pytest.approx((t.statistic**2, t.pvalue))


def test_the_deviation_is_that_of_the_residual_without_points_that_diverged() -> None:
    found = drawn((4, 3, 3))
    assert seed_deviation(found) == pytest.approx(math.sqrt(by_name(anova(found))[RESIDUAL].squares / (11 * 2)))
    diverged = found.diverged.copy()
    diverged[0, :, 1] = True
    kept = found._replace(values=found.values[1:], diverged=diverged[1:], levels=(found.levels[0][1:], found.levels[1]))
    assert seed_deviation(found._replace(diverged=diverged)) == pytest.approx(seed_deviation(kept))
    assert seed_deviation(found._replace(diverged=np.ones_like(diverged))) is None


def test_the_deviation_is_that_which_trainings_were_drawn_with() -> None:
    rng = np.random.default_rng(1)
    logs = rng.normal(0, 0.03, (40, 25)) + rng.normal(0, 2, (40, 1)) + rng.normal(0, 1, (1, 25))
    assert seed_deviation(design(observed(logs, {LR: [float(n) for n in range(40)]}))) == pytest.approx(0.03, rel=0.1)


def test_where_nothing_varies_there_are_no_shares_and_without_noise_no_f() -> None:
    axes: dict[str, list[Any]] = {LR: [-3.0, -2.0, -1.0]}
    assert {(term.share, term.f) for term in anova(design(observed(np.zeros((3, 2)), axes)))} == {(None, None)}
    exact = by_name(anova(design(observed(np.array([[0.1, 0.1], [0.7, 0.7], [0.3, 0.3]]), axes))))
    assert exact[LR].share == pytest.approx(1.0)
    assert (exact[LR].f, exact[LR].p) == (None, None)


def test_the_best_is_where_the_mean_over_seeds_is_lowest() -> None:
    logs = np.array([[[0.0, 9.0], [1.0, 1.0]], [[2.0, 3.0], [0.9, 1.0]]])
    found = design(observed(logs, {LR: [-3.0, -2.0], EPS: [-8.0, -6.0]}))
    assert found.best == (1, 1)


def test_what_is_no_full_grid_is_refused() -> None:
    whole = observed(np.zeros((2, 2)), {LR: [-3.0, -2.0]})
    for wrong in ([], whole[:-1], [*whole, whole[0]], [*whole[:-1], whole[0]]):
        with pytest.raises(ValueError, match="observation"):
            design(wrong)
    for value in (0.0, -1.0, math.inf, math.nan):
        with pytest.raises(ValueError, match="above 0"):
            design([*whole[:-1], whole[-1]._replace(value=value)])
    with pytest.raises(ValueError, match="two seeds"):
        anova(design(observed(np.zeros((3, 1)), {LR: [-3.0, -2.0, -1.0]})))


def test_the_order_of_observations_changes_nothing() -> None:
    found = observed(np.random.default_rng(2).normal(size=(4, 3)), {LR: [-4.0, -3.0, -2.0, -1.0]})
    assert anova(design(found)) == anova(design(found[::-1]))
