"""Positional variance: variance of attention's output over windows, position by position."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float
from pydantic.dataclasses import dataclass as options_dataclass
from torch import Tensor

from interp.core.engine import engine
from interp.core.prompts import Prompts
from interp.corpus.gathering import gather
from interp.corpus.options import CorpusOptions, windows_of
from interp.corpus.sums import Sums, Totals
from interp.kinds import PositionalVariance
from interp.models.attention import repeat_kv, visible
from interp.models.edits import Edit
from interp.models.hooked import HookedModel
from interp.models.sites import Site

WRITES = ("attention", "uniform")


@options_dataclass(frozen=True)
class PositionalVarianceOptions(CorpusOptions):
    """The text."""


@dataclass(frozen=True)
class WriteSums:
    """Sums over windows of what attention adds to the stream (`attention`), and of what it would add if every query
    looked at all keys that it sees alike (`uniform`).

    Totals, for T = `width` positions: `…_sum` (layer × T × d_model), `…_energy` Σ‖·‖² (layer × T), `windows` (T).
    """

    width: int
    name: str = "positional-variance"

    def settings(self) -> dict[str, int | float | str]:
        """What distinguishes these sums from others."""
        return {"width": self.width}

    def measure(self, model: HookedModel, windows: Prompts, first: int, into: Totals | None = None) -> Sums:
        """The sums of some windows, of which some may be shorter than `width`."""
        layers, mask = model.dims.layers, windows.mask.to(model.device)
        totals = into or {
            "windows": np.zeros(self.width),
            **{f"{name}_sum": np.zeros((layers, self.width, model.dims.d_model)) for name in WRITES},
            **{f"{name}_energy": np.zeros((layers, self.width)) for name in WRITES},
        }
        totals["windows"][: windows.width] += windows.mask.sum(0).numpy()

        def add(name: str, layer: int, write: Float[Tensor, "window pos d_model"]) -> None:
            write = write.double() * mask[:, :, None]
            totals[f"{name}_sum"][layer, : windows.width] += write.sum(0).cpu().numpy()
            totals[f"{name}_energy"][layer, : windows.width] += write.square().sum((0, 2)).cpu().numpy()

        edits = [edit for layer in range(layers) for edit in _listeners(model, layer, mask, add)]
        model.record(windows, edits=edits)
        return Sums(totals)


def _listeners(
    model: HookedModel, layer: int, mask: Bool[Tensor, "window pos"], add: Callable[[str, int, Tensor], None]
) -> list[Edit]:
    """Edits of one layer that change nothing and tell `add` what attention writes, and would write."""
    heard: dict[str, Tensor] = {}

    def write(output: Tensor) -> None:
        values, attended_pairs = heard["v"], heard.get("seen", mask[:, None])
        weight = attended_pairs.to(values) / attended_pairs.sum(-1, keepdim=True)
        mean = torch.einsum("bqk,bkhd->bqhd", weight.expand(-1, mask.shape[1], -1), values)
        mean = repeat_kv(mean, model.dims.heads)
        uniform = torch.einsum("bqhd,hdm->bqm", mean, model.weights.output(layer)) + model.weights.output_bias(layer)
        uniform = model.weights.normalised(model.layer_map.attention.norm_after, layer, uniform)
        add("attention", layer, output)
        add("uniform", layer, uniform)
        heard.clear()

    hear = {
        "v": lambda values: heard.update(v=values),
        "scores": lambda scores: heard.update(seen=visible(scores[:, 0])),
        "attn_write": write,
    }
    return [Edit.through(Site(name, layer), function) for name, function in hear.items() if model.has(name)]


def _obstacle(model: HookedModel) -> str | None:
    return model.obstacle("layers") or model.site_obstacle(Site("pattern", 0))


@engine(obstacle=_obstacle, default_prompts=windows_of)
def positional_variance(model: HookedModel, prompts: Prompts, options: PositionalVarianceOptions) -> PositionalVariance:
    """Variance over windows of attention's output at each position, compared with uniform attention.

    The variance of attention's output over windows to the stream, mean over d_model: `layer pos`.

    A query that looks at t keys alike writes the mean of t values; the more of them and the less they have to do with
    one another, the less it varies, like 1 / t: even without any encoding the position can be read off.
    `uniform_attention_variance` is the same variance for exactly that query: the model's own values, averaged over all
    keys that it sees. What attention chooses makes the difference between the two.
    Unit: squared units of the stream.
    Source: Chi et al. 2023, "Latent Positional Information is in the Self-Attention Variance of Transformer Language
    Models Without Positional Embeddings", section 4.
    Differs: trained models with positions of their own rather than initialised ones without; population variance (a
    single window has none: 0); the control is attention made uniform, on the values of the run itself.
    """
    totals = gather(model, prompts, WriteSums(prompts.width)).totals
    return PositionalVariance.of(
        prompts,
        {
            "variance": _variance(totals, "attention"),
            "uniform_attention_variance": _variance(totals, "uniform"),
        },
        measured=f"variance over {len(prompts):,} windows of attention's output, mean over d_model",
    )


def _variance(totals: dict[str, np.ndarray], name: str) -> Float[np.ndarray, "layer pos"]:
    mean = totals[f"{name}_sum"] / totals["windows"][:, None]
    spread = totals[f"{name}_energy"] / totals["windows"] - (mean * mean).sum(-1)
    return np.maximum(spread, 0) / mean.shape[-1]  # rounding may leave a little below zero
