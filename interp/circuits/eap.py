"""Edge attribution patching: every edge's effect, to first order, from two forward passes and one backward pass."""

from typing import Any

import numpy as np
from jaxtyping import Float
from pydantic import Field
from pydantic.dataclasses import dataclass
from torch import Tensor

from interp.circuits.edge_gradients import Differences, Leaf, edge_scores
from interp.circuits.replacements import How
from interp.circuits.writes import graph_obstacle, graph_of
from interp.core.engine import EngineSpec
from interp.core.kinds import EdgeScores
from interp.core.metric import Metric
from interp.core.prompts import PromptPairs, Prompts
from interp.models.finite import require_finite
from interp.models.hooked import HookedModel
from interp.models.memory import require_memory_for_gradient
from interp.models.sites import Site

EFFECT = "effect = metric(edited) − metric(clean), to first order; negative: the edge had been helping the answer"


@dataclass(frozen=True)
class EapOptions:
    """What a cut edge carries, and whether positions are told apart."""

    how: How = Field("resample", description="what a cut edge carries: the corrupted run's value, zero, or the mean")
    by_position: bool = Field(False, description="one score a position instead of one for all")


def eap(model: HookedModel, prompts: Prompts | PromptPairs, metric: Metric, options: EapOptions) -> EdgeScores:
    """Estimate what cutting each edge of the computation graph would do to the metric.

    s(u→v) = Σ_pos (what u writes on the other run − on the clean run) · ∂metric/∂(what v reads), on the clean run.
    Returns the score, axes `batch [pos] edge`, with the edges' `sender` and `receiver`.

    Unit: that of the metric (logits).
    Raises: OptionError if resampling is asked for without corrupted prompts; EngineError where activations are not
    finite; MemoryLimitError.
    Source: Syed et al. 2023, "Attribution Patching Outperforms Automated Circuit Discovery", section 3.
    Differs: signed as every effect here is, where the paper ranks by the absolute value.
    """
    clean = prompts.clean if isinstance(prompts, PromptPairs) else prompts
    require_memory_for_gradient(model, clean)
    differences = Differences(model, prompts, metric, options.how)
    scores, total = edge_scores(
        model,
        clean,
        metric,
        differences,
        Leaf(Site("resid_pre", 0)),
        more=differences.edits(),
        by_position=options.by_position,
    )
    require_finite(model, clean, total)
    return edge_result(model, clean, {"score": scores}, metric, "estimated change of {} when the edge is cut")


def edge_result(
    model: HookedModel,
    prompts: Prompts,
    values: dict[str, Tensor],
    metric: Metric,
    measured: str,
    *,
    unit: str | None = None,
    sign: str = EFFECT,
) -> EdgeScores:
    """A result from scores of all pairs (`score`: `batch [pos] sender receiver`), of which the edges are taken."""
    graph = graph_of(model)
    senders, receivers = np.nonzero(graph.present)
    score: Float[Tensor, "batch *pos edge"] = values["score"].cpu()[..., senders, receivers]
    axes = "batch pos edge" if score.dim() == 3 else "batch edge"
    held: dict[str, Any] = {name: ("batch", value) for name, value in values.items()}
    return EdgeScores.of(
        prompts,
        held | {"score": (axes, score)},
        axes,
        unit=metric.unit if unit is None else unit,
        measured=measured.format(metric.label),
        sign=sign,
        sender=("edge", np.array(graph.senders, dtype=object)[senders]),
        receiver=("edge", np.array(graph.receivers, dtype=object)[receivers]),
    )


SPEC = EngineSpec(
    name="eap",
    run=eap,
    result=EdgeScores,
    options=EapOptions,
    pairs="optional",
    summary="estimated effect of cutting each edge of the computation graph, from one backward pass",
    source="Syed et al. 2023",
    conserves="scores into a receiver add up to (its other input − its clean input) · its gradient",
    obstacle=graph_obstacle,
)
