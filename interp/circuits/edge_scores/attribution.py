"""First-order effects of all edges, from one backward pass: gradients, or relevance in their place."""

from pydantic import Field
from pydantic.dataclasses import dataclass

from interp.circuits.edge_scores.gradients import Differences, Leaf, edge_scores
from interp.circuits.edge_scores.table import EdgeTable
from interp.circuits.interventions.groups import groups
from interp.circuits.interventions.replacements import How
from interp.core.metric import Metric
from interp.core.options import BatchTokens
from interp.core.progress import track
from interp.core.prompts import PromptPairs, Prompts
from interp.decomposition.relevance.rules import Recipe
from interp.kinds import EdgeScores
from interp.models.finite import require_finite
from interp.models.hooked import HookedModel
from interp.models.sites import Site


@dataclass(frozen=True)
class EapOptions:
    """What a cut edge carries, and whether positions are separate."""

    how: How = Field("resample", description="what a cut edge carries: the corrupted run's value, zero, or the mean")
    by_position: bool = Field(False, description="one score per position instead of one for all")
    batch_tokens: BatchTokens = Field(160, description="tokens per pass: more need more memory")


def attributed_edges(
    engine: str,
    model: HookedModel,
    prompts: Prompts | PromptPairs,
    metric: Metric,
    options: EapOptions,
    rules: Recipe | None = None,
) -> EdgeScores:
    """Σ_pos (what a sender writes on the other run − here) · gradient at what the receiver reads, of every edge."""
    table = EdgeTable(model, prompts, by_position=options.by_position)
    batches = groups(prompts, metric, options.batch_tokens)
    for group in track(batches, len(batches), engine):
        differences = Differences(model, group.prompts, group.metric, options.how)
        scores, total = edge_scores(
            model,
            group.clean,
            group.metric,
            differences,
            Leaf(Site("resid_pre", 0)),
            more=differences.edits(),
            by_position=options.by_position,
            rules=rules,
        )
        require_finite(model, group.clean, total)
        table.add(group.rows, scores)
    return table.result(metric, "estimated change of {} when the edge is cut")
