"""Containers whose trainings note every step that they make, as those of the tests without containers do.

The image is the one that is built; what these tests add lies in a folder of their own, which it is shown.
"""

from __future__ import annotations

import shutil
from pathlib import Path

from spadam.spec import dump
from support.chaos import variables
from support.paths import SUPPORT

LOG = "/cache/steps"
"""Where a worker notes its steps: on the volume that it shares with the other workers of its host."""

COMMAND = """\
#!/opt/spadam/bin/python
from support.chaos.command import main

main()
"""
"""Called `spadam`: by that name the entry point finds it, and the check of health its process."""


def note_steps(folder: Path, *services: str) -> str:
    """A compose file below ``folder`` by which ``services`` note their steps."""
    tests = folder / "tests"
    if not tests.exists():
        (tests / "bin").mkdir(parents=True)
        (tests / "bin" / "spadam").write_text(COMMAND)
        (tests / "support" / "chaos").mkdir(parents=True)
        for name in ("command.py", "trained.py", "variables.py"):
            shutil.copy(SUPPORT / "support" / "chaos" / name, tests / "support" / "chaos")
        for path in tests.rglob("*"):
            path.chmod(0o755)  # the containers' user is another
    path = folder / f"noting-{'-'.join(services)}.yaml"
    noting = {
        "environment": {
            variables.LOG: LOG,
            "PYTHONPATH": "/tests",
            "PATH": "/tests/bin:/opt/spadam/bin:/usr/local/bin:/usr/bin:/bin",
        },
        "volumes": [f"{tests}:/tests:ro"],
    }
    path.write_text(dump({"services": dict.fromkeys(services, noting)}))
    return str(path)
