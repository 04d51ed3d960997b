"""The number of cores: what the system gives a process, less what its container keeps back."""

import os
import sys
from pathlib import Path

import pytest

from spadam import machine
from spadam.machine import cores, quota

CGROUP = "sys/fs/cgroup"


def system(root: Path, group: str, **files: str) -> Path:
    """A file tree like a Linux system's, of a process whose control groups are ``group``."""
    for name, text in {"proc/self/cgroup": group, **{f"{CGROUP}/{name}": text for name, text in files.items()}}.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    return root


def v1(quota: int, folder: str, period: int = 100000) -> dict[str, str]:
    return {f"{folder}/cpu.cfs_quota_us": f"{quota}\n", f"{folder}/cpu.cfs_period_us": f"{period}\n"}


@pytest.mark.parametrize(
    ("group", "files", "allowed"),
    [
        ("0::/\n", {"cpu.max": "50000 100000\n"}, 0.5),
        ("0::/\n", {"cpu.max": "max 100000\n"}, None),
        ("0::/a/b\n", {"a/b/cpu.max": "max 100000\n", "a/cpu.max": "300000 100000\n"}, 3.0),
        ("0::/a/b\n", {"a/b/cpu.max": "250000 100000\n", "a/cpu.max": "300000 100000\n"}, 2.5),
        ("0::/a/b\n", {"a/b/cpu.max": "400000 100000\n", "a/c/cpu.max": "100000 100000\n"}, 4.0),
        ("0::/outside/the/container\n", {"cpu.max": "150000 100000\n"}, 1.5),
        ("0::/../seen/from/beside\n", {"cpu.max": "150000 100000\n"}, 1.5),
        ("4:memory:/\n3:cpu,cpuacct:/a\n", v1(600000, "cpu,cpuacct/a") | v1(400000, "cpu,cpuacct"), 4.0),
        ("3:cpu:/docker/123\n0::/\n", v1(150000, "cpu", 50000), 3.0),
        ("3:cpu:/\n2:cpuacct:/\n0::/\n", v1(-1, "cpu"), None),
        ("2:cpuset:/\n", v1(100000, "cpuset"), None),
        ("0::/\n", {}, None),
        ("0::/\n", {"cpu.max": "1 0\n"}, None),
        ("0::/\n", {"cpu.max": "\n"}, None),
    ],
)
def test_the_least_quota_of_a_group_and_those_it_lies_in(
    group: str, files: dict[str, str], allowed: float | None, tmp_path: Path
) -> None:
    assert quota(system(tmp_path, group, **files)) == allowed


def test_a_system_without_groups_has_no_quota(tmp_path: Path) -> None:
    assert quota(tmp_path) is None


@pytest.mark.parametrize(
    ("runnable", "allowed", "number"),
    [(6, None, 6), (6, 2.9, 2), (6, 0.5, 1), (2, 16.0, 2), (1, None, 1)],
)
def test_cores_are_those_of_both_a_half_counts_for_none(
    runnable: int, allowed: float | None, number: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(machine, "runnable", lambda: runnable)
    monkeypatch.setattr(machine, "quota", lambda: allowed)
    assert cores() == number


def test_each_python_and_system_is_asked_as_it_can_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "quota", lambda: None)
    monkeypatch.setattr(sys, "version_info", (3, 12))
    monkeypatch.setattr(os, "cpu_count", lambda: 5)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {1, 2, 3}, raising=False)
    assert cores() == 3
    monkeypatch.delattr(os, "sched_getaffinity")
    assert cores() == 5
    monkeypatch.setattr(os, "cpu_count", lambda: None)
    assert cores() == 1
    monkeypatch.setattr(sys, "version_info", (3, 13))
    monkeypatch.setattr(os, "process_cpu_count", lambda: 4, raising=False)
    assert cores() == 4
