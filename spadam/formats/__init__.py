"""Formats: how a trained autoencoder is written for other libraries, one file each.

A format is a module of its name here, imported when it is asked for. Its ``contents(autoencoder, trained)`` gives what
each of its files holds: tensors, for a .safetensors file, or text; and raises :class:`spadam.spec.InputError` for an
autoencoder whose evaluation code its library cannot compute.
"""

from __future__ import annotations

from enum import StrEnum


class Format(StrEnum):
    """The formats that there are, by the library that reads them."""

    saelens = "saelens"
