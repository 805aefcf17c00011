"""Lazy layers: attention on the first and the most recent keys, and the loss of a layer that sees no others."""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool
from pydantic import Field
from pydantic.dataclasses import dataclass as options_dataclass
from torch import Tensor

from interp.core.engine import engine
from interp.core.intervals import bootstrap_mean, with_interval
from interp.core.options import Count, Index
from interp.core.progress import track
from interp.core.prompts import Prompts
from interp.corpus.gathering import gather
from interp.corpus.losses import losses_of, predicts_next, window_losses
from interp.corpus.options import CorpusOptions, windows_of
from interp.corpus.sums import Sums, Totals
from interp.kinds import LazyLayers
from interp.models.edits import Edit
from interp.models.hooked import HookedModel
from interp.models.sites import Site
from interp.patterns.watching import Pattern, Seen, mean_over_queries, pattern_obstacle, read_patterns


@options_dataclass(frozen=True)
class LazyLayersOptions(CorpusOptions):
    """The text, which keys a lazy head attends to, and how many queries are read."""

    first: Index = Field(4, description="keys at the beginning of a window that a lazy head may attend to")
    recent: Count = Field(32, description="most recent keys, the query's own among them, that it may attend to")
    queries: Count = Field(64, description="queries at the end of each window whose attention is read")


@dataclass(frozen=True)
class LazySums:
    """Rows a window: `lazy` (layer, head), `uniform` (layer), `clean` loss, `restricted` loss (layer)."""

    first: int
    recent: int
    queries: int
    name: str = "lazy-layers"

    def settings(self) -> dict[str, int | float | str]:
        """What distinguishes these sums from others."""
        return {"first": self.first, "recent": self.recent, "queries": self.queries}

    def measure(self, model: HookedModel, windows: Prompts, first: int, into: Totals | None = None) -> Sums:
        """The sums of some windows."""
        count, layers = len(windows), model.dims.layers
        lazy, uniform = np.zeros((count, layers, model.dims.heads)), np.zeros((count, layers))
        allowed, mask = self._allowed(windows.width).to(model.device), windows.mask.to(model.device)
        after = mask.flip(1).cumsum(1).flip(1)  # real positions from each one on
        last = mask & (after <= self.queries)

        def see(layer: int, pattern: Pattern, seen: Seen) -> None:
            lazy[:, layer] = mean_over_queries((pattern * allowed).sum(-1), last)
            uniform[:, layer] = mean_over_queries((seen & allowed).sum(-1).double() / seen.sum(-1), last)

        read_patterns(model, windows, see)
        totals = into or {"windows": np.asarray(0)}
        totals["windows"] += count
        clean, restricted = self._losses(model, windows, allowed)
        return Sums(totals, {"lazy": lazy, "uniform": uniform, "clean": clean, "restricted": restricted})

    def _allowed(self, width: int) -> Bool[Tensor, "query_pos key_pos"]:
        at = torch.arange(width)
        return (at < self.first) | ((at[:, None] - at).abs() < self.recent)

    def _losses(self, model: HookedModel, windows: Prompts, allowed: Tensor) -> tuple[np.ndarray, np.ndarray]:
        """The loss of each window as it is, and with each layer restricted, which starts from the layer's stream."""
        layers = model.dims.layers
        restricted = np.full((len(windows), layers), np.nan)
        if not predicts_next(model):
            return np.full(len(windows), np.nan), restricted
        trace = model.run(windows, record=model.sites("resid_pre"))
        clean = losses_of(trace.logits, windows)
        if model.edit_obstacle(Site("scores", 0)) is not None:
            return clean, restricted
        for layer in track(range(layers), layers, "losses with each layer restricted"):
            start, site = (layer, trace[Site("resid_pre", layer)]), Site("scores", layer)
            edit = Edit.through(site, lambda scores: scores.masked_fill(~allowed, torch.finfo(scores.dtype).min))
            restricted[:, layer] = window_losses(model, windows, [edit], start=start)
        return clean, restricted


@engine(obstacle=pattern_obstacle, default_prompts=windows_of)
def lazy_layers(model: HookedModel, prompts: Prompts, options: LazyLayersOptions) -> LazyLayers:
    """How much attention falls on the first and most recent keys, and the loss when a layer may see no others.

    Mean attention of the last `queries` queries of each window on the `first` keys and the `recent` ones, of every head
    (`layer head`) and layer, with intervals over windows. Control: uniform attention. `increase`: the loss with every
    query of one layer restricted to those keys, its attention shared out among them, minus the loss of the model; the
    run starts from the stream into the layer.
    Unit: probability; nats.
    Source: Zhang et al. 2025, "LightTransfer", section 3, the lazy ratio.
    Differs: layers are restricted one at a time; a model that predicts no next token has no losses; of an encoder
    "recent" is to both sides of the query.
    """
    sums = gather(model, prompts, LazySums(options.first, options.recent, options.queries))
    clean = sums.rows("clean")
    return LazyLayers.of(
        prompts,
        {
            **with_interval("lazy", sums.rows("lazy")),
            **with_interval("layer_lazy", sums.rows("lazy").mean(2)),
            "uniform": bootstrap_mean(sums.rows("uniform"))[0],
            **with_interval("increase", sums.rows("restricted") - clean[:, None]),
            **with_interval("loss", clean),
        },
        measured=f"attention of the last {options.queries} queries on the first {options.first} and the most recent "
        f"{options.recent} keys, over {len(prompts):,} windows",
        sign="increase > 0: the layer's heads look further",
    )
