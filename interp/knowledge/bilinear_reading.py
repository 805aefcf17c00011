"""Bilinear reading: a gated MLP along the answer's direction as a quadratic form of what it reads."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float
from pydantic import Field
from pydantic.dataclasses import dataclass as options_dataclass
from torch import Tensor

from interp.core.engine import engine
from interp.core.errors import OptionError
from interp.core.metric import Metric
from interp.core.options import Count, Index
from interp.core.prompts import Prompts
from interp.corpus.enough import require_tokens
from interp.corpus.gathering import gather
from interp.corpus.options import CorpusOptions, windows_of
from interp.corpus.sums import Sums, Totals
from interp.decomposition.linear_readout import readout_sites, require_logits
from interp.decomposition.neurons import neuron_parts, neuron_sites, neurons_obstacle, value_direction
from interp.kinds import BilinearReading
from interp.models.hooked import HookedModel
from interp.models.sites import Site

_MOMENTS = ("g", "gg", "a", "ga", "aa")


@options_dataclass(frozen=True)
class BilinearReadingOptions(CorpusOptions):
    """Which MLP, and the text on which its nonlinearity is fitted."""

    layer: Index = Field(0, description="layer of the MLP")
    top: Count = Field(20, description="eigenvectors listed")
    windows: Count = Field(16, description="windows of the corpus on which the nonlinearity is fitted")
    length: Count = Field(128, description="tokens per window")
    skip: Index = Field(1, description="initial positions of every window to skip; the first is often an outlier")


@dataclass(frozen=True)
class GateSums:
    """Moments of every neuron's gate g and of its nonlinearity a of one layer: Σg, Σg², Σa, Σga, Σa²; and `tokens`."""

    layer: int
    skip: int = 1
    name: str = "gates"

    def settings(self) -> dict[str, int | float | str]:
        """What distinguishes these sums from others."""
        return {"layer": self.layer, "skip": self.skip}

    def measure(self, model: HookedModel, windows: Prompts, first: int, into: Totals | None = None) -> Sums:
        """The sums of some windows."""
        totals = into or {name: np.zeros(model.dims.d_mlp) for name in _MOMENTS} | {"tokens": np.asarray(0)}
        site, mask = Site("mlp_pre", self.layer), windows.mask[:, self.skip :].to(model.device)
        gate = model.record(windows, [site])[site][:, self.skip :][mask]
        gate, out = gate.double(), model.weights.activation(gate).double()
        for name, value in zip(_MOMENTS, (gate, gate * gate, out, gate * out, out * out), strict=True):
            totals[name] += value.sum(0).cpu().numpy()
        totals["tokens"] += len(gate)
        return Sums(totals)


class Fit(NamedTuple):
    """The best affine fit of every neuron's nonlinearity, and the share of all their variance that it explains."""

    slope: np.ndarray
    intercept: np.ndarray
    explained: float


def affine_fit(totals: Totals) -> Fit:
    """Least squares, neuron by neuron; a gate that does not vary has slope 0, and 1 is explained where none does."""
    count = int(totals["tokens"])
    mean_g, mean_a = totals["g"] / count, totals["a"] / count
    variance, spread = totals["gg"] / count - mean_g**2, totals["aa"] / count - mean_a**2
    both = totals["ga"] / count - mean_g * mean_a
    varies = variance > len(variance) * np.finfo(float).eps * np.maximum(totals["gg"] / count, np.finfo(float).tiny)
    slope = np.divide(both, variance, out=np.zeros_like(both), where=varies)
    missed, whole = np.maximum(spread - slope * both, 0).sum(), spread.sum()
    return Fit(slope, mean_a - slope * mean_g, float(1 - missed / whole) if whole > 0 else 1.0)


def _obstacle(model: HookedModel) -> str | None:
    obstacle = neurons_obstacle(model) or model.site_obstacle(Site("mlp_pre", 0))
    if obstacle is None and model.weights.mlp_up(0) is None:
        return "its MLPs are not gated, and so no product of two linear maps"
    return obstacle


@engine(obstacle=_obstacle)
def bilinear_reading(
    model: HookedModel, prompts: Prompts, metric: Metric, options: BilinearReadingOptions
) -> BilinearReading:
    """A gated MLP along the answer's direction as a quadratic form: its eigenvectors, and what each contributes.

    With act(g) ≈ slope · g + intercept for every neuron, uᵀMLP(x) = xᵀBx + ℓᵀx + constant, and xᵀBx = Σ λ (v·x)² over
    the eigenvectors v of B = ½ Σ_o c_o (w_o v_oᵀ + v_o w_oᵀ): `batch rank`, the strongest in each prompt.

    Exact for a bilinear MLP (a nonlinearity that is affine). For any other it is an approximation: `fit` is the share
    of the nonlinearity's variance over the corpus that the fits explain, and `missed` what they miss here.
    Unit: logits.
    Conserves: quadratic, linear, bias and what the fits miss add up to the MLP's direct contribution.
    Raises: OptionError for a layer that is not there; EngineError if the metric is not on the logit scale.
    Source: Pearce et al. 2024, "Bilinear MLPs enable weight-based mechanistic interpretability", section 3; Sharkey
    2023, "A technical note on bilinear layers for interpretability".
    Differs: gated MLPs through affine fits of their neurons; one answer's direction, norms' divisors held fixed.
    """
    require_logits("bilinear-reading", metric)
    layer = options.layer
    if layer >= model.dims.layers:
        raise OptionError(f"bilinear-reading, layer = {layer}: {model.name} has layers 0 to {model.dims.layers - 1}")
    totals = gather(model, windows_of(model, options), GateSums(layer, options.skip)).totals
    require_tokens(int(totals["tokens"]), options.skip)
    fit = affine_fit(totals)
    reads = Site(model.layer_map.mlp.reads, layer)
    with torch.no_grad():
        sites = [reads, *neuron_sites(model, layer), *readout_sites(model)]
        trace = model.run(prompts, record=sites, answer=metric)
        parts = neuron_parts(model, trace, metric, layer)
        along = value_direction(model, trace, metric, layer)
        forms = [_form(model, layer, row, fit) for row in along]
    x = metric.at_answer(trace[reads]).double()
    rows = [_read(form, state, options.top) for form, state in zip(forms, x, strict=True)]
    values = {name: np.stack([row[name] for row in rows]) for name in rows[0]}
    values["bias"] += parts.bias.cpu().numpy()
    values["total"] = parts.total.cpu().numpy()
    values["missed"] = values["total"] - values["quadratic"] - values["linear"] - values["bias"]
    return BilinearReading.of(
        prompts,
        values | {"fit": fit.explained, "slope": fit.slope, "intercept": fit.intercept},
        measured=f"MLP {layer} along {metric.label} as a quadratic form; affine fit R² = {fit.explained:.4f}",
        sign="positive: writes in favour of the answer",
        facts={"layer": str(layer)},
    )


class Form(NamedTuple):
    """xᵀBx + ℓᵀx + constant."""

    matrix: Float[Tensor, "d_model d_model"]
    linear: Float[Tensor, "d_model"]
    constant: float


def _form(model: HookedModel, layer: int, along: Float[Tensor, "d_model"], fit: Fit) -> Form:
    """Σ_o c_o (slope_o (w_o·x + w⁰_o) + intercept_o)(v_o·x + v⁰_o), c what each neuron counts along the direction."""
    gate, up = model.weights.mlp_pre(layer).to(torch.float64), model.weights.mlp_up(layer)
    assert up is not None
    up = up.to(torch.float64)
    slope, intercept = (torch.from_numpy(each).to(along) for each in (fit.slope, fit.intercept))
    counts = model.weights.mlp_out(layer).matrix.double() @ along
    zero = torch.zeros_like(slope)
    gate_bias, up_bias = (zero if each.bias is None else each.bias for each in (gate, up))
    offset = slope * gate_bias + intercept
    product = (gate.matrix * (counts * slope)) @ up.matrix.T
    linear = up.matrix @ (counts * offset) + gate.matrix @ (counts * slope * up_bias)
    return Form((product + product.T) / 2, linear, float((counts * offset * up_bias).sum()))


def _read(form: Form, x: Float[Tensor, "d_model"], top: int) -> dict[str, np.ndarray]:
    """One prompt's numbers, its strongest eigenvectors first."""
    values, vectors = np.linalg.eigh(form.matrix.cpu().numpy())
    reading = vectors.T @ x.cpu().numpy()
    parts = values * reading**2
    order = np.argsort(-np.abs(parts), kind="stable")[:top]
    sides = np.where(reading[order] < 0, -1, 1)  # an eigenvector has no side of its own
    return {
        "contribution": parts[order], "eigenvalue": values[order], "reading": reading[order] * sides,
        "quadratic": np.asarray(parts.sum()), "linear": np.asarray(float(form.linear @ x)),
        "bias": np.asarray(form.constant),
    }  # fmt: skip
