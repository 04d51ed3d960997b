"""Getting every compiled loop ready before it is needed: compiled once on a machine, then taken from the cache."""

from __future__ import annotations

import contextlib
from functools import cache
from pathlib import Path

import torch
from llvmlite.binding import get_host_cpu_name

from spadam.kernels import cpu
from spadam.kernels.cpu.compiling import cache_folder
from spadam.kernels.cpu.denormals import flush_denormals
from spadam.kernels.topk_bounds import Rounded


@cache
def prepare(dtype: torch.dtype = torch.float32) -> None:
    """Call every loop once in a process, on a few numbers of one of :data:`~spadam.kernels.cpu.compiling.TYPES`."""
    x_BD, weight_LD, bias_L = torch.ones(2, 2, dtype=dtype), torch.ones(9, 2, dtype=dtype), torch.zeros(9, dtype=dtype)
    cpu.exhaust(x_BD, weight_LD, bias_L, 1)
    for small in (torch.float32, torch.bfloat16, torch.int8):
        rounded = Rounded.like(weight_LD, small)
        cpu.round_rows(weight_LD, None, rounded)
        cpu.row_checks(weight_LD, None)
        cpu.find_best(x_BD, weight_LD, bias_L, rounded, 1)
    latents_P, offsets_B, values_P = torch.tensor([3, 5]), torch.tensor([0, 1]), torch.ones(2, dtype=dtype)
    groups = cpu.group_by_row(latents_P, offsets_B, 64)
    sparse_LD = torch.ones(64, 2, dtype=dtype)
    cpu.decode(latents_P, values_P, offsets_B, sparse_LD)
    cpu.sampled_products(latents_P, offsets_B, x_BD, sparse_LD)
    grad_RD = cpu.row_gradient(groups, (values_P, sparse_LD))
    cpu.row_sum(values_P, groups)
    m_LD, v_LD = torch.zeros(64, 2, dtype=dtype), torch.zeros(64, 2, dtype=dtype)
    cpu.row_update(sparse_LD, m_LD, v_LD, groups.rows_R, grad_RD, beta1=0.9, beta2=0.9, step_size=0.1, eps=0.1)
    cpu.sign_update(sparse_LD, groups.rows_R, grad_RD, 0.1)
    flush_denormals()
    with contextlib.suppress(OSError):  # then the next process says once more that it compiles
        _mark(dtype).touch()


def is_prepared(dtype: torch.dtype = torch.float32) -> bool:
    """Whether loops of this type were compiled on such a processor before, and are in the cache."""
    return _mark(dtype).exists()


def _mark(dtype: torch.dtype) -> Path:
    return Path(cache_folder()) / f"{str(dtype).removeprefix('torch.')}-{get_host_cpu_name()}"
