"""The base of every configuration, and the one way a YAML file becomes one.

A *document* is what a YAML file says, with the place of every value. A *spec* is a checked, frozen document that can
build what it describes. Whatever is wrong with a document is told as one :class:`InputError`.
"""

from spadam.spec.base import PathText, Spec, as_tuple, at_home
from spadam.spec.checking import validate
from spadam.spec.document import Document, Path_, assign, dump, merge
from spadam.spec.error import InputError, Mistakes, Written, line_of
from spadam.spec.importing import NO_CUSTOM, check_import_path, import_subclass, imported
from spadam.spec.keys import alike, all_keys, fields_at, nearest, nearest_key
from spadam.spec.kinds import KINDS, RESULT, RUN, SWEEP, check_kind
from spadam.spec.reading import load, parse, parse_value
from spadam.spec.source import nearest_path

__all__ = [
    "KINDS",
    "NO_CUSTOM",
    "RESULT",
    "RUN",
    "SWEEP",
    "Document",
    "InputError",
    "Mistakes",
    "PathText",
    "Path_",
    "Spec",
    "Written",
    "alike",
    "all_keys",
    "as_tuple",
    "assign",
    "at_home",
    "check_import_path",
    "check_kind",
    "dump",
    "fields_at",
    "import_subclass",
    "imported",
    "line_of",
    "load",
    "merge",
    "nearest",
    "nearest_key",
    "nearest_path",
    "parse",
    "parse_value",
    "validate",
]
