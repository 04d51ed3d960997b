"""Who counts how what is used and what is dead: the last section of docs/metrics.md."""

from __future__ import annotations

_HEAD = """\
## Who counts how

What is called dead depends on what counts as used, on which samples, and for how long. A rule *selects* pairs of a
sample and a latent; a latent has *fired* where it is selected with a value above 0. With `activation: linear` negative
values are selected too, and with `relu` they become 0: then a latent may be selected and not have fired.
`sparsity/dead` and `sparsity/silent` count selections, `sparsity/fired` and `sparsity/dead_fired` values above 0,
`sparsity/l0_train` and `sparsity/l0_eval` values other than 0. Beside them other packages, in the releases named:
"""

_COLUMNS = ("who", "number", "a latent is used where it", "and dead when it was not for")

_SELECTED = "is selected, in training, even where the relu before it has left 0"

_ROWS = (
    ("spadam", "`sparsity/dead`, a share", "is selected", "the whole validation split, evaluation code"),
    ("spadam", "`sparsity/dead_fired`, a share", "has a value above 0", "the same"),
    (
        "spadam",
        "`sparsity/silent`, a share",
        "is selected, in training",
        "`trainer.silent_after` samples, 100,000 by default",
    ),
    (
        "SAELens 6.54",
        "`sparsity/dead_features`, how many",
        "has a value other than 0, in training",
        "more than `dead_feature_window` steps, 1,000 by default: 4.1 million tokens in its batches of 4,096",
    ),
    ("dictionary_learning 0.1, top-k", "`dead_features`, how many", _SELECTED, "10 million tokens"),
    (
        "dictionary_learning 0.1, batch top-k, Matryoshka, JumpReLU",
        "`dead_features`, how many",
        "has a value above 0, in training",
        "10 million tokens",
    ),
    (
        "dictionary_learning 0.1",
        "`frac_alive`, a share: of the others",
        "has a value other than 0",
        "the batches of an evaluation",
    ),
    (
        "sparsify 1.3 (EleutherAI)",
        "`dead_pct`, a share",
        _SELECTED,
        "more than `dead_feature_threshold` tokens, 10 million by default",
    ),
    (
        "sparse_autoencoder (OpenAI), `train.py`",
        "`stats_last_nonzero`, steps of each latent",
        "is selected with a value above 0.001, in training",
        "more than `dead_toks_threshold` tokens, 10 million by default, in whole batches of 131,072",
    ),
    (
        "sparse_autoencoder (OpenAI), `model.py`",
        "`stats_last_nonzero`, calls of each latent",
        "has a value other than 0",
        "no number is given",
    ),
)

_TAIL = """\
So what they count by selections stands beside `sparsity/silent` with `trainer: {silent_after: 10_000_000}`, once so
many samples were seen; what they count by values stands beside `sparsity/dead_fired`, which is of validation samples
and needs no window. `metrics/l0` of SAELens counts values other than 0 in a training batch, as `sparsity/l0_train`
does.
"""


def section() -> str:
    """The section as Markdown."""
    rows = [_COLUMNS, ("---",) * len(_COLUMNS), *_ROWS]
    table = "".join(f"| {' | '.join(row)} |\n" for row in rows)
    return f"{_HEAD}\n{table}\n{_TAIL}"
