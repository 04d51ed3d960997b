"""Formulas as MathML, made while the site is built: a browser shows them without a script and without a network.

Sphinx hands over LaTeX from ``.. math::`` in docstrings and from ``$…$`` in pages.
"""

from __future__ import annotations

from typing import Any

from docutils import nodes
from latex2mathml.converter import convert
from sphinx.application import Sphinx
from sphinx.writers.html5 import HTML5Translator


def inline(latex: str) -> str:
    """``latex`` as a ``math`` element within a line."""
    return _math("inline", _row(latex))


def block(latex: str) -> str:
    """``latex`` as a ``math`` element of its own; rows end with a double backslash, ``&`` aligns them."""
    lines = [line.split("&") for line in latex.split(r"\\")]
    if lines == [[latex]]:
        return _math("block", _row(latex))
    width = max(map(len, lines))
    rows = [
        "".join(f'<mtd class="{("right", "left")[n % 2]}">{_row(cell)}</mtd>' for n, cell in enumerate(line))
        + "<mtd></mtd>" * (width - len(line))
        for line in lines
    ]
    return _math(
        "block",
        '<mtable class="aligned" displaystyle="true">' + "".join(f"<mtr>{row}</mtr>" for row in rows) + "</mtable>",
    )


def _math(display: str, inner: str) -> str:
    return f'<math display="{display}">{inner}</math>'


def _row(latex: str) -> str:
    """What `convert` puts into its ``math`` element."""
    whole: str = convert(latex.strip())
    return whole[whole.index(">") + 1 : whole.rindex("</math>")]


def _visit_inline(writer: HTML5Translator, node: nodes.math) -> None:
    writer.body.append(inline(node.astext()))
    raise nodes.SkipNode


def _visit_block(writer: HTML5Translator, node: nodes.math_block) -> None:
    writer.body.append(f'<div class="math">{block(node.astext())}</div>')
    raise nodes.SkipNode


def setup(app: Sphinx) -> dict[str, Any]:
    """Give Sphinx the renderer `mathml`."""
    app.add_html_math_renderer("mathml", (_visit_inline, None), (_visit_block, None))
    return {"parallel_read_safe": True, "parallel_write_safe": True}
