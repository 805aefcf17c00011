"""Layer redundancy: how much every layer, its attention and its MLP change the stream, and the loss without them."""

from collections.abc import Iterator
from functools import partial
from typing import Any, Literal, NamedTuple, get_args

import numpy as np
import torch
from pydantic import Field
from pydantic.dataclasses import dataclass

from interp.core.engine import engine
from interp.core.intervals import bootstrap_mean, bootstrap_ratio
from interp.core.options import Count, Index
from interp.core.prompts import Prompts
from interp.corpus.enough import require_tokens
from interp.corpus.gathering import Gathered, gather
from interp.corpus.least_squares import AffineFit, affine_fit, among, applied, moments_at
from interp.corpus.options import CorpusOptions, windows_of
from interp.flow.depth.altered import Change, altered, split
from interp.flow.depth.measures import OF_WINDOWS, ROWS, PartSums
from interp.flow.depth.parts import PARTS, addition, instead, part_sites, parts_obstacle
from interp.kinds import LayerRedundancy
from interp.models.edits import Edit
from interp.models.hooked import HookedModel, Trace
from interp.models.sites import Site

Loss = Literal["skipped", "mean", "replaced", "parallel"]
LOSSES: tuple[Loss, ...] = get_args(Loss)


@dataclass(frozen=True)
class LayerRedundancyOptions(CorpusOptions):
    """The text, which losses are measured on how much of it, and what counts as massive."""

    skip: Index = Field(1, description="initial positions of every window to skip; the first is often an outlier")
    tested: Count = Field(
        5, description="number of windows, the last ones, on which losses are measured and no map is fitted"
    )
    losses: tuple[Loss, ...] = Field(LOSSES, description="which losses to measure: skipped, mean, replaced, parallel")
    bins: int = Field(20, ge=2, le=1000, description="buckets of a dimension's histogram, for its entropy")
    massive: float = Field(
        10.0, ge=1, le=1e6, allow_inf_nan=False,
        description="a dimension is massive if its root mean square is so many times the median dimension's",
    )  # fmt: skip


class _Edit(NamedTuple):
    """One run with something changed: the variable that it goes to, and the place in that."""

    name: str
    layer: int
    part: int
    change: Change


@engine(obstacle=parts_obstacle, default_prompts=windows_of)
def layer_redundancy(model: HookedModel, prompts: Prompts, options: LayerRedundancyOptions) -> LayerRedundancy:
    """How much each layer, its attention and its MLP change the stream, and what the loss is without them.

    For the block, the attention and the MLP of every layer (`layer part`), of the stream x before and y = x + d after:

    `influence` 1 − cos(x, y) and `angle` arccos(cos) / π, mean over tokens; `entropy_change` H(y) − H(x), the histogram
    of each dimension over a window's tokens, and `neighbour_entropy_change` by distances to the fifth nearest token;
    `linearity` of y and `update_linearity` of d, as engine `linearity`.
    `loss_skipped`, `loss_mean`, `loss_replaced`: how much the loss on the `tested` windows rises where d is left out,
    where it is its own mean, and where it is the affine map of x that is nearest to d on all other windows.
    `loss_replaced_fitted`: the last on as many windows that were fitted. `loss_parallel`: where the layer and the next
    one both read x. `loss_mean` is the control of `loss_replaced`: the map of shuffled tokens.
    A single window is fitted and tested itself. Cost: a recording and its moments are some three forwards; each loss
    goes on from the layer that changes, which over all layers is about 0.6 · layers forwards of the tested windows for
    each part, and `replaced` twice that: with 5 of 64 windows and 30 layers some 27 forwards in all.
    Unit: loss in nats a token; angles as a share of a half turn; entropy in nats a dimension.
    Raises: CorpusError where no token is left.
    Source: Men et al. 2024, "ShortGPT: Layers in Large Language Models are More Redundant Than You Expect"; Gromov et
    al. 2024, "The Unreasonable Ineffectiveness of the Deeper Layers"; EntroDrop (Salesforce AI Research); Kozachenko &
    Leonenko 1987 for entropy by neighbours; Razzhigaev et al. 2024, "Your Transformer is Secretly Linear", section 3.
    Differs: entropy window by window, mean over dimensions rather than their sum; maps have a shift.
    """
    fitted, held_out = split(prompts, options.tested)
    gathered = gather(model, prompts, PartSums(options.skip, options.bins, options.massive, fitted))
    tokens = int(gathered.totals["fitted_tokens"])
    require_tokens(tokens, options.skip, least=2)
    totals = gathered.totals
    fits = {cell: affine_fit(moments_at(totals, cell), tokens) for cell in np.ndindex(totals["dd"].shape[:-1])}
    values = _measures(gathered) | _linearities(totals, fits, tokens, options.massive)
    edits = list(_edits(model, fits, totals["d"] / tokens, options.losses))
    plain = ""
    if edits:
        values |= _losses(model, held_out, options.skip, edits)
        if "replaced" in options.losses:
            again = [edit._replace(name="loss_replaced_fitted") for edit in edits if edit.name == "loss_replaced"]
            values |= _losses(model, prompts[: len(held_out)], options.skip, again)
        plain = f", losses on the last {len(held_out)}"
    few = "" if tokens > model.dims.d_model + 1 else "; too few tokens to fit: any map would"
    return LayerRedundancy.of(
        prompts,
        values,
        measured=f"change of the stream over {len(prompts):,} windows{plain}{few}",
        sign="a loss above 0: the part had helped to predict the text",
        facts={"tokens": str(tokens), "tested": str(len(held_out))},
        part=list(PARTS),
    )


def _measures(gathered: Gathered) -> dict[str, Any]:
    """What is a mean over tokens or windows, with intervals."""
    tokens, values = gathered.rows("tokens"), {}
    for name in ROWS:
        rows = np.asarray(gathered.rows(name))
        if name in OF_WINDOWS:
            values[name], *ends = bootstrap_mean(rows)
            values[f"{name}_interval"] = np.stack(ends, -1)
        else:
            values[name], values[f"{name}_interval"] = bootstrap_ratio(rows, np.asarray(tokens))
    return values


def _linearities(
    totals: dict[str, np.ndarray], fits: dict[tuple[int, ...], AffineFit], tokens: int, massive: float
) -> dict[str, np.ndarray]:
    """Scores of every part of every layer, of all dimensions and of those that are not massive."""
    names = ("linearity", "update_linearity", "linearity_without_massive")
    scores = {name: np.full(totals["dd"].shape[:-1], np.nan) for name in names}
    for cell, fit in fits.items():
        scores["linearity"][cell], scores["update_linearity"][cell] = fit.linearity, fit.update_linearity
        sums = moments_at(totals, cell)
        size = np.sqrt(np.diag(sums["xx"]) / tokens)
        rest = np.flatnonzero(size <= massive * np.median(size))
        same = len(rest) == len(size)
        scores["linearity_without_massive"][cell] = (fit if same else affine_fit(among(sums, rest), tokens)).linearity
    return scores


def _edits(
    model: HookedModel, fits: dict[tuple[int, ...], AffineFit], means: np.ndarray, losses: tuple[Loss, ...]
) -> Iterator[_Edit]:
    """Every run with something changed."""
    for layer in range(model.dims.layers):
        for at, part in enumerate(PARTS):
            of_part = partial(_adding, model, layer, part)
            matrix, shift, mean = fits[layer, at].matrix, fits[layer, at].shift, means[layer, at]
            for loss in losses:
                if loss == "skipped":
                    yield _Edit("loss_skipped", layer, at, partial(of_part, None, None))
                elif loss == "mean":
                    yield _Edit("loss_mean", layer, at, partial(of_part, np.zeros_like(matrix), mean))
                elif loss == "replaced":
                    yield _Edit("loss_replaced", layer, at, partial(of_part, matrix, shift))
                elif part == "block" and layer < model.dims.layers - 1:
                    yield _Edit("loss_parallel", layer, at, partial(_side_by_side, model, layer))


def _adding(
    model: HookedModel, layer: int, part: str, matrix: np.ndarray | None, shift: np.ndarray | None, trace: Trace
) -> dict[str, Any]:
    """A run in which a part adds xA + b, or nothing."""
    before = addition(model, trace, layer, part).before
    update = torch.zeros_like(before) if matrix is None or shift is None else applied(matrix, shift, before)
    return instead(model, trace, layer, part, update)


def _side_by_side(model: HookedModel, layer: int, trace: Trace) -> dict[str, Any]:
    """A run in which a layer and the next one read the same stream, and both add to it."""
    before, update = addition(model, trace, layer, "block")
    both = Edit.through(Site("resid_post", layer + 1), lambda stream: (stream + update).to(stream.dtype))
    return {"start": (layer + 1, before), "edits": [both]}


def _losses(model: HookedModel, windows: Prompts, skip: int, edits: list[_Edit]) -> dict[str, np.ndarray]:
    """The rise of the loss under each edit, by the variable that it goes to, with intervals; NaN where none does."""
    runs = altered(model, windows, skip, part_sites(model), [edit.change for edit in edits], "layer-redundancy: losses")
    cells = (model.dims.layers, len(PARTS))
    values = {name: np.full(cells, np.nan) for name in {edit.name for edit in edits}}
    values |= {f"{name}_interval": np.full((*cells, 2), np.nan) for name in values}
    for edit, mean, interval in zip(edits, *runs.increase(), strict=True):
        values[edit.name][edit.layer, edit.part] = mean
        values[f"{edit.name}_interval"][edit.layer, edit.part] = interval
    return values
