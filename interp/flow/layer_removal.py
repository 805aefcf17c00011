"""Layer removal: the loss against the number of layers left out, in the order of each measure and in random orders."""

from functools import partial
from typing import Any

import numpy as np
from pydantic import Field
from pydantic.dataclasses import dataclass

from interp.core.engine import engine
from interp.core.options import Count, Index, Repeats
from interp.core.prompts import Prompts
from interp.corpus.enough import require_tokens
from interp.corpus.gathering import gather
from interp.corpus.least_squares import affine_fit, moments_at
from interp.corpus.options import CorpusOptions, windows_of
from interp.flow.depth.altered import altered, split
from interp.flow.depth.measures import PartSums
from interp.flow.depth.parts import onward, part_sites, parts_obstacle, stream_into
from interp.kinds import LayerRemoval
from interp.models.hooked import HookedModel, Trace

_BLOCK = 0  # of the parts
DIGITS = 6  # of what layers are ordered by: below it rounding would choose; of equal ones the first goes first


@dataclass(frozen=True)
class LayerRemovalOptions(CorpusOptions):
    """The text, on how much of it the loss is measured, how many layers go, and the random orders."""

    skip: Index = Field(1, description="initial positions of every window to skip; the first is often an outlier")
    tested: Count = Field(
        4,
        description="number of windows, the last ones, on which losses are measured; layers are ordered by the others",
    )
    most: Count = Field(10, description="largest number of layers left out")
    draws: Repeats = Field(4, description="number of random orders")


@engine(obstacle=parts_obstacle, default_prompts=windows_of)
def layer_removal(model: HookedModel, prompts: Prompts, options: LayerRemovalOptions) -> LayerRemoval:
    """The loss against the number of layers left out, in the order of each measure, compared with random orders.

    Layers are ordered on all windows but the `tested` ones: by least `influence`, least `entropy change`, greatest
    `linearity` and least `loss skipped`, each as engine `layer-redundancy` measures blocks, and `deepest first`.
    `loss` (`order count`) is how much the loss rises when the first 1, 2, … layers of an order are left out together,
    `removed` the layer that goes last; `random_loss` (`draw count`) the same of random orders.
    Cost: about four forwards, and of the tested windows one for each number of layers and order.
    Unit: nats a token.
    Raises: CorpusError where no token is left.
    Source: Men et al. 2024, "ShortGPT: Layers in Large Language Models are More Redundant Than You Expect"; Razzhigaev
    et al. 2024, "Your Transformer is Secretly Linear".
    """
    orders = _orders(model, prompts, options)
    layers, random = model.dims.layers, np.random.default_rng(options.seed)
    draws = [random.permutation(layers) for _ in range(options.draws)]
    most = min(options.most, layers)
    every = [*orders.values(), *draws]
    changes = [partial(_without, order[:count]) for order in every for count in range(1, most + 1)]
    runs = altered(model, split(prompts, options.tested)[1], options.skip, [], changes, "layer-removal: losses")
    rises, intervals = runs.increase()
    rises, intervals = rises.reshape(len(every), most), intervals.reshape(len(every), most, 2)
    return LayerRemoval.of(
        prompts,
        {
            "loss": rises[: len(orders)],
            "loss_interval": intervals[: len(orders)],
            "removed": np.stack([order[:most] for order in orders.values()]),
            "random_loss": rises[len(orders) :],
        },
        measured=f"rise of the loss, {runs.mean():.3f} nats a token over {len(runs.tokens)} windows, without layers",
        sign="above 0: the layers had helped to predict the text",
        order=list(orders),
        count=np.arange(most) + 1,
    )


def _orders(model: HookedModel, prompts: Prompts, options: LayerRemovalOptions) -> dict[str, np.ndarray]:
    """Layers in the order in which they go, by what orders them."""
    fitted, _ = split(prompts, options.tested)
    some = prompts[:fitted]
    gathered = gather(model, some, PartSums(options.skip, 20, 10.0, fitted))
    tokens = int(gathered.totals["fitted_tokens"])
    require_tokens(tokens, options.skip, least=2)
    linear = [
        affine_fit(moments_at(gathered.totals, (layer, _BLOCK)), tokens).linearity for layer in range(model.dims.layers)
    ]
    skips = [partial(_skipping, model, layer) for layer in range(model.dims.layers)]
    skipped = altered(
        model, some[: options.tested], options.skip, part_sites(model), skips, "layer-removal: each layer"
    )
    measures = {
        "influence": np.nansum(np.asarray(gathered.rows("influence"))[..., _BLOCK], 0),
        "entropy change": np.nansum(np.asarray(gathered.rows("entropy_change"))[..., _BLOCK], 0),
        "linearity": -np.array(linear),
        "loss skipped": skipped.increase()[0],
        "deepest first": -np.arange(model.dims.layers),
    }
    return {name: np.argsort(np.round(values, DIGITS), kind="stable") for name, values in measures.items()}


def _skipping(model: HookedModel, layer: int, trace: Trace) -> dict[str, Any]:
    return onward(model, layer + 1, stream_into(model, trace, layer))


def _without(layers: np.ndarray, trace: Trace) -> dict[str, Any]:
    return {"without": layers.tolist()}
