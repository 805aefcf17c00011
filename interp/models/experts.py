"""Mixtures of experts: the router and each expert at hook points of their own.

Hugging Face computes all experts of a layer in one module and keeps nothing of what each wrote. While a hook looks at
one of the points below, the same is computed from the same weights, every expert apart; otherwise its own code runs.

A shared expert, which takes every token, stands after the routed ones; so does the plain MLP of a layer without a
router, which some families have among the others. What an MLP writes is then always the sum over its experts.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn
from transformer_lens.hook_points import HookPoint

from interp.models.weights import Linear, linear_of

POINTS = (
    "router_in",
    "router_logits",
    "router",
    "expert_pre",
    "expert_up",
    "expert_post",
    "expert_out",
    "expert_write",
)
_AGREES = {torch.float64: 1e-10, torch.float32: 1e-4}  # of the output's size; half precision rounds more


class Expert(NamedTuple):
    """One expert's maps: the two that read the stream, what makes neurons of both, and the one that writes."""

    pre: Linear
    up: Linear
    gate: Callable[[Tensor, Tensor], Tensor]
    out: Linear

    @property
    def maps(self) -> tuple[Linear, Linear, Linear]:
        """The two that read the stream, and the one that writes."""
        return self.pre, self.up, self.out

    @property
    def width(self) -> int:
        """How many neurons it has."""
        return len(self.out.matrix)

    def neurons(self, pre: Float[Tensor, "... d_mlp"], up: Float[Tensor, "... d_mlp"]) -> Float[Tensor, "... width"]:
        """Its neurons, of numbers that zeros fill up to the widest expert's."""
        return self.gate(pre[..., : self.width], up[..., : self.width])

    def written(self, neurons: Float[Tensor, "... d_mlp"]) -> Float[Tensor, "... d_model"]:
        """Its output, before the router's weight."""
        return self.out(neurons[..., : self.width])


class Sizes(NamedTuple):
    """How many experts each layer has (`routed`, and those that take every token), and how many of them take a token.

    `width` is the number of the widest expert's neurons; those of the others are filled up with zeros.
    """

    count: int
    routed: int
    routed_to: int
    width: int


class Mixture:
    """The MLP of one layer as a mixture of experts, around the Hugging Face module that computes it."""

    def __init__(self, module: nn.Module, sizes: Sizes) -> None:
        self.sizes = sizes
        self.points = {name: HookPoint() for name in POINTS}
        self._module, self._plain = module, module.forward
        self._returns_pair = False

    @property
    def always_whole(self) -> bool:
        """Whether the last expert's output is added as it is, whatever the token."""
        return _shared(self._module) is not None and _shared_gate(self._module) is None

    def experts(self) -> list[Expert | None]:
        """Every expert's weights, as views; None where this layer has none of that number."""
        routed, shared = _routed(self._module), _shared(self._module)
        experts: list[Expert | None] = [None] * self.sizes.count
        for index in range(routed.num_experts if routed is not None else 0):
            experts[index] = _routed_expert(routed, index)
        if shared is not None:
            experts[-1] = _shared_expert(shared)
        return experts

    def plain(self, inputs: Float[Tensor, "... d_model"]) -> Float[Tensor, "... d_model"]:
        """What Hugging Face's own code makes of what the MLP reads."""
        out = self._plain(inputs)
        self._returns_pair = isinstance(out, tuple)
        return out[0] if self._returns_pair else out

    def multiply(self, factor: float) -> None:
        """Multiply what every expert writes, in its weights."""
        for part in (part for expert in self.experts() if expert for part in expert.out):
            if part is not None:
                part.mul_(factor)

    def take_over(self) -> None:
        """From now on, compute experts apart whenever a hook looks at one of the points."""
        self._module.forward = self._forward

    def weighted(self, inputs: Float[Tensor, "batch pos d_model"]) -> Float[Tensor, "batch pos expert d_model"]:
        """What every expert writes, through the points; 0 where it did not take the token."""
        see, experts = self.points, self.experts()
        weights = see["router"](self._weights(inputs))
        taken = weights != 0
        pre = see["expert_pre"](_each([e and e.pre for e in experts], taken, self.sizes.width, inputs))
        up = see["expert_up"](_each([e and e.up for e in experts], taken, self.sizes.width, inputs))
        post = see["expert_post"](_each([e and e.neurons for e in experts], taken, self.sizes.width, pre, up))
        out = see["expert_out"](_each([e and e.written for e in experts], taken, inputs.shape[-1], post))
        return see["expert_write"]((weights[..., None] * out).to(inputs.dtype))

    def summed(self, inputs: Float[Tensor, "batch pos d_model"]) -> Float[Tensor, "batch pos d_model"]:
        """What the MLP writes, through the points."""
        first, *others = self.weighted(inputs).unbind(-2)
        return sum(others, first)  # one after another, as Hugging Face adds them up

    def _forward(self, inputs: Tensor) -> Any:
        if not any(point._forward_hooks for point in self.points.values()):
            return self._plain(inputs)
        total = self.summed(inputs)
        return (total, None) if self._returns_pair else total

    def _weights(self, inputs: Float[Tensor, "batch pos d_model"]) -> Float[Tensor, "batch pos expert"]:
        """By what each expert's output is multiplied: 0 where it did not take the token."""
        shape, router, own_gate = inputs.shape[:-1], _router(self._module), _shared_gate(self._module)
        whole_only = router is None and self.always_whole  # nothing looks at the token to weigh anything
        flat = (inputs if whole_only else self.points["router_in"](inputs)).flatten(0, -2)
        weights = inputs.new_zeros(len(flat), self.sizes.count)
        if router is not None:
            logits, top, index = router(flat)
            self.points["router_logits"](logits.unflatten(0, shape))
            weights = weights.to(torch.promote_types(top.dtype, inputs.dtype))
            weights = weights.scatter(1, index, top.to(weights))
        if _shared(self._module) is not None:
            whole = torch.ones_like(weights[:, :1])
            own = whole if own_gate is None else own_gate(flat).sigmoid().to(weights)
            weights = torch.cat([weights[:, :-1], own], 1)
        return weights.unflatten(0, shape)


def mixture_in(block: Any) -> Mixture | None:
    """A layer's MLP as the bridge's block holds it, where it is a mixture of experts."""
    return getattr(getattr(block, "mlp", None), "__dict__", {}).get("mixture")


def mixtures_of(mlps: Iterable[Any]) -> list[Mixture]:
    """The MLPs of a model's layers as mixtures, in force from now on; none where a layer is of a kind not known here.

    Each is compared with Hugging Face's own code first, on a few vectors.
    """
    modules = [_inner(mlp) for mlp in mlps]
    routed = [experts for experts in map(_routed, modules) if experts is not None]
    if not routed or any(_routed(module) is None and _shared(module) is None for module in modules):
        return []
    shared = [_shared_expert(mlp) for mlp in map(_shared, modules) if mlp is not None]
    widths = [expert.width for expert in (*shared, *(_routed_expert(experts, 0) for experts in routed))]
    count, chosen = routed[0].num_experts, next(_inner(_router(m)).top_k for m in modules if _router(m) is not None)
    sizes = Sizes(count + bool(shared), count, chosen, max(widths))
    mixtures = [Mixture(module, sizes) for module in modules]
    if not all(map(_agrees, mixtures)):
        return []
    for mixture in mixtures:
        mixture.take_over()
    return mixtures


def _agrees(mixture: Mixture) -> bool:
    matrix = next(expert for expert in mixture.experts() if expert).pre.matrix
    inputs = torch.arange(4 * len(matrix), device=matrix.device).cos().view(2, 2, -1).to(matrix)
    with torch.no_grad():
        plain, apart = mixture.plain(inputs), mixture.summed(inputs)
    bound = _AGREES.get(inputs.dtype, 0.05) * plain.abs().max()
    return plain.shape == apart.shape and bool((plain - apart).abs().max() <= bound)


def _inner(module: Any) -> Any:
    """Hugging Face's module, of what may be the bridge's around it."""
    while isinstance(getattr(module, "original_component", None), nn.Module):
        module = module.original_component
    return module


def _router(module: nn.Module) -> Any:
    routers = (getattr(module, name, None) for name in ("gate", "router"))
    return next((router for router in routers if hasattr(_inner(router), "top_k")), None)


def _routed(module: nn.Module) -> Any:
    """The routed experts, where they are two maps with a gate between them and one more behind it."""
    experts = _inner(getattr(module, "experts", None))
    both = (getattr(experts, name, None) for name in ("gate_up_proj", "down_proj"))
    known = all(isinstance(weights, Tensor) and weights.dim() == 3 for weights in both)
    known = known and getattr(experts, "has_gate", False) and not getattr(experts, "has_post_expert_norm", False)
    return experts if known and _router(module) is not None else None


def _shared(module: nn.Module) -> Any:
    """The shared expert, or the MLP itself where it is a plain gated one."""
    parts = (module, *(getattr(module, name, None) for name in ("shared_expert", "shared_experts", "shared_mlp")))
    return next((_inner(part) for part in parts if hasattr(_inner(part), "gate_proj")), None)


def _shared_gate(module: nn.Module) -> Any:
    """What weighs the shared expert, where something does."""
    return getattr(module, "shared_expert_gate", None)


def _routed_expert(experts: Any, index: int) -> Expert:
    def weights(name: str) -> Linear:
        matrix, bias = getattr(experts, name)[index].detach(), getattr(experts, f"{name}_bias", None)
        return Linear(matrix if experts.is_transposed else matrix.T, None if bias is None else bias[index].detach())

    def gate(pre: Tensor, up: Tensor) -> Tensor:
        apart = experts.is_concatenated
        return experts._apply_gate(torch.cat([pre, up], -1) if apart else torch.stack([pre, up], -1).flatten(-2))

    (matrix, bias), out = weights("gate_up_proj"), weights("down_proj")
    half = len(out.matrix)
    parts = (slice(half), slice(half, None)) if experts.is_concatenated else (slice(0, None, 2), slice(1, None, 2))
    pre, up = (Linear(matrix[:, part], None if bias is None else bias[part]) for part in parts)
    return Expert(pre, up, gate, out)


def _shared_expert(mlp: Any) -> Expert:
    pre, up, out = (linear_of(getattr(mlp, name)) for name in ("gate_proj", "up_proj", "down_proj"))
    return Expert(pre, up, lambda pre, up: mlp.act_fn(pre) * up, out)


def _each(
    functions: Sequence[Callable[..., Tensor] | None],
    taken: Bool[Tensor, "batch pos expert"],
    width: int,
    *inputs: Tensor,
) -> Float[Tensor, "batch pos expert width"]:
    """Every expert's function of the tokens that it took, filled up with zeros to `width`; 0 elsewhere."""
    columns = []
    for index, function in enumerate(functions):
        where, column = taken[..., index], inputs[0].new_zeros(*taken.shape[:-1], width)
        if function is not None and where.any():
            own = (x[where] if x.dim() == taken.dim() else x[..., index, :][where] for x in inputs)
            value = function(*own)
            column[where] = nn.functional.pad(value, (0, width - value.shape[-1]))
        columns.append(column)
    return torch.stack(columns, -2)
