"""The layer map: what stands between the residual stream, attention and the MLP of a layer, in every family."""

from typing import Literal, NamedTuple

Stream = Literal["pre", "sandwich", "after", "parallel", "shared", "post", "bare"]


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
    part reads of it. `branch` is the last site on the way to the part that no other part shares: the stream, or behind
    `norm_before` where both parts share that norm.
    """

    stream: str
    norm_before: Norm | None
    reads: str
    branch: str
    norm_after: Norm | None
    norm_on_sum: Norm | None


class LayerMap(NamedTuple):
    """A layer's parts in the order in which they write; `parallel` ones read the same stream."""

    attention: Part
    mlp: Part
    parallel: bool


_LN1, _LN2 = NORMS["ln1"], NORMS["ln2"]
_LN1_POST, _LN2_POST = NORMS["ln1_post"], NORMS["ln2_post"]
_ATTENTION = Part("resid_pre", _LN1, "ln1_out", "ln1_in", None, None)
_MLP = Part("resid_mid", _LN2, "ln2_out", "ln2_in", None, None)

# "pre": a norm before each part. "sandwich": another one after each. "after": only those. "parallel": both parts side
# by side; "shared": behind one norm. "post": the norms stand on the stream itself. "bare": there are none.
LAYER_MAPS: dict[Stream, LayerMap] = {
    "pre": LayerMap(_ATTENTION, _MLP, parallel=False),
    "sandwich": LayerMap(_ATTENTION._replace(norm_after=_LN1_POST), _MLP._replace(norm_after=_LN2_POST), False),
    "after": LayerMap(
        Part("resid_pre", None, "resid_pre", "resid_pre", _LN1_POST, None),
        Part("resid_mid", None, "mlp_in", "mlp_in", _LN2_POST, None),
        parallel=False,
    ),
    "parallel": LayerMap(_ATTENTION, _MLP._replace(stream="resid_pre"), parallel=True),
    "shared": LayerMap(_ATTENTION, Part("resid_pre", _LN1, "mlp_in", "mlp_in", None, None), parallel=True),
    "post": LayerMap(
        Part("resid_pre", None, "resid_pre", "resid_pre", None, _LN1),
        Part("resid_mid", None, "resid_mid", "resid_mid", None, _LN2),
        parallel=False,
    ),
    "bare": LayerMap(
        Part("resid_pre", None, "resid_pre", "resid_pre", None, None),
        Part("resid_mid", None, "mlp_in", "mlp_in", None, None),
        parallel=False,
    ),
}

_AS_IT_LEAVES = {"attn_write": "{}.attn.o.hook_out", "mlp_write": "{}.mlp.out.hook_out"}
_BEFORE = ("ln1_in", "ln1_scale", "ln1_out", "ln2_in", "ln2_scale", "ln2_out")

# The hooks of the bridge that differ from the common table under each map; "" = there is no such site.
HOOKS_OF_MAPS: dict[Stream, dict[str, str]] = {
    "pre": _AS_IT_LEAVES,
    "sandwich": {},
    "after": dict.fromkeys(_BEFORE, "") | {
        "resid_mid": "{}.mlp.hook_in",
        "ln1_post_in": "{}.ln1.hook_in", "ln1_post_scale": "{}.ln1.hook_scale", "attn_write": "{}.ln1.hook_out",
        "ln2_post_in": "{}.ln2.hook_in", "ln2_post_scale": "{}.ln2.hook_scale", "mlp_write": "{}.ln2.hook_out",
    },
    "parallel": _AS_IT_LEAVES | {"resid_mid": ""},
    "shared": _AS_IT_LEAVES | {"resid_mid": ""},
    "post": _AS_IT_LEAVES | {"resid_mid": "{}.ln1.hook_out", "mlp_in": ""},
    "bare": _AS_IT_LEAVES | {"resid_mid": "{}.mlp.hook_in"},
}  # fmt: skip
