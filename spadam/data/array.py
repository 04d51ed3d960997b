"""A user's own samples in one file or several, left there and mapped into memory.

Shapes: N samples, D features, E features of a target.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from pydantic import Field, model_validator
from typing_extensions import override

from spadam.data.mapped import allow_mapping, check_ending, check_key, describe, map_file
from spadam.data.pattern import check_apart, find, names
from spadam.data.per_sample import read_labels, read_shards
from spadam.data.source import BaseDatasetSpec, tenth
from spadam.spec import InputError

if TYPE_CHECKING:
    from torch import Tensor

    from spadam.data.samples import Samples
    from spadam.data.shards import Rows

_OWN = ("validation", "test")
"""Splits that may have files of their own, in the order in which their samples are numbered."""

_BESIDE = ("labels", "target")
"""What may be given beside samples, in files of their own."""


class ArraySpec(BaseDatasetSpec):
    """Your own samples: .npy or .safetensors files of floats, memory-mapped; labels optional (without: no probe).

    A file is named, or shards are by a pattern: ``acts-*.safetensors`` means all that it matches, acts-2 before
    acts-10, of one width and type, and together larger than memory if need be. A file holds (N, D) numbers, or (N, …),
    which are flattened. Values are checked as they are read into batches, where they become float32. Validation and
    test are drawn from ``file``, or have files of their own. What a mask or groups say, they say of the samples of
    ``file``, or of all: those of ``validation_file`` and ``test_file`` then follow. With a ``target`` a model reads a
    sample and reconstructs its target: a transcoder.
    """

    name: Literal["array"] = "array"
    file: str = Field(min_length=1)
    """The samples: a path below ``root``, or an absolute one; or a pattern, such as ``acts-*.safetensors``."""
    key: str | None = None
    """Which tensor of a .safetensors file, and of those of validation and test; null: the only one."""
    labels: str | None = Field(default=None, min_length=1)
    """A file with one whole number per sample, classes counted from 0, or a pattern: a file for each one of samples;
    null: no labels."""
    labels_key: str | None = None
    """Which tensor of the labels' .safetensors file, and of those of validation and test; null: the only one."""
    validation_file: str | None = Field(default=None, min_length=1)
    """The validation samples, all of this file or pattern; null: they are drawn from ``file``."""
    validation_labels: str | None = Field(default=None, min_length=1)
    """Their labels; needed when there are labels."""
    test_file: str | None = Field(default=None, min_length=1)
    """The test samples, all of this file or pattern; null: they are drawn from ``file``."""
    test_labels: str | None = Field(default=None, min_length=1)
    """Their labels; needed when there are labels."""
    target: str | None = Field(default=None, min_length=1)
    """A file of floats with what is to be reconstructed of each sample, in their order, of as many features as it has;
    null: the samples themselves."""
    target_key: str | None = None
    """Which tensor of the target's .safetensors file, and of those of validation and test; null: the only one."""
    validation_target: str | None = Field(default=None, min_length=1)
    """The targets of ``validation_file``; needed when there are targets."""
    test_target: str | None = Field(default=None, min_length=1)
    """The targets of ``test_file``; needed when there are targets."""
    test_size: int | None = Field(default=None, ge=0)
    """Test samples; null: a tenth."""

    @model_validator(mode="after")
    def _agree(self) -> ArraySpec:
        named = self._named()
        for argument, file in named.items():
            check_ending(file, f"data.{argument}")
        for key, kind in (("key", "file"), ("labels_key", "labels"), ("target_key", "target")):
            files = {f"data.{name}": file for name, file in named.items() if name.endswith(kind)}
            check_key(getattr(self, key), f"data.{key}", files)
        for split in _OWN:
            self._agree_on(split, named[f"{split}_file"])
            for beside in _BESIDE:
                self._agree_beside(split, beside, named)
        return self

    def _agree_on(self, split: str, file: str | None) -> None:
        """Refuse a size of a split that has a file."""
        size = getattr(self, f"{split}_size")
        if file is not None and size is not None:
            rule = f"the {split} samples are those of data.{split}_file, all of them"
            raise InputError(f"data.{split}_size", size, rule, "remove it")

    def _agree_beside(self, split: str, beside: str, named: dict[str, str | None]) -> None:
        """Refuse labels or targets of a split that has no file, or where other samples have none, or the reverse."""
        file, own, others = named[f"{split}_file"], named[f"{split}_{beside}"], named[beside]
        if own is not None and (file is None or others is None):
            needed = f"data.{split}_file" if file is None else f"data.{beside}"
            rule = f"they need {needed} beside them"
            raise InputError(f"data.{split}_{beside}", own, rule, "add it, or remove them")
        if file is not None and others is not None and own is None:
            rule = f"data.{split}_file has none, and the samples of data.file have"
            raise InputError(f"data.{split}_{beside}", None, rule, f"give a file of them, or remove data.{beside}")

    def files(self) -> tuple[Path, ...]:
        """Whatever files are given, of samples, labels and targets."""
        found = self._found()
        for kind in ("file", "target"):
            parts = {f"data.{key}": paths for key, paths in found.items() if key.endswith(kind)}
            check_apart(parts, {f"data.{key}": file for key, file in self._named().items()})
        return tuple(path for paths in found.values() for path in paths)

    def read(self, files: tuple[Path, ...]) -> Samples:
        """Map the samples and their targets, and read the labels. No sample is touched."""
        import torch

        paths = self._found()
        if sum(map(len, paths.values())) != len(files):
            raise InputError("data.file", self.file, "files of the set came or went while it was read", "start again")
        allow_mapping(len(files), "data.file", self.file)
        samples = self._mapped("file", paths)
        own = {f"{split}_labels": f"data.{split}_file" for split in _OWN}
        parts = {
            "labels": samples.x,
            **{key: samples.apart[file] for key, file in own.items() if file in samples.apart},
        }
        y = [self._label(key, paths[key], part, most=len(samples.x)) for key, part in parts.items() if key in paths]
        if y:
            y_N = torch.cat(y)
            samples = replace(samples, y=y_N, classes=int(y_N.max()) + 1)
        if self.target is None:
            return samples
        target = self._mapped("target", paths)
        for (argument, found), (file, wanted) in zip(target.counts, samples.counts, strict=True):
            if found != wanted:
                rule = f"must hold one target for each of the {wanted} samples of {file}, not {found}"
                value = getattr(self, argument.removeprefix("data."))
                raise InputError(argument, value, rule, f"save {wanted} of them, in the order of the samples")
        return replace(samples, target=target)

    def _mapped(self, what: str, paths: dict[str, tuple[Path, ...]]) -> Samples:
        """The files of samples ("file"), or those of targets ("target"): what is to be split, and official parts."""
        from spadam.data.samples import Samples

        x, shape = self._map(what, paths[what])
        named = {split: f"{split}_{what}" for split in _OWN}
        own = {split: self._map(name, paths[name])[0] for split, name in named.items() if name in paths}
        for split, part in own.items():
            if (features := part.shape[1]) != (wanted := x.shape[1]):
                rule = f"must have {wanted} features, as those of data.{what} have, not {features}"
                raise InputError(f"data.{named[split]}", getattr(self, named[split]), rule, f"give {what}s of one kind")
        return Samples(
            x,
            image_shape=(shape[0], shape[1]) if len(shape) == 2 else None,
            mapped=True,
            apart={f"data.{named[split]}": part for split, part in own.items()},
            official_validation=len(own.get("validation", ())),
            official_test=len(own.get("test", ())),
            argument=f"data.{what}",
        )

    @property
    @override
    def labelled(self) -> bool:
        return self.labels is not None

    @property
    @override
    def targeted(self) -> bool:
        return self.target is not None

    def default_sizes(self, pool: int) -> tuple[int, int]:
        """A tenth for validation, and ``test_size`` or a tenth for test; 0 for what has a file of its own."""
        test = tenth(pool) if self.test_size is None else self.test_size
        return 0 if self.validation_file is not None else tenth(pool), 0 if self.test_file is not None else test

    def _named(self) -> dict[str, str | None]:
        """Every file that may be given, by its key."""
        kinds = ("file", *_BESIDE)
        own = {f"{split}_{kind}": getattr(self, f"{split}_{kind}") for split in _OWN for kind in kinds}
        return {"file": self.file, "labels": self.labels, "target": self.target, **own}

    def _found(self) -> dict[str, tuple[Path, ...]]:
        """The files there are, by the keys that name them."""
        named = self._named().items()
        return {key: find(self.folder, file, f"data.{key}") for key, file in named if file is not None}

    def _map(self, argument: str, paths: Sequence[Path]) -> tuple[Rows, tuple[int, ...]]:
        """The samples or targets of ``argument``, (N, D), and the sizes of one as it is stored."""
        from spadam.data.shards import join

        shown = names(paths) if len(paths) > 1 else [getattr(self, argument)]
        tensors = {name: self._map_one(argument, path, name) for name, path in zip(shown, paths, strict=True)}
        return join(tensors, f"data.{argument}"), tuple(next(iter(tensors.values())).shape[1:])

    def _map_one(self, argument: str, path: Path, file: str) -> Tensor:
        key = "target_key" if argument.endswith("target") else "key"
        chosen = getattr(self, key) if path.suffix == ".safetensors" else None
        x = map_file(path, chosen, f"data.{argument}", f"data.{key}", file)
        if x.ndim < 2 or x.numel() == 0 or not x.is_floating_point():
            rule = f"must hold floats of size (samples, features) or (samples, …), not {describe(x)}"
            raise InputError(f"data.{argument}", file, rule, "save it as a two-dimensional array of float32")
        return x

    def _label(self, argument: str, paths: Sequence[Path], samples: Rows, most: int) -> Tensor:
        from spadam.data.shards import pieces

        key = self.labels_key if paths[0].suffix == ".safetensors" else None
        read = partial(read_labels, key=key, argument=f"data.{argument}", most=most)
        layout = [len(piece) for piece in pieces(samples)]
        return read_shards(paths, read, [layout], f"data.{argument}", getattr(self, argument))
