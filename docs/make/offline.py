"""Whether a built site asks other hosts for anything: no script, style, font, picture or frame may come from elsewhere.

Links that a person may follow are none of that. ``python -m make.offline site`` ends with 1 and names what it found.
"""

from __future__ import annotations

import re
import sys
from html.parser import HTMLParser
from pathlib import Path

_ELSEWHERE = re.compile(r"\s*(?:https?:)?//", re.IGNORECASE)
_IN_STYLE = re.compile(r"""(?:url\(\s*|@import\s+)["']?((?:https?:)?//[^"')\s]+)""", re.IGNORECASE)
_FOLLOWED = {"a", "form"}
_NAMES_ONLY = {"canonical", "license", "author", "me"}  # relations of a `link` that fetch nothing


class _Page(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = {key: value or "" for key, value in attrs}
        if tag in _FOLLOWED or (tag == "link" and values.get("rel") in _NAMES_ONLY):
            return
        for key in ("src", "srcset", "href", "data", "poster"):
            if _ELSEWHERE.match(values.get(key, "")):
                self.found.append(values[key])
        self.found += _IN_STYLE.findall(values.get("style", ""))

    def handle_data(self, data: str) -> None:
        if self.get_starttag_text() and str(self.get_starttag_text()).startswith("<style"):
            self.found += _IN_STYLE.findall(data)


def from_elsewhere(text: str, suffix: str) -> list[str]:
    """The addresses on other hosts that an .html or .css file has a browser fetch."""
    if suffix == ".css":
        return _IN_STYLE.findall(re.sub(r"/\*.*?\*/", "", text, flags=re.DOTALL))
    page = _Page()
    page.feed(text)
    return page.found


def main(site: Path) -> int:
    """Check every page and style sheet below ``site``; the exit code."""
    files = [path for path in sorted(site.rglob("*")) if path.suffix in (".html", ".css")]
    found = [(path, url) for path in files for url in from_elsewhere(path.read_text(encoding="utf-8"), path.suffix)]
    for path, url in found:
        sys.stderr.write(f"{path}: {url}\n")
    return int(bool(found) or not files)


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
