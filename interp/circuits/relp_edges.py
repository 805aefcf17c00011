"""Relevance patching of edges: edge attribution patching with relevance in place of the gradient."""

from pydantic.dataclasses import dataclass

from interp.circuits.edge_scores.attribution import EapOptions, attributed_edges
from interp.circuits.relp import AttentionRule, relp_rules
from interp.core.engine import engine
from interp.core.metric import Metric
from interp.core.prompts import PromptPairs, Prompts
from interp.decomposition.relevance.modified_gradient import obstacle
from interp.kinds import EdgeScores
from interp.models.hooked import HookedModel
from interp.models.writes import graph_obstacle


@dataclass(frozen=True)
class RelpEdgesOptions(EapOptions):
    """What a cut edge carries, whether positions are separate, and the rule for attention."""

    attention: AttentionRule = "gradient"


@engine(obstacle=lambda model: graph_obstacle(model) or obstacle(model))
def relp_edges(
    model: HookedModel, prompts: Prompts | PromptPairs, metric: Metric, options: RelpEdgesOptions
) -> EdgeScores:
    """Estimated effect of cutting each edge of the computation graph, from one backward pass of relevance.

    s(u→v) = Σ_pos (what u writes on the other run − on the clean run) · relevance per unit of what v reads, on the
    clean run. Returns the score, axes `batch [pos] edge`, with the edges' `sender` and `receiver`.

    Unit: that of the metric (logits).
    Raises: OptionError if resampling is asked for without corrupted prompts; EngineError where activations are not
    finite; MemoryLimitError.
    Source: Jafari et al. 2025, "RelP: Faithful and Efficient Circuit Discovery via Relevance Patching", section 3;
    Syed et al. 2023 for edges.
    Differs: the paper scores nodes and features; the rules are those of `relp`. Where the pattern is held constant
    (`values`), edges into queries and keys score nothing.
    """
    return attributed_edges("relp-edges", model, prompts, metric, options, relp_rules(options.attention))
