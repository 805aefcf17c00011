"""CKA: similarity of the streams of every two layers, within one model or between two, up to rotation and scale."""

import numpy as np
import torch
from jaxtyping import Float
from pydantic import Field
from pydantic.dataclasses import dataclass
from torch import Tensor

from interp.core.engine import engine
from interp.core.errors import OptionError
from interp.core.options import Index
from interp.core.prompts import Prompts
from interp.corpus.batches import TOKENS, batches
from interp.corpus.enough import require_tokens
from interp.corpus.kernels import FEWEST, u_centred
from interp.corpus.options import CorpusOptions, windows_of
from interp.kinds import LayerSimilarity
from interp.models.hooked import HookedModel
from interp.models.load import load
from interp.models.sites import Site


@dataclass(frozen=True)
class CkaOptions(CorpusOptions):
    """The text, the tokens of a minibatch, and a second model."""

    other: str = Field("", description="second model, with the same tokenizer; by default the same model")
    batch: int = Field(
        512, ge=FEWEST, le=TOKENS, description="minimum tokens per minibatch, if that many are run together"
    )
    skip: Index = Field(1, description="initial positions of every window to skip; the first is often an outlier")


@engine(default_prompts=windows_of)
def cka(model: HookedModel, prompts: Prompts, options: CkaOptions) -> LayerSimilarity:
    """How similar the residual streams of every two layers are, within one model or between two.

    Centred kernel alignment of the streams into every two layers, and out of the last: `layer other_layer`.

    HSIC(K, L) / √(HSIC(K, K) HSIC(L, L)) with linear kernels over tokens; each HSIC is estimated without bias in
    minibatches and averaged over them before the ratio. Every minibatch takes tokens of several windows; a window that
    comes twice counts once, since a copy is no second sample.
    Unit: 1 is the same up to rotation and scale; about 0 unrelated, and the estimate may be slightly negative.
    Conserves: the same under any rotation and scale; 1 on the diagonal of one model.
    Raises: CorpusError where fewer than four tokens are left; OptionError for another model with another tokenizer or
    a shorter context.
    Source: Nguyen et al. 2021, "Do Wide and Deep Networks Learn the Same Things?", equations 2 to 4; Song et al. 2012
    for the unbiased estimate; Székely & Rizzo 2014 for its form as a product of U-centred matrices.
    Differs: minibatches are of tokens, in float64.
    """
    other = _second(model, prompts, options) if options.other else None
    first, second = model.stream_sites(), (other or model).stream_sites()
    both, own, theirs = np.zeros((len(first), len(second))), np.zeros(len(first)), np.zeros(len(second))
    minibatches, tokens = 0, 0
    with torch.no_grad():
        for _, windows in batches(prompts[prompts.distinct()], "cka: batches of windows"):
            here = _streams(model, windows, first)
            there = None if other is None else _streams(other, windows, second)
            real_tokens = windows.mask[:, options.skip :].reshape(-1).nonzero()[:, 0]
            parts = max(1, len(real_tokens) // options.batch)
            for part in (real_tokens[start::parts] for start in range(parts)):
                if len(part) < FEWEST:
                    continue
                one = _grams(here, part, options.skip)
                two = one if there is None else _grams(there, part, options.skip)
                scale = len(part) * (len(part) - 3)
                both += (one @ two.T).cpu().numpy() / scale
                own += one.square().sum(1).cpu().numpy() / scale
                theirs += two.square().sum(1).cpu().numpy() / scale
                minibatches, tokens = minibatches + 1, tokens + len(part)
    require_tokens(tokens or len(real_tokens), options.skip, least=FEWEST)
    against = "" if other is None else f" and of {other.name}"
    return LayerSimilarity.of(
        prompts,
        {"cka": both / np.sqrt(np.outer(own, theirs))},
        measured=f"unbiased CKA of the streams into every two layers of {model.name}{against}, over {tokens:,} tokens "
        f"in {minibatches:,} minibatches",
        facts={} if other is None else {"other_model": other.name, "other_weight_hash": other.weight_hash},
    )


def _second(model: HookedModel, prompts: Prompts, options: CkaOptions) -> HookedModel:
    other = load(options.other, dtype=model.dtype, device=model.device)
    if other.tokenizer.get_vocab() != model.tokenizer.get_vocab():
        raise OptionError(
            f"cka, other = {other.name!r}: its tokens are not those of {model.name}; compare models of one tokenizer"
        )
    if prompts.width > other.context_length:
        raise OptionError(
            f"cka, other = {other.name!r}: its context is {other.context_length} tokens, not {prompts.width}; give "
            "shorter text"
        )
    return other


def _streams(model: HookedModel, windows: Prompts, places: list[Site]) -> list[Float[Tensor, "window pos d_model"]]:
    trace = model.record(windows, places)
    return [trace[site] for site in places]


def _grams(
    streams: list[Float[Tensor, "window pos d_model"]], tokens: Tensor, skip: int
) -> Float[Tensor, "layer pair"]:
    """U-centred Gram matrices of some tokens: HSIC of two layers is their product over n (n − 3)."""
    return torch.stack(
        [u_centred(stream[:, skip:].flatten(0, 1)[tokens.to(stream.device)].double()) for stream in streams]
    )
