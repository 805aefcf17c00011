"""Where what is read off a head's values came from: everything written to the stream below, each writer apart.

What reads the values is carried down through the projection and the norms, with every norm's divisor held at what the
run had, so that what is read is exactly the sum of what the embeddings, heads, MLPs and biases bring.
"""

from collections.abc import Mapping, Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from interp.core.errors import DictionaryError
from interp.decomposition.linear_readout import FrozenNorm
from interp.dictionaries.features.written import written
from interp.dictionaries.sae.attached import Attached
from interp.models.attention import repeat_kv
from interp.models.hooked import HookedModel, Trace
from interp.models.layer_map import NORMS, Norm
from interp.models.sites import Site

Reading = Float[Tensor, "batch key_pos head d"]  # a direction for every source and head
Part = Float[Tensor, "batch key_pos head"]

_UPSTREAM = ("z", "attn_out", "attn_write", "mlp_out", "mlp_write")


def _embeddings(model: HookedModel) -> dict[str, Site]:
    """What the stream begins as, by name."""
    if model.has("pos_embed") or model.has("embed_ln_scale"):
        return {name: Site(name) for name in ("embed", "pos_embed", "type_embed") if model.has(name)}
    return {"embed": Site("resid_pre", 0)}


def origin_sites(model: HookedModel, layer: int, upstream: Sequence[Attached]) -> list[Site]:
    """What `Origins` reads of a run, for the values of a layer."""
    names = "z attn_out attn_write mlp_out mlp_write ln1_post_scale ln2_post_scale".split()
    if model.layer_map.attention.norm_on_sum:
        names += ["ln1_scale", "ln2_scale"]
    sites = [Site(name, below) for name in names if model.has(name) for below in range(layer)]
    own = ("ln1_in", "ln1_scale", "ln1_out") if model.layer_map.attention.norm_before else ()
    first = [*_embeddings(model).values(), *([Site("embed_ln_scale")] if model.has("embed_ln_scale") else [])]
    own_sites = [Site(name, layer) for name in own]
    return [*dict.fromkeys([*own_sites, *first, *sites, *(each.site for each in upstream)])]


class Origins:
    """The parts of what `along` reads off the values of a layer, in the order of writing; biases last.

    `names` tells which features the places `f3.z.#1`, `f3.z.#2`, … stand for in each prompt.
    Raises: DictionaryError for a dictionary of another place than below the layer.
    """

    def __init__(
        self, model: HookedModel, trace: Trace, layer: int, along: Reading, upstream: Sequence[Attached], top: int
    ) -> None:
        self.model, self.trace, self.top = model, trace, top
        self.upstream = _by_site(upstream, layer)
        self.names: dict[str, list[str]] = {}
        self._bias = {name: along.new_zeros(along.shape[:-1]) for name in ("attention bias", "norm bias", "value bias")}
        self._parts: dict[str, Part] = {}
        self._errors: list[Part] = []
        self._walk(layer, along)

    @property
    def parts(self) -> dict[str, Part]:
        """What each writer brings."""
        return dict(reversed(self._parts.items())) | self._bias

    @property
    def errors(self) -> Part:
        """Of that, what dictionaries do not account for, sizes added up."""
        return sum((error.abs() for error in self._errors), torch.zeros_like(self._bias["value bias"]))

    def _walk(self, layer: int, along: Reading) -> None:
        model, (attention, mlp, _) = self.model, self.model.layer_map
        matrix, bias = model.weights.projection("v", layer).to(along.dtype)
        if bias is not None:
            self._bias["value bias"] += (along * repeat_kv(bias, model.dims.heads, 0)).sum(-1)
        along = torch.einsum("bkhd,hmd->bkhm", along, repeat_kv(matrix, model.dims.heads, 0))
        along = self._through(attention.norm_before, layer, along)
        for below in reversed(range(layer)):
            along = self._through(mlp.norm_on_sum, below, along)
            self._mlp(below, along)
            along = self._through(attention.norm_on_sum, below, along)
            self._attention(below, along)
        if model.has("embed_ln_scale"):
            along = self._through(NORMS["embed_ln"], None, along)
        for name, site in reversed(_embeddings(model).items()):
            self._parts[name] = self._project(along, self.trace[site])

    def _through(self, norm: Norm | None, layer: int | None, along: Reading) -> Reading:
        """What reads a norm's input as `along` reads its output, if there is a norm; its shift brings a bias."""
        if norm is None:
            return along

        def value(name: str) -> Float[Tensor, "batch key_pos one d"]:
            return self.trace[Site(name, layer)].to(along)[:, :, None]

        frozen = FrozenNorm.as_computed(self.model, norm.name, layer, value)
        if frozen.shift is not None:
            self._bias["norm bias"] += along @ frozen.shift.to(along)
        return frozen.read(along)

    def _mlp(self, layer: int, along: Reading) -> None:
        write, out = Site("mlp_write", layer), Site("mlp_out", layer)
        if out in self.upstream:
            along, write = self._through(self.model.layer_map.mlp.norm_after, layer, along), out
        if write in self.upstream:
            self._features(self.upstream[write], along)
        else:
            self._parts[f"m{layer}"] = self._project(along, self.trace[write])

    def _attention(self, layer: int, along: Reading) -> None:
        write, out, z = (Site(name, layer) for name in ("attn_write", "attn_out", "z"))
        if write in self.upstream:
            self._features(self.upstream[write], along)
            return
        along = self._through(self.model.layer_map.attention.norm_after, layer, along)
        if out in self.upstream:
            self._features(self.upstream[out], along)
            return
        weights = self.model.weights
        self._bias["attention bias"] += along @ weights.output_bias(layer).to(along)
        to_z = torch.einsum("bkhm,gdm->bkhgd", along, weights.output(layer).to(along))
        if z in self.upstream:
            self._features(self.upstream[z], to_z.flatten(3))
            return
        heads = torch.einsum("bkhgd,bkgd->bkhg", to_z, self.trace[z].to(to_z))
        for head in reversed(range(heads.shape[-1])):
            self._parts[f"a{layer}.{head}"] = heads[..., head]

    def _features(self, dictionary: Attached, along: Reading) -> None:
        """What a dictionary makes of its site: the strongest features, the others, its bias, its error."""
        parts = written(dictionary, self.trace[dictionary.site])
        node = f"f{dictionary.site.layer}.{dictionary.site.name}"
        scaled_features = (parts.factor * parts.features).to(along)
        each = scaled_features[:, :, None] * (along @ parts.rows.to(along).T)
        strongest = each.abs().sum((1, 2)).argsort(dim=-1, descending=True, stable=True)[:, : self.top]
        top = each.gather(-1, strongest[:, None, None].expand(*each.shape[:3], -1))
        error = self._project(along, parts.error)
        self._errors.append(error)
        self._parts[f"{node}.error"] = error
        self._parts[f"{node}.bias"] = self._project(along, parts.constant)
        self._parts[f"{node}.rest"] = each.sum(-1) - top.sum(-1)
        for rank in reversed(range(strongest.shape[-1])):
            self._parts[f"{node}.#{rank + 1}"] = top[..., rank]
            self.names[f"{node}.#{rank + 1}"] = [f"{node}.{feature}" for feature in strongest[:, rank].tolist()]

    @staticmethod
    def _project(along: Reading, value: Float[Tensor, "batch key_pos d"]) -> Part:
        return (along * value.to(along)[:, :, None]).sum(-1)


def _by_site(upstream: Sequence[Attached], layer: int) -> Mapping[Site, Attached]:
    """The dictionaries by their sites. Raises: DictionaryError."""
    dictionaries: dict[Site, Attached] = {}
    places: set[tuple[str, int]] = set()
    for dictionary in upstream:
        site = dictionary.site
        if site.name not in _UPSTREAM or site.layer is None or site.layer >= layer:
            raise DictionaryError(
                f"{dictionary.name} is at {site}; upstream dictionaries must be at {', '.join(_UPSTREAM)} below "
                f"layer {layer}"
            )
        place = ("mlp" if site.name.startswith("mlp") else "attention", site.layer)
        if place in places:
            raise DictionaryError(f"two upstream dictionaries share the {place[0]} of layer {place[1]}; give one")
        places.add(place)
        dictionaries[site] = dictionary
    return dictionaries
