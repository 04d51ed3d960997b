"""With compose.gpu.yaml a worker is granted its GPU; where there is none, as far as the engine's part of it goes."""

import time
from pathlib import Path

import pytest

from support.docker.ride import Ridden, ask_nodes
from support.docker.stack import Stack

FILES = ("compose.yaml", "compose.gpu.yaml")


def test_the_worker_has_the_device_that_is_named(ridden: Ridden, stack: Stack) -> None:
    stack.more |= {"WORKER_GPUS": "1", "GPUS": "0"}
    try:
        stack.compose("up", "--detach", "--no-deps", "--scale", "worker=1", "worker", files=FILES)
    except AssertionError as error:
        if "could not select device driver" in str(error):
            pytest.skip("this engine knows no GPUs")
        raise
    (worker,) = stack.containers("worker")
    (request,) = worker["HostConfig"]["DeviceRequests"]
    assert (request["Driver"], request["DeviceIDs"], request["Capabilities"]) == ("nvidia", ["0"], [["gpu"]])
    environment = Path(f"/proc/{worker['State']['Pid']}/environ").read_bytes().split(b"\0")
    assert b"NVIDIA_VISIBLE_DEVICES=0" in environment
    end = time.monotonic() + 120
    while True:
        nodes = ask_nodes(stack)
        if sum(node.get("GPU", 0) for node in nodes) == 1:
            break
        assert time.monotonic() < end, nodes
        time.sleep(1)
