"""What a page carries deflated, a fraction of its size: Plotly's own code, and what it is to draw."""

from __future__ import annotations

import base64
import functools
import zlib
from importlib.resources import files

from spadam.report.markup import Html, tag

_RAW = -15
"""Deflated without a header, as ``inflate.js`` unpacks it."""


def packed(content: bytes, id_: str) -> Html:
    """An element that holds ``content`` and its size; ``inflate.js`` unpacks it."""
    packer = zlib.compressobj(9, zlib.DEFLATED, _RAW)
    text = base64.b64encode(packer.compress(content) + packer.flush()).decode()
    return tag("script", text, type="text/plain", id=id_, data_size=str(len(content)))


def unpacked(text: str) -> bytes:
    """What :func:`packed` has put into such an element."""
    return zlib.decompress(base64.b64decode(text), _RAW)


@functools.cache
def plotly() -> Html:
    """Plotly's code, as an element."""
    return packed(files("plotly").joinpath("package_data/plotly.min.js").read_bytes(), "plotly")
