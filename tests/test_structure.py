"""The tree holds what it promises: one wall per library, importing does no work, the wheel holds only spadam."""

import ast
import importlib
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
MODULES = sorted((ROOT / "spadam").rglob("*.py"))

WALLS = {
    "wandb": {"spadam/tracking/client.py"},
    "optuna": {"spadam/sweep/", "spadam/report/"},
    "optuna_dashboard": {"spadam/sweep/dashboard.py"},
    "sqlalchemy": {"spadam/sweep/"},
    "plotly": {"spadam/report/"},
    "pytorch_lightning": {
        "spadam/module.py",
        "spadam/train.py",
        "spadam/checkpoint.py",
        "spadam/strategy.py",
        "spadam/limits.py",
        "spadam/diagnostics/telemetry.py",
        "spadam/bench/baseline.py",  # the plain Lightning training that ours is held against
    },
    "lightning_fabric": {"spadam/checkpoint.py"},
    "typer": {"spadam/cli/"},
    "torchvision": {"spadam/data/", "spadam/bench/baseline.py"},
    "numba": {"spadam/kernels/"},
    "llvmlite": {"spadam/kernels/"},
}

LAYERS = [
    {"spec", "pages"},
    {"kernels", "ledger", "lock", "tracking"},
    {"sparsity", "optim", "data"},
    {"selection", "execution"},
    {"autoencoder"},
    {"probe"},
    {"config"},
    {"diagnostics", "module", "limits", "pruning", "checkpoint", "strategy", "result", "surroundings"},
    {"train"},
    {"sweep", "view", "listing", "schema", "keys", "manual", "doctor"},
    {"report"},
    {"bench"},
    {"cli"},
]
"""Imports point to the same layer or one before it."""


def imports(path: Path) -> set[str]:
    """Every module that ``path`` imports, anywhere in it."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            assert node.level == 0, f"{path}: imports are absolute"
            names = {f"{node.module}.{alias.name}" for alias in node.names}
            found |= names if node.module == "spadam" else {node.module}
    return found


def relative(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


@pytest.mark.parametrize("library", WALLS)
def test_each_library_stays_behind_its_wall(library: str) -> None:
    users = {relative(path) for path in MODULES if any(name.split(".")[0] == library for name in imports(path))}
    assert all(any(user.startswith(allowed) for allowed in WALLS[library]) for user in users), users


def test_imports_point_downwards() -> None:
    layer = {name: n for n, names in enumerate(LAYERS) for name in names}
    for path in MODULES:
        room = relative(path).split("/")[1].removesuffix(".py")
        if room == "__init__":
            continue
        for name in imports(path):
            if name.startswith("spadam.") and name != "spadam.__version__":
                assert layer[name.split(".")[1]] <= layer[room], f"{relative(path)} imports {name}"


def test_only_packages_hold_init_files() -> None:
    for folder in ("sweeps", "docker", "tests"):
        assert not list((ROOT / folder).rglob("__init__.py"))


def test_files_are_small() -> None:
    long = {relative(path): n for path in MODULES if (n := len(path.read_text().splitlines())) > 300}
    assert not long


def test_importing_does_no_work(tmp_path: Path) -> None:
    names = [
        relative(p).removesuffix("/__init__.py").removesuffix(".py").replace("/", ".")
        for p in MODULES
        if p.name != "__main__.py"
    ]
    script = "import importlib, sys\nfor name in sys.argv[1:]:\n    importlib.import_module(name)\n"
    done = subprocess.run(
        [sys.executable, "-W", "error::ResourceWarning", "-c", script, *names],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == done.stderr == ""
    assert not list(tmp_path.iterdir())


def test_help_imports_nothing_heavy() -> None:
    script = (
        "import sys\nsys.argv = ['spadam', '--help']\nfrom spadam.cli import main\n"
        "try:\n    main()\nexcept SystemExit:\n    pass\n"
        "heavy = {'torch', 'optuna', 'wandb', 'pytorch_lightning', 'sklearn', 'numpy', 'plotly'}\n"
        "print(sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


HEAVY = {"torch", "scipy", "pytorch_lightning", "sklearn", "torchvision", "numba", "wandb"}
"""Each takes from half a second to some seconds to import."""

LIGHT = [
    *("config", "models.spec", "tracking", "text", "files", "statistics.interval", "schema", "doctor", "cli"),
    *("optim", "sparsity", "data", "kernels", "training.result", "training.curve", "training.ledger"),
    *("diagnostics.metrics", "diagnostics.comparability", "terminal.sweep", "terminal.training"),
]
"""What describes, checks and shows; and all of `sweep` but what trains, see below."""

LIGHT_ROOMS = ["definition", "search", "store", "outcome"]


def ask(script: str, *arguments: str, cwd: Path = ROOT) -> str:
    """What a new Python says that runs ``script``; its last line."""
    command = [sys.executable, "-c", script, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=cwd)
    return done.stdout.splitlines()[-1]


def test_configurations_specs_and_status_import_nothing_heavy() -> None:
    names = [f"spadam.{name}" for name in LIGHT]
    names += [
        relative(path).removesuffix("/__init__.py").removesuffix(".py").replace("/", ".")
        for room in LIGHT_ROOMS
        for path in sorted((ROOT / "spadam/sweep" / room).glob("*.py"))
        if path.name != "dashboard.py"  # a server, which brings what it needs
    ]
    script = (
        "import importlib, sys\nfor name in sys.argv[1:]:\n    importlib.import_module(name)\n"
        f"    assert not {HEAVY!r} & set(sys.modules), name\nprint('light')"
    )
    assert ask(script, *names) == "light"


@pytest.mark.parametrize(
    "command",
    [
        ["train", "--help"],
        ["sweep", "run", "--help"],
        ["schema", "run"],
        ["schema", "sweep"],
        ["list", "optimizers"],
        ["list", "rules"],
        ["list", "datasets"],
        ["list", "diagnostics"],
        ["sweep", "status", "sweeps/quickstart.yaml", "--out", "OUT"],
        ["sweep", "status", "sweeps/quickstart.yaml", "--out", "OUT", "--json"],
        ["sweep", "results", "sweeps/quickstart.yaml", "--out", "OUT", "--json"],
        ["train", "WRONG"],
    ],
    ids=" ".join,
)
def test_small_commands_import_nothing_heavy(command: list[str], tmp_path: Path) -> None:
    wrong = tmp_path / "wrong.yaml"
    wrong.write_text("data: {name: digits}\noptimizer: {name: lazy_adam, lr: -1}\n")
    places = {"OUT": str(tmp_path), "WRONG": str(wrong)}
    script = (
        "import sys\nfrom spadam.cli import main\nsys.argv = ['spadam', *sys.argv[1:]]\n"
        "try:\n    main()\nexcept SystemExit as left:\n    code = left.code or 0\nelse:\n    code = 0\n"
        f"print(code, sorted({HEAVY!r} & set(sys.modules)))"
    )
    code = 2 if "WRONG" in command else 0
    assert ask(script, *(places.get(word, word) for word in command)) == f"{code} []"


@pytest.mark.parametrize("room", ["optim", "sparsity", "data", "kernels", "tracking"])
def test_what_a_room_offers_is_there_when_it_is_asked_for(room: str) -> None:
    package = importlib.import_module(f"spadam.{room}")
    for name in package.__all__:
        assert getattr(package, name) is not None
        assert name in dir(package)
    with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
        package.nothing  # noqa: B018


def test_wheel_holds_only_spadam(tmp_path: Path) -> None:
    targets = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["hatch"]["build"]["targets"]["wheel"]
    assert targets == {"packages": ["spadam"]}
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)],
        cwd=ROOT,
        check=True,
        capture_output=True,
    )
    (wheel,) = tmp_path.glob("*.whl")
    tops = {name.split("/")[0] for name in zipfile.ZipFile(wheel).namelist()}
    assert tops == {"spadam", wheel.name.split("-py3")[0] + ".dist-info"}
