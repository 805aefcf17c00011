"""The hooked model: a small facade over transformer-lens' TransformerBridge."""

import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import cached_property
from typing import Any, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor
from transformers import Cache
from transformers.activations import ACT2FN

from interp.core.errors import ModelError, PromptError, SiteError
from interp.core.metric import Metric
from interp.core.prompts import PromptPairs, Prompts
from interp.models.architectures import Architecture
from interp.models.attention import PAIRINGS, Pairing, rotate
from interp.models.classifiers import CLASSIFIER
from interp.models.dims import dims_of
from interp.models.edits import Edit
from interp.models.encoders import ENCODERS
from interp.models.finite_weights import largest_parameter
from interp.models.forward import inputs_of
from interp.models.hashing import hash_of_parameters
from interp.models.hooks import Hooks
from interp.models.memory import require_memory
from interp.models.obstacles import Obstacles, Part
from interp.models.sites import SITES, Site
from interp.models.text import (
    encode_beginning,
    encode_continuation,
    encode_prompt,
    mask_positions,
    require_inputs,
    token_label,
    token_labels,
)
from interp.models.weights import Linear, Weights

Text = str | Sequence[str] | Prompts


class Trace(dict[Site, Tensor]):
    """What a run recorded: a tensor for each site asked for, and the logits.

    `logits` is `batch pos vocab`; `batch vocab` where only the answer was asked for, and for a classifier.
    """

    logits: Tensor


class HeadLayer(NamedTuple):
    """What some models answer through: a dense layer, whose output is the site `pre`, and the nonlinearity behind."""

    pre: Site
    post: Site
    linear: Linear
    activation: Callable[[Tensor], Tensor]


class HookedModel:
    """A model whose insides can be read and edited by name.

    Every run holds the model's lock, so threads never see each other's edits; every hook is gone when a run or a
    `with model.edited(...)` block ends, however it ends. Weights take no gradient.
    """

    def __init__(self, bridge: Any, tokenizer: Any, architecture: Architecture, name: str) -> None:
        self.bridge = bridge
        self.tokenizer = tokenizer
        self.architecture = architecture
        self.layer_map = architecture.layer_map
        self.name = name
        self.config = bridge.original_model.config
        self._lock = threading.RLock()
        self.dims = dims_of(bridge, tokenizer)
        self.weights = Weights(bridge, architecture, self.dims.heads, self.dims.d_head)
        self._hooks = Hooks(bridge, architecture, self.weights)
        self.obstacles = Obstacles()
        self.pairing: Pairing = PAIRINGS[0]

    # What the model is

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        return next(self.bridge.original_model.parameters()).device

    @property
    def dtype(self) -> torch.dtype:
        """The weights' precision."""
        return next(self.bridge.original_model.parameters()).dtype

    @property
    def vocabulary_size(self) -> int:
        """How many tokens it knows."""
        return self.dims.vocab

    @property
    def context_length(self) -> int:
        """The most tokens that it reads at once."""
        return self.dims.context

    @property
    def is_classifier(self) -> bool:
        """Whether it answers with classes rather than tokens."""
        return self.config.architectures[0].endswith(CLASSIFIER)

    @property
    def pools(self) -> bool:
        """Whether its head reads one position alone, so that its logits have no axis of positions (BERT's classes)."""
        return type(self.bridge.original_model).__name__.endswith(CLASSIFIER)

    @property
    def is_causal(self) -> bool:
        """Whether a position sees only what stands before it."""
        return self.architecture.causal

    @property
    def program(self) -> str | dict[str, Any]:
        """The program that it is compiled from: by name, or its RASP with vocabulary and length; empty for others."""
        return getattr(self.config, "program", "")

    @property
    def rotates(self) -> bool:
        """Whether positions turn queries and keys."""
        config = self.config
        has = any(getattr(config, name, None) for name in ("rope_parameters", "rotary_dim"))
        return has and not getattr(config, "alibi", False)

    @property
    def head_layer(self) -> HeadLayer | None:
        """The dense layer and nonlinearity between a BERT's stream and its classes, or its final norm."""
        if self.pools:
            activation = ACT2FN[ENCODERS[type(self.bridge.original_model).__name__].activation]
            return HeadLayer(Site("pooler_pre"), Site("pooler_post"), self.weights.pooler(), activation)
        if self.has("mlm_pre"):
            return HeadLayer(Site("mlm_pre"), Site("mlm_post"), self.weights.mlm_transform(), self.weights.activation)
        return None

    @property
    def class_names(self) -> tuple[str, ...]:
        """A classifier's classes; empty for a language model."""
        return tuple(self.config.id2label.values()) if self.is_classifier else ()

    @property
    def weight_hash(self) -> str:
        """A hash of every parameter, for provenance; computed once."""
        return self._weight_hash

    @cached_property
    def _weight_hash(self) -> str:
        return hash_of_parameters(self.bridge.original_model)

    @property
    def largest_weight(self) -> tuple[str, float]:
        """The parameter with the largest number, or the first one that is not finite, and that number."""
        return largest_parameter(self.bridge.original_model)

    def __repr__(self) -> str:
        d = self.dims
        return f"HookedModel({self.name!r}: {d.layers} layers, {d.heads} heads, {d.kv_heads} KV, d_model {d.d_model})"

    # Text

    def encode(self, text: str) -> list[int]:
        """Token ids of a whole prompt, with the special tokens that the model expects, each only once if typed.

        A causal language model reads on where the text ends: a token that ends texts is not added to it.
        Raises: PromptError for a word that a compiled program answers with, and does not read.
        """
        continues = self.is_causal and not self.is_classifier
        tokens = (encode_beginning if continues else encode_prompt)(self.tokenizer, text)
        if self.program:
            require_inputs(self.tokenizer, tokens, self._outputs, self.name)
        return tokens

    @cached_property
    def _outputs(self) -> frozenset[int]:
        """The tokens of a compiled program that it only answers with: they embed as zero."""
        embedded = self.weights.embedding(torch.arange(self.vocabulary_size, device=self.device))
        return frozenset((embedded == 0).all(-1).nonzero().flatten().tolist())

    def encode_continuation(self, text: str) -> list[int]:
        """Token ids of text that stands after a prompt: no special tokens, a leading space counted once."""
        return encode_continuation(self.tokenizer, text)

    def token_label(self, token: int) -> str:
        """One token as a person reads it, with its leading space; never empty."""
        return token_label(self.tokenizer, token)

    def answer_label(self, answer: int) -> str:
        """What one number of a row of logits is for: a token, or a classifier's class."""
        return self.class_names[answer] if self.is_classifier else self.token_label(answer)

    def token_labels(self, tokens: Sequence[int]) -> list[str]:
        """The labels of tokens that follow one another: one that completes a character shows it."""
        return token_labels(self.tokenizer, tokens)

    def answer_position(self, tokens: Sequence[int]) -> int:
        """Where the answer to a prompt is read: at the last token, a masked model's mask, what a classifier pools.

        A causal classifier passes over padding tokens at the end. Raises: PromptError if a masked language model's
        prompt has no mask, or several.
        """
        if self.pools:
            return 0
        if self.is_classifier:
            padding = self.config.pad_token_id
            return max((place for place, token in enumerate(tokens) if token != padding), default=0)
        if self.is_causal or self.tokenizer.mask_token is None:
            return len(tokens) - 1
        places = mask_positions(self.tokenizer, tokens)
        if len(places) != 1:
            raise PromptError(
                f"{self.name} predicts one {self.tokenizer.mask_token}, but the prompt has {len(places)}; write "
                "exactly one"
            )
        return places[0]

    # Sites

    def site_obstacle(self, site: Site) -> str | None:
        """Why `site` cannot be read on this model; None if it can."""
        spec = SITES.get(site.name)
        if spec is None:
            return f"there is no site {site.name!r}; choose one of {', '.join(SITES)}"
        if spec.per_layer and (site.layer is None or not 0 <= site.layer < self.dims.layers):
            return f"{site.name} needs a layer from 0 to {self.dims.layers - 1}, not {site.layer}"
        name = "z" if site.name == "head_out" else site.name
        for key in (name, str(site._replace(name=name))):
            if key in self.obstacles.read:
                return self._says(self.obstacles.read[key])
        if site._replace(name=name) not in self._hooks:
            return self._says(f"has no {name}")
        return None

    def edit_obstacle(self, site: Site) -> str | None:
        """Why an edit of `site` would not do what it says on this model; None if it would."""
        name = "attn_out" if site.name == "head_out" else site.name
        reason = self.obstacles.edit.get(name)
        if reason:
            return self._says(reason)
        return self.site_obstacle(site) or self.site_obstacle(site._replace(name=name))

    def obstacle(self, *parts: Part) -> str | None:
        """Why something in these parts of it cannot be computed again from sites and weights; None if all can."""
        reason = next(filter(None, map(self.obstacles.parts.get, parts)), None)
        return self._says(reason) if reason else None

    def _says(self, reason: str) -> str:
        return f"{self.name} ({self.architecture.family}) {reason}"

    def sites(self, name: str) -> list[Site]:
        """The named site in every layer, or the one there is."""
        if name in SITES and not SITES[name].per_layer:
            return [Site(name)]
        return [Site(name, layer) for layer in range(self.dims.layers)]

    def stream_sites(self) -> list[Site]:
        """The residual stream into every layer, and out of the last one."""
        return [*self.sites("resid_pre"), Site("resid_post", self.dims.layers - 1)]

    def score_site(self, name: str) -> str:
        """Where queries (`q`) or keys (`k`) are as scores multiply them: behind norm and rotation, if there are any."""
        return next((site for site in (f"rot_{name}", f"{name}_norm_out") if self.has(site)), name)

    def has(self, name: str) -> bool:
        """Whether the named site can be read, in every layer."""
        return not any(map(self.site_obstacle, self.sites(name)))

    # Running

    def prompts(self, prompts: Text) -> Prompts:
        """Text as prompts. Raises: PromptError for what is neither, and for pairs, of which a run reads one side."""
        if isinstance(prompts, PromptPairs):
            raise PromptError("a run reads one prompt, not a pair; give `pairs.clean` or `pairs.corrupted`")
        return prompts if isinstance(prompts, Prompts) else Prompts.of(self, prompts)

    def run(
        self,
        prompts: Text,
        *,
        record: Iterable[Site] = (),
        edits: Iterable[Edit] = (),
        answer: Metric | None = None,
        start: tuple[int, Float[Tensor, "batch pos d_model"]] | None = None,
        without: Iterable[int] = (),
        cache: Cache | None = None,
    ) -> Trace:
        """Run the model once, recording and editing at sites; what is recorded shows the edits of its own site.

        With `answer`, only the logits at the metric's answer positions are computed (`batch vocab`). With `start`, a
        layer and the stream into it (`resid_pre`, one row or one a prompt), the layers below are not run again. The
        layers `without` pass their input on. Of causal models, `cache` holds the keys and values of what stands before.
        Raises: SiteError for a site that the model lacks or whose edit it would ignore; MemoryLimitError.
        """
        prompts = self.prompts(prompts)
        trace, record = Trace(), list(record)
        for site in record:
            self._require(self.site_obstacle(site))
        require_memory(self, prompts, record, logits_at=prompts.width if answer is None else 1)
        with self._lock, ExitStack() as stack:
            stack.enter_context(self._hooks.passed_over({*without, *range(start[0] if start else 0)}))
            if start is not None:  # before the edits, which change the stream that it puts in
                stack.enter_context(self._hooks.at(Site("resid_pre", start[0]), start[1].expand_as))
            stack.enter_context(self.edited(edits))
            for site in record:
                stack.enter_context(self._hooks.recorded(site, trace))
            if answer is not None and answer.positions is not None:
                stack.enter_context(self._hooks.at(Site("unembed_in"), lambda x: answer.at_answer(x).unsqueeze(1)))
            trace.logits = self._forward(prompts, cache)
            if answer is not None and answer.positions is not None:
                trace.logits = trace.logits[:, 0]
        return trace

    def record(
        self, prompts: Text, sites: Iterable[Site] = (), *, edits: Iterable[Edit] = (), cache: Cache | None = None
    ) -> Trace:
        """Run the model once for what its sites hold: as far as the last of them. The logits are not to be read.

        Raises: SiteError for a site that the model lacks.
        """
        prompts, sites, edits = self.prompts(prompts), list(sites), list(edits)
        layers = [site.layer for site in (*sites, *(edit.site for edit in edits))]
        first = Metric.reading((0,) * len(prompts), pooled=self.pools)
        last = self.dims.layers if None in layers or not layers else max(filter(None, layers), default=0)
        with self._lock, self._hooks.passed_over(range(last + 1, self.dims.layers)):
            return self.run(prompts, record=sites, edits=edits, answer=first, cache=cache)

    def vectors(self, prompts: Text, site: Site) -> Float[Tensor, "batch pos width"]:
        """What a site holds, one vector a position (heads side by side), without gradients; no layer above it runs."""
        with torch.no_grad():
            return self.record(prompts, [site])[site].flatten(2)

    def logits(self, prompts: Text) -> Tensor:
        """Logits of a plain run: `batch pos vocab`, or `batch class` where a head pools; a classifier's are classes."""
        return self.run(prompts).logits

    @contextmanager
    def edited(self, edits: Iterable[Edit]) -> Iterator[None]:
        """Hold the model with `edits` in force; other threads wait. The model is restored however the block ends."""
        edits = list(edits)
        for edit in edits:
            self._check_edit(edit)
        with self._lock, self._hooks.edited(edits):
            yield

    def _forward(self, prompts: Prompts, cache: Cache | None) -> Tensor:
        inputs = inputs_of(prompts, self.bridge, self.device, cache, causal=self.is_causal)
        return self.bridge(prompts.tokens.to(self.device), **inputs)

    @staticmethod
    def _require(obstacle: str | None) -> None:
        if obstacle is not None:
            raise SiteError(obstacle)

    def _check_edit(self, edit: Edit) -> None:
        self._require(self.edit_obstacle(edit.site))
        for what, places, names in (("heads", edit.head, {"head", "kv_head"}), ("experts", edit.expert, {"expert"})):
            axes = names & set(SITES[edit.site.name].axes.split())
            limit = max((self.dims.axes[axis] for axis in axes), default=0)
            wanted = [] if places is None else [places] if isinstance(places, int) else list(places)
            wrong = [place for place in wanted if not 0 <= place < limit]
            if wrong:
                there = f"{what} 0 to {limit - 1}" if limit else f"no {what}"
                raise SiteError(f"{edit.site} has {there}, not {wrong[0]}")

    # Reading vectors as the model would

    def centred(self, vectors: Float[Tensor, "... d_model"]) -> Float[Tensor, "... d_model"]:
        """Without their mean, which no LayerNorm lets pass; as they are where norms do not centre."""
        return vectors - vectors.mean(-1, keepdim=True) if self.architecture.norm == "layer" else vectors

    def rotated(self, heads: Float[Tensor, "batch pos head d_head"], cos: Tensor, sin: Tensor) -> Tensor:
        """Queries or keys turned as the model turns them, by the sites `rot_cos` and `rot_sin`."""
        return rotate(heads, cos, sin, self.pairing)

    def unembed(self, stream: Float[Tensor, "... d_model"]) -> Float[Tensor, "... vocab"]:
        """Read a residual stream as the model's last layer is read: final norm (or MLM head), unembedding, soft cap.

        A causal classifier's gives classes. Raises: ModelError for a head that pools.
        """
        if self.pools:
            raise ModelError(f"{self.name} is a classifier whose head pools; no layer of it can be decoded")
        with self._lock:
            if self.head_layer is not None:
                stream = self.head_layer.activation(self.bridge.mlm_head(stream))
            logits = self.bridge.unembed(self.bridge.ln_final(stream) if "ln_final" in self.bridge._modules else stream)
        return self.capped(logits)

    def capped(self, logits: Tensor) -> Tensor:
        """Under the soft cap that some families (Gemma 2) put on logits."""
        cap = getattr(self.config, "final_logit_softcapping", None)
        return logits if cap is None else cap * (logits / cap).tanh()
