"""The check at loading: the hooked model against the plain one, and every site against what it is said to hold.

The batch is short, so that a sliding window longer than it is not reached; nothing here knows a family by name.
"""

import warnings
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import torch
from jaxtyping import Int
from torch import Tensor
from transformers import PreTrainedModel

from interp.core.errors import ModelError
from interp.models.classifiers import CLASSIFIER
from interp.models.hooked import HookedModel
from interp.models.hooks import Hooks
from interp.models.layer_map import NORMS
from interp.models.layer_proof import (
    alone_obstacle,
    attention_obstacle,
    layers_obstacle,
    mlp_obstacle,
    readout_obstacle,
    turning_obstacle,
)
from interp.models.obstacles import Obstacles
from interp.models.share import BOUNDS, share
from interp.models.sites import SITES, Site

_EXPERTS = ("expert_out", "expert_write")
_LENGTH, _PREFIX = 12, 4  # tokens a row, and how many of them both rows begin with


@dataclass(frozen=True)
class PlainRun:
    """The loading batch and what Hugging Face's own model makes of it, before anything hooks it."""

    tokens: Int[Tensor, "batch pos"]
    logits: Tensor

    @classmethod
    def of(cls, model: PreTrainedModel, name: str) -> "PlainRun":
        """Run the plain model. Raises: ModelError if it cannot run."""
        config: Any = model.config
        length = min(_LENGTH, getattr(config, "max_position_embeddings", None) or _LENGTH)
        spread = torch.arange(2 * length) * config.vocab_size // (2 * length)
        tokens = spread.reshape(length, 2).T.clone()
        tokens[1, :_PREFIX] = tokens[0, :_PREFIX]
        tokens = tokens.to(model.device)
        try:
            with torch.no_grad():
                if type(model).__name__.endswith(CLASSIFIER):  # a causal one asks for padding to read several at once
                    return cls(tokens, torch.cat([model.eval()(row[None]).logits for row in tokens]))
                return cls(tokens, model.eval()(tokens).logits)
        except Exception as error:  # whatever an unusual checkpoint leads to
            raise ModelError(
                f"{name} ({config.model_type}) does not run in {_dtype(model)} ({_reason(error)}); try another dtype"
            ) from error


def prove(model: HookedModel, plain: PlainRun) -> Obstacles:
    """What of the hooked model cannot be read or edited as its sites say, seen in one forward and backward pass.

    Raises: ModelError where its logits are not the plain model's, or a position sees what stands after it though the
    model counts as causal.
    """
    if not plain.logits.isfinite().all():
        return Obstacles()  # nothing can be compared; engines name the site where numbers stop being finite
    watch = _Watch(model, plain.tokens)
    logits = watch.logits
    if plain.logits.dim() < logits.dim():  # of one position, as Hugging Face's causal classifiers have them
        logits = logits[range(len(logits)), list(map(model.answer_position, plain.tokens.tolist()))]
    _require_same(model, logits, plain.logits)
    _require_causal(model, watch.logits)
    obstacles = Obstacles(watch.unread | dict(_unreadable(watch)))
    model.obstacles = obstacles
    obstacles.read.update(_wrong(model, watch.values))
    obstacles.read.update(_wrong_experts(model, watch.values))
    obstacles.edit.update(watch.inert(obstacles))
    obstacles.parts.update(
        {
            "layers": layers_obstacle(model, watch.values),
            "mlp": mlp_obstacle(model, watch.values),
            "turning": turning_obstacle(model, watch.values),
            "alone": alone_obstacle(model),
            "attention": attention_obstacle(model, watch.values),
            "readout": readout_obstacle(model, watch.values, watch.logits),
            "unembedding": _unembedding(model, watch),
        }
    )
    return obstacles


@dataclass
class _Watch:
    """Every site's value on the batch, and which of them a gradient of the logits reaches."""

    model: HookedModel
    tokens: Int[Tensor, "batch pos"]
    values: dict[Site, Tensor] = field(default_factory=dict)
    logits: Tensor = field(init=False)
    unread: dict[str, str] = field(default_factory=dict)
    _broken: dict[str, str] = field(default_factory=dict)
    _used: set[Site] = field(default_factory=set)
    _leaves: list[Tensor] = field(default_factory=list)
    _last: Site | None = None

    def __post_init__(self) -> None:
        self._hooks = Hooks(self.model.bridge, self.model.architecture, self.model.weights)
        names = [name for name in SITES if name != "head_out"]
        self.sites = [site for name in names for site in self.model.sites(name) if site in self._hooks]
        while not self._try_once():
            pass
        weights = torch.arange(self.logits.numel()).cos().view_as(self.logits).to(self.logits)
        if self.logits.requires_grad:
            torch.autograd.grad(
                self.logits, self._leaves, weights, allow_unused=True
            )  # in a block without gradients too
        self.logits = self.logits.detach()

    def _try_once(self) -> bool:
        """Run once; where what stands at a site breaks the model, say so and leave that site alone."""
        self.values.clear()
        self._leaves.clear()
        self._last = None
        try:
            with torch.enable_grad(), ExitStack() as stack:
                for site in self.sites:
                    stack.enter_context(self._hooks.at(site, lambda value, site=site: self._see(site, value)))
                self.logits = self._run()
        except Exception as error:
            last = self._last and self._last.name
            if last is None or last in self.unread:
                raise ModelError(
                    f"{self.model.name} ({self.model.config.model_type}) does not run with hooks in it "
                    f"({_reason(error)}); {_remedy(self.model)}"
                ) from error
            if last not in self._broken:
                self._broken[last] = f"breaks when {last} is edited ({_reason(error)})"
            else:
                self.unread[last] = f"breaks when {last} is read ({_reason(error)})"
                self.sites = [site for site in self.sites if site.name != last]
            return False
        return True

    def _run(self) -> Tensor:
        return self.model.bridge(self.tokens, **({"use_cache": False} if self.model.is_causal else {}))

    def _see(self, site: Site, value: Any) -> Tensor | None:
        self._last = site
        if not isinstance(value, Tensor):
            return None
        self.values[site] = value.detach()
        if site.name in self._broken or site.name.endswith("_scale"):  # what norms divide by they take no gradient of
            return None
        if value.requires_grad:
            value = value.view_as(value)
        else:
            value = value.detach().requires_grad_()
            self._leaves.append(value)
            value = value.clone()
        # Called where the logits are computed from this, be it with weights that are 0.
        value.register_hook(lambda gradient: self._used.add(site))
        return value

    def inert(self, obstacles: Obstacles) -> Iterator[tuple[str, str]]:
        """The names of sites whose edits change nothing or break the model; what no gradient reaches is edited."""
        names: set[str] = set()
        for site in self.values:
            if site in self._used or site.name in names or site.name in obstacles.read:
                continue
            names.add(site.name)
            reason = self._broken.get(site.name) or self._edit_obstacle(site)
            if reason:
                yield site.name, reason

    def _edit_obstacle(self, site: Site) -> str | None:
        norm = NORMS.get(site.name.removesuffix("_scale"))
        run, after = self._run, self.logits
        if norm and Site(norm.before, site.layer) in self.values:  # what the norm makes moves the logits
            before = self.values[Site(norm.before, site.layer)]
            module, probe = self.model.weights.hooked_norm(norm.name, site.layer), before + _like(before)
            run = partial(module, probe)
        try:
            with torch.no_grad(), warnings.catch_warnings(action="ignore"):  # the bridge tells of its edits
                after = run() if norm else after
                change = (lambda value: value * 1.5) if norm else lambda value: value * 1.5 + _like(value)
                with self._hooks.at(site, change):
                    result = run()
        except Exception as error:
            return f"breaks when {site.name} is edited ({_reason(error)})"
        same = share(result, after) <= torch.finfo(after.dtype).eps
        return f"ignores edits of {site.name}, which can only be read" if same else None


def _unreadable(watch: _Watch) -> Iterator[tuple[str, str]]:
    """Names whose hook does not fire in every layer, or holds something of another shape than its axes."""
    batch, pos = watch.tokens.shape
    sizes = {"batch": batch, "pos": pos, "query_pos": pos, "key_pos": pos, "one": 1, **watch.model.dims.axes}
    for name in sorted({site.name for site in watch.sites}):
        axes = SITES[name].axes.split()
        values = [watch.values.get(site) for site in watch.model.sites(name)]
        if all(value is None for value in values):
            yield name, f"has no {name}: its hook never fires"
            continue
        for layer, value in enumerate(values):
            if value is None:
                yield str(Site(name, layer)), f"has no {name} in layer {layer}"
            elif value.dim() != len(axes) or any(
                size != sizes.get(axis, size) for axis, size in zip(axes, value.shape, strict=True)
            ):
                yield name, f"has no {name}: what is there is {tuple(value.shape)}, not {' × '.join(axes)}"


def _wrong(model: HookedModel, values: dict[Site, Tensor]) -> Iterator[tuple[str, str]]:
    """Names of readable sites that do not hold what they say."""
    for layer in range(model.dims.layers):
        here = {name: values[Site(name, layer)] for name in ("scores", "pattern", "z", "attn_out") if model.has(name)}
        pattern, tolerance = here.get("pattern"), BOUNDS[model.dtype]
        if pattern is not None:
            total = pattern.float().sum(-1)
            if (total - 1).abs().max() > tolerance:
                yield "pattern", f"has no pattern whose rows sum to 1 (they sum to {total.min():.3g} and more)"
            if model.is_causal and pattern.triu(1).any():
                yield "pattern", "has no pattern: what is there looks ahead"
            scores = here.get("scores")
            if scores is not None and share(scores.softmax(-1), pattern) > tolerance:
                yield "scores", "has no scores: the softmax of what is there is not the pattern"
        z, out = here.get("z"), here.get("attn_out")
        if z is None or out is None:
            continue
        heads = model.weights.head_outputs(layer, z).sum(2) + model.weights.output_bias(layer)
        if share(heads, out) > tolerance:
            yield "z", "has no z: heads times W_O do not sum to what attention writes"


def _wrong_experts(model: HookedModel, values: dict[Site, Tensor]) -> Iterator[tuple[str, str]]:
    """Names of experts' sites that do not hold what they say: what Hugging Face's own code makes of the same input."""
    for layer in range(model.dims.layers if model.dims.experts else 0):
        router, out, write, total = (values[Site(name, layer)] for name in ("router", *_EXPERTS, "mlp_out"))
        if share(router[..., None] * out, write) > BOUNDS[model.dtype]:
            yield "router", "has no router: what is there times the experts' outputs is not what they write"
        again = [write.sum(-2)]
        if Site(model.layer_map.mlp.reads, layer) in values:
            again.append(model.weights.mlp(layer, values[Site(model.layer_map.mlp.reads, layer)]))
        if max(share(each, total) for each in again) > BOUNDS[model.dtype]:
            yield "expert_write", "has no expert_write: the experts do not sum to what the MLP writes"


def _unembedding(model: HookedModel, watch: _Watch) -> str | None:
    """Why final norm and unembedding are not all that the model does with its last layer; None if they are."""
    if model.pools:
        return "is a classifier, whose head pools: it has no unembedding to decode a layer with"
    if not model.has("resid_post"):
        return "has no resid_post"
    try:
        with torch.no_grad():
            again = model.unembed(watch.values[Site("resid_post", model.dims.layers - 1)])
    except Exception:  # a family without a final norm, or of another width there
        again = None
    if again is not None and share(again, watch.logits) <= BOUNDS[model.dtype]:
        return None
    return "applies more or less than the final norm and the unembedding to its last layer"


def _require_same(model: HookedModel, logits: Tensor, plain: Tensor) -> None:
    if logits.shape == plain.shape and (apart := share(logits, plain)) <= BOUNDS[model.dtype]:
        return
    size = f"by {apart:.2g} of their size" if logits.shape == plain.shape else "in shape"
    raise ModelError(
        f"{model.name} ({model.config.model_type}) cannot be hooked exactly in {_dtype(model)}: its logits differ "
        f"from Hugging Face's {size}; {_remedy(model)}"
    )


def _require_causal(model: HookedModel, logits: Tensor) -> None:
    if not model.is_causal or logits.dim() < 3:
        return
    first, second = logits[:, :_PREFIX]
    if share(first, second) > BOUNDS[model.dtype]:
        raise ModelError(
            f"{model.name} ({model.config.model_type}) lets a position see what stands after it, which only BERT's "
            "family may; choose a causal model"
        )


def _like(value: Tensor) -> Tensor:
    """Numbers of the size of 1 that no norm undoes."""
    return torch.arange(value.numel(), device=value.device).cos().view_as(value).to(value)


def _remedy(model: HookedModel) -> str:
    other = "choose a model of another family or configuration"
    return f"load it in float32, or {other}" if model.dtype.itemsize < 4 else other


def _dtype(model: Any) -> str:
    return str(model.dtype).removeprefix("torch.")


def _reason(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return f"{type(error).__name__}: {lines[0][:200]}" if lines else type(error).__name__
