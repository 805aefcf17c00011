"""How strongly each method says that an answer depends on each candidate: every engine whose kind finds something."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import chain
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch
from safetensors.torch import save_file

from interp import attribution, circuits, dictionaries, geometry, readout
from interp.core.engine import EngineSpec
from interp.core.method import Method
from interp.core.prompts import PromptPairs, Prompts
from interp.core.result import Result
from interp.groundtruth.questions import Question, feature_site, node_name
from interp.kinds import (
    Contributions,
    EdgeScores,
    Effects,
    FeatureEffects,
    FoundCircuit,
    HeadComposition,
    Relevance,
    SourceContributions,
)
from interp.models.hooked import HookedModel
from interp.models.sites import Site
from interp.models.writes import graph_of, write_sites, writes

Strengths = dict[str, float]
BASELINES = ("random", "magnitude")
_FAMILIES = (readout, attribution, circuits, geometry, dictionaries)
_NODE_SITES = ("z", "mlp_out")  # of every head and every MLP
# Where an engine's own options are for larger models: these have logits of 0 and 1, few edges, and no space as a token.
SETTINGS: dict[str, dict[str, Any]] = {
    "acdc": {"tau": 1e-4},
    "gim": {"baseline": ""},
    "path-patching": {"receivers": ()},
}


def finders() -> tuple[EngineSpec, ...]:
    """The engines whose kind of result says that it finds something."""
    return tuple(spec for family in _FAMILIES for spec in family.ENGINES if spec.result.finds)


def strengths(method: Method, model: HookedModel, pairs: PromptPairs) -> list[Strengths]:
    """What an engine says of each candidate: of tokens a prompt at a time, of all else over all prompts.

    Raises: InterpError where the engine refuses the model.
    """
    spec, options = method.engine, {**SETTINGS.get(method.engine.name, {}), **method.options}
    prompts = None if spec.asks == "nothing" else pairs
    if spec.result is Effects and "site" in spec.options.__dataclass_fields__ and "site" not in options:
        results = (spec(model, prompts, **options, site=site) for site in _NODE_SITES)
        return [dict(chain.from_iterable(map(_read, results)))]
    if spec.result is FeatureEffects and "dictionary" not in options:
        with planted_dictionary(model) as folder:
            return [dict(_read(spec(model, prompts, **options, dictionary=folder)))]
    result = spec(model, prompts, **options)
    if isinstance(result, Relevance):
        return [dict(_of_row(row)) for row in np.abs(result.relevance.values)]
    return [dict(_read(result))]


def _of_row(row: np.ndarray) -> Iterator[tuple[str, float]]:
    return ((str(pos), float(size)) for pos, size in enumerate(row))


def _read(result: Result) -> Iterator[tuple[str, float]]:
    """Candidates and the size of their mean over prompts."""
    if isinstance(result, FoundCircuit):
        yield from _decisions(result)
    elif isinstance(result, EdgeScores | HeadComposition):
        score = (result.over_positions if isinstance(result, EdgeScores) else result).values("score")
        yield from zip(_edges(score, "sender", "receiver"), _sizes(score), strict=True)
    elif isinstance(result, Contributions | SourceContributions):
        share = result.values()
        yield from zip(share["component"].values, _sizes(share), strict=True)
    elif isinstance(result, FeatureEffects):
        halves = result.feature_effect.values.mean(0).reshape(2, -1)  # of the planted dictionary
        yield from ((str(axis), abs(float(effect))) for axis, effect in enumerate(halves.sum(0)))
    elif isinstance(result, Effects):
        effect = result.effect.sum("pos") if "pos" in result.effect.dims else result.effect
        for place, size in np.ndenumerate(np.abs(effect.mean("batch").values)):
            yield node_name(place[0], place[1] if len(place) == 2 else None), float(size)


def _sizes(values: Any) -> np.ndarray:
    return np.abs((values.mean("batch") if "batch" in values.dims else values).values)


def _edges(values: Any, sender: str, receiver: str) -> list[str]:
    return [" ".join(ends) for ends in zip(values[sender].values, values[receiver].values, strict=True)]


def _decisions(result: FoundCircuit) -> Iterator[tuple[str, float]]:
    """Edges in the order of a search's decisions: what it keeps before what it cuts, each by the size of its number."""
    numbers = [name for name in result.tables["decisions"] if name != "kept" and name in result.data]
    kept = result.values("kept")
    size = np.abs(np.nan_to_num(result.values(numbers[0]).values))
    keys = np.stack([np.nan_to_num(kept.values, nan=1.0), size], 1)
    _, order = np.unique(keys, axis=0, return_inverse=True)
    yield from zip(_edges(kept, "candidate_sender", "candidate_receiver"), order.ravel().astype(float), strict=True)


@contextmanager
def planted_dictionary(model: HookedModel) -> Iterator[str]:
    """A folder with a dictionary whose features are the axes of the stream in the middle, then their negatives."""
    width = model.dims.d_model
    both = torch.cat([torch.eye(width), -torch.eye(width)])
    weights = {"W_enc": both.T.contiguous(), "W_dec": both}
    weights |= {"b_enc": torch.zeros(2 * width), "b_dec": torch.zeros(width)}
    hook = f"blocks.{feature_site(model).layer}.hook_resid_post"
    config = {"architecture": "standard", "d_in": width, "d_sae": 2 * width, "dtype": "float32",
              "metadata": {"model_name": model.name, "hook_name": hook}}  # fmt: skip
    with TemporaryDirectory(prefix="interp-") as folder:
        save_file(weights, Path(folder, "sae_weights.safetensors"))
        Path(folder, "cfg.json").write_text(json.dumps(config))
        yield folder


# Baselines


def random_strengths(asked: list[Question]) -> list[Strengths]:
    """The same of every candidate: what a random order scores on average."""
    return [dict.fromkeys(question.candidates, 1.0) for question in asked]


def magnitudes(model: HookedModel, finds: str, prompts: Prompts) -> list[Strengths]:
    """How large things are, whatever the answer.

    Tokens: the norm of what stands there in the stream first. Nodes: the mean norm of what they write. Edges: that of
    their sender times the norm of the matrix that the receiver reads with. Features: their mean size.
    """
    with torch.no_grad():
        if finds == "features":
            size = model.record(prompts, [feature_site(model)])[feature_site(model)].abs().mean((0, 1))
            return [dict(_of_row(size.numpy()))]
        trace = model.run(prompts, record=write_sites(model))
        if finds == "tokens":
            return [dict(_of_row(row)) for row in trace[Site("resid_pre", 0)].norm(dim=-1).numpy()]
        graph = graph_of(model)
        size = torch.cat(list(writes(model, trace).values())).norm(dim=-1).mean((1, 2))
        written = dict(zip(graph.senders, size.tolist(), strict=True))
        if finds == "nodes":
            return [written]
        read = dict(zip(graph.receivers, _reading(model), strict=True))
    return [{f"{sender} {receiver}": written[sender] * read[receiver] for sender, receiver in graph.edges}]


def _reading(model: HookedModel) -> Iterator[float]:
    """The Frobenius norm of the matrix that each receiver reads with, in the graph's order."""
    for layer in range(model.dims.layers):
        for kind in "qkv":
            yield from model.weights.projection(kind, layer).matrix.norm(dim=(1, 2)).tolist()
        yield float(model.weights.mlp_pre(layer).matrix.norm())
    yield float(model.weights.unembedding().norm())
