"""What a backward pass under relevance rules absorbs, and the latent relevance it was asked to keep."""

from collections import defaultdict
from collections.abc import Collection
from dataclasses import dataclass, field

import torch
from jaxtyping import Float
from torch import Tensor

from interp.core.prompts import Prompts
from interp.kinds import Entry
from interp.models.dims import Dims

_TERMS = ("baseline", "position", "segment", "bias", "norm", "softmax", "router", "product", "activation", "epsilon")


@dataclass(eq=False)
class Ledger:
    """Entries by place and term, and for each name of `latent` the relevance of every layer."""

    dims: Dims
    latent: Collection[str] = ()
    _entries: dict[Entry, Tensor] = field(default_factory=dict)
    _layers: dict[str, dict[int, Tensor]] = field(default_factory=lambda: defaultdict(dict))

    def absorb(self, where: str, term: str, value: Float[Tensor, "batch"], share: float = 1.0) -> None:
        """Add a share of `value` to an entry."""
        if share:
            self._entries[where, term] = self._entries.get((where, term), 0) + share * value.double()

    def keep(self, name: str, layer: int, relevance: Tensor) -> None:
        """A layer's latent relevance, if it is wanted."""
        if name in self.latent:
            self._layers[name][layer] = relevance

    def ordered(self) -> dict[Entry, Tensor]:
        """What was absorbed, from the input upwards."""
        order = ["input", *(f"layer {layer}" for layer in range(self.dims.layers)), "output"]
        return dict(sorted(self._entries.items(), key=lambda item: (order.index(item[0][0]), _TERMS.index(item[0][1]))))

    def latent_relevance(self, prompts: Prompts) -> dict[str, Tensor]:
        """Latent relevance, layers stacked; zero above a target that lies inside the model."""
        batch, width, dims = len(prompts), prompts.width, self.dims
        shapes = {
            "stream": (batch, width),
            "heads": (batch, dims.heads, width),
            "neurons": (batch, dims.neurons),
            "experts": (batch, dims.experts, width),
            "router": (batch, width),
            "pairs": (batch, dims.heads, width, width),
        }
        stacks = {}
        for name in self.latent:
            layers = [self._layers[name].get(layer) for layer in range(dims.layers)]
            stacks[name] = torch.stack([torch.zeros(shapes[name]) if x is None else x.cpu() for x in layers], 1)
        return stacks
