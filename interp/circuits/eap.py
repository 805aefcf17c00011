"""Edge attribution patching: first-order effects of all edges, from two forward passes and one backward pass."""

from interp.circuits.edge_scores.attribution import EapOptions, attributed_edges
from interp.core.engine import engine
from interp.core.metric import Metric
from interp.core.prompts import PromptPairs, Prompts
from interp.kinds import EdgeScores
from interp.models.hooked import HookedModel
from interp.models.writes import graph_obstacle


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
    return attributed_edges("eap", model, prompts, metric, options)
