"""The command line: what it prints, its exit codes, and that wrong input is told kindly and starts nothing."""

import json
import os
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest

from spadam.cli import main
from spadam.data import DATASETS
from spadam.diagnostics.metrics import METRICS
from spadam.optim import OPTIMIZERS
from spadam.sparsity import RULES
from spadam.spec import dump, load
from support.sweep_bench import SPEC

CONFIG = """\
seed: 0
data: {name: digits, batch_size: 128}
model:
  latents: 32
  rule: {name: top_k, k: 4}
optimizer: {name: lazy_adam, lr: 1.0e-2}
trainer: {epochs: 1}
tracking: {mode: disabled}
"""


@pytest.fixture
def cli(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Any:
    """Run `spadam …` in a folder of its own: (exit code, standard output, standard error)."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")

    def call(*arguments: str) -> tuple[int, str, str]:
        monkeypatch.setattr("sys.argv", ["spadam", *arguments])
        with pytest.raises(SystemExit) as ended:
            main()
        code = ended.value.code
        return (code if isinstance(code, int) else 0 if code is None else 1, *capsys.readouterr())

    return call


def write(text: str = CONFIG, name: str = "config.yaml") -> str:
    Path(name).write_text(text)
    return name


def test_train_and_train_again(cli: Any) -> None:
    code, output, _ = cli("train", write(), "--out", "run")
    assert code == 0
    assert "val/fvu" in output
    assert "everything: run/result.json" in output
    assert {"result.json", "metrics.jsonl", "model.safetensors", "config.yaml"} <= set(os.listdir("run"))
    code, output, _ = cli("train", write(), "--out", "run")
    assert code == 0
    assert "done already" in output


def test_out_defaults_to_runs(cli: Any) -> None:
    assert cli("train", write())[0] == 0
    assert Path("runs/result.json").exists()


def test_the_written_configuration_trains_the_same_run(cli: Any) -> None:
    cli("train", write(), "--out", "run")
    code, output, _ = cli("train", "run/config.yaml", "--out", "run")
    assert code == 0
    assert "done already" in output


def test_set_gives_values_as_yaml(cli: Any) -> None:
    sets = ["optimizer.lr=3e-3", "optimizer.betas=[0.5, 0.9]", "data.train_size=null", "model.rule.lifetime=true"]
    code, output, _ = cli("train", write(), "--out", "run", *(part for s in sets for part in ("--set", s)))
    assert code == 0
    config = load(Path("run/config.yaml")).data
    assert config["optimizer"]["lr"] == 0.003
    assert config["optimizer"]["betas"] == [0.5, 0.9]
    assert config["model"]["rule"]["lifetime"] is True
    assert "every row was touched in every step" in output


def test_a_diverged_run_is_done(cli: Any) -> None:
    code, output, _ = cli(
        "train", write(), "--out", "run", "--set", "optimizer={name: sgd, lr: 1.0e+30}", "--set", "trainer.epochs=2"
    )
    assert code == 0
    assert "diverged" in output
    assert json.loads(Path("run/result.json").read_text())["status"] == "diverged"


def test_ctrl_c_says_how_to_go_on(cli: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr("spadam.terminal.training.TrainingProgress.update", interrupt)
        code, _, error = cli("train", write(), "--out", "run")
    assert code == 130
    assert "interrupted: the same command goes on" in error
    assert cli("train", write(), "--out", "run")[0] == 0


@pytest.mark.parametrize(
    ("sets", "argument", "rule"),
    [
        (["model.latent=10"], "model.latent", "not known"),
        (["optimizer.lr=fast"], "optimizer.lr = 'fast'", "must be a number"),
        (["optimizer.lr=-1"], "optimizer.lr = -1", "greater than 0"),
        (["trainer.epochs=true"], "trainer.epochs = true", "whole number"),
        (["optimizer.name=lazy_adm"], "optimizer", "name is not known"),
        (["optimizer={name: signum, eps: 1e-8}"], "optimizer.eps = 1e-08", "signum has no epsilon"),
        (["optimizer={name: sgd, eps: 1e-8}"], "optimizer.eps", "sgd has no epsilon"),
        (["model.rule.k=33"], "model.rule.k = 33", "k <= latents must hold, but latents = 32"),
        (["model.execution=gathered", "model.rule={name: relu}"], "model.execution", "only the rule top_k can"),
        (["data.batch_size=4000"], "data.batch_size = 4000", "must not be larger than the training split"),
        (["data={name: array, file: none.npy}"], "data.file", ""),
        (["trainer.epochs=null"], "trainer.epochs", "a training needs an end"),
        (
            ["optimizer.schedule.name=cosine", "trainer={epochs: null, time_limit: 9}"],
            "optimizer.schedule.name = 'cosine'",
            "must know how long",
        ),
        (["trainer.accelerator=gpu"], "trainer.accelerator", "CUDA"),
        (["seed"], "--set = 'seed'", "KEY=VALUE"),
        (["optimizer.lr=[1"], "YAML", ""),
        (["optimizer={name: custom, path: no.such.Class, gradient: dense, lr: 0.1}"], "", ""),
    ],
)
def test_wrong_input_is_one_message_and_starts_nothing(sets: list[str], argument: str, rule: str, cli: Any) -> None:
    code, output, error = cli("train", write(), "--out", "run", *(part for s in sets for part in ("--set", s)))
    assert code == 2
    assert output == ""
    first, rule_line, remedy_line = error.splitlines()
    assert argument in first
    assert rule_line.startswith("  rule:   ")
    assert rule in rule_line
    assert len(remedy_line) > len("  remedy: ")
    assert not Path("run").exists()


def test_a_duplicate_key_is_refused_with_its_line(cli: Any) -> None:
    code, _, error = cli("train", write(CONFIG + "seed: 1\n"), "--out", "run")
    assert code == 2
    assert "config.yaml:9" in error
    assert "a key may stand only once" in error


def test_a_missing_file_is_refused(cli: Any) -> None:
    code, _, error = cli("train", "none.yaml")
    assert code == 2
    assert "none.yaml" in error


def test_missing_data_without_network(cli: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")  # nobody listens there
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    code, _, error = cli("train", write(), "--out", "run", "--set", "data={name: fashion_mnist, root: nowhere}")
    assert code == 2
    assert error.splitlines()[0].startswith("data.root = 'nowhere'")
    assert "dataset-fashion-mnist" in error
    assert sorted(os.listdir()) == ["config.yaml"]


def test_an_unwritable_output_folder(cli: Any) -> None:
    Path("file").touch()
    code, _, error = cli("train", write(), "--out", "file/run")
    assert code == 2
    assert "must be writable" in error


def test_another_configuration_in_the_folder(cli: Any) -> None:
    cli("train", write(), "--out", "run")
    before = Path("run/result.json").read_bytes()
    code, _, error = cli("train", write(), "--out", "run", "--set", "seed=1")
    assert code == 2
    assert "another configuration" in error
    assert Path("run/result.json").read_bytes() == before


@pytest.mark.parametrize(
    ("what", "names"),
    [
        ("optimizers", [m.model_fields["name"].default for m in OPTIMIZERS]),
        ("rules", [m.model_fields["name"].annotation.__args__[0] for m in RULES]),  # type: ignore[union-attr]
        ("datasets", [m.model_fields["name"].default for m in DATASETS]),
        ("diagnostics", list(METRICS)),
    ],
)
def test_list_names_every_member(what: str, names: list[str], cli: Any) -> None:
    code, output, _ = cli("list", what)
    assert code == 0
    assert names
    assert [line.split()[0] for line in output.splitlines() if not line.startswith(" ")] == names


@pytest.mark.parametrize("what", ["optimizers", "rules", "datasets", "diagnostics"])
def test_a_list_is_folded_nowhere_in_a_pipe(what: str, cli: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    _, output, _ = cli("list", what)
    _, plain, _ = cli("list", what, "--json")
    entries = json.loads(plain)
    assert [line.split()[0] for line in output.splitlines() if not line.startswith(" ")] == [e["name"] for e in entries]
    for entry in entries:
        assert any(
            line.startswith(entry["name"]) and line.endswith(entry["description"]) for line in output.splitlines()
        )
        assert len(entry) > 2


def test_the_list_of_optimizers_says_what_their_centres_are(cli: Any) -> None:
    _, output, _ = cli("list", "optimizers")
    assert "lr centre: the best lr of one short run" in output
    _, plain, _ = cli("list", "optimizers", "--json")
    assert {e["name"]: e["lr_centre"] for e in json.loads(plain)} == {
        m.model_fields["name"].default: m.lr_center for m in OPTIMIZERS
    }


@pytest.mark.parametrize(
    "arguments", [["list", "optimizers"], ["list", "diagnostics"], ["--help"], ["sweep", "--help"]]
)
@pytest.mark.parametrize("encoding", ["ascii", "latin-1"])
def test_an_output_of_few_characters_gets_them(arguments: list[str], encoding: str) -> None:
    command = [sys.executable, "-c", "from spadam.cli import program; program()", *arguments]
    variables = {**os.environ, "PYTHONIOENCODING": encoding}
    done = subprocess.run(command, env=variables, capture_output=True, check=False)
    assert (done.returncode, done.stderr) == (0, b"")
    assert done.stdout.decode(encoding)
    if arguments == ["list", "optimizers"]:
        assert "sqrt v^ + eps: after bias correction" in done.stdout.decode(encoding)


def test_what_is_a_file_is_utf_8_in_any_encoding(tmp_path: Path) -> None:
    config = tmp_path / "größe.yaml"
    config.write_text(CONFIG + "seed: [ß]\n".replace("seed", "sæd"), encoding="utf-8")
    command = [sys.executable, "-c", "from spadam.cli import program; program()", "train", str(config)]
    done = subprocess.run(command, env={**os.environ, "PYTHONIOENCODING": "ascii"}, capture_output=True, check=False)
    assert done.returncode == 2
    assert b"s\\xe6d" in done.stderr
    assert b"Traceback" not in done.stderr


def test_version(cli: Any) -> None:
    assert cli("--version") == (0, f"spadam {version('spadam')}\n", "")


def test_help_names_every_command(cli: Any) -> None:
    code, output, _ = cli("--help")
    assert code == 0
    assert all(name in output for name in ("train", "sweep", "list"))
    commands = output.partition("Commands")[2]
    assert min(("train", "sweep", "list", "report"), key=lambda name: commands.index(f" {name} ")) == "sweep"
    code, output, _ = cli("sweep", "--help")
    assert all(name in output for name in ("run", "status", "results"))


@pytest.mark.parametrize("arguments", [["list", "rules"], ["schema"], ["--version"], ["--help"]])
def test_output_that_cannot_be_written_is_told_in_a_line(arguments: list[str]) -> None:
    code = "from spadam.cli import program; program()"
    with Path("/dev/full").open("w") as full:
        command = [sys.executable, "-c", code, *arguments]
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert (done.returncode, done.stderr) == (1, "failed: the output: No space left on device\n")


def test_what_the_system_refuses_is_told_in_a_line(cli: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any, **__: Any) -> None:
        raise OSError(28, "No space left on device", "run/metrics.jsonl")

    monkeypatch.setattr("spadam.training.ledger.Ledger.record", refuse)
    code, _, error = cli("train", write(), "--out", "run")
    assert code == 1
    assert error == "failed: run/metrics.jsonl: No space left on device; the same command goes on\n"


@pytest.mark.parametrize("out", ["x" * 300, os.fsdecode(b"a\xff")])
@pytest.mark.parametrize("command", [["train"], ["sweep", "run"], ["sweep", "status"], ["sweep", "plan"]])
def test_a_folder_that_cannot_be_is_refused_before_anything(command: list[str], out: str, cli: Any) -> None:
    file = write(CONFIG if command == ["train"] else dump(SPEC))
    code, _, error = cli(*command, file, "--out", out)
    assert code == 2
    assert error.startswith("--out = ")
    assert "Traceback" not in error


def test_a_current_folder_that_is_gone_is_told(cli: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write()
    (gone := tmp_path / "gone").mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    code, _, error = cli("train", str(tmp_path / "config.yaml"))
    monkeypatch.chdir(tmp_path)
    assert code == 2
    assert "has been deleted" in error
