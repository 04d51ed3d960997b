"""A view brought to W&B. The same view again replaces what it was: it is known by its name."""

from __future__ import annotations

from typing import Any, Final, Literal, NamedTuple
from urllib.parse import quote, urlsplit

from spadam.tracking import client
from spadam.tracking.server import ask, odd_answer
from spadam.tracking.spec import TrackingSpec

_PATIENCE: Final = 20.0
"""Seconds for an answer."""

_ACCOUNT: Final = "query Viewer { viewer { id entity } }"

_FIND: Final = """query View($entityName: String, $name: String, $viewType: String = "runs", $viewName: String) {
  project(name: $name, entityName: $entityName) {
    id
    allViews(viewType: $viewType, viewName: $viewName) { edges { node { id displayName } } }
  }
}"""

_PUT: Final = """mutation UpsertView2($id: ID, $entityName: String, $projectName: String, $type: String, $name: String,
    $displayName: String, $description: String, $spec: String) {
  upsertView(input: {id: $id, entityName: $entityName, projectName: $projectName, name: $name,
      displayName: $displayName, description: $description, type: $type, spec: $spec, createdUsing: WANDB_SDK}) {
    view { id name }
    inserted
  }
}"""
"""What wandb-workspaces asks too, through a client that first signs in and opens what a run needs."""


class View(NamedTuple):
    """A view as W&B keeps it."""

    kind: Literal["project-view", "runs"]
    """A workspace, or a report."""
    name: str
    """By which it is known in its project."""
    title: str
    description: str
    spec: str
    """What it shows: JSON."""


class Unpublished(Exception):
    """A view was not taken; the text says why."""


def publish(view: View, spec: TrackingSpec) -> str:
    """Bring ``view`` into the project of ``spec``, in place of what it was there; gives its address.

    Raises ConnectionError when the server gives no answer, and :class:`Unpublished` when it does not take the view.
    """
    access = client.access()
    try:
        return _publish(access, view, spec)
    except (LookupError, TypeError, AttributeError, ValueError):
        raise odd_answer(access) from None


def _publish(access: client.Access, view: View, spec: TrackingSpec) -> str:
    def answer(operation: str, query: str, **variables: Any) -> dict[str, Any]:
        said = ask(access, {"query": query, "variables": variables, "operationName": operation}, _PATIENCE)
        if said.get("errors"):
            raise Unpublished(f"{access.address} does not take it ({_first(said['errors'])})")
        return dict(said.get("data") or {})

    entity = spec.entity or access.entity or (answer("Viewer", _ACCOUNT).get("viewer") or {}).get("entity")
    found = answer("View", _FIND, entityName=entity, name=spec.project, viewType=view.kind, viewName=view.name)
    if not found.get("project"):
        raise Unpublished(f"{access.address} has no project {spec.project} of {entity}: bring a run there first")
    there = [edge["node"]["id"] for edge in found["project"]["allViews"]["edges"]]
    put = answer(
        "UpsertView2",
        _PUT,
        id=there[0] if there else None,
        entityName=entity,
        projectName=spec.project,
        type=view.kind,
        name=view.name,
        displayName=view.title,
        description=view.description,
        spec=view.spec,
    )
    return _address(access.address, f"{entity}/{spec.project}", view, put["upsertView"]["view"]["id"])


def _address(server: str, project: str, view: View, id_: str) -> str:
    """Where a browser finds the view: the address of an account's server, without `api.` before it."""
    url = urlsplit(server)
    place = f"{url.scheme}://{url.netloc.removeprefix('api.')}{url.path.rstrip('/')}/{project}"
    if view.kind == "project-view":
        return f"{place}?nw={view.name.removeprefix('nw-').removesuffix('-v')}"
    return f"{place}/reports/{quote(view.title.replace(' ', '-'))}--{id_.rstrip('=')}"


def _first(errors: list[Any]) -> str:
    said = errors[0].get("message") if isinstance(errors[0], dict) else errors[0]
    return " ".join(str(said).split())
