"""A model's weights, laid out alike whatever the family: one matrix a head, rows in, columns out."""

from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor
from transformers.activations import ACT2FN
from transformers.pytorch_utils import Conv1D

from interp.models.architectures import Architecture
from interp.models.layer_map import NORMS, Norm

_NOTHING = torch.empty(0)


class Linear(NamedTuple):
    """A linear map: output = input @ matrix + bias; one of each a head where a matrix has heads in front."""

    matrix: Float[Tensor, "*head d_in d_out"]
    bias: Float[Tensor, "*head d_out"] | None

    def __call__(self, x: Float[Tensor, "... d_in"]) -> Float[Tensor, "... d_out"]:
        """What a map without heads makes of `x`."""
        out = x @ self.matrix
        return out if self.bias is None else out + self.bias

    def head(self, index: int) -> "Linear":
        """The map of one head."""
        return Linear(self.matrix[index], None if self.bias is None else self.bias[index])

    def joined(self) -> "Linear":
        """One map for all heads, side by side (a view of the matrices)."""
        return Linear(self.matrix.transpose(0, 1).flatten(1), None if self.bias is None else self.bias.flatten())

    def to(self, dtype: torch.dtype) -> "Linear":
        """The same map in another precision."""
        return Linear(self.matrix.to(dtype), None if self.bias is None else self.bias.to(dtype))


class Weights:
    """Reads the bridge's modules; copies nothing but what a layout needs."""

    def __init__(self, bridge: Any, architecture: Architecture, heads: int, d_head: int) -> None:
        self._bridge, self._architecture = bridge, architecture
        self._offsets: dict[type, float] = {}
        self.activation: Callable[[Tensor], Tensor] = self.named_activation or ACT2FN["gelu"]  # of MLPs, of BERT's head
        self._heads, self._d_head = heads, d_head

    def projection(self, name: str, layer: int) -> Linear:
        """W_Q, W_K or W_V and its bias: site `q`, `k` or `v` from what attention reads, one matrix a head (KV head)."""
        matrix, bias = linear_of(getattr(self._bridge.blocks[layer].attn, name))
        matrix = matrix.unflatten(1, (-1, self._d_head)).transpose(0, 1)
        return Linear(matrix, None if bias is None else bias.unflatten(0, (-1, self._d_head)))

    def attention_scale(self, layer: int) -> float:
        """What queries times keys are multiplied by: 1/√d_head, or what the family has in its place."""
        attention = self._bridge.blocks[layer].attn.original_component
        attention = getattr(attention, "self", attention)
        names = ("scaling", "softmax_scale", "inv_norm_factor")
        return float(next(getattr(attention, name) for name in names if hasattr(attention, name)))

    def mlp_pre(self, layer: int) -> Linear:
        """What the MLP's nonlinearity reads (site `mlp_pre`), from what the MLP reads."""
        mlp = self._bridge.blocks[layer].mlp
        return linear_of(getattr(mlp, "gate", None) or getattr(mlp, "in"))

    def mlp_up(self, layer: int) -> Linear | None:
        """In a gated MLP, the factor of the nonlinearity's output (site `mlp_up`), from what the MLP reads."""
        mlp = self._bridge.blocks[layer].mlp
        return linear_of(getattr(mlp, "in")) if getattr(mlp, "gate", None) is not None else None

    def mlp_out(self, layer: int) -> Linear:
        """Site `mlp_out` from the neurons."""
        return linear_of(self._bridge.blocks[layer].mlp.out)

    def mixture(self, layer: int) -> Any:
        """The layer's MLP as a mixture of experts (`interp.models.experts`); None where it is none."""
        return getattr(self._bridge.blocks[layer].mlp, "__dict__", {}).get("mixture")

    def mlp(self, layer: int, inputs: Float[Tensor, "... d_model"]) -> Float[Tensor, "... d_model"]:
        """Site `mlp_out` from what the MLP reads."""
        if (mixture := self.mixture(layer)) is not None:
            return mixture.plain(inputs)
        neurons, up = self.activation(self.mlp_pre(layer)(inputs)), self.mlp_up(layer)
        return self.mlp_out(layer)(neurons if up is None else neurons * up(inputs))

    def mlp_parts(self, layer: int, inputs: Float[Tensor, "batch pos d_model"]) -> Tensor:
        """The same of each expert, `batch pos expert d_model`, where the MLP is a mixture."""
        mixture = self.mixture(layer)
        return self.mlp(layer, inputs) if mixture is None else mixture.weighted(inputs)

    @property
    def named_activation(self) -> Callable[[Tensor], Tensor] | None:
        """The nonlinearity that the config names."""
        config = self._bridge.original_model.config
        names = ("hidden_activation", "hidden_act", "activation_function", "activation", "afn")
        name = next(filter(None, (getattr(config, each, None) for each in names)), None)
        return ACT2FN[name] if name and name in ACT2FN else None

    def pooler(self) -> Linear:
        """A BERT classifier's dense layer before its tanh: site `pooler_pre` from the first position."""
        return linear_of(self._bridge.pooler)

    def mlm_transform(self) -> Linear:
        """A masked-LM head's dense layer before its nonlinearity: site `mlm_pre` from the stream."""
        return linear_of(self._bridge.mlm_head)

    def output(self, layer: int) -> Float[Tensor, "head d_head d_model"]:
        """W_O of every head."""
        return _matrix(self._output_module(layer)).unflatten(0, (self._heads, self._d_head))

    def output_bias(self, layer: int) -> Float[Tensor, "d_model"]:
        """b_O, added after the heads' outputs are summed; zeros where there is none."""
        module = self._output_module(layer)
        return _matrix(module).new_zeros(_matrix(module).shape[1]) if module.bias is None else module.bias.detach()

    def head_outputs(
        self, layer: int, z: Float[Tensor, "batch pos head d_head"]
    ) -> Float[Tensor, "batch pos head d_model"]:
        """What each head writes (before any norm after attention): z times its rows of W_O."""
        return torch.einsum("bphd,hdm->bphm", z, self.output(layer).to(z.dtype))

    def embedding(self, tokens: Int[Tensor, "*batch"]) -> Float[Tensor, "*batch d_model"]:
        """Site `embed` of any tokens, with the factor that some families (Gemma) put on it."""
        return self._bridge.embed.original_component(tokens).detach()

    def unembedding(self) -> Float[Tensor, "d_model vocab"]:
        """W_U."""
        return _matrix(self._bridge.unembed.original_component)

    def unembedding_bias(self) -> Float[Tensor, "vocab"] | None:
        """b_U, where there is one."""
        bias = self._bridge.unembed.original_component.bias
        return None if bias is None else bias.detach()

    def norm(self, name: str, layer: int | None = None) -> tuple[Tensor, Tensor | None]:
        """Factor and shift of a norm, each `d_model`: `ln_final`, `embed_ln`, or a layer's `ln1`, `ln2`, `ln1_post`…

        A layer's `q_norm` and `k_norm` are `d_head`, or `head d_head`. The factor multiplies the normalised stream as
        it stands: an offset that the family adds (Gemma) is in it.
        """
        module = self._norm(name, layer)
        shift = getattr(module, "bias", None)
        factor = module.weight.detach() + self._offset(module)
        if name in ("q_norm", "k_norm") and factor.numel() > self._d_head:
            factor = factor.reshape(-1, self._d_head)
        return factor, None if shift is None else shift.detach()

    @property
    def joint_norms(self) -> bool:
        """Whether queries or keys are normed over all heads at once."""
        modules = getattr(self._bridge.blocks[0], "attn", self._bridge.blocks[0])._modules
        norms = [modules[name] for name in ("q_norm", "k_norm") if name in modules]
        shapes = [getattr(each.original_component, "weight", _NOTHING).shape for each in norms]
        return any(len(shape) == 1 and shape[0] > self._d_head for shape in shapes)

    def _offset(self, module: Any) -> float:
        """What a kind of norm adds to its weight: 0, or 1 (Gemma, Nemotron), whichever explains what it makes."""
        if type(module) not in self._offsets:
            weight, shift = module.weight.detach(), getattr(module, "bias", None)
            probe = torch.arange(weight.numel(), device=weight.device).cos().view_as(weight).to(weight)
            made = module(probe) if shift is None else module(probe) - shift
            centred = probe - probe.mean(-1, keepdim=True) if self._architecture.norm == "layer" else probe
            normed = centred / centred.square().mean(-1, keepdim=True).sqrt()
            errors = {offset: (made - (weight + offset) * normed).abs().max() for offset in (0.0, 1.0)}
            self._offsets[type(module)] = min(errors, key=errors.__getitem__)
        return self._offsets[type(module)]

    def normalised(self, norm: Norm | None, layer: int | None, stream: Float[Tensor, "... d_norm"]) -> Tensor:
        """What a norm of the layer map makes of any stream, which stays as it is without one; no hook sees it."""
        return stream if norm is None else self._norm(norm.name, layer)(stream)

    def normalised_head(self, name: str, layer: int, head: int, vectors: Float[Tensor, "... d_head"]) -> Tensor:
        """What `q_norm` or `k_norm` makes of one head's queries or keys; no hook sees it."""
        module = self._norm(name, layer)
        if getattr(module, "weight", _NOTHING).dim() < 3:
            return module(vectors)
        return torch.func.functional_call(module, {"weight": module.weight[head]}, vectors)

    def hooked_norm(self, name: str, layer: int | None) -> Callable[[Tensor], Tensor]:
        """The norm as `normalised` has it, but with its hooks."""
        module = self._module(name, layer)
        conversion = module.hook_in.hook_conversion
        return module if conversion is None else lambda x: conversion.convert(module(conversion.revert(x)))

    def _norm(self, name: str, layer: int | None) -> Any:
        return self._module(name, layer).original_component

    def _module(self, name: str, layer: int | None) -> Any:
        path = self._architecture.hook(NORMS[name].after).removesuffix(".hook_out")
        return self._bridge.get_submodule(path.format(f"blocks.{layer}"))

    def _output_module(self, layer: int) -> Any:
        return self._bridge.blocks[layer].attn.o.original_component


def linear_of(component: Any) -> Linear:
    """A linear module's map, of the module itself or of the bridge's around it."""
    module = getattr(component, "original_component", component)
    return Linear(_matrix(module), None if module.bias is None else module.bias.detach())


def _matrix(linear: Any) -> Float[Tensor, "d_in d_out"]:
    """A linear module's weight so that output = input @ weight."""
    weight = linear.weight.detach()
    return weight if isinstance(linear, Conv1D) else weight.T
