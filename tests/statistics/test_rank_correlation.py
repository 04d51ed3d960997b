"""Spearman's rho against scipy's."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import spearmanr

from spadam.statistics.rank_correlation import rank_correlation

pairs = st.lists(st.tuples(st.integers(-4, 4), st.integers(-4, 4)), min_size=2, max_size=30)


@given(pairs)
def test_it_is_scipys(found: list[tuple[float, float]]) -> None:
    first, second = zip(*found, strict=True)
    if len(set(first)) == 1 or len(set(second)) == 1:
        assert rank_correlation(found) == 0.0
    else:
        assert rank_correlation(found) == pytest.approx(spearmanr(first, second).statistic, abs=1e-12)
