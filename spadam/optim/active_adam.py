"""Row-clock Adam on the mean over the samples in which a row was on."""

from typing import final

from spadam.optim.rows.adam_family import AdamFamily
from spadam.optim.specs.active_adam import ActiveAdamSpec


@final
class ActiveAdam(AdamFamily):
    r"""Row-clock Adam that sees the mean gradient of a row's active samples instead of the batch's.

    A loss that is a mean over the batch divides a row's gradient by all B samples, though only n of them contain the
    row; so the gradient swings with n from batch to batch, and eps weighs more in rare rows. Here the gradient is
    multiplied by B/n. Its one-axis twin is :class:`RowClockAdam`, which it equals when every row is on in every sample.
    It is *not* usable with gradients that do not tell n.

    .. math::
        g &= \tfrac{B}{n} g \qquad m = β_1 m + (1-β_1) g \qquad v = β_2 v + (1-β_2) g^2 \qquad c = c + 1 \\
        w &= w - α \frac{m / (1-β_1^c)}{\sqrt{v / (1-β_2^c)} + ε} \qquad \text{in touched rows}

    ``lr`` α, ``betas`` (β1, β2), ``eps`` ε, c the updates of the row. B and n stand in ``param.row_samples``
    (:func:`count_rows` sets it for an embedding); without it each entry of an uncoalesced COO gradient is one sample;
    any other gradient is an error. Epsilon is added to √v̂, after bias correction (`after`); ``epsilon="hat"`` moves it
    to √v.

    Reference: ``dgl.optim.SparseAdam``, up to epsilon: it averages the entries of a row, which are its samples. That
    the mean is taken over the batch's active samples, whatever form the gradient has, is ours.

    >>> import torch
    >>> table = torch.nn.Embedding(10, 4, sparse=True)
    >>> optimizer = ActiveAdam(table.parameters(), lr=1e-3)
    >>> table(torch.tensor([3, 5, 3])).sum().backward()
    >>> optimizer.step()
    >>> optimizer.touched(table.weight)
    tensor([3, 5])
    """

    point = ActiveAdamSpec.point
