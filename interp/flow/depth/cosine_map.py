"""A map of an MLP's output after which the stream points where it did behind blocks that are taken out."""

from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from interp.core.progress import track
from interp.core.prompts import Prompts
from interp.corpus.batches import batches
from interp.flow.depth.parts import stream_into
from interp.models.hooked import HookedModel
from interp.models.sites import Site


class Around(NamedTuple):
    """Of every token: what an MLP writes, the rest of the stream out of its layer, the stream out of a later one."""

    write: Float[Tensor, "token d_model"]
    rest: Float[Tensor, "token d_model"]
    later: Float[Tensor, "token d_model"]

    @classmethod
    def of(cls, model: HookedModel, windows: Prompts, layer: int, later: int, skip: int) -> "Around":
        """The tokens of windows behind the first `skip`, in no less than float32."""
        rows: list[list[Tensor]] = []
        with torch.no_grad():
            for _, some in batches(windows, "block-replacement: states"):
                counted = some.mask.clone()
                counted[:, :skip] = False
                trace = model.record(some, [*model.stream_sites(), Site("mlp_write", layer)])
                states = trace[Site("mlp_write", layer)], *(stream_into(model, trace, at + 1) for at in (layer, later))
                write, out, after = (each[counted.to(each.device)] for each in states)
                wide = torch.promote_types(write.dtype, torch.float32)
                rows.append([write.to(wide), out.to(wide) - write.to(wide), after.to(wide)])
        return cls(*(torch.cat(each) for each in zip(*rows, strict=True)))

    def cosine_distance(self, matrix: Float[Tensor, "d_model d_model"]) -> Float[Tensor, ""]:
        """1 − cos of the stream with the MLP's output mapped and of the later one, mean over tokens."""
        return 1 - torch.cosine_similarity(self.write @ matrix + self.rest, self.later, dim=-1).mean()

    def trained(self, start: np.ndarray, steps: int, rate: float) -> tuple[np.ndarray, float, float]:
        """The best map on the way of Adam from `start`; the cosine distance of that one and of this."""
        matrix = torch.tensor(start).to(self.write).requires_grad_()
        optimiser = torch.optim.Adam([matrix], lr=rate)
        first = least = float(self.cosine_distance(matrix.detach()))
        best = start
        for _ in track(range(steps), steps, "block-replacement: map by cosines"):
            with torch.enable_grad():
                (matrix.grad,) = torch.autograd.grad(self.cosine_distance(matrix), [matrix])
            optimiser.step()
            now = float(self.cosine_distance(matrix.detach()))
            if now < least:
                least, best = now, matrix.detach().double().cpu().numpy().copy()
        return best, first, least
