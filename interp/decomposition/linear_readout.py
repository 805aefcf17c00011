"""The metric as a linear reading of the last layer, with everything above it held fixed at what this run had."""

from collections.abc import Callable
from typing import NamedTuple, Self

import torch
from jaxtyping import Float
from torch import Tensor

from interp.core.errors import EngineError
from interp.core.metric import Metric
from interp.models.hooked import HookedModel, Trace
from interp.models.layer_map import NORMS
from interp.models.sites import Site
from interp.models.slope import slope

_FINAL_NORM = ("ln_final_in", "ln_final_scale", "ln_final_out")


class FrozenNorm(NamedTuple):
    """A norm with its divisor held fixed: x ↦ gain · (x − mean x) + shift, without the mean for an RMS norm."""

    gain: Float[Tensor, "... d_model"]
    shift: Float[Tensor, "d_model"] | None
    centred: bool

    @classmethod
    def of(cls, model: HookedModel, name: str, layer: int | None, divisor: Float[Tensor, "... one"]) -> Self:
        """The named norm of `model.weights` at the places where `divisor` was recorded."""
        factor, shift = model.weights.norm(name, layer)
        return cls(factor.to(divisor) / divisor, shift, model.architecture.norm == "layer")

    @classmethod
    def as_computed(cls, model: HookedModel, name: str, layer: int | None, value: Callable[[str], Tensor]) -> Self:
        """The named norm of a run, of which `value` gives a site of that layer; an RMS norm has the gain it came to.

        Hugging Face computes RMS norms in float32 whatever the weights are: the recorded divisor alone would leave
        parts that add up to seven digits, where output / input leaves all.
        """
        sites, norm = NORMS[name], cls.of(model, name, layer, value(NORMS[name].scale))
        if norm.centred or norm.shift is not None:
            return norm
        before, after = value(sites.before), value(sites.after)
        return norm._replace(gain=torch.where(before == 0, norm.gain, after / before.where(before != 0, 1)))

    def sent(self, part: Float[Tensor, "... d_model"]) -> Float[Tensor, "... d_model"]:
        """What becomes of a part of the input."""
        return self.gain * (part - part.mean(-1, keepdim=True) if self.centred else part)

    def read(self, along: Float[Tensor, "... d_model"]) -> Float[Tensor, "... d_model"]:
        """The direction that reads the input as `along` reads the output."""
        along = along * self.gain
        return along - along.mean(-1, keepdim=True) if self.centred else along

    def constant(self, along: Float[Tensor, "batch d_model"]) -> Float[Tensor, "batch"]:
        """What the shift adds to what `along` reads."""
        return along.new_zeros(len(along)) if self.shift is None else along @ self.shift.to(along)


def require_logits(engine: str, metric: Metric) -> None:
    """Refuse a metric whose parts do not add up. Raises: EngineError."""
    if metric.scale != "logit":
        raise EngineError(f"{engine} decomposes logits, not a {metric.scale}; give a metric with scale='logit'")


def readout_obstacle(model: HookedModel) -> str | None:
    """Why the metric is not a linear reading of the last layer; None if it is."""
    if getattr(model.config, "final_logit_softcapping", None):
        return "its soft cap on the logits is nonlinear and does not split into parts"
    return model.obstacle("layers", "readout")


def parts_obstacle(model: HookedModel) -> str | None:
    """Why the answer does not split into what components write; None if it does."""
    if model.pools:
        return "it is a classifier, whose head is nonlinear and does not split into contributions"
    if model.layer_map.attention.norm_on_sum:
        return (
            "it normalises the residual stream itself and its masked-LM head is nonlinear, so its output does "
            "not split into contributions"
        )
    return readout_obstacle(model)


def walk_obstacle(model: HookedModel) -> str | None:
    """Why parts cannot be carried through all of its layers to the metric; None if they can."""
    return readout_obstacle(model) or model.obstacle("mlp", "turning", "attention")


def readout_sites(model: HookedModel) -> list[Site]:
    """What `linear_readout` reads of a run."""
    norm, head = [Site(name) for name in _FINAL_NORM if model.has(name)], model.head_layer
    return [*norm, *([head.pre] if head else [])]


def linear_readout(
    model: HookedModel, trace: Trace, metric: Metric
) -> tuple[Float[Tensor, "batch d_model"], Float[Tensor, "batch"]]:
    """The direction that reads the last layer at the answer, and a constant: the metric is their sum, in float64.

    The final norm's divisor is held fixed, and the nonlinearity in a BERT's head at its slope f(x) / x.
    """
    weights = model.weights
    along = answer_direction(model, metric)
    bias = weights.unembedding_bias()
    constant = torch.zeros_like(along[:, 0]) if bias is None else metric.direction(bias[:, None])[:, 0]
    if model.has("ln_final_scale"):
        norm = FrozenNorm.as_computed(
            model, "ln_final", None, lambda name: metric.at_answer(trace[Site(name)]).double()
        )
        constant, along = constant + norm.constant(along), norm.read(along)
    head = model.head_layer
    if head is None:
        return along, constant
    along = along * slope(head.activation, metric.at_answer(trace[head.pre])).double()
    matrix, bias = head.linear.to(torch.float64)
    return along @ matrix.T, constant if bias is None else constant + along @ bias


def answer_direction(model: HookedModel, metric: Metric) -> Float[Tensor, "batch d_model"]:
    """W_U[target] − W_U[contrast] of every prompt; of a classifier, the rows of its classes."""
    return metric.direction(model.weights.unembedding().T)
