"""The few hot loops of a training step, and the choice of who runs them.

``reference`` says in torch operations what each one means, on any device; ``cpu`` offers the same names with the same
meaning, compiled. :func:`choose` is the one place where a device is given its kernels; :func:`use` forces the choice.
"""

from spadam.kernels.choice import (
    Choice,
    cache_folder,
    choose,
    flushes_denormals,
    follow_denormals,
    is_prepared,
    name,
    prepare,
    use,
)

__all__ = [
    "Choice",
    "cache_folder",
    "choose",
    "flushes_denormals",
    "follow_denormals",
    "is_prepared",
    "name",
    "prepare",
    "use",
]
