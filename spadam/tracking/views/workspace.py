"""The workspace of a sweep."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from spadam.tracking.client import STEP
from spadam.tracking.views import panels
from spadam.tracking.views.publishing import View
from spadam.tracking.views.subject import Subject

if TYPE_CHECKING:
    import wandb_workspaces.workspaces as ws

_MOST_RUNS: Final = 1000
"""That one panel draws."""

_NOTE: Final = """\
Made by `spadam wandb workspace`, which makes it again when it is asked. Bars are repeats only: search trials measure \
nothing on the test split. Their whiskers are standard errors, not intervals, and no verdict is drawn here: the report \
of `spadam report` has 95 % intervals, and lies at the run `· results`."""


def workspace(subject: Subject) -> View:
    """Its runs by variant: compared, searched, followed, and how they used the rows."""
    import wandb_workspaces.expr as expr
    import wandb_workspaces.workspaces as ws

    order = [expr.Ordering(expr.Summary(subject.metric), ascending=subject.minimize)]
    if subject.distance is not None:  # what lies outside the bands comes after all that does not, by how far it lies
        order.insert(0, expr.Ordering(expr.Summary(subject.distance), ascending=True))
    shown = ws.Workspace(
        entity="",
        project="",
        name=subject.name,
        sections=_sections(subject),
        settings=ws.WorkspaceSettings(x_axis=STEP, max_runs=min(subject.trainings + 1, _MOST_RUNS)),
        runset_settings=ws.RunsetSettings(
            filters=expr.And(expr.Metric("Group") == subject.name),
            order=order,
            pinned_columns=[
                "run:displayName",
                *(_column(key) for key in (panels.VARIANT, *(one.key for one in subject.searched))),
                *(f"summary:{name}" for name in (subject.metric, *subject.others)),
                *([] if subject.distance is None else [f"summary:{subject.distance}"]),
            ],
        ),
    )
    shown._internal_runset_id = subject.id_of("workspace", "runs")
    spec = shown._to_model().spec
    name = f"nw-{subject.id_of('workspace')}-v"
    return View("project-view", name, subject.name, "", spec.model_dump_json(by_alias=True, exclude_none=True))


def _sections(subject: Subject) -> list[ws.Section]:
    import wandb_workspaces.workspaces as ws

    searched = panels.scatters(subject) + panels.parallel(subject)
    usage = [name for name in subject.followed if name.startswith(("sparsity/", "optim/"))]
    learning = [name for name in subject.followed if name not in usage]
    contents = {
        "Variants compared": panels.text(_NOTE) + panels.bars(subject, subject.judged),
        "What was searched": searched if subject.searched else [],
        "Learning curves": panels.curves(subject, learning),
        "Rows, dead latents, epsilon": panels.curves(subject, usage) + panels.histograms(subject),
        "Pictures": panels.pictures(),
        "Table": panels.table(),
    }
    return [
        ws.Section(name=title, panels=panels.identified(subject, title, drawn), is_open=True)
        for title, drawn in contents.items()
        if drawn
    ]


def _column(key: str) -> str:
    first, *rest = key.split(".")
    return "config:" + ".".join([first, "value", *rest])
