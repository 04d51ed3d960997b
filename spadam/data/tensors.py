"""Tensors in .safetensors files, mapped into memory and not read; see https://huggingface.co/docs/safetensors."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open

from spadam.data.plain_file import kind_of
from spadam.spec import InputError

TYPES = {
    "BF16": "bfloat16",
    "F16": "float16",
    "F32": "float32",
    "F64": "float64",
    "I8": "int8",
    "I16": "int16",
    "I32": "int32",
    "I64": "int64",
    "U8": "uint8",
}
"""torch's names of what the format calls otherwise."""

_TRUTH = {"BOOL": "bool"}


def map_tensor(
    path: Path, key: str | None, argument: str, key_argument: str, value: object, *, truth: bool = False
) -> tuple[NDArray[Any], str, list[int]]:
    """The bytes of the tensor called ``key`` in ``path``, an existing file, mapped read-only; torch's type, and sizes.

    With ``truth`` it may hold truth values. Raises :class:`InputError` about ``argument`` or ``key_argument`` when it
    is not there, or is not read.
    """
    # the library checks the header; its own tensors for torch cannot be larger than memory
    try:
        with safe_open(path, framework="np") as file:
            keys = list(file.keys())
    except (SafetensorError, OSError, ValueError) as error:
        kind = kind_of(path)
        if kind not in (None, "a .safetensors file"):
            rule, remedy = (
                f"{path} must be a .safetensors file, and is {kind}",
                "give it its own ending, or save it again",
            )
        else:
            reason = str(error).split("\n")[0]
            rule, remedy = f"{path} must be a whole .safetensors file ({reason})", "save or copy it again"
        raise InputError(argument, value, rule, remedy) from None
    if not keys:
        raise InputError(argument, value, f"{path} holds no tensor", "save one in it")
    if key is None and len(keys) != 1:
        rule = f"{path.name} holds {len(keys)} tensors, and one must be chosen"
        raise InputError(key_argument, None, rule, f"set it to one of: {', '.join(keys)}")
    if key is not None and key not in keys:
        raise InputError(key_argument, key, f"{path.name} has no such tensor", f"choose one of: {', '.join(keys)}")
    with path.open("rb") as raw:
        header_bytes = int.from_bytes(raw.read(8), "little")
        entry = json.loads(raw.read(header_bytes))[keys[0] if key is None else key]
    types = TYPES | _TRUTH if truth else TYPES
    if entry["dtype"] not in types:
        rule = f"{path} holds numbers of type {entry['dtype']}, and {entry['dtype']} is not read"
        raise InputError(argument, value, rule, "save it as float32")
    begin, end = entry["data_offsets"]
    if begin == end:  # there is nothing to map
        return np.empty(0, np.uint8), types[entry["dtype"]], entry["shape"]
    flat = np.memmap(path, np.uint8, mode="r", offset=8 + header_bytes + begin, shape=(end - begin,))
    return flat, types[entry["dtype"]], entry["shape"]
