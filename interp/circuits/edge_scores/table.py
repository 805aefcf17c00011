"""The result that every method which scores all edges returns, filled some prompts at a time."""

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from interp.core.edges import circuit_facts
from interp.core.metric import Metric
from interp.core.prompts import PromptPairs, Prompts
from interp.core.variables import AGAINST
from interp.kinds import EdgeScores
from interp.models.hooked import HookedModel
from interp.models.writes import graph_of

EFFECT = "effect = metric(edited) − metric(clean), to first order; negative: the edge had supported the answer"


class EdgeTable:
    """Scores of every edge, `batch [pos] edge`; padded places stay 0."""

    def __init__(self, model: HookedModel, prompts: Prompts | PromptPairs, *, by_position: bool = False) -> None:
        self.prompts = prompts.clean
        self._graph = graph_of(model)
        self._edges = np.nonzero(self._graph.present)
        places = (len(prompts), self.prompts.width) if by_position else (len(prompts),)
        self._score = torch.zeros(*places, self._graph.edge_count, dtype=model.dtype)

    def add(self, rows: Sequence[int], scores: Float[Tensor, "batch *pos sender receiver"]) -> None:
        """Add scores of some prompts, of which only those of edges count."""
        values = scores.cpu()[..., *self._edges]
        if values.dim() == 3:
            self._score[rows, : values.shape[1]] += values
        else:
            self._score[rows] += values

    def add_edges(self, scores: Float[Tensor, "batch edge"]) -> None:
        """Add scores of all prompts and edges."""
        self._score += scores.cpu()

    def result(
        self,
        metric: Metric,
        measured: str,
        *,
        more: Mapping[str, Tensor] | None = None,
        unit: str | None = None,
        sign: str = EFFECT,
        supports: str = AGAINST,
    ) -> EdgeScores:
        """The result; `more` are numbers of every prompt. `measured` has a place for the metric's name."""
        axes = "batch pos edge" if self._score.dim() == 3 else "batch edge"
        senders, receivers = self._edges
        return EdgeScores.of(
            self.prompts,
            {"score": self._score, **(more or {})},
            axes,
            unit=metric.unit if unit is None else unit,
            measured=measured.format(metric.label),
            sign=sign,
            supports=supports,
            facts=circuit_facts(self._graph, self.prompts),
            sender=("edge", np.array(self._graph.senders, dtype=object)[senders]),
            receiver=("edge", np.array(self._graph.receivers, dtype=object)[receivers]),
        )
