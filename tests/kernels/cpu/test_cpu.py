"""The compiled loops over pairs against their twin in torch operations."""

from typing import Any

import numba.core.config
import pytest
import torch
from torch import Tensor

from spadam.kernels import cpu, reference
from spadam.kernels.cpu import compiling

TOLERANCE = {torch.float32: 2e-4, torch.float64: 1e-12}
"""Sums of at most 784 products of numbers near 1, in another order."""


class Case:
    """Random pairs: ``share`` of all, or what the name says."""

    def __init__(self, name: str, samples: int, rows: int, features: int, dtype: torch.dtype) -> None:
        generator = torch.Generator().manual_seed(len(name) + rows)
        mask = torch.rand(samples, rows, generator=generator) < 0.05
        if name == "none":
            mask.zero_()
        elif name == "one row":
            mask = torch.arange(rows).expand(samples, rows) == rows // 2
        elif name == "empty samples":
            mask[::2] = False
        elif name == "most":
            mask = torch.rand(samples, rows, generator=generator) < 0.7
        self.latents = mask.nonzero()[:, 1].contiguous()
        counts = mask.sum(1)
        self.offsets = counts.cumsum(0) - counts
        self.rows = rows
        self.values, self.more = (torch.randn(len(self.latents), generator=generator, dtype=dtype) for _ in range(2))
        self.weight = torch.randn(rows, features, generator=generator, dtype=dtype)
        self.x, self.grad = (torch.randn(samples, features, generator=generator, dtype=dtype) for _ in range(2))

    def run(self, kernels: Any) -> dict[str, Tensor]:
        groups = kernels.group_by_row(self.latents, self.offsets, self.rows)
        gradient, first, second = kernels.row_gradient, (self.values, self.x), (self.more, self.grad)
        return {
            **{f"groups {name}": value for name, value in groups._asdict().items()},
            "decode": kernels.decode(self.latents, self.values, self.offsets, self.weight),
            "products": kernels.sampled_products(self.latents, self.offsets, self.x, self.weight),
            "gradient": gradient(groups, first),
            "two gradients": gradient(groups, first, second),
            "sum": kernels.row_sum(self.values, groups),
        }


NAMES = ["random", "none", "one row", "empty samples", "most"]
SIZES = [(1, 1, 1), (6, 11, 5), (33, 200, 64), (128, 300, 784)]


@pytest.mark.parametrize("dtype", TOLERANCE)
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("name", NAMES)
def test_compiled_loops_equal_the_reference(name: str, size: tuple[int, int, int], dtype: torch.dtype) -> None:
    case = Case(name, *size, dtype)
    got, want = case.run(cpu), case.run(reference)
    for key, value in want.items():
        assert got[key].dtype == value.dtype
        torch.testing.assert_close(got[key], value, rtol=0, atol=TOLERANCE[dtype], msg=lambda text, key=key: key + text)


@pytest.mark.parametrize("name", NAMES[:4])
def test_bits_do_not_depend_on_the_threads(name: str) -> None:
    case = Case(name, 33, 200, 64, torch.float32)
    before = torch.get_num_threads()
    try:
        found = []
        for threads in (1, 2):
            torch.set_num_threads(threads)
            found.append(case.run(cpu))
    finally:
        torch.set_num_threads(before)
    assert all(torch.equal(found[0][key], found[1][key]) for key in found[0])


def test_nan_and_infinity_are_passed_on() -> None:
    case = Case("random", 33, 200, 64, torch.float32)
    case.values[0], case.x[1, 2], case.weight[3, 4] = torch.nan, torch.inf, -torch.inf
    got, want = case.run(cpu), case.run(reference)
    for key in ("decode", "products", "gradient", "sum"):
        assert torch.equal(got[key].isfinite(), want[key].isfinite()), key
        assert not got[key].isfinite().all()


def test_other_element_types_go_to_the_reference() -> None:
    case = Case("random", 6, 11, 5, torch.bfloat16)
    got, want = case.run(cpu), case.run(reference)
    assert all(torch.equal(got[key], want[key]) for key in want)


def test_a_transposed_matrix_is_taken_as_it_is_meant() -> None:
    case = Case("random", 33, 200, 64, torch.float64)
    case.weight, case.x = case.weight.T.contiguous().T, case.x.T.contiguous().T
    got, want = case.run(cpu), case.run(reference)
    for key, value in want.items():
        torch.testing.assert_close(got[key], value, rtol=0, atol=1e-12)


class TestCache:
    @pytest.fixture(autouse=True)
    def _forget(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> Any:
        monkeypatch.delenv("NUMBA_CACHE_DIR", raising=False)
        monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "user"))
        compiling.cache_folder.cache_clear()
        yield
        compiling.cache_folder.cache_clear()

    def test_is_the_users_unless_told_otherwise(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
        assert compiling.cache_folder() == str(tmp_path / "user" / "spadam" / "numba" / compiling._state())
        monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path / "named"))
        compiling.cache_folder.cache_clear()
        assert compiling.cache_folder() == str(tmp_path / "named" / compiling._state())

    def test_is_another_for_other_loops(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
        (tmp_path / "one.py").write_text("a")
        monkeypatch.setattr(compiling, "__file__", str(tmp_path / "compiling.py"))
        before = compiling._state()
        (tmp_path / "one.py").write_text("b")
        assert compiling._state() != before

    def test_is_a_temporary_folder_where_nothing_can_be_written(
        self, monkeypatch: pytest.MonkeyPatch, tmp_path: Any
    ) -> None:
        (tmp_path / "file").write_text("")
        monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path / "file"))
        monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file" / "below"))
        monkeypatch.setattr(compiling.tempfile, "tempdir", str(tmp_path))
        folder = compiling.cache_folder()
        assert folder.startswith(str(tmp_path / "spadam-numba-"))

    def test_a_loop_is_kept_there_and_nowhere_else(self, tmp_path: Any) -> None:
        def double(x: float) -> float:
            return 2 * x

        before = numba.core.config.CACHE_DIR
        assert compiling.compiled()(double)(1.5) == 3.0
        assert before == numba.core.config.CACHE_DIR
        assert list((tmp_path / "user" / "spadam" / "numba").rglob("*.nbc"))
