"""What is there to be copied into a cluster: as far as it can be checked without one."""

import re
import shlex
import subprocess
import sys
import sysconfig
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from spadam.sweep.running.cluster.resources import parse_share
from support.paths import ROOT

DEPLOY = ROOT / "docs" / "deploy"


def test_the_slurm_script_has_no_mistake_that_shellcheck_knows() -> None:
    shellcheck = Path(sysconfig.get_path("scripts")) / "shellcheck"
    checked = subprocess.run([shellcheck, DEPLOY / "slurm.sh"], capture_output=True, text=True, check=False)
    assert (checked.returncode, checked.stdout) == (0, "")


def manifest() -> Any:
    return YAML(typ="safe", pure=True).load(DEPLOY / "rayjob.yaml")


def test_the_manifest_is_a_ray_job_of_version_1() -> None:
    """The fields that KubeRay asks for, and none that it does not know."""
    job = manifest()
    assert (job["apiVersion"], job["kind"]) == ("ray.io/v1", "RayJob")
    spec = job["spec"]
    assert set(spec) <= {
        *("entrypoint", "entrypointNumCpus", "shutdownAfterJobFinishes", "ttlSecondsAfterFinished", "backoffLimit"),
        "rayClusterSpec",
    }
    cluster = spec["rayClusterSpec"]
    assert set(cluster) == {"rayVersion", "authOptions", "headGroupSpec", "workerGroupSpecs"}
    assert cluster["authOptions"] == {"mode": "token"}
    assert set(cluster["headGroupSpec"]) == {"rayStartParams", "template"}
    groups = [cluster["headGroupSpec"], *cluster["workerGroupSpecs"]]
    for group in groups:
        assert all(isinstance(value, str) for value in group["rayStartParams"].values())
        pod = group["template"]["spec"]
        (container,) = pod["containers"]
        assert container["resources"]["requests"] == container["resources"]["limits"]
        mounted = {mount["name"] for mount in container.get("volumeMounts", ())}
        assert mounted == {volume["name"] for volume in pod.get("volumes", ())}
    assert len({group["template"]["spec"]["containers"][0]["image"] for group in groups}) == 1
    for group in cluster["workerGroupSpecs"]:
        assert group["minReplicas"] <= group["replicas"] <= group["maxReplicas"]


def test_the_manifest_names_the_ray_that_is_tested() -> None:
    pinned = dict(line.split("==") for line in (ROOT / "constraints.txt").read_text().splitlines() if "==" in line)
    assert manifest()["spec"]["rayClusterSpec"]["rayVersion"] == pinned["ray"]


def commands() -> list[list[str]]:
    """Every `spadam sweep run …` that the page and the files beside it show."""
    texts = [(ROOT / "docs" / "deploy.md").read_text(), manifest()["spec"]["entrypoint"]]
    found = [
        line for text in texts for line in re.findall(r"^(?:.*\")?(spadam sweep run [^\"`\n]*)", text, re.MULTILINE)
    ]
    return [shlex.split(line)[1:] for line in found]


@pytest.mark.parametrize("command", commands(), ids=" ".join)
def test_every_command_has_options_that_there_are(command: list[str]) -> None:
    helped = subprocess.run(
        [sys.executable, "cli.py", "sweep", "run", "--help"],
        cwd=ROOT, capture_output=True, text=True, check=True, env={"COLUMNS": "200", "PATH": ""},
    ).stdout  # fmt: skip
    for word in command:
        assert not word.startswith("--") or f" {word} " in helped
    if "--per-trial" in command:
        parse_share(command[command.index("--per-trial") + 1])
    assert "--crew" in command
