"""Ablation of a chosen set of heads and MLPs: the answer before and after."""

from jaxtyping import Float
from pydantic import Field
from pydantic.dataclasses import dataclass
from torch import Tensor

from interp.circuits.replacements import How, base_and_source, recorded_replacement
from interp.core.engine import EngineSpec
from interp.core.errors import SiteError
from interp.core.kinds import Ablation
from interp.core.metric import Metric
from interp.core.nodes import Node, parse_node
from interp.core.prompts import PromptPairs, Prompts
from interp.core.result import SIGN
from interp.models.edits import Edit
from interp.models.hooked import HookedModel
from interp.models.sites import Site


@dataclass(frozen=True)
class AblationOptions:
    """What to silence, and how."""

    nodes: tuple[str, ...] = Field((), description="heads and MLPs: a23.3 (or 23.3), m4")
    how: How = Field("zero", description="what to put there: zero, the prompt's mean, or the corrupted prompt's value")
    top: int = Field(10, ge=1, description="tokens listed before and after")


def ablation(
    model: HookedModel, prompts: Prompts | PromptPairs, metric: Metric | None, options: AblationOptions
) -> Ablation:
    """Run the model with and without a set of edits, at all positions, and compare its answers.

    Returns the metric before and after (axis `batch`; NaN where nothing was asked) and the likeliest tokens before and
    after (axes `batch rank`). Tokens are read at the answer position.

    Unit: that of the metric; probabilities for the tokens.
    Raises: SiteError for a node that the model lacks; OptionError if resampling is asked for without corrupted prompts.
    """
    clean, source = base_and_source("ablation", prompts, options.how)
    edits = ablation_edits(model, source, [parse_node(text) for text in options.nodes], options.how)
    asked = metric or Metric.reading(clean.answer_positions(model), classifier=model.is_classifier)
    before, after = (model.run(clean, edits=some, answer=asked).logits for some in ([], edits))
    values = {}
    for name, logits in (("clean", before), ("edited", after)):
        values[name] = asked.of_rows(logits) if metric else before.new_full((len(clean),), float("nan"))
        prob, token = logits.softmax(-1).topk(min(options.top, logits.shape[-1]))
        values[f"{name}_prob"] = ("batch rank", prob)
        values[f"{name}_token"] = ("batch rank", _labels(model, token))
    values["effect"] = values["edited"] - values["clean"]
    of_metric = metric.unit if metric else ""
    units = {name: "probability" if name.endswith("_prob") else of_metric for name in values}
    names = ", ".join(options.nodes) or "nothing"
    measured = (
        f"{metric.label if metric else 'the likeliest tokens'} before and after {options.how} ablation of {names}"
    )
    return Ablation.of(clean, values, "batch", unit=units, measured=measured, sign=SIGN)


def ablation_edits(model: HookedModel, source: Prompts, nodes: list[Node], how: How) -> list[Edit]:
    """The edits that silence `nodes` at every position, with values from `source`.

    Raises: SiteError for a node that the model lacks.
    """
    places: dict[Site, list[int]] = {}
    for node in nodes:
        _check(model, node)
        site = Site("z" if node.kind == "a" else "mlp_out", node.layer)
        places.setdefault(site, []).extend([] if node.head is None else [node.head])
    if not places:
        return []
    values = recorded_replacement(model, source, list(places), how)
    return [
        Edit.resample(site, value, head=sorted(set(heads)) or None)
        for (site, heads), value in zip(places.items(), values, strict=True)
    ]


def _check(model: HookedModel, node: Node) -> None:
    dims = model.dims
    if (node.layer or 0) >= dims.layers or (node.head or 0) >= dims.heads:
        raise SiteError(
            f"{model.name} has no node {node}; layers run from 0 to {dims.layers - 1}, heads from 0 to {dims.heads - 1}"
        )


def _labels(model: HookedModel, tokens: Float[Tensor, "batch rank"]) -> list[list[str]]:
    name = (lambda t: model.class_names[t]) if model.is_classifier else model.token_label
    return [[name(token) for token in row] for row in tokens.tolist()]


SPEC = EngineSpec(
    name="ablation",
    run=ablation,
    result=Ablation,
    options=AblationOptions,
    pairs="optional",
    asks="optional",
    summary="the answer before and after silencing any set of heads and MLPs",
    source="Michel et al. 2019; Wang et al. 2022",
)
