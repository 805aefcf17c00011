"""An ensemble of edge scores: the mean of what several methods give each edge."""

from typing import Literal

import numpy as np
import torch
from jaxtyping import Float
from pydantic import Field
from pydantic.dataclasses import dataclass
from scipy.stats import rankdata

from interp.circuits.eap import eap
from interp.circuits.eap_ig import eap_ig
from interp.circuits.edge_patching import edge_patching
from interp.circuits.edge_scores.table import EFFECT, EdgeTable
from interp.circuits.interventions.replacements import How
from interp.circuits.relp_edges import relp_edges
from interp.core.engine import engine
from interp.core.metric import Metric
from interp.core.progress import track
from interp.core.prompts import PromptPairs, Prompts
from interp.core.variables import AGAINST
from interp.kinds import EdgeScores
from interp.models.hooked import HookedModel

METHODS = {spec.name: spec for spec in (eap, eap_ig, relp_edges, edge_patching)}
MethodName = Literal["eap", "eap-ig", "relp-edges", "edge-patching"]


@dataclass(frozen=True)
class EdgeEnsembleOptions:
    """Which methods, and how their scores are made comparable."""

    methods: tuple[MethodName, ...] = Field(
        ("eap", "eap-ig", "relp-edges"), min_length=1, description=f"methods to combine: {', '.join(METHODS)}"
    )
    combine: Literal["z", "rank"] = Field(
        "z", description="z divides a method's scores by their root mean square; rank takes the share of edges below"
    )
    how: How = Field("resample", description="what a cut edge carries: the corrupted run's value, zero, or the mean")


@engine(obstacle=relp_edges.obstacle)
def edge_ensemble(
    model: HookedModel, prompts: Prompts | PromptPairs, metric: Metric, options: EdgeEnsembleOptions
) -> EdgeScores:
    """Mean score of each edge over several methods, each brought to one scale.

    z: a method's scores of a prompt, divided by their root mean square over all edges; signed as effects are. rank: the
    share of the edges with a smaller |score|, equals by half; a magnitude. Returns the score, axes `batch edge`.

    Unit: none; root mean squares, or a share of edges.
    Raises: what its methods raise.
    Source: Mueller et al. 2025, "MIB: A Mechanistic Interpretability Benchmark", on ensembles of edge scores.
    Differs: scores are not centred, so that the sign stays that of the effect.
    """
    names, table = list(dict.fromkeys(options.methods)), EdgeTable(model, prompts)
    scale = _standardised if options.combine == "z" else _ranked
    total: Float[np.ndarray, "batch edge"] = np.zeros(())
    for name in track(names, len(names), "edge ensemble"):
        spec = METHODS[name]
        result = spec.run(model, prompts, metric, spec.parse_options({"how": options.how}))
        total = total + scale(result.values("score").values.astype(float))
    table.add_edges(torch.from_numpy(total / len(names)))
    signed = options.combine == "z"
    return table.result(
        metric,
        f"mean {'standardised score' if signed else 'rank'} of {', '.join(names)} for {{}}",
        unit="root mean squares" if signed else "share",
        sign=EFFECT if signed else "a magnitude: the share of edges with smaller scores",
        supports=AGAINST if signed else "",
    )


def _standardised(scores: Float[np.ndarray, "batch edge"]) -> Float[np.ndarray, "batch edge"]:
    size = np.sqrt((scores**2).mean(1, keepdims=True))
    return scores / np.where(size == 0, 1, size)


def _ranked(scores: Float[np.ndarray, "batch edge"]) -> Float[np.ndarray, "batch edge"]:
    return (rankdata(np.abs(scores), axis=1) - 0.5) / scores.shape[1]
