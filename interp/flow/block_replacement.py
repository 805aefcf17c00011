"""Block replacement: a run of blocks taken out, and a linear map folded into the MLP before it in their place."""

from dataclasses import dataclass as plain_dataclass
from functools import partial
from typing import Any

import numpy as np
import torch
from pydantic import Field
from pydantic.dataclasses import dataclass
from torch import Tensor

from interp.core.engine import engine
from interp.core.errors import OptionError
from interp.core.intervals import bootstrap_ratio
from interp.core.options import Count, Index, Rate
from interp.core.prompts import Prompts
from interp.corpus.enough import require_tokens
from interp.corpus.gathering import gather
from interp.corpus.least_squares import add_moments, moments_at, no_moments, smallest_solution
from interp.corpus.losses import loss_obstacle
from interp.corpus.options import CorpusOptions, windows_of
from interp.corpus.sums import Sums, Totals
from interp.flow.depth.altered import Change, altered, split
from interp.flow.depth.cosine_map import Around
from interp.flow.depth.parts import onward, stream_into
from interp.kinds import BlockReplacement
from interp.models.edits import Edit
from interp.models.hooked import HookedModel, Trace
from interp.models.sites import Site

ALONE = ("loss_folded", "loss_cosine")  # losses of the best layer's maps


@dataclass(frozen=True)
class BlockReplacementOptions(CorpusOptions):
    """The text, how many blocks go, and the ridge of the map that replaces them."""

    skip: Index = Field(1, description="initial positions of every window to skip; the first is often an outlier")
    tested: Count = Field(8, description="number of windows, the last ones, on which losses are measured, none fitted")
    remove: Count | None = Field(None, description="number of blocks to take out; by default a quarter of them")
    ridge: float = Field(
        0.0, ge=0, le=1e12, allow_inf_nan=False, description="added to every squared direction of the MLP's output"
    )
    cosine_steps: int = Field(
        0, ge=0, le=10**5, description="Adam steps, over all tokens, of the best layer's map by cosines; 0: no such map"
    )
    cosine_rate: Rate = Field(1e-3, description="learning rate of these steps")


@plain_dataclass(frozen=True)
class WindowSums:
    """Distances between the streams out of every two blocks, and the moments of the map that replaces some.

    Rows of a window, `layer count`: Σ over tokens of the angle / π; and `tokens`. Totals over the first `fitted`
    windows: the moments of each block's MLP output and of what the stream has gained `removed` blocks later.
    """

    skip: int
    removed: int
    fitted: int
    name: str = "block-replacement"

    def settings(self) -> dict[str, int | float | str]:
        """What distinguishes these sums from others."""
        return {"skip": self.skip, "removed": self.removed, "fitted": self.fitted}

    def measure(self, model: HookedModel, windows: Prompts, first: int, into: Totals | None = None) -> Sums:
        """The sums of some windows."""
        layers, starts = model.dims.layers, model.dims.layers - self.removed
        totals = into or no_moments((starts,), model.dims.d_model) | {"fitted_tokens": np.asarray(0)}
        distance = np.zeros((len(windows), layers - 1, layers - 1))
        with torch.no_grad():
            trace = model.record(windows, _sites(model))
            for row, mask in enumerate(windows.mask):
                counted = mask.clone()
                counted[: self.skip] = False
                counted = counted.to(model.device)
                out = [stream_into(model, trace, layer + 1)[row, counted].double() for layer in range(layers)]
                directions = torch.nn.functional.normalize(torch.stack(out), dim=-1, eps=1e-300)
                for kept in range(layers - 1):
                    cosines = (directions[kept] * directions[kept + 1 :]).sum(-1).clamp(-1, 1)
                    distance[row, kept, : layers - 1 - kept] = (cosines.arccos().sum(-1) / torch.pi).cpu().numpy()
                if first + row < self.fitted:
                    totals["fitted_tokens"] += int(counted.sum())
                    for kept in range(starts):
                        write = trace[Site("mlp_write", kept)][row, counted].double()
                        add_moments(totals, kept, write, out[kept + self.removed] - (out[kept] - write))
        tokens = windows.mask[:, self.skip :].sum(1).double().numpy()
        return Sums(totals, {"distance": distance, "tokens": tokens})


def _sites(model: HookedModel) -> list[Site]:
    return [*model.stream_sites(), *model.sites("mlp_write")]


def _obstacle(model: HookedModel) -> str | None:
    mlp = model.layer_map.mlp
    if loss_obstacle(model) or model.dims.layers < 2:
        return loss_obstacle(model) or "it has one layer, and none to take out"
    if mlp.norm_after or mlp.norm_on_sum:
        return "a norm stands behind its MLPs, so no map folds into their down-projections"
    if model.dims.experts:
        return "its MLPs are mixtures of experts, which have no one down-projection"
    reasons = map(model.site_obstacle, (Site("mlp_write", 0), Site("mlp_post", 0), *model.stream_sites()))
    return model.obstacle("mlp") or next(filter(None, (*reasons, model.edit_obstacle(Site("mlp_write", 0)))), None)


@engine(obstacle=_obstacle, default_prompts=windows_of)
def block_replacement(model: HookedModel, prompts: Prompts, options: BlockReplacementOptions) -> BlockReplacement:
    """The loss without some blocks in a row, and with a linear map folded into the MLP before them in their place.

    `distance` (`layer count`): arccos(cos) / π between the streams out of a layer and `count` layers later, mean over
    tokens; the `best` layer is the one with the least at the number of blocks that go.

    With M what the MLP of the layer writes, Y the rest of the stream out of it and L the stream out of the last block
    that goes, T minimises ‖MT − (L − Y)‖² + ridge · ‖T‖² over all windows but the `tested` ones, in float64. For every
    layer that has enough blocks after it, the rise of the loss on the tested windows: `loss_removed` without those
    blocks, `loss_mapped` with T too, `loss_mapped_fitted` on as many windows that were fitted, and the control
    `loss_shuffled`, with T as fitted to the tokens in random order (its expectation). `loss_folded`: the best layer's,
    run with W_down T (and its bias) as down-projection; `folding_error` is how far its logits are from those with MT
    added, as a share of the largest.
    With `cosine_steps`, a second map of the best layer minimises the mean of 1 − cos(MT + Y, L) instead, by Adam from
    the first: `loss_cosine`, and the `cosine_distance` of both maps on the windows that were fitted.
    Cost: about two forwards, and of the tested windows less than two for each layer; each of the `cosine_steps` is six
    products of all tokens' states with a square matrix.
    Unit: nats a token; distances a share of a half turn.
    Raises: OptionError where more blocks would go than there are; CorpusError where no token is left.
    Source: Shopkhoev et al. 2025, "ReplaceMe: Network Simplification via Depth Pruning and Transformer Block
    Linearization".
    Differs: the smallest T where it is not unique; steps on cosines start there and take all tokens at once.
    """
    layers = model.dims.layers
    removed = options.remove or max(1, round(layers / 4))
    if removed >= layers:
        raise OptionError(
            f"block-replacement, remove = {removed}: {model.name} has {layers} layers; leave at least one"
        )
    fitted, held_out = split(prompts, options.tested)
    gathered = gather(model, prompts, WindowSums(options.skip, removed, fitted))
    tokens = int(gathered.totals["fitted_tokens"])
    require_tokens(tokens, options.skip)
    distance, interval = bootstrap_ratio(np.asarray(gathered.rows("distance")), np.asarray(gathered.rows("tokens")))
    beyond = np.add.outer(np.arange(layers - 1), np.arange(layers - 1)) > layers - 2
    distance[beyond], interval[beyond] = np.nan, np.nan
    best = int(np.where(beyond, np.inf, distance)[:, removed - 1].argmin())
    maps = [_maps(moments_at(gathered.totals, kept), tokens, options.ridge) for kept in range(layers - removed)]
    changes = _changes(model, removed, maps)
    folded = partial(_folded, model, best, removed, maps[best][0])
    alone: dict[str, list[Change]] = {"loss_folded": [folded]}
    cosines: dict[str, Any] = {}
    if options.cosine_steps:
        states = Around.of(model, prompts[:fitted], best, best + removed, options.skip)
        matrix, first, last = states.trained(maps[best][0], options.cosine_steps, options.cosine_rate)
        alone["loss_cosine"] = [partial(_mapped, model, best, removed, matrix)]
        cosines = {"cosine_distance": last, "least_squares_cosine_distance": first}
    values = cosines | _losses(model, held_out, options.skip, changes | alone, layers - 1)
    again = {"loss_mapped_fitted": changes["loss_mapped"]}
    values |= _losses(model, prompts[: len(held_out)], options.skip, again, layers - 1)
    error = _folding_error(model, held_out[:1], folded, changes["loss_mapped"][best])
    return BlockReplacement.of(
        prompts,
        values | {"distance": distance, "distance_interval": interval, "folding_error": error},
        measured=f"rise of the loss without {removed} blocks after each layer, over {len(held_out)} windows",
        sign="above 0: the blocks had helped to predict the text",
        facts={"best": str(best), "removed": str(removed), "tokens": str(tokens)},
        count=np.arange(layers - 1) + 1,
    )


def _maps(sums: Totals, tokens: int, ridge: float) -> tuple[np.ndarray, np.ndarray]:
    """T, and what it would be on average if tokens were shuffled."""
    xx, size = sums["xx"] + ridge * np.eye(len(sums["xx"])), float(np.trace(sums["xx"]))
    return smallest_solution(xx, sums["xd"], size), smallest_solution(xx, np.outer(sums["x"], sums["d"]) / tokens, size)


def _changes(model: HookedModel, removed: int, maps: list[Any]) -> dict[str, list[Change]]:
    """What is run for every layer that is kept, by the variable that it goes to."""
    return {
        name: [partial(_mapped, model, kept, removed, of(pair)) for kept, pair in enumerate(maps)]
        for name, of in (
            ("loss_removed", lambda pair: None),
            ("loss_mapped", lambda pair: pair[0]),
            ("loss_shuffled", lambda pair: pair[1]),
        )
    }


def _mapped(model: HookedModel, kept: int, removed: int, matrix: np.ndarray | None, trace: Trace) -> dict[str, Any]:
    """A run without some blocks, in which what the MLP before them writes is mapped."""
    stream, write = stream_into(model, trace, kept + 1), trace[Site("mlp_write", kept)]
    if matrix is not None:
        mapped = write.double() @ torch.from_numpy(matrix).to(write.device)
        stream = (stream.double() - write.double() + mapped).to(stream.dtype)
    return onward(model, kept + 1 + removed, stream)


def _folded(model: HookedModel, kept: int, removed: int, matrix: np.ndarray, trace: Trace) -> dict[str, Any]:
    """A run without some blocks, with the map in the weights of the MLP before them."""
    down, bias = model.weights.mlp_out(kept).to(torch.float64)
    fold = torch.from_numpy(matrix).to(down.device)
    weight, shift = down @ fold, 0 if bias is None else bias @ fold
    neurons: dict[str, Tensor] = {}
    edits = [
        Edit.through(Site("mlp_post", kept), lambda value: neurons.update(post=value)),
        Edit.through(Site("mlp_write", kept), lambda out: (neurons["post"].double() @ weight + shift).to(out.dtype)),
    ]
    start = (kept, stream_into(model, trace, kept))
    return {"start": start, "edits": edits, "without": range(kept + 1, kept + 1 + removed)}


def _folding_error(model: HookedModel, prompt: Prompts, folded: Change, mapped: Change) -> float:
    """The largest difference of the logits of two runs, as a share of the largest logit."""
    with torch.no_grad():
        trace = model.run(prompt, record=_sites(model))
        one, other = (model.run(prompt, **change(trace)).logits.double() for change in (folded, mapped))
    return float((one - other).abs().max() / other.abs().max())


def _losses(
    model: HookedModel, windows: Prompts, skip: int, changes: dict[str, list[Change]], cells: int
) -> dict[str, np.ndarray]:
    """The rise of the loss under every change, with intervals; NaN for layers without one."""
    every = [change for some in changes.values() for change in some]
    runs = altered(model, windows, skip, _sites(model), every, "block-replacement: losses")
    mean, interval = runs.increase()
    values, first = {}, 0
    for name, some in changes.items():
        rows = slice(first, first + len(some))
        first += len(some)
        if name in ALONE:
            values |= {name: mean[rows][0], f"{name}_interval": interval[rows][0]}
            continue
        values[name], values[f"{name}_interval"] = np.full(cells, np.nan), np.full((cells, 2), np.nan)
        values[name][: len(some)], values[f"{name}_interval"][: len(some)] = mean[rows], interval[rows]
    return values
