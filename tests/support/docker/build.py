"""How the tests build the image: by `make image`, with what this machine's pip knows."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from urllib.parse import unquote, urlsplit

from support.paths import ROOT

IMAGE = "spadam:test"
CANARY = "canary-of-the-index-21f7"
"""Stands in the pip.conf that the build is given: an index may want a password."""


def build(folder: Path) -> str:
    """The name of the image, built from the tree as it is."""
    configured = _configured()
    places = [place for key in ("find-links", "extra-index-url", "index-url") for place in configured.get(key, ())]
    wheels = _gather(folder / "wheels", [path for place in places if (path := _local(place)) is not None])
    remote = [place for place in configured.get("index-url", ()) if _local(place) is None]
    lines = ["[global]", f"# {CANARY}", *(f"index-url = {place}" for place in remote), "timeout = 180"]
    if "cert" in configured:
        lines.append("cert = /etc/ssl/certs/ca-certificates.crt")  # the stand-in trusts what this machine trusts
    (folder / "pip.conf").write_text("\n".join(lines) + "\n")
    options = f"--build-context wheels={wheels} --secret id=pip,src={folder / 'pip.conf'}"
    subprocess.run(["make", "image", f"IMAGE={IMAGE}", f"BUILD_OPTIONS={options}"], cwd=ROOT, check=True)
    return IMAGE


def locked() -> dict[str, str]:
    """The releases in docker/requirements.lock, by name."""
    text = (ROOT / "docker" / "requirements.lock").read_text()
    return {plain(name): version for name, version in re.findall(r"^([A-Za-z0-9._-]+)==(\S+)", text, re.MULTILINE)}


def plain(name: str) -> str:
    """The name of a package, as all its spellings are compared."""
    return re.sub(r"[-_.]+", "-", name).lower()


def _configured() -> dict[str, list[str]]:
    """What pip is told here: each option with its words."""
    listed = subprocess.run(
        [sys.executable, "-m", "pip", "config", "list"], capture_output=True, text=True, check=True
    ).stdout
    found: dict[str, list[str]] = {}
    for key, value in re.findall(r"^\S+?\.\.?([a-z-]+)='(.*)'$", listed, re.MULTILINE):
        found.setdefault(key, []).extend(value.split())
    return found


def _local(place: str) -> Path | None:
    """The folder that ``place`` is, if it is one of this machine."""
    parts = urlsplit(place)
    path = Path(unquote(parts.path))
    return path if parts.scheme in ("", "file") and path.is_dir() else None


def _gather(folder: Path, places: list[Path]) -> Path:
    """A folder of those wheels beside ``places`` that the lock names: CUDA's are 3 GB that need not be fetched."""
    folder.mkdir()
    wanted = set(locked().items())
    for place in places:
        for root, _, names in os.walk(place.parent if place.name == "simple" else place):
            for name in names:
                if name.endswith(".whl") and (plain(name.split("-")[0]), name.split("-")[1]) in wanted:
                    target = folder / name
                    if not target.exists():
                        try:
                            target.hardlink_to(Path(root, name))
                        except OSError:  # another file system
                            shutil.copy(Path(root, name), target)
    return folder
