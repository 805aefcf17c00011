"""ALTI-Logit: each component's update of the answer's logit, traced back to the tokens by how layers mix positions."""

from typing import Literal

import torch
from jaxtyping import Float
from pydantic import Field
from pydantic.dataclasses import dataclass
from torch import Tensor

from interp.attribution.mixing.alti import layer_mixing
from interp.attribution.mixing.matrices import answer_row, at_answer, carried
from interp.core.engine import engine
from interp.core.metric import Metric
from interp.core.progress import track
from interp.core.prompts import Prompts
from interp.decomposition.linear_readout import (
    FrozenNorm,
    linear_readout,
    readout_obstacle,
    readout_sites,
    require_logits,
)
from interp.kinds import Entry, Relevance
from interp.models.attention import repeat_kv
from interp.models.finite import require_finite
from interp.models.hooked import HookedModel, Trace
from interp.models.layer_map import Norm
from interp.models.sites import Site

_SITES = ("resid_pre", "resid_post", "pattern", "v", "attn_write", "mlp_write", "ln1_post_scale")
_POST_NORM_SITES = ("resid_mid", "ln1_scale", "ln2_scale")


@dataclass(frozen=True)
class AltiLogitOptions:
    """Which updates of the logit are traced back to tokens, and how much is computed at once."""

    parts: Literal["all", "attention"] = Field(
        "all", description="updates traced back to tokens: all, or attention's only, with the others kept in the ledger"
    )
    chunk_numbers: int = Field(
        1 << 24, ge=1, le=1 << 32, description="maximum number of elements of token contributions in memory at once"
    )


@engine(obstacle=lambda model: readout_obstacle(model) or model.obstacle("attention"))
def alti_logit(model: HookedModel, prompts: Prompts, metric: Metric, options: AltiLogitOptions) -> Relevance:
    """Each component's update of the answer's logit, traced back to the tokens by how layers mix positions.

    Split the logit difference into attention's update from each source position, each MLP's and the embedding's,
    and hand each down to the input tokens by the mixing of the layers below it.

    Relevance `batch pos`, and `stream` (`batch layer pos`): what each position out of a layer is worth to the answer.
    A layer's mixing is max(0, ‖y_i‖₁ − ‖y_i − T_i(x_j)‖₁), rows divided by their sum: y_i is the stream after
    attention, T_i(x_j) what position j sends to it, with the residual where i = j. Norms' divisors are held fixed.
    Unit: logits. The ledger holds what the biases after attention, the shifts of norms and the head's biases add.
    Conserves: tokens and biases add up to the logit difference.
    Raises: EngineError if the metric is not on the logit scale; MemoryLimitError if the patterns cannot be held.
    Source: Ferrando et al. 2023, section 3 (ALTI-Logit); Ferrando et al. 2022, section 3 (ALTI).
    Differs: the updates of the MLPs and of the embedding are handed down from the answer's position too, so that the
    tokens add up to the logit; `parts="attention"` leaves them in the ledger, as the paper does. Norms after attention
    (Gemma) are held fixed. Where attention and MLP stand side by side (GPT-NeoX), an MLP's update is handed down from
    the layer's input. Where norms stand on the stream (BERT), an update is read through those above it, held fixed,
    and the head's nonlinearity is the slope f(x) / x. A position to which nobody contributes keeps its own state.
    """
    require_logits("alti-logit", metric)
    names = [*_SITES, *(_POST_NORM_SITES if model.layer_map.attention.norm_on_sum else ())]
    sites = [site for name in names if model.has(name) for site in model.sites(name)]
    with torch.no_grad():
        trace = model.run(prompts, record=[*sites, *readout_sites(model)], answer=metric)
        require_finite(model, prompts, trace.logits)
        account = _Account(model, prompts, metric, trace, options)
        for layer in track(reversed(range(model.dims.layers)), model.dims.layers, "alti-logit"):
            account.descend(layer)
        account.update("input", "embedding", account.read(Site("resid_pre", 0)))
    return Relevance.accounted(
        prompts,
        account.row,
        metric.of_rows(trace.logits),
        absorbed=account.ordered(),
        latent={"stream": torch.stack(account.stream[::-1], dim=1)},
        unit=metric.unit,
        measured=f"{options.parts} updates of {metric.label}, traced back to the tokens by how layers mix positions",
    )


class _Account:
    """The walk from the answer down: what each position is worth so far, the direction that reads the stream where the
    answer is read, and what no token gets."""

    def __init__(
        self, model: HookedModel, prompts: Prompts, metric: Metric, trace: Trace, options: AltiLogitOptions
    ) -> None:
        self.model, self.trace, self.options = model, trace, options
        self.answer = answer_row(model, prompts, metric)
        self.along, constant = linear_readout(model, trace, metric)
        self.row = torch.zeros_like(self.answer)
        self.stream: list[Float[Tensor, "batch pos"]] = []
        self.absorbed: dict[Entry, Tensor] = {("output", "bias"): constant}

    def descend(self, layer: int) -> None:
        """From what a layer writes to what it reads."""
        self.stream.append(self.row + self.answer * self.read(Site("resid_post", layer))[:, None])
        of_attention, of_mlp, parallel = self.model.layer_map
        bias = self._through_norm(of_mlp.norm_on_sum, layer)
        mlp = self.read(Site("mlp_write", layer))
        if not parallel:
            self.update(f"layer {layer}", "mlp", mlp)
        bias = bias + self._through_norm(of_attention.norm_on_sum, layer)
        attention, bias_after = self._attention(layer)
        mixing = layer_mixing(self.model, self.trace, layer, self.options.chunk_numbers)
        self.row = carried(self.row, mixing) + attention
        if parallel:
            self.update(f"layer {layer}", "mlp", mlp)
        self.absorbed[f"layer {layer}", "bias"] = bias + bias_after
        self.trace.pop(Site("pattern", layer))

    def update(self, where: str, term: str, value: Float[Tensor, "batch"]) -> None:
        """A part's update of the logit: worth of the answer's position, or an entry in the ledger."""
        if self.options.parts == "all":
            self.row = self.row + self.answer * value[:, None]
        else:
            self.absorbed[where, term] = value

    def read(self, site: Site) -> Float[Tensor, "batch"]:
        """What a site is worth to the answer, where it is read."""
        return (self._at_answer(site) * self.along).sum(-1)

    def ordered(self) -> dict[Entry, Float[Tensor, "batch"]]:
        """The ledger from the input upwards."""
        return dict(reversed(self.absorbed.items()))

    def _attention(self, layer: int) -> tuple[Float[Tensor, "batch key_pos"], Float[Tensor, "batch"]]:
        """Attention's update from each source position, and that of its output bias and of the norm after it."""
        along, weights = self.along, self.model.weights
        constant = torch.zeros_like(along[:, 0])
        if (norm := self.model.layer_map.attention.norm_after) is not None:
            frozen = FrozenNorm.of(self.model, norm.name, layer, self._at_answer(Site(norm.scale, layer)))
            constant, along = frozen.constant(along), frozen.read(along)
        values = repeat_kv(self.trace[Site("v", layer)].double(), self.model.dims.heads)
        heads = torch.einsum("bm,hdm->bhd", along, weights.output(layer).double())
        worth = torch.einsum("bkhd,bhd->bhk", values, heads)
        pattern = torch.einsum("bq,bhqk->bhk", self.answer, self.trace[Site("pattern", layer)].double())
        return (pattern * worth).sum(1), constant + along @ weights.output_bias(layer).double()

    def _through_norm(self, norm: Norm | None, layer: int) -> Float[Tensor, "batch"]:
        """Read below a norm on the stream, where there is one; returns what its shift adds."""
        if norm is None:
            return torch.zeros_like(self.along[:, 0])
        frozen = FrozenNorm.of(self.model, norm.name, layer, self._at_answer(Site(norm.scale, layer)))
        constant, self.along = frozen.constant(self.along), frozen.read(self.along)
        return constant

    def _at_answer(self, site: Site) -> Float[Tensor, "batch d"]:
        return at_answer(self.answer, self.trace[site])
