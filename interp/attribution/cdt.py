"""CD-T: contextual decomposition of the answer, with each input token as the only source."""

from typing import Literal

import torch
from pydantic import Field
from pydantic.dataclasses import dataclass

from interp.core.engine import engine
from interp.core.metric import Metric
from interp.core.options import BatchTokens
from interp.core.prompts import Prompts
from interp.decomposition.contextual import ContextualSettings, SourceSet, Start, beta_of_answer
from interp.decomposition.linear_readout import require_logits, walk_obstacle
from interp.kinds import Relevance
from interp.models.finite import require_finite
from interp.models.hooked import HookedModel
from interp.models.sites import Site

AttentionRule = Literal["split", "frozen"]


@dataclass(frozen=True)
class CdtOptions:
    """How parts propagate through attention, and how many sources share a pass."""

    attention: AttentionRule = Field(
        "frozen",
        description="frozen uses the attention pattern of the run; split gives β the softmax of its own scores",
    )
    stabilise: bool = Field(
        False,
        description="where β and γ differ in sign, assign their sum to the larger, as the reference "
        "implementation does",
    )
    batch_tokens: BatchTokens = Field(1024, description="tokens per forward pass: several sources share a pass")


@engine(obstacle=walk_obstacle)
def cdt(model: HookedModel, prompts: Prompts, metric: Metric, options: CdtOptions) -> Relevance:
    """Contextual decomposition: what each token alone contributes to the answer.

    Follow what each token alone brings through the whole model: its relevance is β of the metric.

    Every place of the model is β + γ, β from the token and γ from all others. A token is all that enters the first
    layer at its position: its embedding, and those of its position and segment where the model has them. What the
    tokens leave together (what takes several of them to make) is the remainder.

    Unit: logits.
    Conserves: β + γ is the activation everywhere; the tokens and the remainder add up to the target.
    Raises: EngineError if the metric is not on the logit scale; MemoryLimitError.
    Source: Hsu et al. 2024, "Efficient Automated Circuit Discovery in Transformers using Contextual Decomposition";
    Murdoch et al. 2018, section 3; Jumelet et al. 2019.
    Differs: attention is frozen in decoders too unless `split` is asked for: a token alone has few scores, and its own
    softmax of them leaves a remainder several times the answer; no stabiliser unless asked for; a bias with nothing to
    split it by goes to γ; in a gated MLP, which the paper has not, what β of one factor and γ of the other make
    together is split in half; in a mixture of experts the router's weights are those of the run.
    """
    require_logits("cdt", metric)
    how = ContextualSettings(options.attention == "frozen", options.batch_tokens, stabilise=options.stabilise)
    relevance = torch.zeros(prompts.mask.shape, dtype=torch.float64)
    values = torch.zeros(len(prompts), dtype=torch.float64)
    with torch.no_grad():
        for row in range(len(prompts)):
            prompt, own_metric = prompts[[row]], metric.select([row])
            sources = [SourceSet(str(at), (Start(Site("resid_pre", 0), (at,)),)) for at in range(prompt.width)]
            totals = how.totals(model, prompt, own_metric)
            values[row] = totals.metric
            beta = beta_of_answer(model, totals, own_metric, sources, how)
            require_finite(model, prompt, beta)
            relevance[row, : prompt.width] = beta
    return Relevance.accounted(
        prompts,
        relevance,
        values,
        unit=metric.unit,
        measured=f"contextual decomposition of {metric.label}, each token as the only source",
    )
