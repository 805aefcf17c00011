"""The check at loading, layer by layer: whether what sites hold follows from the weights as engines take it."""

from collections.abc import Iterator

import torch
from torch import Tensor
from transformers.activations import ACT2FN

from interp.models.attention import PAIRINGS, repeat_kv, rotate, visible
from interp.models.hooked import HookedModel
from interp.models.layer_map import NORMS, Norm
from interp.models.share import BOUNDS, share
from interp.models.sites import Site

Values = dict[Site, Tensor]
Said = tuple[str, Tensor, Tensor]  # what goes wrong if these two are not the same


def layers_obstacle(model: HookedModel, values: Values) -> str | None:
    """Why a layer is not what its map, norms and projections say; None if every layer is."""
    if model.architecture.stream is None:
        return model.architecture.unexplained
    attention, mlp, _ = model.layer_map
    names = ("resid_pre", "q", "k", "v", "z", "attn_write", "mlp_write", mlp.reads, mlp.branch, attention.branch)
    lacking = next((name for name in names if not model.has(name)), None)
    return f"has no {lacking}" if lacking else _first_wrong(model, _layers(model, values))


def mlp_obstacle(model: HookedModel, values: Values) -> str | None:
    """Why its MLPs, or their experts, are not two or three linear maps and the activation between; None if they are."""
    if model.dims.experts:
        return _experts_obstacle(model, values)
    gated = model.architecture.gated
    names = (model.layer_map.mlp.reads, "mlp_pre", *(["mlp_up"] if gated else []), "mlp_post", "mlp_out")
    lacking = next((name for name in names if not model.has(name)), None)
    if lacking:
        return f"has no {lacking}"
    own = model.weights.named_activation
    for activation in [own] if own else [ACT2FN["gelu"], ACT2FN["gelu_new"]]:
        model.weights.activation = activation
        try:
            wrong = _first_wrong(model, _mlps(model, values))
        except (AttributeError, RuntimeError):  # experts, whose weights are not those of linear maps
            return "has MLPs that are not linear maps with an activation between them"
        if wrong is None:
            return None
    return wrong


def _experts_obstacle(model: HookedModel, values: Values) -> str | None:
    """Why experts are not activation(gate) · up between maps without biases; None if they are."""
    for layer in range(model.dims.layers):
        pre, up, post = (values[Site(f"expert_{name}", layer)] for name in ("pre", "up", "post"))
        if share(model.weights.activation(pre) * up, post) > BOUNDS[model.dtype]:
            return "has experts whose neurons are not activation(gate) times input"
        maps = (each for expert in model.weights.mixture(layer).experts() if expert for each in expert.maps)
        if any(each.bias is not None for each in maps):
            return "has experts with biases, of which no rule says whose they are"
    return None


def readout_obstacle(model: HookedModel, values: Values, logits: Tensor) -> str | None:
    """Why its logits are not the unembedding (under its soft cap, if any) of what that reads; None if they are."""
    site = Site("pooler_post" if model.pools else "unembed_in")
    if site not in values or not model.has(site.name):
        return f"has no {site.name}"

    def readout() -> Iterator[Said]:
        made, bias = values[site] @ model.weights.unembedding(), model.weights.unembedding_bias()
        yield (
            "has logits that are not a linear map of what they read",
            model.capped(made if bias is None else made + bias),
            logits,
        )
        if model.head_layer is not None:
            pre, post = values[model.head_layer.pre], values[model.head_layer.post]
            yield "has a head with another nonlinearity", model.head_layer.activation(pre), post
        if model.has("ln_final_scale"):
            yield _normed(model, NORMS["ln_final"], None, values)

    try:
        return _first_wrong(model, readout())
    except RuntimeError:
        return "has logits that are not a linear map of what they read"


def turning_obstacle(model: HookedModel, values: Values) -> str | None:
    """Why its queries and keys do not become by norm and rotation what scores multiply; None if they do.

    How dimensions are paired for rotation is seen here, and remembered.
    """
    for name in "qk":
        lacking = [site for site in (name, model.score_site(name)) if not model.has(site)]
        if lacking:
            return f"has no {lacking[0]}"
        if name in {site.removesuffix("_norm_out") for site in model.obstacles.read} or (
            model.has(f"{name}_norm_out") and not model.has(f"{name}_norm_scale")
        ):
            return f"norms {name} where no site shows its divisor"
    if model.rotates and not model.has("rot_q"):
        return "turns queries and keys by their position where no site shows it"
    if model.has("rot_q") and not model.has("rot_cos"):
        return "has no rot_cos"
    for pairing in PAIRINGS if model.has("rot_q") else PAIRINGS[:1]:
        model.pairing = pairing
        wrong = _first_wrong(model, _turned(model, values))
        if wrong is None:
            return None
    return "rotates queries and keys in a way of its own"


def alone_obstacle(model: HookedModel) -> str | None:
    """Why one head's queries and keys depend on those of others; None if they do not."""
    return "norms the queries or keys of all heads together" if model.weights.joint_norms else None


def _first_wrong(model: HookedModel, said: Iterator[Said]) -> str | None:
    return next((wrong for wrong, left, right in said if not share(left, right) <= BOUNDS[model.dtype]), None)


def _layers(model: HookedModel, values: Values) -> Iterator[Said]:
    """Sums, norms and projections of every layer."""
    attention, mlp, parallel = model.layer_map
    norms = {each for part in (attention, mlp) for each in (part.norm_before, part.norm_after, part.norm_on_sum)}
    for layer in range(model.dims.layers):
        here = {site.name: value for site, value in values.items() if site.layer == layer}
        stream, after = here["resid_pre"], here["resid_post"]
        middle = model.weights.normalised(attention.norm_on_sum, layer, stream + here["attn_write"])
        total = middle + here["mlp_write"]
        yield (
            f"has a layer {layer} whose stream is not the sum of what is written",
            model.weights.normalised(mlp.norm_on_sum, layer, total),
            after,
        )
        into = stream if parallel else middle
        yield (
            f"has an MLP in layer {layer} that does not read the stream",
            model.weights.normalised(mlp.norm_before, layer, into),
            here[mlp.reads],
        )
        read = model.weights.normalised(attention.norm_before, layer, stream)
        for name in "qkv":
            made = model.weights.projection(name, layer).joined()(read)
            yield f"has {name} that are not a linear map of what attention reads", made, here[name].flatten(2)
        for norm in sorted(filter(None, norms)):
            yield _normed(model, norm, layer, values)


def _normed(model: HookedModel, norm: Norm, layer: int | None, values: Values) -> Said:
    before, scale, after = (values[Site(name, layer)] for name in (norm.before, norm.scale, norm.after))
    factor, shift = model.weights.norm(norm.name, layer)
    made = factor * model.centred(before) / scale
    return f"has a norm {norm.name} that is not one by mean square", made if shift is None else made + shift, after


def _mlps(model: HookedModel, values: Values) -> Iterator[Said]:
    weights = model.weights
    for layer in range(model.dims.layers):
        here = {site.name: value for site, value in values.items() if site.layer == layer}
        read, neurons = here[model.layer_map.mlp.reads], weights.activation(here["mlp_pre"])
        wrong = f"has an MLP in layer {layer} that is not linear maps with an activation between them"
        yield wrong, weights.mlp_pre(layer)(read), here["mlp_pre"]
        up = weights.mlp_up(layer)
        if up is not None:
            yield wrong, up(read), here["mlp_up"]
            neurons = neurons * here["mlp_up"]
        yield wrong, neurons, here["mlp_post"]
        yield wrong, weights.mlp_out(layer)(here["mlp_post"]), here["mlp_out"]


def _turned(model: HookedModel, values: Values) -> Iterator[Said]:
    for layer in range(model.dims.layers):
        for name in "qk":
            vectors = values[Site(name, layer)]
            if model.has(f"{name}_norm_out"):
                yield _normed(model, NORMS[f"{name}_norm"], layer, values)
                vectors = values[Site(f"{name}_norm_out", layer)]
            if model.has("rot_q"):
                cos, sin = (values[Site(part, layer)] for part in ("rot_cos", "rot_sin"))
                vectors = rotate(vectors, cos, sin, model.pairing)
            yield "", vectors, values[Site(model.score_site(name), layer)]


def attention_obstacle(model: HookedModel, values: Values) -> str | None:
    """Why attention is not softmax(q·k · scale) · v of the sites that the model has; None if it is."""
    query, key = model.score_site("q"), model.score_site("k")
    names = [query, key, "v", "pattern", "z", *(["scores"] if model.is_causal else [])]
    lacking = [name for name in names if not model.has(name)]
    if lacking:
        return f"has no {lacking[0]}"
    for layer in range(model.dims.layers):
        q, k, v, pattern, z = (values[Site(name, layer)] for name in (query, key, "v", "pattern", "z"))
        k, v = repeat_kv(k, model.dims.heads), repeat_kv(v, model.dims.heads)
        try:
            scores = torch.einsum("bqhd,bkhd->bhqk", q, k) * model.weights.attention_scale(layer)
        except StopIteration:
            return "does not say by what it scales its attention scores"
        again = scores.masked_fill(pattern == 0, -torch.inf).softmax(-1)
        if not share(again, pattern) <= BOUNDS[model.dtype]:
            return _other_scores(model, scores, values.get(Site("scores", layer)))
        if not share(torch.einsum("bhqk,bkhd->bqhd", pattern, v), z) <= BOUNDS[model.dtype]:
            return "has heads that are not patterns times values"
    return None


def _other_scores(model: HookedModel, products: Tensor, scores: Tensor | None) -> str:
    """What its attention is, where it is not the softmax of queries times keys."""
    if model.has("scores") and scores is not None:
        added = torch.where(visible(scores), scores - products, 0)
        if added.any() and share(added[0], added[1]) <= BOUNDS[model.dtype]:
            return "adds a bias by position to its attention scores"
        cap = getattr(model.config, "attn_logit_softcapping", None)
        added = torch.where(visible(scores), scores - cap * (products / cap).tanh(), 0) if cap else added
        if cap and added.abs().max() <= BOUNDS[model.dtype] * cap:
            return "has a soft cap on its attention scores"
    return "has attention that is not the softmax of queries times keys"
