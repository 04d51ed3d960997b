"""Adam whose moments decay everywhere while only touched rows move."""

from typing import final

from spadam.optim.rows.adam_family import AdamFamily
from spadam.optim.specs.masked_adam import MaskedAdamSpec


@final
class MaskedAdam(AdamFamily):
    r"""Dense Adam with its weight update masked to the touched rows.

    This is the "sparse Adam" that "Optimization using Adam on Sparse Tensors" (2019) describes; no library has it. It
    stands between :class:`TFSparseAdam` (whose untouched rows also move) and :class:`LazyAdam` (whose moments freeze).
    It is *not* slower than LazyAdam by the size of the table: a row's decay is put off until the row is touched again.

    .. math::
        m &= β_1^{Δ} m + (1-β_1) g \qquad v = β_2^{Δ} v + (1-β_2) g^2 \qquad \text{in touched rows} \\
        w &= w - α \frac{\sqrt{1-β_2^t}}{1-β_1^t} \frac{m}{\sqrt v + ε}

    ``lr`` α, ``betas`` (β1, β2), ``eps`` ε, t the steps of the parameter, Δ the steps since the row's moments were
    brought up to date (state "last_step"); powers are taken in float64. A change of betas brings all rows up to date; a
    state is saved as it stands. Epsilon is added to √v before bias correction (`hat`); ``epsilon="after"`` moves it
    behind.

    Reference: the article above; the deferral is exact and equals the decay done step by step.

    >>> import torch
    >>> table = torch.nn.Embedding(10, 4, sparse=True)
    >>> optimizer = MaskedAdam(table.parameters(), lr=1e-3)
    >>> table(torch.tensor([3, 5, 3])).sum().backward()
    >>> optimizer.step()
    >>> optimizer.touched(table.weight)
    tensor([3, 5])
    """

    point = MaskedAdamSpec.point
