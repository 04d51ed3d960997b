"""Compile every loop for every type before the tests begin, so that their processes do not each compile it."""

import torch

from spadam.kernels.cpu.compiling import TYPES
from spadam.kernels.cpu.warmup import prepare

if __name__ == "__main__":
    torch.set_num_threads(1)
    for dtype in TYPES:
        prepare(dtype)
