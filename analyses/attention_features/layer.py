"""The site that a dictionary reads, run on pairs of prompts: the effects of edits there, from its layer up."""

from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Float

from interp.core.prompts import PromptPairs
from interp.dictionaries import Attached
from interp.models import HookedModel, Site
from interp.models.edits import Edit


class Layer:
    """Pairs of prompts, and the dictionary's features of both at its site."""

    def __init__(self, model: HookedModel, pairs: PromptPairs, dictionary: Attached) -> None:
        assert pairs.metric is not None
        self.model, self.pairs, self.metric, self.dictionary = model, pairs, pairs.metric, dictionary
        self.site, stream = dictionary.site, Site("resid_pre", dictionary.site.layer)
        with torch.no_grad():
            trace = model.record(pairs.clean, [stream, self.site])
            self.values, self.stream = trace[self.site], trace[stream]
            self.other = model.record(pairs.corrupted, [self.site])[self.site]
            self.features, self.other_features = (dictionary.encode(values) for values in (self.values, self.other))
        self.answers = torch.tensor(pairs.clean.answer_positions(model))
        self.clean = self.metric_with([])

    def metric_with(self, edits: Sequence[Edit]) -> Float[np.ndarray, "batch"]:
        """The metric of every clean prompt with the site edited."""
        start = (self.site.layer or 0, self.stream)
        with torch.no_grad():
            run = self.model.run(self.pairs.clean, edits=edits, answer=self.metric, start=start)
            return self.metric.of_rows(run.logits).double().numpy()

    def effect(self, *edits: Edit) -> Float[np.ndarray, "batch"]:
        """The change of the metric under edits."""
        return self.metric_with(edits) - self.clean

    def corrupted(self) -> Float[np.ndarray, "batch"]:
        """The metric of the corrupted prompts."""
        with torch.no_grad():
            return self.metric.of_rows(self.model.run(self.pairs.corrupted, answer=self.metric).logits).double().numpy()

    def exchange(self, features: Sequence[int] | None = None) -> Edit:
        """Some features, or all, as on the corrupted prompts; the reconstruction error stays."""
        indices = list(range(self.features.shape[-1])) if features is None else list(features)

        def change(now: torch.Tensor) -> torch.Tensor:
            now = now.clone()
            now[..., indices] = self.other_features[..., indices]
            return now

        return self.dictionary.splice(change)

    def silence(self, features: Sequence[int]) -> Edit:
        """Some features at zero; the reconstruction error stays."""

        def change(now: torch.Tensor) -> torch.Tensor:
            return now.index_fill(-1, torch.tensor(features, device=now.device), 0)

        return self.dictionary.splice(change)

    def exchange_error(self) -> Edit:
        """The reconstruction error as on the corrupted prompts; the features stay."""
        reconstruct = self.dictionary.reconstruct
        return Edit.through(self.site, lambda now: reconstruct(now) + self.other - reconstruct(self.other))
