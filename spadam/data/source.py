"""What every dataset's specification has in common: sizes, seed, and loading with a memory.

A *source* is a specification that can read samples. Splits are drawn from what it reads.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import replace
from functools import lru_cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Literal, NamedTuple

from pydantic import Field, model_validator

from spadam.data.exclude import ExcludeSpec
from spadam.data.mapped import check_ending, check_key
from spadam.data.pattern import find
from spadam.data.per_sample import read_groups, read_mask, read_shards
from spadam.data.scale import Scaling
from spadam.data.splits import Sizes, count_batches, fit
from spadam.data.splitting import split
from spadam.spec import InputError, Spec, at_home

if TYPE_CHECKING:
    from spadam.data.dataset import Dataset
    from spadam.data.samples import Samples

Composition = Literal["shuffled", "by_class"]
"""What training batches are made of."""


class BaseDatasetSpec(Spec, ABC):
    """A set of samples, and how to split and batch it.

    A member of the registry says where its ``files`` are, ``read``s them, and has default sizes; what it knows of
    samples beforehand it says with ``pool``, ``labelled`` and ``targeted``. It overrides nothing else. Its docstring's
    first line is what ``spadam list datasets`` shows. Importing its file imports neither torch nor what reads the
    files: ``read`` does.
    """

    name: str
    root: str = Field(default="data", min_length=1)
    """Folder of the set's files; a leading ~ is the home folder."""
    batch_size: int = Field(default=128, gt=0)
    """Samples of a training batch."""
    batches: Composition = "shuffled"
    """What a training batch is made of: samples of all classes, or `by_class` of one each (at the border of two classes
    of both), the batches shuffled. Then a row is touched by many samples of a batch, or by none."""
    train_size: int | None = Field(default=None, gt=0)
    """Training samples; null: all that validation and test leave."""
    validation_size: int | None = Field(default=None, ge=0)
    """Validation samples, taken from the training part; null: the set's own default; 0: no validation."""
    split_seed: int = Field(default=0, ge=0)
    """Which samples are in which split."""
    scale: Scaling = "none"
    """One number that all samples are multiplied by, so that an lr or an eps means the same on other data: `unit_sq`
    makes the mean square of their norms 1, `sqrt_d` the mean of their norms √features, both over the training samples.
    It is the metric data/scale; saved weights take samples as they are. Targets of their own are multiplied by a number
    of their own, found in the same way (data/target_scale)."""
    groups: str | None = Field(default=None, min_length=1)
    """A .npy or .safetensors file with one whole number a sample, such as the document that it comes from: samples of a
    group are all in the same split. Validation and test take whole groups until they have their sizes, so each may have
    up to one group more. Or a pattern: a file for each of those with the samples, in their order."""
    groups_key: str | None = None
    """Which tensor of the groups' .safetensors file; null: the only one."""
    exclude: ExcludeSpec | None = None
    """Samples that are in no split; null: none are."""

    @model_validator(mode="after")
    def _check_classes(self) -> BaseDatasetSpec:
        if self.batches == "by_class" and not self.labelled:
            rule = "samples without labels have no classes"
            raise InputError("data.batches", self.batches, rule, "set data.batches: shuffled, or give labels")
        return self

    @model_validator(mode="after")
    def _check_groups(self) -> BaseDatasetSpec:
        check_ending(self.groups, "data.groups")
        check_key(self.groups_key, "data.groups_key", {"data.groups": self.groups})
        return self

    def load(self) -> Dataset:
        """Read the set and split it.

        The samples of the two sets used last stay in memory, so that further trainings in a process share them; a
        file that has changed since is read again. Raises :class:`InputError` when files are missing or damaged, or
        sizes do not fit.
        """
        from spadam.data.dataset import Dataset  # here, because torch takes seconds to import

        whole = self.whole
        samples = _given.get(whole)
        if samples is None:
            beside = tuple((key, _stamp(path)) for key, paths in self._beside().items() for path in paths)
            samples = _read(whole, tuple(map(_stamp, self.files())), beside)
        splits = split(samples, self.exclude, self.fit_sizes, self.split_seed)
        if self.groups is not None:
            self._check_left(len(splits.train))
        return Dataset(samples, splits).scaled(self.scale)

    def fit_sizes(self, pool: int) -> Sizes:
        """The sizes of the splits if ``pool`` samples are there to be split. Raises :class:`InputError` if too few."""
        validation, test = self.default_sizes(pool)
        sizes = fit(pool, self.train_size, validation if self.validation_size is None else self.validation_size, test)
        count_batches(sizes.train, self.batch_size)
        return sizes

    @property
    def sizes(self) -> Sizes | None:
        """The sizes of the splits, where they are known before anything is read. Raises as :meth:`fit_sizes` does."""
        known = self.groups is None and self.exclude is None and self.pool is not None
        return self.fit_sizes(self.pool) if known and self.pool is not None else None

    @property
    def whole(self) -> BaseDatasetSpec:
        """What is read: the same for all that only split or batch it differently."""
        changes = {name: BaseDatasetSpec.model_fields[name].default for name in _SPLITTING}
        return self.model_copy(update={**changes, "exclude": self.exclude and self.exclude.read})

    @abstractmethod
    def files(self) -> tuple[Path, ...]:
        """The files that the set is read from, fetched if they can be; :class:`InputError` if they cannot."""

    @abstractmethod
    def read(self, files: tuple[Path, ...]) -> Samples:
        """Read ``files``, as found by :meth:`files`. Must not depend on the fields that only split or batch."""

    @abstractmethod
    def default_sizes(self, pool: int) -> tuple[int, int]:
        """(validation samples by default, test samples), to be cut from ``pool`` samples."""

    @property
    def pool(self) -> int | None:
        """How many samples there are to be split, where that is known before anything is read."""
        return None

    @property
    def labelled(self) -> bool:
        """Whether its samples have classes."""
        return True

    @property
    def targeted(self) -> bool:
        """Whether its samples have targets that are others than themselves."""
        return False

    def _check_left(self, train: int) -> None:
        """Refuse what whole groups in validation and test have left to train on."""
        if self.train_size is not None and train < self.train_size:
            rule = f"validation and test take whole groups, which leaves {train} samples"
            raise InputError("data.train_size", self.train_size, rule, f"set it to {train} or less, or null")
        count_batches(train, self.batch_size)

    def _beside(self) -> dict[str, tuple[Path, ...]]:
        """The files that say something of each sample, by the keys that name them; checked as :meth:`files` does."""
        named = {"groups": self.groups, "exclude.mask": None if self.exclude is None else self.exclude.mask}
        return {key: find(self.folder, file, f"data.{key}") for key, file in named.items() if file is not None}

    @property
    def folder(self) -> Path:
        """``root`` as a path."""
        return at_home(self.root, "data.root")


_SPLITTING = ("batch_size", "batches", "train_size", "validation_size", "split_seed", "scale")
"""Fields that do not change what is read."""


class _Stamp(NamedTuple):
    """A file, and what changes when it is written anew."""

    path: Path
    size: int
    modified: int
    node: int


def _stamp(path: Path) -> _Stamp:
    try:
        status = path.stat()
    except OSError as error:
        raise InputError(str(path), None, f"the file must be readable ({error.strerror})", "check data.root") from None
    # by the name it was given: what a link leads to may have no ending, as in the cache of a hub
    return _Stamp(path.absolute(), status.st_size, status.st_mtime_ns, status.st_ino)


_given: dict[BaseDatasetSpec, Samples] = {}


def give(spec: BaseDatasetSpec, samples: Samples) -> None:
    """Have this process load ``samples``, which came from another, wherever ``spec`` names the set; no file is read."""
    _given[spec.whole] = samples


@lru_cache(maxsize=2)
def _read(spec: BaseDatasetSpec, stamps: tuple[_Stamp, ...], beside: tuple[tuple[str, _Stamp], ...]) -> Samples:
    samples = spec.read(tuple(stamp.path for stamp in stamps))
    layouts = samples.lengths(pool=True), samples.lengths(pool=False)
    paths = {key: [stamp.path for of, stamp in beside if of == key] for key in dict(beside)}
    groups = mask = None
    if spec.groups is not None and "groups" in paths:
        read = partial(read_groups, key=spec.groups_key)
        groups = read_shards(paths["groups"], read, layouts, "data.groups", spec.groups)
    if spec.exclude is not None and spec.exclude.mask is not None and "exclude.mask" in paths:
        read = partial(read_mask, key=spec.exclude.mask_key)
        mask = read_shards(paths["exclude.mask"], read, layouts, "data.exclude.mask", spec.exclude.mask)
    return samples if groups is None and mask is None else replace(samples, groups=groups, mask=mask)


def tenth(pool: int) -> int:
    """A tenth of ``pool``, at least 1: the validation and the test part of a set that has none of its own."""
    return max(1, pool // 10)
