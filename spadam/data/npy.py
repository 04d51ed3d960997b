"""Arrays in .npy files, mapped into memory once their headers are known to be true.

NumPy itself takes some headers for what they are not (a size below 0, an array behind another) and others for its own
errors; see "NumPy format", https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html.
"""

from __future__ import annotations

import math
import warnings
from pathlib import Path
from typing import Any, NamedTuple, NoReturn

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from spadam.data.plain_file import kind_of
from spadam.spec import InputError

_WIDEST = 8
"""Bytes of the widest number that torch has."""

_KINDS = {"c": "complex numbers", "b": "truth values", "U": "texts", "S": "texts", "M": "dates", "m": "spans of time"}


class _Header(NamedTuple):
    shape: tuple[int, ...]
    in_columns: bool
    dtype: np.dtype[Any]
    offset: int


def map_npy(path: Path, argument: str, value: object, *, truth: bool = False) -> NDArray[Any]:
    """The numbers in ``path``, an existing file, mapped read-only; with ``truth`` they may be truth values.

    Raises :class:`InputError` about ``argument`` when it holds none that torch knows, or not as many as it says.
    """

    def refuse(rule: str, remedy: str) -> NoReturn:
        raise InputError(argument, value, f"{path} {rule}", remedy)

    header = _read_header(path, refuse)
    shape, dtype = header.shape, header.dtype
    if dtype.hasobject:
        refuse("holds Python objects, which are not read", "save an array of float32: array.astype(np.float32)")
    if dtype.names is not None or dtype.subdtype is not None:
        refuse(f"holds records ({dtype}), and plain numbers are expected", "save one field of it")
    if dtype.kind not in ("fiub" if truth else "fiu"):
        kind = _KINDS.get(dtype.kind, str(dtype))
        refuse(f"holds {kind} ({dtype}), and plain numbers are expected", "save an array of float32")
    if dtype.itemsize > _WIDEST:
        rule = f"holds {dtype} numbers of {8 * dtype.itemsize} bits, which torch does not have"
        refuse(rule, "save array.astype(np.float32)")
    if not dtype.isnative:
        rule = f"has its bytes in the order of another machine ({dtype.str})"
        refuse(rule, "save array.astype(array.dtype.newbyteorder('='))")
    there, claimed = path.stat().st_size - header.offset, math.prod(shape) * dtype.itemsize
    if there != claimed:
        rule = f"says that it holds {dtype} of size {shape}, {claimed} bytes, and {there} follow"
        refuse(rule, "save or copy it again" if there < claimed else "save one array in a file")
    if header.in_columns and sum(size != 1 for size in shape) > 1:
        refuse("is in Fortran order: its samples do not lie together", "save np.ascontiguousarray(array)")
    if not claimed:  # there is nothing to map
        return np.empty(shape, dtype)
    return np.memmap(path, dtype, mode="r", offset=header.offset, shape=shape)


def _read_header(path: Path, refuse: Any) -> _Header:
    kind = kind_of(path)
    if kind != "a .npy file":
        is_kind = "" if kind is None else f", and is {kind}"
        refuse(f"must be a .npy file{is_kind}", "save it with np.save(file, array)")
    with path.open("rb") as file, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # headers of Python 2
        try:
            version = npy.read_magic(file)
            read = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
            shape, in_columns, dtype = read(file)
        except Exception as error:  # NumPy reads a header as Python, and its errors are of many kinds
            reason = str(error).split("\n")[0]
            refuse(f"must be a whole .npy file, and its header is damaged ({reason})", "save it again")
        if any(not isinstance(size, int) or size < 0 for size in shape):
            refuse(f"must be a whole .npy file, and its header says the size {shape}", "save it again")
        return _Header(tuple(map(int, shape)), in_columns, dtype, file.tell())
