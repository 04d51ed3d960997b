"""The sparse autoencoder: pre-activations, a rule that chooses latents, and a code that costs only what is on.

Shapes: B samples, D features, L latents, P pairs (sample, latent) that are on, R rows touched, U rows in the union of a
batch's masks. Every weight matrix is latent-major, (L, D): a row is a latent's weights.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal, NamedTuple

import torch
from pydantic import Field, PositiveInt, model_validator
from safetensors.torch import load_file
from torch import Tensor, nn

from spadam import execution
from spadam.execution import Code
from spadam.kernels import reference
from spadam.optim.listing import RowSamples, set_row_samples
from spadam.sparsity import RuleSpec, Selection
from spadam.sparsity.top_k import TopKSpec
from spadam.spec import Document, InputError, Spec, load, validate


class AutoencoderSpec(Spec):
    """A sparse autoencoder."""

    latents: PositiveInt = 1000
    """Hidden units."""
    tied: bool = True
    """One matrix for encoder and decoder (their biases are always their own)."""
    activation: Literal["linear", "relu"] = "linear"
    """What happens to the values that the rule kept."""
    init_bias: Literal["mean", "zero"] = "mean"
    """Where the decoder bias starts: the mean of the training samples, or 0."""
    decoder_norm: Literal["free", "unit"] = "free"
    """`unit`: decoder rows keep length 1, the gradient along them is projected away; untied only."""
    rule: RuleSpec = TopKSpec(name="top_k")
    """Which latents stay on."""
    execution: Literal["sparse", "dense", "gathered", "gathered_union"] = "sparse"
    """How a code is computed in training."""
    evaluation: Literal["native", "per_sample_k"] = "native"
    """The evaluation code: the rule's own, or k latents per sample whatever the rule."""
    eval_factor: Annotated[float, Field(gt=0)] = 3.0  # the article's code base
    """The probe sees round(k x eval_factor) latents per sample, or all of them where that is more."""
    reduction: Literal["mean", "sample"] = "mean"
    """The squared error: its mean over batch and features, or its sum over features averaged over the batch."""

    @model_validator(mode="after")
    def _check(self) -> AutoencoderSpec:
        self.rule.check(self.latents)
        if self.execution.startswith("gathered") and not self.rule.gatherable:
            rule = "gathered executions mask a gathered code again, which only the rule top_k can"
            raise InputError("model.execution", self.execution, rule, "use execution: sparse, or rule: {name: top_k}")
        if self.decoder_norm == "unit" and self.tied:
            rule = "unit decoder rows need a decoder of their own"
            raise InputError("model.decoder_norm", self.decoder_norm, rule, "set model.tied: false")
        if self.evaluation == "per_sample_k" and self.rule.per_sample_k(self.latents) is None:
            rule = f"the rule {self.rule.name} has no number of latents per sample"
            raise InputError("model.evaluation", self.evaluation, rule, "use evaluation: native, or a rule with k")
        return self

    @property
    def probe_k(self) -> int | None:
        """Latents per sample that the probe sees; None when the rule has no k: then it sees the evaluation code."""
        k = self.rule.per_sample_k(self.latents)
        return None if k is None else min(self.latents, max(1, round(k * self.eval_factor)))

    def build(self, features: int, generator: torch.Generator, mean_D: Tensor | None = None) -> SparseAutoencoder:
        """The model with fresh weights: rows from N(0, 1/features), biases 0, or ``mean_D`` in the decoder."""
        model = SparseAutoencoder(self, features)
        model.initialise(generator, mean_D if self.init_bias == "mean" else None)
        return model


class Output(NamedTuple):
    """What a pass gives: the reconstruction (B, D), the code, and the pre-activations (B, L), without gradient."""

    reconstruction_BD: Tensor
    code: Code
    scores_BL: Tensor


class SparseAutoencoder(nn.Module):
    r"""A sparse autoencoder with latent-major weights.

    .. math:: s = x W_{enc}^T + b_{enc} \qquad z = act(s \cdot mask) \qquad \hat x = z W_{dec} + b_{dec}

    In training mode a call uses the rule's training code and lets the rule learn; the weights' gradients are COO in the
    `sparse` and `gathered` executions, dense in `dense`; and every parameter is told which of its rows were touched:
    ``param.row_samples = (rows, counts, batch)``. In evaluation mode a call uses the evaluation code.

    There is no pre-encoder bias. The encoder bias (L,) follows the weights row by row; the decoder bias (1, D) is one
    row, always touched. Untied, the decoder starts as a copy of the encoder.
    """

    def __init__(self, spec: AutoencoderSpec, features: int) -> None:
        super().__init__()
        self.spec = spec
        self.features = features
        self.encoder_weight = nn.Parameter(torch.zeros(spec.latents, features))
        self.encoder_bias = nn.Parameter(torch.zeros(spec.latents))
        if not spec.tied:
            self.decoder_weight = nn.Parameter(torch.zeros(spec.latents, features))
        self.decoder_bias = nn.Parameter(torch.zeros(1, features))
        self.rule = spec.rule.build(spec.latents)

    @classmethod
    def load(cls, folder: str | Path) -> SparseAutoencoder:
        """The trained model of a run's folder, from its model.safetensors and config.yaml, in evaluation mode."""
        folder = Path(folder)
        document = load(folder / "config.yaml")
        model = document.data.get("model", {})
        spec = validate(AutoencoderSpec, Document(model, {}, str(folder / "config.yaml")), within="model.")
        tensors = load_file(folder / "model.safetensors")
        autoencoder = cls(spec, tensors["encoder_weight"].shape[1])
        autoencoder.load_state_dict(tensors)
        return autoencoder.eval()

    @property
    def decoder_rows(self) -> nn.Parameter:
        """The decoder matrix (L, D); the encoder's own when tied."""
        return self.encoder_weight if self.spec.tied else self.decoder_weight

    @property
    def latent_parameters(self) -> list[nn.Parameter]:
        """The parameters with one row a latent."""
        return [p for p in self.parameters() if p is not self.decoder_bias]

    @torch.no_grad()
    def initialise(self, generator: torch.Generator, mean_D: Tensor | None = None) -> None:
        """Draw the rows from N(0, 1/features); biases become 0, the decoder's ``mean_D`` where given."""
        rows_LD = torch.randn(self.spec.latents, self.features, generator=generator)
        self.encoder_weight.copy_(rows_LD / self.features**0.5)
        self.encoder_bias.zero_()
        self.decoder_bias.zero_()
        if mean_D is not None:
            self.decoder_bias.copy_(mean_D[None])
        if not self.spec.tied:
            self.decoder_weight.copy_(self.encoder_weight)
        self.normalise()

    def forward(self, x_BD: Tensor) -> Output:
        """Reconstruct ``x_BD`` with the training code in training mode, with the evaluation code otherwise."""
        scores_BL = self.scores(x_BD)
        if not self.training:
            return self._run(x_BD, scores_BL, self.select(scores_BL), "sparse")
        with torch.no_grad():
            selection = self.rule.training_selection(scores_BL)
            self.rule.observe(scores_BL, selection)
        output = self._run(x_BD, scores_BL, selection, self.spec.execution)
        self._tell_touched(output.code.selection)
        return output

    @torch.no_grad()
    def reconstruct_as_trained(self, x_BD: Tensor) -> Output:
        """Reconstruct with the training code, in any mode, and change nothing."""
        scores_BL = self.scores(x_BD)
        return self._run(x_BD, scores_BL, self.rule.training_selection(scores_BL), self.spec.execution)

    @torch.no_grad()
    def scores(self, x_BD: Tensor) -> Tensor:
        """Pre-activations (B, L), without gradient."""
        return torch.addmm(self.encoder_bias, x_BD, self.encoder_weight.T)

    @torch.no_grad()
    def select(self, scores_BL: Tensor, k: int | None = None) -> Selection:
        """The latents that are on in evaluation; ``k`` overrides how many per sample."""
        if k is None and self.spec.evaluation == "per_sample_k":
            k = self.rule.k
        return self.rule.evaluation_selection(scores_BL, k)

    @torch.no_grad()
    def encode(self, x_BD: Tensor, k: int | None = None) -> Code:
        """The evaluation code of ``x_BD``; ``k`` overrides how many latents per sample are on."""
        scores_BL = self.scores(x_BD)
        return self.code_of(scores_BL, self.select(scores_BL, k))

    @torch.no_grad()
    def code_of(self, scores_BL: Tensor, selection: Selection) -> Code:
        """The code with the scores of the selected latents, after the activation."""
        return Code(selection, self._activate(scores_BL[selection.samples(), selection.latents_P]))

    def decode(self, code: Code) -> Tensor:
        """The reconstruction (B, D) of a code."""
        latents_P, offsets_B = code.selection
        return reference.decode(latents_P, code.values_P, offsets_B, self.decoder_rows) + self.decoder_bias

    @torch.no_grad()
    def normalise(self, rows_R: Tensor | None = None) -> None:
        """With `decoder_norm: unit`, give the decoder rows (all, or those listed) length 1 again."""
        if self.spec.decoder_norm == "unit":
            rows = slice(None) if rows_R is None else rows_R
            old_RD = self.decoder_weight[rows]
            self.decoder_weight[rows] = old_RD / old_RD.norm(dim=1, keepdim=True).clamp_min(1e-12)

    @torch.no_grad()
    def project_gradient(self) -> None:
        """With `decoder_norm: unit`, take the part along each decoder row out of its gradient."""
        if self.spec.decoder_norm != "unit" or self.decoder_weight.grad is None:
            return
        grad = self.decoder_weight.grad
        if grad.is_sparse:
            rows_RD, grad_RD = self.decoder_weight[grad._indices()[0]], grad._values()
        else:
            rows_RD, grad_RD = self.decoder_weight, grad
        grad_RD.sub_((grad_RD * rows_RD).sum(1, keepdim=True) * rows_RD)

    def _activate(self, values: Tensor) -> Tensor:
        return values.relu() if self.spec.activation == "relu" else values

    def _run(self, x_BD: Tensor, scores_BL: Tensor, selection: Selection, how: str) -> Output:
        weights = execution.Weights(
            self.encoder_weight, self.encoder_bias, self.decoder_rows, relu=self.spec.activation == "relu"
        )
        sum_BD, code = execution.MODES[how](x_BD, scores_BL, selection, weights)
        return Output(sum_BD + self.decoder_bias, code, scores_BL)

    def _tell_touched(self, selection: Selection) -> None:
        batch = len(selection.offsets_B)
        groups = reference.group_by_row(selection.latents_P)
        for parameter in self.latent_parameters:
            set_row_samples(parameter, RowSamples(groups.rows_R, groups.counts_R, batch))
        one_row = groups.rows_R.new_zeros(1)
        set_row_samples(self.decoder_bias, RowSamples(one_row, one_row + batch, batch))
