"""Lazy Adam without bias correction."""

from typing import final

from spadam.optim.rows.adam_family import AdamFamily
from spadam.optim.specs.selective_adam import SelectiveAdamSpec


@final
class SelectiveAdam(AdamFamily):
    r"""gsplat's SelectiveAdam, made for Gaussian splats of which a view shows some.

    Moments and weights change in touched rows only, and there is no bias correction: with the default betas a row's
    first update moves it by 3.16 lr and its twelfth by about 6.6 lr. Its one-axis twin is :class:`LazyAdam`. It is
    *not* a choice for few updates a row, unless the large early steps are wanted.

    .. math::
        m &= β_1 m + (1-β_1) g \qquad v = β_2 v + (1-β_2) g^2 \qquad \text{in touched rows} \\
        w &= w - α \frac{m}{\sqrt v + ε}

    ``lr`` α, ``betas`` (β1, β2), ``eps`` ε. Epsilon is added to √v. Without bias correction ``epsilon="hat"`` and
    ``"after"`` are the same; both are taken, so that a comparison may set one for all optimizers.

    Reference: ``gsplat.optimizers.SelectiveAdam``; Mallick et al., "Taming 3DGS", SIGGRAPH Asia 2024. There a view says
    which rows are visible; here that is ``param.row_samples`` or the rows of the gradient.

    >>> import torch
    >>> table = torch.nn.Embedding(10, 4, sparse=True)
    >>> optimizer = SelectiveAdam(table.parameters(), lr=1e-3)
    >>> table(torch.tensor([3, 5, 3])).sum().backward()
    >>> optimizer.step()
    >>> optimizer.touched(table.weight)
    tensor([3, 5])
    """

    point = SelectiveAdamSpec.point
