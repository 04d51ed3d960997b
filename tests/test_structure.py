"""The tree holds what it promises: one wall per library, importing does no work, the wheel holds only spadam."""

import ast
import importlib
import subprocess
import sys
import tomllib
import zipfile
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

from support.paths import ROOT
from support.sweep_bench import Bench

MODULES = sorted((ROOT / "spadam").rglob("*.py"))

WALLS = {
    "wandb": {"spadam/tracking/client.py"},
    "wandb_workspaces": {"spadam/tracking/views/"},
    "optuna": {"spadam/sweep/store/", "spadam/sweep/search/propose.py", "spadam/sweep/definition/space.py"},
    "optuna_dashboard": {"spadam/sweep/store/dashboard.py"},
    "sqlalchemy": {"spadam/sweep/store/"},
    "plotly": {"spadam/report/"},
    "kaleido": {"spadam/report/export/"},
    "choreographer": {"spadam/report/export/renderer.py"},
    "pytorch_lightning": {
        "spadam/training/",
        "spadam/bench/baseline.py",  # the plain Lightning training that ours is held against
    },
    "lightning_fabric": {"spadam/training/checkpoint.py"},
    "rich": {"spadam/terminal/", "spadam/cli/"},
    "typer": {"spadam/cli/"},
    "ray": {"spadam/sweep/running/cluster/"},
    "transformers": {"spadam/activations/transformer.py"},
    "torchvision": {"spadam/data/", "spadam/bench/baseline.py"},
    "numba": {"spadam/kernels/cpu/"},
    "llvmlite": {"spadam/kernels/cpu/"},
}

ROOMS = (
    *("spec", "faults", "machine", "statistics", "files", "text"),
    *("kernels", "data", "activations", "optim", "sparsity", "encoding", "models", "tracking", "config"),
    *("diagnostics", "claims", "tasks", "training", "sweep", "schema", "doctor"),
    *("formats", "report", "bench", "terminal", "cli"),
)
"""From the ground up: what stands in a room imports from rooms before it, and from its own."""

SWEEP_ROOMS = ("definition", "search", "store", "outcome", "running", "forecast")
"""The same within `sweep/`."""


def imports(path: Path) -> set[str]:
    """Everything that ``path`` imports, anywhere in it: modules, and names in them, dotted."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            assert node.level == 0, f"{path}: imports are absolute"
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def relative(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


@pytest.mark.parametrize("library", WALLS)
def test_each_library_stays_behind_its_wall(library: str) -> None:
    users = {relative(path) for path in MODULES if any(name.split(".")[0] == library for name in imports(path))}
    assert all(any(user.startswith(allowed) for allowed in WALLS[library]) for user in users), users


def modules() -> dict[str, Path]:
    """Every module by its dotted name."""
    return {relative(path).removesuffix(".py").removesuffix("/__init__").replace("/", "."): path for path in MODULES}


def arrows() -> Iterator[tuple[str, str]]:
    """Every import within the package: who, and what module of ours it imports."""
    known = modules()
    for name, path in known.items():
        for imported in imports(path):
            # `from spadam.a import b` may name a module or something in one
            if (target := next((m for m in (imported, imported.rpartition(".")[0]) if m in known), None)) is not None:
                yield name, target


def test_imports_point_downwards() -> None:
    for name, target in arrows():
        above, below = (module.split(".")[1:] for module in (name, target))
        if not above or not below:  # the package itself: its public names, and its version
            continue
        assert ROOMS.index(below[0]) <= ROOMS.index(above[0]), f"{name} imports {target}"
        if above[0] == below[0] == "sweep" and len(above) > 1 and len(below) > 1:
            assert SWEEP_ROOMS.index(below[1]) <= SWEEP_ROOMS.index(above[1]), f"{name} imports {target}"


def test_no_imports_go_in_circles() -> None:
    """Neither at the top of files nor within functions."""
    graph: dict[str, set[str]] = {}
    for name, target in arrows():
        if target not in ("spadam", name) and name != "spadam":
            graph.setdefault(name, set()).add(target)
    TopologicalSorter(graph).prepare()  # raises CycleError, which names the circle


def test_few_files_stand_at_the_root() -> None:
    assert len(list((ROOT / "spadam").glob("*.py"))) <= 8


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
        "heavy = {'torch', 'optuna', 'wandb', 'pytorch_lightning', 'sklearn', 'numpy', 'plotly', 'transformers'}\n"
        "print(sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


HEAVY = {"torch", "scipy", "pytorch_lightning", "sklearn", "torchvision", "numba", "wandb", "transformers"}
"""Each takes from half a second to some seconds to import."""

LIGHT = [
    *("config", "models.spec", "tracking", "text", "files", "statistics.interval", "schema", "doctor", "cli"),
    *("optim", "sparsity", "data", "training.result", "training.curve", "training.ledger"),
    *("diagnostics.metrics", "diagnostics.comparability", "terminal.sweep", "terminal.training"),
]
"""What describes, checks and shows; and all of `sweep` but what trains, see below."""

LIGHT_ROOMS = ["definition", "search", "store", "outcome"]


def ask(script: str, *arguments: str, cwd: Path = ROOT) -> str:
    """What a new Python says that runs ``script``; its last line."""
    command = [sys.executable, "-c", script, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=cwd)
    return done.stdout.splitlines()[-1]


def run(unwanted: set[str], *command: str) -> str:
    """The exit code of `spadam` with ``command``, and which ``unwanted`` packages it imported."""
    script = (
        "import sys\nfrom spadam.cli import main\nsys.argv = ['spadam', *sys.argv[1:]]\n"
        "try:\n    main()\nexcept SystemExit as left:\n    code = left.code or 0\nelse:\n    code = 0\n"
        f"print(code, sorted({unwanted!r} & set(sys.modules)))"
    )
    return ask(script, *command)


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
        ["activations", "--help"],
        ["sweep", "run", "--help"],
        ["export", "--help"],
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
    code = 2 if "WRONG" in command else 0
    assert run(HEAVY, *(places.get(word, word) for word in command)) == f"{code} []"


@pytest.mark.parametrize("place", ["file", "folder"])
@pytest.mark.parametrize("command", [["status"], ["status", "--json"], ["results", "--json"]], ids=" ".join)
def test_looking_at_a_sweep_in_a_file_imports_no_optuna(bench: Bench, command: list[str], place: str) -> None:
    bench.run()
    where = [str(bench.folder)] if place == "folder" else [str(bench.spec), "--out", str(bench.out)]
    unwanted = HEAVY | {"optuna", "sqlalchemy", "alembic", "numpy"}
    assert run(unwanted, "sweep", *command, *where) == "0 []"


@pytest.mark.parametrize("room", ["optim", "sparsity", "data", "tracking"])
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
