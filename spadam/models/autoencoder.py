"""The sparse autoencoder: pre-activations, a rule that chooses latents, and a code that costs only what is on.

Shapes: B samples, D features, E features of what is reconstructed (D, unless there are targets), L latents, P pairs
(sample, latent) that are on, R rows touched, U rows in the union of a batch's masks. Every weight matrix is
latent-major, the encoder's (L, D), the decoder's (L, E): a row is a latent's weights.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor, nn

from spadam.encoding import Best, Selector, execution
from spadam.encoding.execution import Code
from spadam.encoding.precision import full_precision
from spadam.encoding.scored import Scored, all_of, look_up
from spadam.encoding.size import dense_size, sparse_size
from spadam.kernels import choose, reference
from spadam.kernels.reference import mostly_on
from spadam.models import unit_rows
from spadam.models.initialisation import draw_rows, start_at
from spadam.models.inputs import check_samples
from spadam.models.spec import AutoencoderSpec, check_autoencoder, name_of_model
from spadam.models.weights import last_size, load_weights, read_weights
from spadam.optim.rows.touched import RowSamples, set_row_samples
from spadam.spec import Document, at_home, earlier, load, validate


class Output(NamedTuple):
    """What a pass gives: the reconstruction, (B, D) or of targets (B, E), and the code."""

    reconstruction_BD: Tensor
    code: Code
    probe_code: Code | None = None
    """The code that the probe sees, without gradient, where it was asked for."""


class SparseAutoencoder(nn.Module):
    r"""A sparse autoencoder with latent-major weights.

    .. math:: s = (x - p) W_{enc}^T + b_{enc} \qquad z = act(s \cdot mask) \qquad \hat x = z W_{dec} + b_{dec}

    In training mode a call uses the rule's training code and lets the rule learn; the weights' gradients are COO in the
    `sparse` and `gathered` executions, dense in `dense`; and every parameter is told which of its rows were touched:
    ``param.row_samples = (rows, counts, batch)``. In evaluation mode a call uses the evaluation code.

    The pre-bias p is what `pre_bias` says: 0 (`none`), a buffer ``pre_bias`` (D,) that holds the mean of the training
    samples (`mean`), or the decoder bias (`learned`), whose gradient then has two parts: what it adds to the
    reconstruction, and what it takes from the encoder's inputs. The encoder bias (L,) follows the weights row by row;
    the decoder bias (1, E) is one row, always touched.

    With ``targets`` E it is a transcoder: it encodes samples (B, D), and what it reconstructs are targets (B, E) of
    another space, be it of as many features. The decoder is then its own: :class:`InputError` if `tied`, or if the
    decoder bias, which is of that space, were the pre-bias (`learned`).

    Untied, the decoder starts as a copy of the encoder; where targets are of another width, its rows are drawn as the
    encoder's are, from N(0, 1/E), after those.
    """

    pre_bias: Tensor | None

    def __init__(self, spec: AutoencoderSpec, features: int, targets: int | None = None) -> None:
        super().__init__()
        if targets is not None:
            spec.check_targets()
        self.spec = spec
        self.features = features
        self.targets = targets
        reconstructed = features if targets is None else targets
        self.encoder_weight = nn.Parameter(torch.zeros(spec.latents, features))
        self.encoder_bias = nn.Parameter(torch.zeros(spec.latents))
        if not spec.tied:
            self.decoder_weight = nn.Parameter(torch.zeros(spec.latents, reconstructed))
        self.decoder_bias = nn.Parameter(torch.zeros(1, reconstructed))
        self.register_buffer("pre_bias", torch.zeros(features) if spec.pre_bias == "mean" else None)
        self.rule = spec.rule.build(spec.latents)
        self.rule.relu = spec.activation == "relu"
        self.selector = Selector(spec.selection)

    @classmethod
    def load(cls, folder: str | Path) -> SparseAutoencoder:
        """The trained model of a run's folder, from its model.safetensors and config.yaml, in evaluation mode.

        Raises :class:`InputError` when they are not there, are damaged, or do not belong together.
        """
        folder = at_home(folder, "folder")
        config = earlier.complete(load(folder / "config.yaml").data)
        check_autoencoder(name_of_model(config["model"]), str(folder))
        spec = validate(AutoencoderSpec, Document(config["model"], {}, str(folder / "config.yaml")), within="model.")
        tensors = read_weights(folder)
        features, reconstructed = (last_size(tensors, name) for name in ("encoder_weight", "decoder_bias"))
        transcodes = config.get("data", {}).get("target") is not None or (features != reconstructed and not spec.tied)
        autoencoder = cls(spec, features, reconstructed if transcodes else None)
        load_weights(autoencoder, tensors, folder)
        return autoencoder.eval()

    @property
    def decoder_rows(self) -> nn.Parameter:
        """The decoder matrix (L, E); the encoder's own when tied."""
        return self.encoder_weight if self.spec.tied else self.decoder_weight

    @property
    def latent_parameters(self) -> list[nn.Parameter]:
        """The parameters with one row a latent."""
        encoder = [self.encoder_weight, self.encoder_bias]
        return encoder if self.spec.tied else [*encoder, self.decoder_weight]

    @torch.no_grad()
    def initialise(
        self, generator: torch.Generator, mean_D: Tensor | None = None, target_mean_E: Tensor | None = None
    ) -> None:
        """Draw the rows from N(0, 1/features), or N(0, init_scale²); begin with the mean of the training samples.

        The encoder bias becomes 0, the decoder's ``mean_D`` (None: 0) where `init_bias` says so, the pre-bias as well;
        with targets the decoder bias becomes theirs, ``target_mean_E``.
        """
        draw_rows(self.encoder_weight, generator, self.spec.init_scale)
        self.encoder_bias.zero_()
        reconstructed_E = mean_D if self.targets is None else target_mean_E
        start_at(self.decoder_bias, reconstructed_E if self.spec.init_bias == "mean" else None)
        if self.pre_bias is not None:
            start_at(self.pre_bias, mean_D)
        if self.targets not in (None, self.features):
            draw_rows(self.decoder_weight, generator, self.spec.init_scale)
        elif not self.spec.tied:
            self.decoder_weight.copy_(self.encoder_weight)
        self.normalise()

    @torch.no_grad()
    def fold_scale(self, scale: float, target_scale: float | None = None) -> None:
        r"""Take samples as they are from now on, having been trained on samples times ``scale``.

        With s the scale, :math:`(s x - p) W^T + b = s ((x - p/s) W^T + b/s)`: when every bias, and every score that the
        rule has learnt, is divided by s, the same latents are on, and codes and reconstructions are divided by s. The
        weights stay.

        With targets times their own scale t, :math:`(s x - p) W^T + b = t ((x - p/s) (\tfrac{s}{t} W)^T + b/t)`: the
        encoder's rows become s/t times as long, and codes, scores, reconstructions and every bias but the pre-bias are
        divided by t. The decoder's rows stay, so that those of `decoder_norm: unit` keep length 1.
        """
        of_code = scale if target_scale is None else target_scale
        if target_scale is not None:
            self.encoder_weight.mul_(scale / target_scale)
        self.encoder_bias.div_(of_code)
        self.decoder_bias.div_(of_code)
        if self.pre_bias is not None:
            self.pre_bias.div_(scale)
        self.rule.divide_scores(of_code)

    @full_precision
    def forward(self, x_BD: Tensor, probe: bool = False) -> Output:
        """Reconstruct ``x_BD`` with the training code in training mode, with the evaluation code otherwise.

        ``probe`` asks for the code that the probe sees, too; the pre-activations are computed once for both. Raises
        :class:`InputError` for what are no samples (B, D), as all that takes samples does.
        """
        x_BD = self._inputs(x_BD)
        if not self.training:
            probe_code = self._encoded(x_BD, self.spec.probe_k) if probe else None
            return self._run(x_BD, self._evaluated(x_BD, None), "sparse", probe_code)
        scored, probed = self._trained(x_BD, probe, observe=True)
        output = self._run(x_BD, scored, self.spec.execution, probed)
        self._tell_touched(output.code)
        self.rule.advance()
        return output

    @torch.no_grad()
    @full_precision
    def reconstruct_as_trained(self, x_BD: Tensor) -> Output:
        """Reconstruct with the training code, in any mode, and change nothing."""
        x_BD = self._inputs(x_BD)
        scored, _ = self._trained(x_BD, probe=False, observe=False)
        return self._run(x_BD, scored, self.spec.execution)

    @torch.no_grad()
    @full_precision
    def scores(self, x_BD: Tensor) -> Tensor:
        """Pre-activations (B, L), without gradient."""
        return self._scores(self._inputs(x_BD))

    def _scores(self, x_BD: Tensor) -> Tensor:
        return torch.addmm(self.encoder_bias, x_BD, self.encoder_weight.T)

    @torch.no_grad()
    @full_precision
    def encode(self, x_BD: Tensor, k: int | None = None) -> Code:
        """The evaluation code of ``x_BD``; ``k`` overrides how many latents per sample are on."""
        return self._encoded(self._inputs(x_BD), k)

    @torch.no_grad()
    def _encoded(self, x_BD: Tensor, k: int | None) -> Code:
        return self._code(self._evaluated(x_BD, k))

    @full_precision
    def decode(self, code: Code) -> Tensor:
        """The reconstruction of a code, (B, D), or of targets (B, E)."""
        latents_P, offsets_B = code.selection
        sum_BE: Tensor = reference.decode(latents_P, code.values_P, offsets_B, self.decoder_rows)
        return sum_BE + self.decoder_bias

    @full_precision
    def size(self, code: Code) -> Tensor:
        """How large a code is, (): a sample's sum of ``|z| |d|``, averaged over the batch, with d the decoder's rows.

        Its gradient reaches the code, and the rows where their norms are free; as sparse as the execution's.
        """
        if self.spec.decoder_norm == "unit":
            return code.values_P.abs().sum() / len(code.selection.offsets_B)
        return (dense_size if self.spec.execution == "dense" else sparse_size)(code, self.decoder_rows)

    def _inputs(self, x_BD: Tensor) -> Tensor:
        """What the encoder sees of samples: less the pre-bias, in the type of the weights.

        Raises :class:`InputError` for what are no samples (B, D), or in training not one.
        """
        weight = self.encoder_weight
        check_samples(x_BD, self.features, training=self.training)
        x_BD = x_BD if x_BD.dtype == weight.dtype else x_BD.to(weight.dtype)
        if self.spec.pre_bias == "learned":
            return x_BD - self.decoder_bias
        return x_BD if self.pre_bias is None else x_BD - self.pre_bias

    def normalise(self, rows_R: Tensor | None = None) -> None:
        """With `decoder_norm: unit`, give the decoder rows (all, or those listed) length 1 again."""
        if self.spec.decoder_norm == "unit":
            unit_rows.normalise(self.decoder_weight, rows_R)

    def project_gradient(self) -> None:
        """With `decoder_norm: unit`, take the part along each decoder row out of its gradient."""
        if self.spec.decoder_norm == "unit":
            unit_rows.project_gradient(self.decoder_weight)

    @torch.no_grad()
    def _trained(self, x_BD: Tensor, probe: bool, observe: bool) -> tuple[Scored, Code | None]:
        """The training code's selection, and the probe's code."""
        k, probe_k = self.rule.training_k, self.spec.probe_k
        if k is not None and self._few(k):  # whatever the probe sees: it must not change a bit of the code
            if not probe:
                return all_of(self._best(x_BD, k)), None
            assert probe_k is not None
            if not self._few(probe_k):
                return all_of(self._best(x_BD, k)), self._encoded(x_BD, probe_k)
            best = self._best(x_BD, max(k, probe_k))
            return all_of(best.first(k)), self._code(all_of(best.first(probe_k)))
        scores_BL = self._scores(x_BD)
        scored = look_up(scores_BL, self.rule.training_selection(scores_BL))
        if observe:
            self.rule.observe(scored.selection, scored.scores_P)
        if not probe:
            return scored, None
        selection = self.rule.evaluation_selection(scores_BL, self.forced_k(probe_k))
        return scored, self._code(look_up(scores_BL, selection))

    @torch.no_grad()
    def _evaluated(self, x_BD: Tensor, k: int | None) -> Scored:
        """The evaluation code's selection."""
        k = self.forced_k(k)
        best_k = self.rule.evaluation_k(k)
        if best_k is not None and self._few(best_k):
            return all_of(self._best(x_BD, best_k))
        scores_BL = self._scores(x_BD)
        return look_up(scores_BL, self.rule.evaluation_selection(scores_BL, k))

    def forced_k(self, k: int | None = None) -> int | None:
        """The k that is asked for, or that `evaluation: per_sample_k` forces; None for the rule's own code."""
        return self.rule.k if k is None and self.spec.evaluation == "per_sample_k" else k

    def _few(self, k: int) -> bool:
        """Whether the k best are so few that they are better searched for than scored with all the others."""
        return not mostly_on(k, 1, self.spec.latents)

    def _best(self, x_BD: Tensor, k: int) -> Best:
        return self.selector.best(x_BD, self.encoder_weight, self.encoder_bias, k, training=self.training)

    def _code(self, scored: Scored) -> Code:
        selection, scores_P = scored
        return Code(selection, scores_P.relu() if self.spec.activation == "relu" else scores_P)

    def _run(self, x_BD: Tensor, scored: Scored, how: str, probe_code: Code | None = None) -> Output:
        weights = execution.Weights(
            self.encoder_weight, self.encoder_bias, self.decoder_rows, relu=self.spec.activation == "relu"
        )
        sum_BE, code = execution.MODES[how](x_BD, scored, weights)
        return Output(sum_BE + self.decoder_bias, code, probe_code)

    def _tell_touched(self, code: Code) -> None:
        (latents_P, offsets_B), batch = code.selection, len(code.selection.offsets_B)
        groups = code.groups or choose(latents_P.device).group_by_row(latents_P, offsets_B, self.spec.latents)
        samples = RowSamples(groups.rows_R, groups.counts_R, batch)
        for parameter in self.latent_parameters:
            set_row_samples(parameter, samples)
        one_row = offsets_B.new_zeros(1)
        set_row_samples(self.decoder_bias, RowSamples(one_row, one_row + batch, batch))
