"""Edge attribution patching: first-order effects of all edges, from two forward passes and one backward pass."""

from pydantic import Field
from pydantic.dataclasses import dataclass

from interp.circuits.edge_scores.gradients import Differences, Leaf, edge_scores
from interp.circuits.edge_scores.table import EdgeTable
from interp.circuits.interventions.groups import groups
from interp.circuits.interventions.replacements import How
from interp.core.engine import engine
from interp.core.metric import Metric
from interp.core.options import BatchTokens
from interp.core.progress import track
from interp.core.prompts import PromptPairs, Prompts
from interp.kinds import EdgeScores
from interp.models.finite import require_finite
from interp.models.hooked import HookedModel
from interp.models.sites import Site
from interp.models.writes import graph_obstacle


@dataclass(frozen=True)
class EapOptions:
    """What a cut edge carries, and whether positions are separate."""

    how: How = Field("resample", description="what a cut edge carries: the corrupted run's value, zero, or the mean")
    by_position: bool = Field(False, description="one score per position instead of one for all")
    batch_tokens: BatchTokens = Field(160, description="tokens per pass: more need more memory")


@engine(obstacle=graph_obstacle)
def eap(model: HookedModel, prompts: Prompts | PromptPairs, metric: Metric, options: EapOptions) -> EdgeScores:
    """Estimated effect of cutting each edge of the computation graph, from one backward pass.

    s(u→v) = Σ_pos (what u writes on the other run − on the clean run) · ∂metric/∂(what v reads), on the clean run.
    Returns the score, axes `batch [pos] edge`, with the edges' `sender` and `receiver`.

    Unit: that of the metric (logits).
    Conserves: scores into a receiver add up to (its other input − its clean input) · its gradient.
    Raises: OptionError if resampling is asked for without corrupted prompts; EngineError where activations are not
    finite; MemoryLimitError.
    Source: Syed et al. 2023, "Attribution Patching Outperforms Automated Circuit Discovery", section 3.
    Differs: signed as every effect here is, where the paper ranks by the absolute value.
    """
    table = EdgeTable(model, prompts, by_position=options.by_position)
    batches = groups(prompts, metric, options.batch_tokens)
    for group in track(batches, len(batches), "eap"):
        differences = Differences(model, group.prompts, group.metric, options.how)
        scores, total = edge_scores(
            model,
            group.clean,
            group.metric,
            differences,
            Leaf(Site("resid_pre", 0)),
            more=differences.edits(),
            by_position=options.by_position,
        )
        require_finite(model, group.clean, total)
        table.add(group.rows, scores)
    return table.result(metric, "estimated change of {} when the edge is cut")
