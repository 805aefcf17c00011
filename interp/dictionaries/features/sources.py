"""What each source position and head brings to a feature of attention outputs: direct feature attribution (DFA)."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor

from interp.core.errors import DictionaryError
from interp.dictionaries.sae.attached import Attached
from interp.models.attention import repeat_kv
from interp.models.sites import Site

_LINEAR = ("standard", "topk", "abstopk", "jumprelu", "gated")  # one linear map stands before their nonlinearity


class Encoder(NamedTuple):
    """What stands before the nonlinearity of some features: pre-activation = Σ_h z[h] · matrix[h] + bias."""

    matrix: Float[Tensor, "head d_head feature"]
    bias: Float[Tensor, "feature"]


def source_obstacle(dictionary: Attached) -> str | None:
    """Why the features of a dictionary are no sums over source positions and heads; None if they are."""
    model, site, config = dictionary.model, dictionary.site, dictionary.sae.cfg
    if site.name != "z":
        return f"{dictionary.name} is at {site}; only attention outputs (z) are sums over source positions"
    if config.architecture() not in _LINEAR:
        return f"{dictionary.name} is a {config.architecture()}, whose pre-activations are not linear in its input"
    if config.normalize_activations != "none":
        return (
            f"{dictionary.name} rescales its input ({config.normalize_activations}), so its pre-activations are not "
            "linear"
        )
    return next(filter(None, (model.site_obstacle(Site(name, site.layer)) for name in ("pattern", "v"))), None)


def encoder(dictionary: Attached, features: Sequence[int] | Int[Tensor, "feature"] | None = None) -> Encoder:
    """The linear map before the nonlinearity of some features, or of all.

    The bias has −b_dec · W_enc in it, where the dictionary takes b_dec off what it reads. Of a gated dictionary it is
    the map of the magnitudes.
    Raises: DictionaryError where there is no such map.
    """
    obstacle = source_obstacle(dictionary)
    if obstacle:
        raise DictionaryError(obstacle)
    sae: Any = dictionary.sae
    index = slice(None) if features is None else torch.as_tensor(features, device=dictionary.model.device)
    matrix = sae.W_enc[:, index].detach()
    if sae.cfg.architecture() == "gated":
        matrix, bias = matrix * sae.r_mag[index].exp(), sae.b_mag[index]
    else:
        bias = sae.b_enc[index]
    if sae.cfg.apply_b_dec_to_input:
        bias = bias - sae.b_dec @ matrix
    if getattr(sae.cfg, "rescale_acts_by_decoder_norm", False):
        length = sae.W_dec[index].norm(dim=-1)
        matrix, bias = matrix * length, bias * length
    return Encoder(matrix.unflatten(0, (dictionary.model.dims.heads, -1)).detach(), bias.detach())


def read_off_values(
    v: Float[Tensor, "batch key_pos kv_head d_head"], matrix: Float[Tensor, "head d_head feature"]
) -> Float[Tensor, "batch head key_pos feature"]:
    """What every head would bring to every feature if it attended to one key alone: v[h, k] · W_enc[h, :, f]."""
    return torch.einsum("bkhd,hdf->bhkf", repeat_kv(v, len(matrix)), matrix.to(v))


def pieces(
    pattern: Float[Tensor, "batch head query_pos key_pos"],
    v: Float[Tensor, "batch key_pos kv_head d_head"],
    matrix: Float[Tensor, "head d_head feature"],
) -> Float[Tensor, "batch feature head query_pos key_pos"]:
    """DFA of every query: A[h, q, k] · v[h, k] · W_enc[h, :, f]; over head and key, with the bias, the pre-activation.

    Source: Kissane et al. 2024, "Interpreting Attention Layer Outputs with Sparse Autoencoders", section 3.
    """
    readings = read_off_values(v, matrix)
    return pattern[:, None] * readings.permute(0, 3, 1, 2)[:, :, :, None]


def pieces_at(
    pattern: Float[Tensor, "batch head query_pos key_pos"],
    v: Float[Tensor, "batch key_pos kv_head d_head"],
    matrix: Float[Tensor, "head d_head feature"],
    places: Int[Tensor, "place 3"],
) -> Float[Tensor, "place head key_pos"]:
    """The same at chosen places alone: rows of (batch, query position, number of the feature in `matrix`)."""
    row, query, feature = places.unbind(-1)
    return pattern[row, :, query] * read_off_values(v, matrix)[row, :, :, feature]
