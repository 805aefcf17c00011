"""CD-T from any sets of heads, MLPs and tokens, to the answer or to any head or MLP downstream."""

import re
from collections import Counter

import torch
from pydantic import Field
from pydantic.dataclasses import dataclass
from torch import Tensor

from interp.attribution.cdt import AttentionRule
from interp.core.engine import engine
from interp.core.errors import OptionError, TargetError
from interp.core.metric import Metric
from interp.core.nodes import Node, parse_node
from interp.core.options import BatchTokens
from interp.core.prompts import Prompts
from interp.core.variables import FOR
from interp.decomposition.contextual import ContextualSettings, SourceSet, Start, beta_of_answer, sizes_at_nodes
from interp.decomposition.linear_readout import require_logits, walk_obstacle
from interp.kinds import SourceContributions
from interp.models.finite import require_finite
from interp.models.hooked import HookedModel
from interp.models.sites import Site
from interp.models.writes import require_node

_FORM = "write nodes joined by +, such as a23.3+m4 (an expert: E4.1), or positions such as tokens 3:6"


@dataclass(frozen=True)
class CdtSourcesOptions:
    """Which sources, to which target, and how they are followed."""

    sources: tuple[str, ...] = Field(
        (), description="source sets such as a23.3, a23.3+m4 or tokens 3:6; by default each head alone"
    )
    target_node: str = Field(
        "logits", description="target of the decomposition: the answer at the logits, or a node such as a29.1 or m12"
    )
    less_mean: bool = Field(
        True, description="start a source as its deviation from its mean over the prompt rather than its full value"
    )
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
def cdt_sources(
    model: HookedModel, prompts: Prompts, metric: Metric | None, options: CdtSourcesOptions
) -> SourceContributions:
    """Contextual decomposition: what any heads, MLPs or tokens contribute to the answer or to any node.

    One row a set, axes `batch component`: β and γ of the metric, and the relevance, which is β. With a target node: the
    sums over positions t of ‖β_t‖₁ and ‖γ_t‖₁ there, and the relevance Σ_t ‖β_t‖₁ / ‖γ_t‖₁. The plain run is shared by
    all sets; each is followed from its own first layer.

    Unit: logits; at a node, that of activations, and none for the relevance.
    Conserves: β + γ is the activation everywhere, and the metric at the answer.
    Raises: OptionError for a set that is empty or everything, or a target that is not downstream; SiteError for a node
    that the model lacks; TargetError if nothing is asked at the logits; EngineError if the metric is not on the logit
    scale; MemoryLimitError.
    Source: Hsu et al. 2024, "Efficient Automated Circuit Discovery in Transformers using Contextual Decomposition",
    section 3.
    Differs: the mean that a source is taken less of is over the prompt's own positions, not over a data set; the rules
    of biases and gated MLPs are those of `cdt`.
    """
    target = None if options.target_node == "logits" else _node(model, options.target_node)
    if metric is None and target is None:
        raise TargetError("cdt-sources measures an answer; give a target, such as ' Mary', or a target_node")
    metric = metric or Metric.reading(prompts.answer_positions(model), pooled=model.pools)
    require_logits("cdt-sources", metric)
    frozen = options.attention == "frozen"
    how = ContextualSettings(frozen, options.batch_tokens, mean=options.less_mean, stabilise=options.stabilise)
    texts = options.sources or tuple(_every_head(model, target))
    shares: list[Tensor] = []
    with torch.no_grad():
        for row in range(len(prompts)):
            prompt, own_metric = prompts[[row]], metric.select([row])
            sources = [source_set(model, text, prompt.width, target) for text in texts]
            totals = how.totals(model, prompt, own_metric)
            if target is None:
                beta = beta_of_answer(model, totals, own_metric, sources, how)
                require_finite(model, prompt, beta)
                shares.append(torch.stack([beta, totals.metric - beta, beta], -1))
            else:
                shares.append(sizes_at_nodes(model, totals, [Start.of(target)], sources, how)[0])
    return _result(prompts, texts, torch.stack(shares), metric, target)


def source_set(model: HookedModel, text: str, width: int, target: Node | None = None) -> SourceSet:
    """Read a set such as `a23.3+m4` or `tokens 3:6` on a prompt of `width` tokens.

    Raises: OptionError for a set that is empty, everything, or not upstream of the target; SiteError for a node that
    the model lacks.
    """
    terms = [term.strip() for term in text.split("+")]
    if not all(terms):
        raise OptionError(f"{text!r} is an empty source set; {_FORM}")
    positions = sorted({at for term in terms if term.startswith("token") for at in _positions(term, width)})
    nodes = {_node(model, term) for term in terms if not term.startswith("token")}
    if len(positions) == width or _everything(model, nodes):
        everything = f"all {width} tokens" if len(positions) == width else "every head and MLP"
        raise OptionError(
            f"the source set {text!r} is everything ({everything}), which leaves nothing to compare with; give a "
            "smaller set"
        )
    for node in nodes:
        if target is not None and not _upstream(model, node, target):
            raise OptionError(
                f"the target {target} is not downstream of {node}; choose a later target or earlier sources"
            )
    starts = [Start(Site("resid_pre", 0), tuple(positions))] if positions else []
    starts += [Start.of(node) for node in sorted(nodes, key=str)]
    return SourceSet(text, tuple(starts))


def _positions(term: str, width: int) -> range:
    match = re.fullmatch(r"tokens?\s+(\d+)(?:\s*:\s*(\d+))?", term)
    if match is None:
        raise OptionError(f"{term!r} names no tokens; write token 3, or tokens 3:6 for 3, 4 and 5")
    first = int(match[1])
    end = int(match[2]) if match[2] else first + 1
    if not first < end:
        raise OptionError(f"{term!r} is an empty source set; {_FORM}")
    if end > width:
        raise OptionError(f"{term!r} is outside a prompt of {width} tokens; its last is token {width - 1}")
    return range(first, end)


def _node(model: HookedModel, text: str) -> Node:
    node = parse_node(text)
    require_node(model, node)
    return node


def _upstream(model: HookedModel, node: Node, target: Node) -> bool:
    """Whether the target reads what the node writes; side by side, an MLP does not read its own layer's heads."""
    if node.layer != target.layer:
        return node.layer < target.layer
    return node.kind == "a" and target.kind != "a" and not model.layer_map.parallel


def _everything(model: HookedModel, nodes: set[Node]) -> bool:
    """Whether nothing is written but by these nodes, and the embedding."""
    dims = model.dims
    mlps = {node.layer for node in nodes if node.kind == "m"}
    experts = Counter(node.layer for node in nodes if node.kind == "E")
    mlps |= {layer for layer, count in experts.items() if count == dims.experts}
    return len(mlps) == dims.layers and sum(node.kind == "a" for node in nodes) == dims.layers * dims.heads


def _every_head(model: HookedModel, target: Node | None) -> list[str]:
    """Every head, or every one upstream of the target. Raises: OptionError if there is none."""
    heads = [Node("a", layer, head) for layer in range(model.dims.layers) for head in range(model.dims.heads)]
    names = [str(node) for node in heads if target is None or _upstream(model, node, target)]
    if not names:
        raise OptionError(f"no head is upstream of the target {target}; choose a later target, or tokens as sources")
    return names


def _result(
    prompts: Prompts, texts: tuple[str, ...], shares: Tensor, metric: Metric, target: Node | None
) -> SourceContributions:
    nodes = [parse_node(text) if re.fullmatch(r"[aE]?\d+\.\d+|m\d+", text) else Node("") for text in texts]
    unit = metric.unit if target is None else "activation, ‖·‖₁"
    beta, gamma, relevance = shares.unbind(-1)
    return SourceContributions.of(
        prompts,
        {
            "relevance": ("batch component", relevance, unit if target is None else "ratio"),
            "beta": beta,
            "gamma": gamma,
        },
        unit=unit,
        measured=f"contextual decomposition of {metric.label if target is None else target}, source by source",
        sign="positive: evidence for the answer; negative: evidence against it" if target is None else "",
        supports=FOR if target is None else "",
        component=list(texts),
        layer=("component", [node.layer for node in nodes]),
        head=("component", [node.index if node.kind == "a" else -1 for node in nodes]),
    )
