"""The layer map: what stands between the residual stream, attention and the MLP of a layer, in every family."""

from functools import cache
from typing import Literal, NamedTuple

Stream = Literal["pre", "sandwich", "parallel", "post"]


class Norm(NamedTuple):
    """A norm by its name in `Weights.norm`, and the sites of what it reads, of its divisor and of what it makes."""

    name: str
    before: str
    scale: str
    after: str


NORMS = {
    name: Norm(name, before, f"{name}_scale", after)
    for name, before, after in (
        ("embed_ln", "embed_ln_in", "embed_ln_out"),
        ("ln1", "ln1_in", "ln1_out"),
        ("q_norm", "q", "q_norm_out"),
        ("k_norm", "k", "k_norm_out"),
        ("ln1_post", "attn_out", "attn_write"),
        ("ln2", "ln2_in", "ln2_out"),
        ("ln2_post", "mlp_out", "mlp_write"),
        ("ln_final", "ln_final_in", "ln_final_out"),
    )
}


class Part(NamedTuple):
    """Attention or the MLP: the stream, `norm_before`, the part, `norm_after`, the sum with the stream, `norm_on_sum`.

    A norm is None where the family has none there. `stream` and `reads` are the sites of the stream, and of what the
    part reads of it.
    """

    stream: str
    norm_before: Norm | None
    reads: str
    norm_after: Norm | None
    norm_on_sum: Norm | None


class LayerMap(NamedTuple):
    """A layer's parts in the order in which they write; `parallel` ones read the same stream."""

    attention: Part
    mlp: Part
    parallel: bool


@cache
def layer_map(stream: Stream) -> LayerMap:
    """The map of the families whose residual stream is written so, as `Architecture.stream` says."""
    post, parallel = stream == "post", stream == "parallel"

    def part(site: str, norm: str) -> Part:
        if post:
            return Part(site, None, site, None, NORMS[norm])
        return Part(site, NORMS[norm], f"{norm}_out", NORMS[f"{norm}_post"] if stream == "sandwich" else None, None)

    return LayerMap(part("resid_pre", "ln1"), part("resid_pre" if parallel else "resid_mid", "ln2"), parallel)
