"""Which of W&B's environment variables count, and what is said of the others."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, get_args

import pytest

from spadam.spec import InputError
from spadam.tracking import TrackingSpec, check_environment, environment
from spadam.tracking.spec import Mode
from support.wandb_desk import KEY, Desk
from support.wandb_server import WandbServer

CANARY = "canary-0123456789"
OURS = {
    "WANDB_RUN_ID": "a/b",
    "WANDB_SWEEP_ID": "theirs",
    "WANDB_LAUNCH": "true",
    "WANDB_NAME": "theirs",
    "WANDB_RUN_GROUP": "theirs",
    "WANDB_JOB_TYPE": "theirs",
    "WANDB_TAGS": "t" * 80,
    "WANDB_RESUME": "must",
    "WANDB_FORK_FROM": "other?_step=3",
    "WANDB_PROJECT": "a/b",
    "WANDB_DIR": "/dev/null/x",
    "WANDB_CONFIG_PATHS": "/not/there.yaml",
}
REFUSED = {
    "WANDB_INIT_TIMEOUT": "soon",
    "WANDB_FINISH_TIMEOUT": "0",
    "WANDB_HTTP_TIMEOUT": "nan",
    "WANDB_BASE_URL": "nonsense",
    "WANDB_HTTP_PROXY": CANARY,
    "WANDB_X_EXTRA_HTTP_HEADERS": CANARY,
    "WANDB_CONSOLE": "bogus",
    "WANDB_SILENT": "perhaps",
    "WANDB_ENTITY": "a/b c",
    "WANDB_IDENTITY_TOKEN_FILE": f"/{CANARY}",
    "WANDB_CACHE_DIR": "/dev/null/c",
}


def settled(desk: Desk, *environments: dict[str, str]) -> list[dict[str, Any]]:
    done = desk.script("wandb_reach.py", json.dumps(environments))
    assert done.returncode == 0, done.stderr
    assert CANARY not in done.stdout + done.stderr
    return list(json.loads(done.stdout)["found"])


def test_every_variable_that_does_not_count_or_cannot_be_taken_is_named(desk: Desk) -> None:
    unseen = {"WANDB_TAGS": " ", "WANDB_PROJECT": "kept", "WANDB_API_KEY": "tooshort"}
    ours, refused, nothing, nowhere = settled(
        desk,
        {"SETTLE": "offline"} | OURS,
        {"SETTLE": "offline"} | REFUSED,
        {"SETTLE": "offline"} | unseen,
        {"SETTLE": "disabled"} | OURS | REFUSED,
    )
    assert (ours["mode"], refused["mode"]) == ("offline", "offline")
    *identity, last = sorted(set(OURS) - {"WANDB_PROJECT", "WANDB_DIR"})
    assert set(ours["said"].splitlines()) == {
        f"W&B: {', '.join(identity)} and {last} are ignored: "
        "id, name, group, job type, tags and configuration of a run are spadam's own",
        "W&B: WANDB_PROJECT is ignored: `tracking.project` says it",
        "W&B: WANDB_DIR is ignored: a run's files lie in its folder",
    }
    lines = refused["said"].splitlines()
    assert [line.split()[1] for line in lines] == sorted(REFUSED)
    assert all(" is ignored: " in line and line.endswith("; mend it, or unset it") for line in lines)
    assert sum(": it must be " in line for line in lines) == len(REFUSED) - 1
    assert "W&B: WANDB_X_EXTRA_HTTP_HEADERS is ignored: the client refuses it (Expecting value" in refused["said"]
    assert "W&B: WANDB_INIT_TIMEOUT = 'soon' is ignored: it must be a number of seconds above 0" in refused["said"]
    assert "W&B: WANDB_BASE_URL = 'nonsense' is ignored: it must be a valid URL; " in refused["said"]
    assert nothing["said"] is nowhere["said"] is None


def test_an_address_that_is_none_never_becomes_the_public_one(desk: Desk) -> None:
    (found,) = settled(desk, {"SETTLE": "online", "WANDB_BASE_URL": "nonsense", "WANDB_API_KEY": KEY})
    assert (found["mode"], found["said"]) == (
        "offline",
        "W&B: nonsense cannot be asked (WANDB_BASE_URL: it must be a valid URL); runs are kept offline, set it to an "
        "address such as https://api.wandb.ai, or unset it",
    )
    spec = {"mode": "online", "project": "p"}
    done = desk.run({"id": "r", "folder": str(desk.root / "runs" / "r"), "spec": spec, "rows": []}, **REFUSED)
    assert "could not start: WANDB_BASE_URL: it must be a valid URL; going on without it" in done.warnings[0]


def test_a_run_keeps_its_identity_and_is_tracked_whatever_the_environment_says(desk: Desk) -> None:
    folder = desk.root / "runs" / "r"
    spec = {"mode": "offline", "project": "p"}
    mine = {"id": "mine", "name": "n", "group": "g", "job_type": "j", "tags": ["t"], "folder": str(folder)}
    # A token's file that is not there made the client's process panic; a socket that is none, its start fail.
    done = desk.run(mine | {"spec": spec, "rows": [{"step": 0}]}, **(OURS | REFUSED), WANDB_SERVICE="bogus")
    assert (done.code, done.warnings) == (0, [])
    (kept,) = folder.glob("wandb/offline-run-*/run-*.wandb")
    assert kept.name == "run-mine.wandb"
    assert b"theirs" not in kept.read_bytes()


def test_a_streamed_run_is_not_moved_by_a_sweep_agent_s_variables(desk: Desk, server: WandbServer) -> None:
    run = {"id": "mine", "folder": str(desk.root / "runs" / "r"), "spec": {"mode": "online", "project": "p"}}
    done = desk.online(server.address, run | {"rows": [{"step": 0}], "name": "n"}, **OURS)
    assert (done.code, done.warnings) == (0, [])
    ((name, seen),) = server.runs.items()
    assert (name, seen.said("project"), seen.said("displayName")) == ("mine", "p", "n")
    assert {seen.upserts[0][key] for key in ("groupName", "jobType", "tags", "sweep")} == {None}


@pytest.mark.parametrize("home", ["/dev/null/x", ""])
def test_without_a_home_that_can_be_written_the_client_says_nothing(desk: Desk, home: str) -> None:
    folder = desk.root / "runs" / "r"
    run = {"id": "r", "folder": str(folder), "spec": {"mode": "offline"}, "rows": [{"step": 0}]}
    done = desk.run(run, HOME=home)
    assert (done.code, done.warnings) == (0, [])
    assert "failed to get logger path" not in done.log
    assert desk.files("here") == []
    assert len(list(folder.glob("wandb/offline-run-*"))) == 1


@pytest.mark.parametrize(
    ("word", "file", "mode", "said"),
    [
        ("disabled", "offline", "disabled", "W&B: WANDB_MODE=disabled overrides `tracking.mode: offline`"),
        ("offline", "online", "offline", "W&B: WANDB_MODE=offline overrides `tracking.mode: online`"),
        ("online", "disabled", "online", "W&B: WANDB_MODE=online overrides `tracking.mode: disabled`"),
        ("dryrun", "online", "offline", "W&B: WANDB_MODE=dryrun overrides `tracking.mode: online`"),
        ("offline", "offline", "offline", None),
        (" ", "online", "online", None),
        (
            "offlin",
            "online",
            "offline",
            "W&B: WANDB_MODE = 'offlin' is none of online, offline and disabled: runs are kept offline; mend it, or "
            "unset it",
        ),
        (
            "shared",
            "disabled",
            "disabled",
            "W&B: WANDB_MODE = 'shared' is none of online, offline and disabled: runs are not tracked, as "
            "`tracking.mode: disabled` says; mend it, or unset it",
        ),
    ],
)
def test_the_environment_s_mode_overrides_the_file_s(
    monkeypatch: pytest.MonkeyPatch, word: str, file: Mode, mode: Mode, said: str | None
) -> None:
    monkeypatch.setenv("WANDB_MODE", word)
    spec, sentence = environment.override(TrackingSpec(mode=file, project="kept"))
    assert (spec.mode, spec.project, sentence) == (mode, "kept", said)


@pytest.mark.parametrize("mode", get_args(Mode))
def test_without_the_variable_the_file_s_mode_holds(monkeypatch: pytest.MonkeyPatch, mode: Mode) -> None:
    monkeypatch.delenv("WANDB_MODE", raising=False)
    assert environment.override(TrackingSpec(mode=mode)) == (TrackingSpec(mode=mode), None)


@pytest.mark.slow
def test_a_training_heeds_the_environment_s_mode_and_says_so(desk: Desk) -> None:
    config = "{data: {name: digits}, model: {latents: 8, rule: {name: top_k, k: 2}}, optimizer: {name: adam}, "
    config += "probe: null, trainer: {epochs: null, steps: 2}}"
    (desk.root / "here" / "run.yaml").write_text(config)
    done = desk.command("spadam", "train", "run.yaml", "--out", "run", WANDB_MODE="disabled", WANDB_RUN_ID="theirs")
    assert done.returncode == 0
    assert "W&B: WANDB_MODE=disabled overrides `tracking.mode: offline`\n" in done.stderr
    assert "WANDB_RUN_ID" not in done.stderr
    assert not (desk.root / "here" / "run" / "wandb").exists()


@pytest.mark.parametrize(
    ("name", "value", "shown"),
    [
        ("WANDB_MODE", "disabled", "disabled"),
        ("WANDB_INIT_TIMEOUT", "-1", "-1"),
        ("WANDB_BASE_URL", f"user:{CANARY}@", None),
    ],
)
def test_an_upload_wants_an_environment_that_lets_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, name: str, value: str, shown: str | None
) -> None:
    for known in environment.given():
        monkeypatch.delenv(known)
    monkeypatch.setenv("WANDB_ERROR_REPORTING", "false")  # so that what the call sets is taken back
    check_environment()
    monkeypatch.setenv(name, value)
    with pytest.raises(InputError) as caught:
        check_environment()
    assert (caught.value.argument, caught.value.value) == (name, shown)
    assert CANARY not in str(caught.value)
