"""What is prepared is what a training needs, and every thread treats denormals as the one that trains."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from spadam import kernels
from spadam.kernels import cpu, flushes_denormals, follow_denormals

SCRIPT = """
import sys
import torch
from numba.core.dispatcher import Dispatcher
from spadam import kernels
from spadam.models.spec import AutoencoderSpec
from spadam.optim import LazyAdam, ScheduleFree, SignSGD

kernels.prepare(torch.device("cpu"))

def signatures():
    modules = [module for name, module in sys.modules.items() if name.startswith("spadam.kernels.")]
    loops = [value for module in modules for value in vars(module).values() if isinstance(value, Dispatcher)]
    return {loop.py_func.__qualname__: list(loop.signatures) for loop in loops}

before = signatures()
assert before["search_block"] and before["update"] and before["sign"]
for selection, build in (("float32", LazyAdam), ("certified", LazyAdam), ("auto", SignSGD), ("auto", ScheduleFree)):
    model = AutoencoderSpec(latents=300, selection=selection).build(20, torch.Generator().manual_seed(0))
    optimizer = build(model.parameters())
    for _ in range(2):
        x = torch.rand(50, 20)
        (model(x).reconstruction_BD - x).square().mean().backward()
        optimizer.step()
        optimizer.zero_grad()
after = signatures()
print([name for name in after if after[name] != before.get(name)])
"""


@pytest.mark.slow
def test_a_training_compiles_nothing_more() -> None:
    done = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


@pytest.mark.slow
@pytest.mark.parametrize("threads", [1, 2])
def test_torchs_number_of_threads_stays(threads: int) -> None:
    script = f"import torch\nfrom spadam import kernels\ntorch.set_num_threads({threads})\n"
    script += "kernels.prepare(torch.device('cpu'))\nprint(torch.get_num_threads())"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.split() == [str(threads)]


@pytest.mark.parametrize("flushed", [True, False])
def test_every_thread_follows(flushed: bool) -> None:
    threads = torch.get_num_threads()
    flushed_before = flushes_denormals()
    try:
        torch.set_num_threads(2)
        decaying = torch.full((2000, 8), 2.0**-130)
        cpu.row_update(  # threads are made, with the setting of this moment
            decaying, decaying.clone(), decaying.clone(), None, decaying, beta1=0.5, beta2=0.5, step_size=0.1, eps=1.0
        )
        torch.set_flush_denormal(flushed)
        follow_denormals()
        m, v = torch.full((2000, 8), 2.0**-130), torch.ones(2000, 8)
        cpu.row_update(v.clone(), m, v, None, torch.zeros(2000, 8), beta1=0.5, beta2=0.9, step_size=0.1, eps=1.0)
        assert (m.view(torch.int32) == 0).all() == flushed
    finally:
        torch.set_flush_denormal(flushed_before)
        follow_denormals()
        torch.set_num_threads(threads)


@pytest.mark.slow
def test_once_compiled_it_is_known_to_be(tmp_path: Path) -> None:
    script = "import torch\nfrom spadam import kernels\ncpu = torch.device('cpu')\nprint(kernels.is_prepared(cpu))"
    empty = {**os.environ, "NUMBA_CACHE_DIR": str(tmp_path)}
    done = subprocess.run([sys.executable, "-c", script], env=empty, capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"
    kernels.prepare(torch.device("cpu"))
    assert kernels.is_prepared(torch.device("cpu"))
    with kernels.use("reference"):
        assert kernels.is_prepared(torch.device("cpu"))
