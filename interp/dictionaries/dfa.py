"""DFA: what each source position and head brings to a feature of attention outputs, and what brought it there."""

from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int
from pydantic import Field
from pydantic.dataclasses import dataclass
from torch import Tensor

from interp.core.engine import engine
from interp.core.errors import DictionaryError, OptionError
from interp.core.options import Count, Index
from interp.core.prompts import Prompts
from interp.dictionaries.features.choosing import ANSWER, chosen_positions, most_active, require_features
from interp.dictionaries.features.origins import Origins, origin_sites
from interp.dictionaries.features.sources import encoder, pieces_at, source_obstacle
from interp.dictionaries.sae.attached import Attached
from interp.dictionaries.sae.catalogue import DictionaryOptions, attached
from interp.kinds import FeatureSources
from interp.models.hooked import HookedModel, Trace
from interp.models.sites import Site


@dataclass(frozen=True)
class DfaOptions(DictionaryOptions):
    """Which feature, where, and how far back."""

    feature: Index | None = Field(None, description="feature; by default the most active one at the position")
    position: int = Field(ANSWER, ge=ANSWER, le=10**6, description="position of the feature; -1 is the answer position")
    recursive: bool = Field(True, description="also split each source by the components that wrote to the stream there")
    upstream: tuple[str, ...] = Field(
        (),
        description="upstream dictionaries of attention or MLP outputs whose features are separate parts (names or "
        "folders)",
    )
    top: Count = Field(10, description="number of separate features per upstream dictionary")


@engine
def dfa(model: HookedModel, prompts: Prompts, options: DfaOptions) -> FeatureSources:
    """What each source position and head contributes to a feature, and which components wrote it there.

    Split a feature's pre-activation at one position over source positions and heads, and these over their writers.

    DFA[k, h] = A[h, q, k] · v[h, k] · W_enc[h, :, f], axes `batch key_pos head`; with the bias (b_enc − b_dec W_enc)_f
    they add up to the pre-activation. One step back (`part`, axes `batch key_pos head component`), v[h, k] is what the
    value projection reads off the norm of the stream, and the stream is what embeddings, heads and MLPs have written:
    with the divisor of every norm held at what it was, each brings its part, and so do the shift of the norms and the
    biases of values and attention outputs. An upstream dictionary puts its features, its bias and its error in the
    place of what it reads.
    Unit: units of the feature's pre-activation.
    Conserves: DFA + bias = pre-activation; the parts and their remainder = DFA.
    Raises: DictionaryError for a dictionary of another site than z, one that is not linear before its nonlinearity, or
    an upstream one that is not below; OptionError for a feature or position that is not there, or where no feature is
    named and none is active.
    Source: Kissane et al. 2024, "Interpreting Attention Layer Outputs with Sparse Autoencoders", section 3 and
    appendix on recursive DFA.
    Differs: the step back keeps the norm's scale, the biases and the dictionaries' errors as parts, so that it adds up;
    a feature of a gated dictionary is told by its magnitude.
    """
    dictionary, upstream = attached(model, options.dictionary), [attached(model, name) for name in options.upstream]
    _require(dictionary, options)
    layer = dictionary.site.layer or 0
    places = chosen_positions("dfa", model, prompts, options.position)
    sites = [Site(name, layer) for name in ("pattern", "v", "z")]
    if options.recursive:
        sites += origin_sites(model, layer, upstream)
    with torch.no_grad():
        trace = model.record(prompts, sites)
        rows = torch.arange(len(prompts))
        active = dictionary.encode(trace[dictionary.site])[rows, places]
        if options.feature is None:
            feature = most_active("dfa", "feature", dictionary, active, places)
        else:
            feature = torch.full((len(prompts),), options.feature, device=active.device)
        direct = _direct(dictionary, trace, feature, places)
        values: dict[str, Any] = {**direct, "activation": active[rows, feature], "feature": feature, "position": places}
        labels: dict[str, Any] = {}
        if options.recursive:
            along = _readings(dictionary, trace, feature, places)
            origins = Origins(model, trace, layer, along, upstream, options.top)
            values |= _split(origins, direct["dfa"])
            labels["component"] = np.array([*origins.parts], dtype=object)
    return FeatureSources.of(
        prompts,
        values,
        measured=f"what each source and head contributes to a feature of {dictionary.name} at {dictionary.site}",
        sign="positive: increases the feature's pre-activation",
        facts=dictionary.facts,
        **labels,
    )


def _direct(
    dictionary: Attached, trace: Trace, feature: Int[Tensor, "batch"], places: Int[Tensor, "batch"]
) -> dict[str, Tensor]:
    """DFA, the pre-activation of what was recorded, its bias and what is missing between them."""
    site, rows = dictionary.site, torch.arange(len(places), device=feature.device)
    pattern, v = (trace[Site(name, site.layer)].double() for name in ("pattern", "v"))
    matrix, bias = (part.double() for part in encoder(dictionary, feature))
    at = torch.stack([rows, places.to(rows), rows], -1)
    by_head = pieces_at(pattern, v, matrix, at).transpose(1, 2)
    z = trace[site].double()[rows, places.to(rows)]
    total = torch.einsum("bhd,hdb->b", z, matrix) + bias
    return {"dfa": by_head, "preactivation": total, "bias": bias, "remainder": total - bias - by_head.sum((1, 2))}


def _readings(
    dictionary: Attached, trace: Trace, feature: Int[Tensor, "batch"], places: Int[Tensor, "batch"]
) -> Float[Tensor, "batch key_pos head d_head"]:
    """What reads the values at every source: A[h, q, k] · W_enc[h, :, f]."""
    rows = torch.arange(len(places), device=feature.device)
    attention = trace[Site("pattern", dictionary.site.layer)][rows, :, places.to(rows)].double()
    matrix = encoder(dictionary, feature).matrix.double()
    return torch.einsum("bhk,hdb->bkhd", attention, matrix)


def _split(origins: Origins, contributions: Float[Tensor, "batch key_pos head"]) -> dict[str, Any]:
    parts = origins.parts
    stack = torch.stack([*parts.values()], -1)
    remainder = contributions - stack.sum(-1)
    unexplained_share = (remainder.abs() + origins.errors).sum((1, 2)) / contributions.abs().sum((1, 2))
    names = [origins.names.get(name, [name] * len(contributions)) for name in parts]
    return {
        "part": stack,
        "part_name": np.array(names, dtype=object).T,
        "part_remainder": remainder,
        "unexplained": unexplained_share,
    }


def _require(dictionary: Attached, options: DfaOptions) -> None:
    obstacle = source_obstacle(dictionary)
    if obstacle:
        raise DictionaryError(f"dfa: {obstacle}")
    if options.feature is not None:
        require_features("dfa", [options.feature], dictionary.sae.cfg.d_sae)
    model = dictionary.model
    if options.recursive and (obstacle := model.obstacle("layers") or model.site_obstacle(Site("embed"))):
        raise OptionError(f"dfa, recursive = True: {obstacle}; use recursive=False")
    if options.upstream and not options.recursive:
        raise OptionError("dfa, upstream needs the step back; use recursive=True")
