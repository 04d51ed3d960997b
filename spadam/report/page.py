"""The page: one file that needs no network, for any width, by day, by night and on paper."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from importlib.resources import files

from spadam.report.again import again
from spadam.report.figures import figures_of
from spadam.report.heading import head
from spadam.report.markup import Html, join, tag
from spadam.report.packed import packed, plotly
from spadam.report.provenance import provenance
from spadam.report.section import Section
from spadam.report.settings import settings
from spadam.report.verdicts import verdicts
from spadam.sweep.outcome.outcome import Outcome

_POLICY = "default-src 'none'; img-src data: blob:; style-src 'unsafe-inline'; script-src 'unsafe-inline'"
"""Whatever a sweep's file holds: the page loads nothing and sends nothing."""


def page(outcome: Outcome) -> str:
    """The whole page as HTML. The same outcome gives the same text."""
    sections = [draw(outcome) for draw in (verdicts, *figures_of(outcome), settings, provenance, again)]
    return document(f"{outcome.sweep.name} – spadam", head(outcome), sections)


def document(title: str, top: Html, sections: Sequence[Section]) -> str:
    """A page with a ``title``, what stands at its ``top``, links to the ``sections``, and these."""
    contents = tag("nav", tag("ul", *(_link(section) for section in sections)), aria_label="Contents")
    body = tag(
        "body",
        tag("div", top, contents, tag("main", *map(_section, sections)), class_="page"),
        tag("noscript", tag("p", "The figures need JavaScript; the tables below each of them do not.")),
        packed(_panels(sections), "panels"),
        plotly(),
        _script(_asset("inflate.js")),
        _script(_asset("page.js")),
    )
    return "<!doctype html>\n" + tag("html", _head(title), body, lang="en") + "\n"


def _head(title: str) -> Html:
    return tag(
        "head",
        tag("meta", charset="utf-8"),
        tag("meta", http_equiv="Content-Security-Policy", content=_POLICY),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("meta", name="color-scheme", content="light dark"),
        tag("link", rel="icon", href="data:,"),
        tag("title", title),
        tag("style", Html(_asset("page.css"))),
    )


def _link(section: Section) -> Html:
    return tag("li", tag("a", section.title, href=f"#{section.anchor}"))


def _section(section: Section) -> Html:
    title = tag("h2", section.title, id=f"{section.anchor}-title")
    return tag("section", title, section.html, id=section.anchor, aria_labelledby=f"{section.anchor}-title")


def _panels(sections: Iterable[Section]) -> bytes:
    """What plotly draws, as JSON."""
    panels = {
        id_: {"data": panel.data, "layout": panel.layout} for part in sections for id_, panel in part.panels.items()
    }
    return json.dumps(panels, allow_nan=False, separators=(",", ":")).encode()


def _script(text: str) -> Html:
    assert "</script" not in text.lower()
    return join([Html("<script>"), Html(text), Html("</script>")])


def _asset(name: str) -> str:
    return files("spadam.report").joinpath(name).read_text(encoding="utf-8")
