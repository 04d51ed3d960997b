"""Room for what a training leaves: what can be known of it before it begins."""

from __future__ import annotations

import errno
import os
import resource
import shutil
from pathlib import Path

from torch import nn


def check_room(model: nn.Module, out: Path) -> None:
    """Raise OSError when the weights of ``model`` could not be written to ``out``, for want of disk or by a limit."""
    size = sum(value.numel() * value.element_size() for value in model.state_dict().values())
    limit, _ = resource.getrlimit(resource.RLIMIT_FSIZE)
    path = str(out / "model.safetensors")
    if limit != resource.RLIM_INFINITY and size > limit:
        said = f"{os.strerror(errno.EFBIG)}: the weights take {size} bytes, and the limit is {limit} (ulimit -f)"
        raise OSError(errno.EFBIG, said, path)
    if size > (free := shutil.disk_usage(out).free):
        said = f"{os.strerror(errno.ENOSPC)}: the weights take {size} bytes, and {free} are free"
        raise OSError(errno.ENOSPC, said, path)
