"""What features write, from the weights alone: the tokens that each promotes, and the heads that it is of."""

import torch
from jaxtyping import Float
from torch import Tensor

from interp.decomposition.promoted import Promoted, promoted_tokens
from interp.dictionaries.features.written import decoder_rows
from interp.dictionaries.sae.attached import Attached

_STREAM = ("resid_pre", "resid_mid", "resid_post", "attn_write", "mlp_write")


def head_weights(dictionary: Attached) -> Float[Tensor, "feature head"] | None:
    """‖W_dec[f, h]‖ / Σ_h ‖W_dec[f, h]‖: how much of a feature is each head's. None where the site has no heads.

    Source: Kissane et al. 2024, "Interpreting Attention Layer Outputs with Sparse Autoencoders", section 4.
    """
    if dictionary.site.name != "z":
        return None
    norms = dictionary.sae.W_dec.detach().unflatten(1, (dictionary.model.dims.heads, -1)).norm(dim=-1)
    return norms / norms.sum(-1, keepdim=True).clamp(min=torch.finfo(norms.dtype).tiny)


def into_stream(dictionary: Attached) -> Float[Tensor, "feature d_model"] | None:
    """What every feature, at 1, adds to the stream before the last norm; None where it writes by no linear map.

    Decoder rows of attention outputs go through W_O, those of neurons through the MLP's output matrix; where a norm
    stands after the part (Gemma), its factor is in, and its division by a scale left out.
    """
    model, (name, layer) = dictionary.model, dictionary.site
    if not model.is_causal or model.is_classifier or layer is None or model.obstacle("layers", "readout"):
        return None
    rows, weights = decoder_rows(dictionary).to(dictionary.sae.W_dec), model.weights
    attention, mlp, _ = model.layer_map
    part = {"z": attention, "attn_out": attention, "mlp_post": mlp, "mlp_out": mlp}.get(name)
    if name not in _STREAM and part is None:
        return None
    if name == "z":
        rows = rows @ weights.output(layer).flatten(0, 1).to(rows)
    if name == "mlp_post":
        rows = rows @ weights.mlp_out(layer).matrix.to(rows)
    if part and part.norm_after:
        rows = rows * weights.norm(part.norm_after.name, layer)[0].to(rows)
    return rows


def promoted(dictionary: Attached, most: int = 10) -> tuple[Promoted, Promoted] | None:
    """The tokens that every feature promotes and suppresses directly, past all later layers, as `promoted_tokens` says.

    None where features do not write into the stream by a linear map, or there is no unembedding.
    """
    rows = into_stream(dictionary)
    return None if rows is None else promoted_tokens(dictionary.model, rows, most)
