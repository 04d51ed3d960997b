"""From a text to a folder of activations."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import save_file

from spadam import __version__, machine
from spadam.activations import shards
from spadam.activations.documents import Text
from spadam.activations.folder import PER_TOKEN, Partial, read_whole
from spadam.activations.transformer import MOST_TOKENS, Transformer
from spadam.activations.windows import Windows, cut
from spadam.files import check_folder, hold
from spadam.kernels.arithmetic import arithmetic
from spadam.spec import InputError
from spadam.text import byte_size

Dtype = Literal["float16", "bfloat16", "float32"]
Device = Literal["auto", "cpu", "cuda"]


class Wanted(NamedTuple):
    """What is asked for."""

    model: str
    """A folder, or a name of the Hugging Face hub."""
    layer: int
    text: Path
    revision: str | None = None
    text_key: str | None = None
    max_tokens: int | None = None
    """Of a window, special tokens included; None: 512, or what the model takes if that is less."""
    dtype: Dtype = "float16"
    batch_size: int = 32
    """Windows."""
    shard_mb: float = 256
    threads: int | None = None
    """None: a thread a core."""
    device: Device = "auto"


class Progress(NamedTuple):
    """How far it is: ``done`` of ``total``, where that is known."""

    doing: str
    done: int = 0
    total: int | None = None


class Extracted(NamedTuple):
    """What came of it."""

    summary: dict[str, Any]
    """What activations.json holds."""
    already: bool
    """Whether all of it was there before."""


def extract(wanted: Wanted, out: Path, told: Callable[[Progress], None] = lambda _: None) -> Extracted:
    """Write the activations of a text into ``out``, or find them there.

    The same again goes on where it was interrupted, behind the last shard, with the same bits. Raises
    :class:`InputError`, before anything is written, about what is wrong.
    """
    text = Text(wanted.text, wanted.text_key)
    check_folder(out)
    shards.check_size(wanted.shard_mb)
    threads = wanted.threads or machine.cores()
    told(Progress("loading"))
    with arithmetic(threads):
        transformer = Transformer(wanted.model, wanted.revision, wanted.layer, _device(wanted.device))
        settings = _settings(wanted, text, transformer, threads)
        if (summary := read_whole(out, settings)) is not None:
            return Extracted(summary, already=True)
        told(Progress("tokenizing"))
        windows = cut(text, transformer, settings["max_tokens"], lambda n: told(Progress("tokenizing", n)))
        with hold(out):
            if (summary := read_whole(out, settings)) is not None:  # another process has just done it
                return Extracted(summary, already=True)
            return Extracted(_write(wanted, out, settings, transformer, windows, told), already=False)


def _write(
    wanted: Wanted,
    out: Path,
    settings: dict[str, Any],
    transformer: Transformer,
    windows: Windows,
    told: Callable[[Progress], None],
) -> dict[str, Any]:
    begun, dtype = time.monotonic(), getattr(torch, wanted.dtype)
    parts = shards.divide(windows.tokens, transformer.features, dtype, wanted.shard_mb)
    partial = Partial(out, settings)
    missing = {n: rows for n, rows in enumerate(parts) if not partial.has(shards.name(n))}
    _check_room(out, sum(map(len, missing.values())) * transformer.features * dtype.itemsize + 13 * windows.tokens)
    done = windows.tokens - sum(map(len, missing.values()))

    def came(rows: int) -> None:
        nonlocal done
        done += rows
        told(Progress("computing", done, windows.tokens))

    came(0)
    for n, rows in missing.items():
        rows_RD = shards.compute(transformer, windows, rows, dtype, wanted.batch_size, came)
        with partial.write(shards.name(n)) as path:
            save_file({shards.KEY: rows_RD}, path)
    per_token: tuple[NDArray[Any], ...] = (windows.documents_N, windows.tokens_N, windows.special_N)
    for name, values in zip(PER_TOKEN, per_token, strict=True):
        with partial.write(name) as path, path.open("wb") as file:
            np.save(file, values)
    files = [*map(shards.name, range(len(parts))), *PER_TOKEN]
    summary = {
        "model": wanted.model,
        "commit": transformer.commit,
        "architecture": transformer.architecture,
        "blocks": transformer.blocks,
        "features": transformer.features,
        "text": str(wanted.text),
        "documents": windows.documents,
        "empty_documents": windows.empty,
        "split_documents": windows.split,
        "windows": len(windows.starts) - 1,
        "tokens": windows.tokens,
        "special_tokens": int(windows.special_N.sum()),
        "files": files,
        "settings": settings,
        "seconds": round(time.monotonic() - begun, 3),
        "written": datetime.now(UTC).isoformat(timespec="seconds"),
        "versions": {
            "spadam": __version__,
            **{name: version(name) for name in ("torch", "transformers", "tokenizers")},
        },
    }
    partial.publish(files, summary)
    return summary


def _settings(wanted: Wanted, text: Text, transformer: Transformer, threads: int) -> dict[str, Any]:
    """All that the bits of the files depend on but releases and the processor."""
    return {
        "weights_sha256": transformer.weights_digest,
        "tokenizer_sha256": transformer.tokenizer_digest,
        "layer": wanted.layer,
        "text_sha256": text.digest,
        "text_key": text.key,
        "max_tokens": _max_tokens(wanted.max_tokens, transformer),
        "dtype": wanted.dtype,
        "batch_size": wanted.batch_size,
        "shard_mb": wanted.shard_mb,
        "threads": threads,
        "device": transformer.device,
    }


def _max_tokens(asked: int | None, transformer: Transformer) -> int:
    longest, least = transformer.longest, transformer.around + 1
    if asked is None:
        return MOST_TOKENS if longest is None else min(MOST_TOKENS, longest)
    if asked < least:
        rule = f"must be {least} or more, for {transformer.around} special tokens stand around every window"
        raise InputError("--max-tokens", asked, rule, "raise it")
    if longest is not None and asked > longest:
        raise InputError("--max-tokens", asked, f"this model takes at most {longest}", "lower it")
    return asked


def _device(asked: Device) -> torch.device:
    found = torch.cuda.is_available()
    if asked == "cuda" and not found:
        raise InputError("--device", asked, "torch must see a CUDA device", "use auto or cpu")
    return torch.device("cuda" if found and asked != "cpu" else "cpu")


def _check_room(out: Path, needed: int) -> None:
    free = shutil.disk_usage(out).free
    if needed > free:
        rule = f"the activations take {byte_size(needed)}, and {byte_size(free)} are free there"
        raise InputError("--out", str(out), rule, "make room, give another folder, or a smaller text or --dtype")
