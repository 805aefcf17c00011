"""Sites: the places in a transformer that can be read and edited, by the names the field uses."""

from dataclasses import dataclass
from typing import NamedTuple


class Site(NamedTuple):
    """A named place: `Site("z", 18)` is the attention outputs of layer 18, `Site("embed")` the embeddings."""

    name: str
    layer: int | None = None

    def __str__(self) -> str:
        return self.name if self.layer is None else f"{self.name}[{self.layer}]"


@dataclass(frozen=True)
class SiteSpec:
    """What a site holds: its axes, the hook of the bridge it stands for (`{}` is the block), and its meaning."""

    axes: str
    hook: str
    meaning: str

    @property
    def per_layer(self) -> bool:
        """Whether every layer has one."""
        return self.hook.startswith("{}")


_STREAM, _HEADS, _KV_HEADS = "batch pos d_model", "batch pos head d_head", "batch pos kv_head d_head"
_PAIRS = "batch head query_pos key_pos"
_EXPERTS, _NEURONS = "batch pos expert", "batch pos expert d_mlp"

SITES: dict[str, SiteSpec] = {
    "embed": SiteSpec(_STREAM, "embed.hook_out", "token embeddings"),
    "pos_embed": SiteSpec(_STREAM, "pos_embed.hook_out", "learned position embeddings"),
    "type_embed": SiteSpec(_STREAM, "token_type_embed.hook_out", "segment embeddings"),
    "embed_ln_in": SiteSpec(_STREAM, "embed_ln.hook_in", "sum of the embeddings, before their norm"),
    "embed_ln_scale": SiteSpec("batch pos one", "embed_ln.hook_scale", "divisor of the norm on the embeddings"),
    "embed_ln_out": SiteSpec(_STREAM, "embed_ln.hook_out", "embeddings after their norm"),
    "resid_pre": SiteSpec(_STREAM, "{}.hook_in", "residual stream into the layer"),
    "resid_mid": SiteSpec(_STREAM, "{}.ln2.hook_in", "residual stream between attention and MLP"),
    "resid_post": SiteSpec(_STREAM, "{}.hook_out", "residual stream out of the layer"),
    "ln1_in": SiteSpec(_STREAM, "{}.ln1.hook_in", "what the norm before attention reads: only that branch's gradient"),
    "ln1_scale": SiteSpec("batch pos one", "{}.ln1.hook_scale", "divisor of the norm before attention"),
    "ln1_out": SiteSpec(_STREAM, "{}.ln1.hook_out", "normalised stream"),
    "q": SiteSpec(_HEADS, "{}.attn.q.hook_out", "queries before rotation"),
    "k": SiteSpec(_KV_HEADS, "{}.attn.k.hook_out", "keys before rotation"),
    "v": SiteSpec(_KV_HEADS, "{}.attn.v.hook_out", "values"),
    "q_norm_in": SiteSpec(_HEADS, "{}.attn.q_norm.hook_in", "queries before their norm"),
    "q_norm_scale": SiteSpec("batch pos head one", "{}.attn.q_norm.hook_scale", "divisor of the norm on queries"),
    "q_norm_out": SiteSpec(_HEADS, "{}.attn.q_norm.hook_out", "queries after their norm"),
    "k_norm_in": SiteSpec(_KV_HEADS, "{}.attn.k_norm.hook_in", "keys before their norm"),
    "k_norm_scale": SiteSpec("batch pos kv_head one", "{}.attn.k_norm.hook_scale", "divisor of the norm on keys"),
    "k_norm_out": SiteSpec(_KV_HEADS, "{}.attn.k_norm.hook_out", "keys after their norm"),
    "rot_cos": SiteSpec("one pos d_rotary", "{}.attn.hook_cos", "cosines of the rotation of queries and keys"),
    "rot_sin": SiteSpec("one pos d_rotary", "{}.attn.hook_sin", "sines of the rotation of queries and keys"),
    "rot_q": SiteSpec(_HEADS, "{}.attn.hook_rot_q", "queries after rotation"),
    "rot_k": SiteSpec(_KV_HEADS, "{}.attn.hook_rot_k", "keys after rotation"),
    "scores": SiteSpec(_PAIRS, "{}.attn.hook_attn_scores", "attention scores before the softmax"),
    "pattern": SiteSpec(_PAIRS, "{}.attn.hook_pattern", "attention probabilities"),
    "z": SiteSpec(_HEADS, "{}.attn.o.hook_in", "each head's weighted values"),
    "attn_out": SiteSpec(_STREAM, "{}.attn.o.hook_out", "sum of the heads' outputs and the output bias"),
    "ln1_post_in": SiteSpec(_STREAM, "{}.ln1_post.hook_in", "what the norm after attention reads"),
    "ln1_post_scale": SiteSpec("batch pos one", "{}.ln1_post.hook_scale", "divisor of the norm after attention"),
    "attn_write": SiteSpec(_STREAM, "{}.ln1_post.hook_out", "what attention adds to the stream, after its own norm"),
    "ln2_in": SiteSpec(_STREAM, "{}.ln2.hook_in", "what the norm before the MLP reads: only that branch's gradient"),
    "ln2_scale": SiteSpec("batch pos one", "{}.ln2.hook_scale", "divisor of the norm before the MLP"),
    "ln2_out": SiteSpec(_STREAM, "{}.ln2.hook_out", "normalised stream into the MLP"),
    "mlp_in": SiteSpec(_STREAM, "{}.mlp.hook_in", "what the MLP reads: only that branch's gradient"),
    "mlp_pre": SiteSpec("batch pos d_mlp", "{}.mlp.in.hook_out", "input of the MLP's nonlinearity"),
    "mlp_up": SiteSpec("batch pos d_mlp", "{}", "the factor that a gated MLP multiplies the gate with"),
    "mlp_post": SiteSpec("batch pos d_mlp", "{}.mlp.out.hook_in", "the MLP's neurons"),
    "mlp_out": SiteSpec(_STREAM, "{}.mlp.out.hook_out", "the MLP's output"),
    "router_in": SiteSpec(_STREAM, "{}.mlp.hook_router_in", "what the router reads: only that branch's gradient"),
    "router_logits": SiteSpec(
        "batch pos routed", "{}.mlp.hook_router_logits", "the router's score of every routed expert"
    ),
    "router": SiteSpec(_EXPERTS, "{}.mlp.hook_router", "what each expert's output is multiplied by; 0 if not taken"),
    "expert_pre": SiteSpec(_NEURONS, "{}.mlp.hook_expert_pre", "input of each expert's nonlinearity; 0 if not taken"),
    "expert_up": SiteSpec(_NEURONS, "{}.mlp.hook_expert_up", "the factor that each expert multiplies its gate with"),
    "expert_post": SiteSpec(_NEURONS, "{}.mlp.hook_expert_post", "each expert's neurons; 0 where it is not taken"),
    "expert_out": SiteSpec(f"{_EXPERTS} d_model", "{}.mlp.hook_expert_out", "each expert's output before its weight"),
    "expert_write": SiteSpec(
        f"{_EXPERTS} d_model", "{}.mlp.hook_expert_write", "what each expert adds to the MLP's output"
    ),
    "ln2_post_in": SiteSpec(_STREAM, "{}.ln2_post.hook_in", "what the norm after the MLP reads"),
    "ln2_post_scale": SiteSpec("batch pos one", "{}.ln2_post.hook_scale", "divisor of the norm after the MLP"),
    "mlp_write": SiteSpec(_STREAM, "{}.ln2_post.hook_out", "what the MLP adds to the stream, after its own norm"),
    "pooler_pre": SiteSpec("batch d_model", "pooler.hook_out", "input of the nonlinearity before a classifier's head"),
    "pooler_post": SiteSpec("batch d_model", "", "what a classifier's head reads"),
    "mlm_pre": SiteSpec(_STREAM, "mlm_head.hook_out", "input of a masked-LM head's nonlinearity"),
    "mlm_post": SiteSpec(_STREAM, "", "output of a masked-LM head's nonlinearity"),
    "ln_final_in": SiteSpec(_STREAM, "ln_final.hook_in", "what the final norm reads"),
    "ln_final_scale": SiteSpec("batch pos one", "ln_final.hook_scale", "divisor of the final norm"),
    "ln_final_out": SiteSpec(_STREAM, "ln_final.hook_out", "normalised stream into the unembedding"),
    "unembed_in": SiteSpec(_STREAM, "unembed.hook_in", "what the unembedding reads"),
    "head_out": SiteSpec("batch pos head d_model", "{}", "each head's output: z times its rows of W_O"),
}
