"""The page in a real browser: by day and by night, on a desk, a phone and paper. It loads and reports nothing."""

import base64
import random
import shutil
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pypdfium2 as pdfium
import pytest
from playwright.sync_api import Browser, sync_playwright
from playwright.sync_api import Page as Tab

from spadam.report.pair import write_pair
from support.report_bench import Desk

pytestmark = pytest.mark.browser

QUIET = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


PLOTS = 13 + 7 + 2
"""Of the page: the figures of trials and settings, those of the diagnostics, and of the cost."""


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path="/usr/bin/chromium", headless=True, args=list(QUIET))
        yield running
        running.close()


@pytest.fixture(scope="module")
def page(digits: Desk, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return digits.write(tmp_path_factory.mktemp("page"))


class Look:
    """An open page, and what it said and asked for."""

    def __init__(self, browser: Browser, page: Path, width: int, scheme: str = "light") -> None:
        self.said: list[str] = []
        self.asked: list[str] = []
        context = browser.new_context(viewport={"width": width, "height": 800}, color_scheme=scheme)  # type: ignore[arg-type]
        context.set_default_timeout(120_000)
        self.tab: Tab = context.new_page()
        self.tab.on("console", lambda message: self.said.append(message.text))
        self.tab.on("pageerror", lambda error: self.said.append(str(error)))
        self.tab.on("request", lambda request: self.asked.append(request.url))
        self.tab.goto(page.as_uri())

    def scroll(self) -> None:
        """Bring every figure into sight, and wait for it."""
        for plot in self.tab.locator(".plot").all():
            plot.scroll_into_view_if_needed()
            plot.locator("svg.main-svg").first.wait_for(state="attached")

    def colour(self, selector: str, what: str) -> str:
        return str(self.tab.locator(selector).first.evaluate(f"element => getComputedStyle(element).{what}"))


@pytest.mark.parametrize(("width", "scheme"), [(1440, "light"), (360, "light"), (360, "dark")])
def test_it_is_drawn_whole_and_silently(browser: Browser, page: Path, width: int, scheme: str) -> None:
    look = Look(browser, page, width, scheme)
    look.scroll()
    plots = look.tab.locator(".plot")
    assert plots.count() == PLOTS
    for plot in plots.all():
        assert plot.locator(".scatterlayer .trace").count() > 0
        box = plot.bounding_box()
        assert box is not None
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= width
    assert look.tab.evaluate("document.documentElement.scrollWidth") <= width
    tables = look.tab.locator(".scroll:has(.cards)").all()
    assert len(tables) == 2
    assert all(table.evaluate("element => element.scrollWidth <= element.clientWidth") for table in tables)
    for fold in look.tab.locator("summary").all():
        fold.click()
    assert look.tab.evaluate("document.documentElement.scrollWidth") <= width
    assert look.tab.locator("main img").evaluate_all("images => images.every(image => image.naturalWidth > 0)")
    assert look.said == []
    assert [url for url in look.asked if not url.startswith("data:")] == [page.as_uri()]


APART = """marks => marks.filter(mark => {
    const first = document.createRange();
    first.setStart(mark.nextSibling, 0);
    first.setEnd(mark.nextSibling, 1);
    const [letter, glyph] = [first, mark].map(it => it.getBoundingClientRect());
    return letter.width && (letter.left < glyph.right || letter.top > glyph.bottom);
}).map(mark => mark.parentElement.textContent)"""
"""The marks that stand above the name of their variant, and not before it."""


def test_a_variant_s_mark_stands_before_its_name_however_narrow(browser: Browser, page: Path) -> None:
    look = Look(browser, page, 1000)
    look.tab.add_style_tag(content=".cards thead { display: none } table.cards { width: 1px }")
    assert look.tab.locator("th .swatch").count() > 0
    assert look.tab.locator(".swatch").evaluate_all(APART) == []


def test_figures_follow_the_night_and_the_paper(browser: Browser, page: Path) -> None:
    look = Look(browser, page, 1440)
    look.scroll()
    mark, text = "#response-0 .scatterlayer .points path", "#response-0 .xtick text"
    day = look.colour(mark, "fill"), look.colour(text, "fill"), look.colour("body", "backgroundColor")
    look.tab.emulate_media(color_scheme="dark")
    night = look.colour(mark, "fill"), look.colour(text, "fill"), look.colour("body", "backgroundColor")
    assert len({*day, *night}) == 6
    assert look.colour(mark, "fill") == look.colour(".swatch.v0", "color")
    look.tab.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert (look.colour(mark, "fill"), look.colour(text, "fill"), look.colour("body", "backgroundColor")) == day
    look.tab.evaluate("dispatchEvent(new Event('afterprint'))")
    assert look.colour(mark, "fill") == night[0]
    assert look.said == []


def test_on_paper_every_figure_is_drawn_though_nobody_scrolled(browser: Browser, page: Path, tmp_path: Path) -> None:
    look = Look(browser, page, 360)
    assert look.tab.locator(".plot:has(svg.main-svg)").count() < PLOTS
    look.tab.pdf(path=tmp_path / "page.pdf", format="A4")
    assert look.tab.locator(".plot:has(svg.main-svg)").count() == PLOTS
    assert look.said == []


def test_figures_have_the_size_of_the_paper_and_then_that_of_the_screen(browser: Browser, page: Path) -> None:
    look = Look(browser, page, 1440)
    look.scroll()
    sizes = "plots => plots.map(p => [p.clientWidth, p.clientHeight, p._fullLayout.width, p._fullLayout.height])"
    screen = look.tab.locator(".plot").evaluate_all(sizes)
    look.tab.evaluate("dispatchEvent(new Event('beforeprint'))")
    paper = look.tab.locator(".plot").evaluate_all(sizes)
    look.tab.evaluate("dispatchEvent(new Event('afterprint'))")
    assert look.tab.locator(".plot").evaluate_all(sizes) == screen
    for there, drawn in ((found[:2], found[2:]) for found in (*screen, *paper)):
        assert drawn == pytest.approx(there, abs=1.5)
    assert {width for width, *_ in paper} == {680, 328}
    assert look.said == []


def printed(look: Look, folder: Path, form: str) -> list[np.ndarray[Any, Any]]:
    """The sheets of paper, in greys."""
    look.tab.pdf(path=folder / "page.pdf", format=form)
    with pdfium.PdfDocument(folder / "page.pdf") as document:
        return [sheet.render(scale=0.5, grayscale=True).to_numpy().squeeze() for sheet in document]


def is_cut_off(sheet: np.ndarray[Any, Any]) -> bool:
    """Whether something reaches into the margin of 14 mm at the right, or ends where it begins."""
    return bool((sheet[:, -20:] < 200).any())


@pytest.mark.parametrize("form", ["A4", "Letter"])
@pytest.mark.parametrize("width", [360, 1440])
def test_no_sheet_is_half_empty(browser: Browser, ended: Desk, tmp_path: Path, form: str, width: int) -> None:
    sheets = printed(Look(browser, ended.write(tmp_path), width), tmp_path, form)
    inked = [np.flatnonzero((sheet < 200).any(axis=1)).max() / len(sheet) for sheet in sheets]
    assert len(sheets) <= 6
    assert min(inked[:-1]) > 0.6, inked
    assert not any(map(is_cut_off, sheets))


def test_a_keyboard_opens_the_numbers(browser: Browser, page: Path) -> None:
    look = Look(browser, page, 1440)
    fold = look.tab.locator("details").first
    fold.locator("summary").focus()
    look.tab.keyboard.press("Enter")
    assert fold.get_attribute("open") is not None
    look.tab.keyboard.press("Tab")
    assert look.tab.evaluate("document.activeElement.className") == "scroll"


def test_a_pointer_is_told_the_trial_under_it(browser: Browser, page: Path) -> None:
    look = Look(browser, page, 1440)
    look.scroll()
    look.tab.locator("#response-0 .scatterlayer .points path").first.hover(force=True)
    said = look.tab.locator("#response-0 .hoverlayer .hovertext").first.text_content() or ""
    assert "adam search-" in said
    assert "val/fvu" in said


@pytest.mark.parametrize(("width", "scheme"), [(1440, "dark"), (360, "light")])
def test_two_sweeps_are_drawn_whole_and_silently(
    browser: Browser, ended: Desk, tmp_path: Path, width: int, scheme: str
) -> None:
    shutil.copytree(ended.folder, tmp_path / "other")
    look = Look(browser, write_pair([ended.folder, tmp_path / "other"], tmp_path), width, scheme)
    assert not any(map(is_cut_off, printed(look, tmp_path, "A4")))
    look.scroll()
    assert look.tab.locator(".plot:has(svg.main-svg)").count() == 2
    for fold in look.tab.locator("summary").all():
        fold.click()
    assert look.tab.evaluate("document.documentElement.scrollWidth") <= width
    assert look.said == []


def test_without_javascript_the_numbers_are_there(browser: Browser, page: Path) -> None:
    tab = browser.new_context(java_script_enabled=False).new_page()
    tab.goto(page.as_uri())
    tab.locator("#response summary").click()
    assert tab.locator("#response tbody tr").first.is_visible()
    assert "search-0" in tab.locator("#response tbody").inner_text()


@pytest.mark.parametrize(
    ("level", "strategy"), [(0, zlib.Z_DEFAULT_STRATEGY), (9, zlib.Z_FIXED), (6, zlib.Z_RLE), (9, 0)]
)
def test_the_browser_unpacks_whatever_zlib_has_deflated(
    browser: Browser, page: Path, level: int, strategy: int
) -> None:
    """Blocks that are stored, of the fixed code and of codes of their own; matches of all lengths and distances."""
    draw = random.Random(0)
    content = bytearray(draw.randbytes(70_000))
    for _ in range(300):
        start, long = draw.randrange(len(content) - 300), draw.randrange(3, 300)
        content += content[start : start + long] + bytes(draw.randrange(200))
    packer = zlib.compressobj(level, zlib.DEFLATED, -15, strategy=strategy)
    packed = base64.b64encode(packer.compress(bytes(content)) + packer.flush()).decode()
    script = (
        "([packed, size]) => { const found = inflate(Uint8Array.from(atob(packed), c => c.charCodeAt(0)), size);"
        " return Array.from(found, byte => byte.toString(16).padStart(2, '0')).join('') }"
    )
    assert bytes.fromhex(Look(browser, page, 360).tab.evaluate(script, [packed, len(content)])) == content
