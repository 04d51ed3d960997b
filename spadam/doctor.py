"""Whether this machine can do what will be asked of it.

A *check* looks at one thing and says what it found; whatever is heavy it imports itself, so that a library that cannot
be imported is a finding too. Nothing is downloaded, changed, or left behind.
"""

from __future__ import annotations

import os
import platform
import re
import shutil
import tempfile
import threading
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path
from typing import Any, Literal, NamedTuple
from urllib.parse import unquote

from spadam import machine
from spadam.files import check_folder
from spadam.spec import InputError
from spadam.sweep.store.environment import given_or_set

_GB = 1e9


class Asked(NamedTuple):
    """What the checks are about."""

    out: Path
    """Where results would go."""
    data_root: Path | None = None
    """Where data sets may lie, beside the usual places."""
    storage: str | None = None
    """The address of a sweep's storage; None is that in the environment, if there is one."""


class Finding(NamedTuple):
    """What a check found. A `note` is good to know; a `problem` has a remedy."""

    state: Literal["ok", "note", "problem"]
    found: str
    remedy: str = ""


def examine(asked: Asked, progress: Callable[[str], None] = lambda _: None) -> dict[str, Finding]:
    """What every check found, by its name; ``progress`` is told which one begins.

    A check that breaks, or does not end within its time, has found a problem.
    """
    findings = {}
    for name, (check, seconds) in _checks(asked).items():
        progress(name)
        findings[name] = _bounded(check, asked, seconds)
    return findings


def _checks(asked: Asked) -> dict[str, tuple[Callable[[Asked], Finding], float]]:
    """Every check by its name, and how many seconds it may take. Libraries may have to come from a slow disk."""
    checks: dict[str, tuple[Callable[[Asked], Finding], float]] = {
        "python": (_check_python, 5),
        "packages": (_check_packages, 5),
        "cores": (_check_cores, 5),
        "memory": (_check_memory, 5),
        "device": (_check_device, 60),
        "kernels": (_check_kernels, 60),
        "mnist": (lambda asked: _check_data("mnist", asked), 60),
        "fashion_mnist": (lambda asked: _check_data("fashion_mnist", asked), 60),
        "W&B": (_check_wandb, 30),
        "results": (_check_out, 5),
    }
    return checks | ({"storage": (_check_storage, 10)} if given_or_set(asked.storage) else {})


def _bounded(check: Callable[[Asked], Finding], asked: Asked, seconds: float) -> Finding:
    remedy = "if nothing above explains it, report it with this table"
    found: list[Finding] = []

    def run() -> None:
        try:
            found.append(check(asked))
        except InputError as error:
            found.append(Finding("problem", f"{error.headline}: {error.rule}", error.remedy))
        except BaseException as error:
            text = _without_password(f"the check broke: {type(error).__name__}: {error}", given_or_set(asked.storage))
            found.append(Finding("problem", text.partition("\n")[0], remedy))

    thread = threading.Thread(target=run, daemon=True)  # what waits for a dead server cannot be stopped, only left
    thread.start()
    thread.join(seconds)
    return found[0] if found else Finding("problem", f"there was no answer within {seconds:g} seconds", remedy)


def _check_python(asked: Asked) -> Finding:
    return Finding("ok", f"{platform.python_version()} on {platform.system()} {platform.machine()}")


def _check_packages(asked: Asked) -> Finding:
    from packaging.requirements import Requirement

    found, wrong = [f"spadam {version('spadam')}"], []
    for text in requires("spadam") or []:
        requirement = Requirement(text)
        if requirement.marker is not None and not requirement.marker.evaluate({"extra": ""}):
            continue
        try:
            installed = version(requirement.name)
        except PackageNotFoundError:
            installed = "is missing"
        found.append(f"{requirement.name} {installed}")
        if installed == "is missing" or not requirement.specifier.contains(installed, prereleases=True):
            wrong.append(f'"{requirement.name}{requirement.specifier}"')
    if wrong:
        return Finding("problem", ", ".join(found), f"pip install {' '.join(wrong)}")
    return Finding("ok", ", ".join(found))


def _check_cores(asked: Asked) -> Finding:
    usable, allowed = machine.runnable(), machine.quota()
    text = f"{usable} usable of {os.cpu_count()}; a training takes `trainer.threads` of them, 1 unless set"
    if allowed is not None and allowed < usable:
        return Finding("note", f"{text}; but only {allowed:g} cores' time is allowed here: more workers would wait")
    return Finding("ok", text)


def _check_memory(asked: Asked) -> Finding:
    meminfo = {key: int(number) * 1024 for key, number in re.findall(r"(\w+): +(\d+) kB", _read("/proc/meminfo"))}
    if not {"MemTotal", "MemAvailable"} <= meminfo.keys():
        return Finding("note", "not known on this system")
    total, free = meminfo["MemTotal"], meminfo["MemAvailable"]
    limit, used = _read("/sys/fs/cgroup/memory.max").strip(), _read("/sys/fs/cgroup/memory.current").strip()
    if limit.isdecimal() and used.isdecimal():
        total, free = min(total, int(limit)), min(free, int(limit) - int(used))
    text = f"{free / _GB:.1f} of {total / _GB:.1f} GB free"
    if free < 1.5 * _GB:
        remedy = "a training on 28 x 28 images takes about 1.2 GB: end something, or take fewer workers"
        return Finding("note", text, remedy)
    return Finding("ok", text)


def _check_device(asked: Asked) -> Finding:
    import torch

    if not torch.cuda.is_available():
        built = "" if torch.version.cuda else ", and this torch is built without CUDA"
        return Finding("note", f"no GPU{built}: everything runs on the CPU")
    cards = [torch.cuda.get_device_properties(n) for n in range(torch.cuda.device_count())]
    return Finding("ok", ", ".join(f"{card.name} ({card.total_memory / _GB:.0f} GB)" for card in cards))


def _check_kernels(asked: Asked) -> Finding:
    import torch

    from spadam import kernels
    from spadam.encoding.speed import fast_type

    if torch.cuda.is_available():
        return Finding("ok", "torch operations on the GPU")
    kernels.prepare(torch.device("cpu"))
    small = str(fast_type()).removeprefix("torch.")
    codes = "chosen in float32: no smaller type is faster" if fast_type() is None else f"proven by products in {small}"
    return Finding("ok", f"compiled loops, kept in {kernels.cache_folder()}; codes are {codes}")


def _check_data(name: str, asked: Asked) -> Finding:
    """Whether the four files of a data set lie somewhere; they are not read."""
    from spadam.data import DATASETS
    from spadam.data.mnist import DEBIAN, IdxSet, find_files

    member: Any = next(m for m in DATASETS if issubclass(m, IdxSet) and m.model_fields["name"].default == name)
    places = [folder for folder in (asked.data_root, Path(member.model_fields["root"].default)) if folder is not None]
    if name == "fashion_mnist":
        places.append(Path(DEBIAN))
    for folder in places:
        for inside in (folder, folder / member.collection / "raw"):
            files, missing = find_files(inside)
            if not missing:
                return Finding("ok", f"in {inside}; `data.root: {folder}` takes it")
            if files and inside == folder:
                return Finding("problem", f"{folder} lacks {', '.join(missing)}", member.remedy)
    where = ", ".join(map(str, places))
    return Finding("note", f"not in {where}; a training that wants it has torchvision download it", member.remedy)


def _check_wandb(asked: Asked) -> Finding:
    from spadam.tracking import reach

    found = reach()
    if found.reason:
        sync = f"WANDB_BASE_URL={found.address} spadam sync DIR"
        remedy = f"runs are kept offline, as `tracking.mode: offline` does; `{sync}` uploads them later"
        return Finding("note", f"{found.address} {found.reason}", remedy)
    return Finding("ok", f"{found.address} answers, and a key is known")


def _check_storage(asked: Asked) -> Finding:
    from spadam.sweep.store.connection import holds_studies, open_address

    if not holds_studies(asked.storage):
        return Finding("ok", "answers; it holds no sweep yet")
    with open_address(asked.storage) as storage:
        names = [study.study_name for study in storage.get_all_studies() if "/" not in study.study_name]
    return Finding("ok", f"answers; it holds {', '.join(names) if names else 'no sweep yet'}")


def _check_out(asked: Asked) -> Finding:
    """Whether a file can be written where results would go; it has no name, so nothing can stay."""
    out = asked.out.absolute()
    remedy = "choose another --out, or change who may write there"
    check_folder(out)
    there = next(folder for folder in (out, *out.parents) if folder.exists())
    if not there.is_dir():
        return Finding("problem", f"{there} is no folder", remedy)
    try:
        with tempfile.TemporaryFile(dir=there):
            pass
    except OSError as error:
        return Finding("problem", f"{there} cannot be written to ({error.strerror})", remedy)
    free = shutil.disk_usage(there).free
    text = f"{out} can be {'written to' if there == out else 'made'}; {free / _GB:.1f} GB free"
    if free < _GB:
        return Finding("problem" if free < _GB / 10 else "note", text, "make room, or choose another --out")
    return Finding("ok", text)


def _without_password(text: str, address: str | None) -> str:
    """``text`` with the password of ``address`` hidden, as it is written and as it is meant."""
    found = re.search(r"://[^/@]*?:([^/]*)@", address or "")
    for secret in {found[1], unquote(found[1])} - {""} if found else ():
        text = text.replace(secret, "***")
    return text


def _read(path: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8")
    except OSError:
        return ""
