"""Head text spans: each head named by the vocabulary directions along which its output varies."""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from pydantic import Field
from pydantic.dataclasses import dataclass as options_dataclass
from torch import Tensor

from interp.core.engine import engine
from interp.core.options import Count, Index
from interp.core.progress import track
from interp.core.prompts import Prompts
from interp.corpus.enough import require_tokens
from interp.corpus.gathering import gather
from interp.corpus.options import CorpusOptions, windows_of
from interp.corpus.sums import Sums, Totals
from interp.decomposition.linear_readout import parts_obstacle
from interp.kinds import TextSpans
from interp.models.edits import Edit
from interp.models.hooked import HookedModel
from interp.models.sites import Site
from interp.patterns.naming import heads_named
from interp.patterns.spans import Spans, spans

SMALLEST = 1e-10  # variance, as a share of the largest, that is more than rounding


@options_dataclass(frozen=True)
class HeadTextSpansOptions(CorpusOptions):
    """The text, which heads, and how many tokens name one."""

    heads: tuple[str, ...] = Field((), description="heads that are named, such as 23.3; by default all of them")
    skip: Index = Field(1, description="initial positions of every window to skip; the first is often an outlier")
    top: Count = Field(8, description="tokens for each head", le=1000)


@dataclass(frozen=True)
class HeadOutputSums:
    """Second moments of every head's weighted values z: Σzzᵀ (layer × head × d_head × d_head), Σz; and `tokens`."""

    skip: int = 1
    name: str = "head-text-spans"

    def settings(self) -> dict[str, int | float | str]:
        """What distinguishes these sums from others."""
        return {"skip": self.skip}

    def measure(self, model: HookedModel, windows: Prompts, first: int, into: Totals | None = None) -> Sums:
        """The sums of some windows."""
        dims, mask = model.dims, windows.mask[:, self.skip :].to(model.device)
        totals = into or {
            "zz": np.zeros((dims.layers, dims.heads, dims.d_head, dims.d_head)),
            "z": np.zeros((dims.layers, dims.heads, dims.d_head)),
            "tokens": np.asarray(0),
        }
        totals["tokens"] += int(mask.sum())

        def add(layer: int, z: Float[Tensor, "window pos head d_head"]) -> None:
            rows = z[:, self.skip :][mask].double()
            totals["zz"][layer] += torch.einsum("thd,the->hde", rows, rows).cpu().numpy()
            totals["z"][layer] += rows.sum(0).cpu().numpy()

        edits = [Edit.through(site, lambda z, at=at: add(at, z)) for at, site in enumerate(model.sites("z"))]
        model.record(windows, edits=edits)
        return Sums(totals)


def _obstacle(model: HookedModel) -> str | None:
    part = model.layer_map.attention
    if part.norm_after or part.norm_on_sum:
        return "it has a norm behind attention, whose divisor changes from token to token what a head writes"
    if model.is_classifier:
        return "it answers with classes, and no direction of its stream stands for a token"
    return parts_obstacle(model) or model.site_obstacle(Site("z", 0))


@engine(obstacle=_obstacle, default_prompts=windows_of)
def head_text_spans(model: HookedModel, prompts: Prompts, options: HeadTextSpansOptions) -> TextSpans:
    """Each head named by the vocabulary directions that explain most of how its output varies.

    Greedily: the token whose direction explains most variance of the head's output, which is then projected out of
    outputs and directions alike, and again: `component rank`.

    A token's direction is what raises its logit in the stream: its column of the unembedding through the final norm's
    gain, less the mean over the vocabulary, which no probability sees. Compared with the same search after a random
    rotation of the head's output, and with its principal directions.
    Unit: share of the variance of the head's output over tokens.
    Raises: CorpusError where fewer than two tokens are left; OptionError for a head that the model lacks.
    Source: Gandelsman, Efros & Steinhardt 2024, "Interpreting CLIP's Image Representation via Text-Based
    Decomposition", algorithm 1.
    Differs: language models, every position of a text, and the whole vocabulary as the pool of texts; directions are
    of unit length at every step, so that the choice is by explained variance alone.
    """
    heads = heads_named("head-text-spans", model, options.heads)
    totals = gather(model, prompts, HeadOutputSums(options.skip)).totals
    tokens = int(totals["tokens"])
    require_tokens(tokens, options.skip, least=2)
    directions = token_directions(model)
    rotation = _rotation(len(directions), options.seed).to(directions)
    values = {name: np.full((len(heads), options.top), np.nan) for name in TextSpans.variables if name != "token"}
    names = np.full((len(heads), options.top), "", dtype=object)
    for row, (layer, head) in enumerate(track(heads, len(heads), "naming heads")):
        mean, factor = _moments(totals, layer, head, tokens)
        write = model.weights.output(layer)[head].to(directions)
        mean, factor = (torch.from_numpy(each).to(directions) @ write for each in (mean, factor))
        span = spans(factor, directions, options.top)
        random = spans(factor @ rotation, directions, options.top)
        best = torch.linalg.svdvals(factor.double()).square().cumsum(0)[: options.top].cpu().numpy()
        _fill(values, row, span, random, best, mean)
        names[row, : len(span.tokens)] = [model.token_label(token) for token in span.tokens]
    return TextSpans.of(
        prompts,
        {"token": names.astype(str)} | values,
        measured=f"tokens whose directions explain the variance of each head's output, over {tokens:,} tokens",
        component=[f"a{layer}.{head}" for layer, head in heads],
        layer=("component", [layer for layer, _ in heads]),
        head=("component", [head for _, head in heads]),
    )


def token_directions(model: HookedModel) -> Float[Tensor, "d_model vocab"]:
    """The unit direction of the stream that raises each token's logit against the others, norms' divisors aside."""
    directions = model.weights.unembedding()
    directions = directions.to(torch.promote_types(directions.dtype, torch.float32))
    if model.has("ln_final_scale"):
        gain, _ = model.weights.norm("ln_final", None)
        directions = directions * gain.to(directions)[:, None]
    directions = model.centred(directions.T).T
    directions = directions - directions.mean(1, keepdim=True)
    return directions / directions.norm(dim=0).clamp(min=torch.finfo(directions.dtype).tiny)


def _rotation(width: int, seed: int) -> Float[Tensor, "d_model d_model"]:
    """A random rotation of the stream: it leaves alone how much and in how many directions a head's output varies."""
    normal = np.random.default_rng(seed).normal(size=(width, width))
    return torch.from_numpy(np.linalg.qr(normal)[0])


def _moments(totals: dict[str, np.ndarray], layer: int, head: int, tokens: int) -> tuple[np.ndarray, np.ndarray]:
    """The mean of z, and a matrix F with FᵀF = its covariance."""
    mean = totals["z"][layer, head] / tokens
    values, vectors = np.linalg.eigh(totals["zz"][layer, head] / tokens - np.outer(mean, mean))
    scale = totals["zz"][layer, head].trace() / tokens
    values = np.where(values > SMALLEST * max(scale, np.finfo(float).tiny), values, 0)
    return mean, np.sqrt(values)[:, None] * vectors.T


def _fill(values: dict[str, np.ndarray], row: int, span: Spans, random: Spans, best: np.ndarray, mean: Tensor) -> None:
    if not span.total:
        return
    count = len(span.tokens)
    values["explained"][row, :count] = np.cumsum(span.variances) / span.total
    values["random_explained"][row, : len(random.tokens)] = np.cumsum(random.variances) / span.total
    values["best_explained"][row, : len(best)] = best / span.total
    values["mean"][row, :count] = (span.directions @ mean).double().cpu().numpy()
    values["sd"][row, :count] = np.sqrt(span.variances)
