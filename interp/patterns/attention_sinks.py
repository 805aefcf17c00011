"""Attention sinks: attention on the first token, massive activations, and the loss without them."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Float
from pydantic import Field
from pydantic.dataclasses import dataclass as options_dataclass
from torch import Tensor

from interp.core.engine import engine
from interp.core.intervals import with_interval
from interp.core.options import Fraction, Index
from interp.core.prompts import Prompts
from interp.corpus.gathering import Gathered, gather
from interp.corpus.losses import window_losses
from interp.corpus.options import CorpusOptions, windows_of
from interp.corpus.sums import Sums, Totals
from interp.kinds import AttentionSinks
from interp.models.edits import Edit
from interp.models.hooked import HookedModel
from interp.patterns.watching import Pattern, Seen, mean_over_queries, pattern_obstacle, queries_from, read_patterns

_LISTED = 8  # largest activations that a window tells of each stream


@options_dataclass(frozen=True)
class AttentionSinksOptions(CorpusOptions):
    """The text, what counts as a sink, and what as a massive activation."""

    first_query: Index = Field(16, description="first query that counts; sinks are sought up to its position")
    epsilon: Fraction = Field(0.3, description="mean attention above which a head counts as one with a sink")
    least: float = Field(100, ge=0, le=1e9, description="absolute value above which an activation can be massive")
    ratio: float = Field(1000, ge=0, le=1e9, description="times the median of the stream that it must exceed too")
    top: int = Field(3, ge=1, le=_LISTED, description="places listed of each stream")


@dataclass(frozen=True)
class Massive:
    """What a massive activation is: above `least`, and above `ratio` times the median of its window's stream."""

    least: float
    ratio: float

    def places(
        self, stream: Float[Tensor, "window pos d_model"], mask: Bool[Tensor, "window pos"]
    ) -> Bool[Tensor, "window pos d_model"]:
        """Where they stand."""
        size, median = stream.abs(), medians(stream, mask)[:, None, None]
        return (size > self.least) & (size > self.ratio * median) & mask[:, :, None]


def medians(stream: Float[Tensor, "window pos d_model"], mask: Bool[Tensor, "window pos"]) -> Float[Tensor, "window"]:
    """The median absolute value of each window's stream, padding left out."""
    rows = zip(stream.abs(), mask, strict=True)
    return torch.stack([row[there].median() for row, there in rows])


@dataclass(frozen=True)
class SinkSums:
    """Attention on the first positions, and the largest activations of every stream, by window.

    Rows a window: `attention` (layer, head, key), `uniform` (layer), `activation` and `place` (stream, rank; the place
    is position · d_model + dimension), `median` (stream). Totals of massive activations by stream and dimension:
    `sum` and `count`.
    """

    first_query: int
    massive: Massive
    name: str = "attention-sinks"

    def settings(self) -> dict[str, int | float | str]:
        """What distinguishes these sums from others."""
        return {"first_query": self.first_query, "least": self.massive.least, "ratio": self.massive.ratio}

    def measure(self, model: HookedModel, windows: Prompts, first: int, into: Totals | None = None) -> Sums:
        """The sums of some windows."""
        count, layers, heads, width = len(windows), model.dims.layers, model.dims.heads, model.dims.d_model
        mask = windows.mask.to(model.device)
        totals = into or {name: np.zeros((layers + 1, width)) for name in ("sum", "count")}
        rows = {
            "attention": np.full((count, layers, heads, self.first_query + 1), np.nan),
            "uniform": np.full((count, layers), np.nan),
            "activation": np.full((count, layers + 1, _LISTED), np.nan),
            "place": np.zeros((count, layers + 1, _LISTED), int),
            "median": np.zeros((count, layers + 1)),
        }

        def see(layer: int, pattern: Pattern, seen: Seen) -> None:
            keys = pattern[..., : self.first_query + 1].movedim(-1, 2)
            queries = queries_from(seen, self.first_query)
            rows["attention"][:, layer, :, : keys.shape[2]] = mean_over_queries(keys, queries)
            rows["uniform"][:, layer] = mean_over_queries(seen[:, :, 0].double() / seen.sum(-1), queries)

        def add(place: int, stream: Float[Tensor, "window pos d_model"]) -> None:
            stream = stream.double() * mask[:, :, None]
            flat = stream.flatten(1)
            listed = flat.abs().topk(min(_LISTED, flat.shape[1])).indices
            rows["activation"][:, place, : listed.shape[1]] = flat.gather(1, listed).cpu().numpy()
            rows["place"][:, place, : listed.shape[1]] = listed.cpu().numpy()
            rows["median"][:, place] = medians(stream, mask).cpu().numpy()
            massive = self.massive.places(stream, mask)
            totals["sum"][place] += (stream * massive).sum((0, 1)).cpu().numpy()
            totals["count"][place] += massive.sum((0, 1)).cpu().numpy()

        streams = [Edit.through(site, partial(add, place)) for place, site in enumerate(model.stream_sites())]
        read_patterns(model, windows, see, streams)
        return Sums(totals, rows)


@dataclass(frozen=True, eq=False)
class MassiveLosses:
    """Loss of each window as it is, and with massive activations at their `means` (stream, dimension) and at zero."""

    massive: Massive
    means: Float[np.ndarray, "stream d_model"]
    name: str = "massive-activation-losses"

    def settings(self) -> dict[str, int | float | str]:
        """What distinguishes these sums from others."""
        means = hashlib.blake2b(self.means.tobytes(), digest_size=8).hexdigest()
        return {"least": self.massive.least, "ratio": self.massive.ratio, "means": means}

    def measure(self, model: HookedModel, windows: Prompts, first: int, into: Totals | None = None) -> Sums:
        """The losses of some windows."""
        means = torch.from_numpy(self.means).to(model.device)
        clean = window_losses(model, windows)
        losses = {"clean": clean, "mean": clean, "zero": clean}
        if np.isfinite(clean).any() and self.means.any():
            for name, values in (("mean", means), ("zero", means * 0)):
                losses[name] = window_losses(model, windows, self._edits(model, windows, values))
        totals = into or {"windows": np.asarray(0)}
        totals["windows"] += len(windows)
        return Sums(totals, losses)

    def _edits(self, model: HookedModel, windows: Prompts, values: Tensor) -> list[Edit]:
        mask = windows.mask.to(model.device)

        def put(place: int, stream: Tensor) -> Tensor:
            return torch.where(self.massive.places(stream, mask), values[place].to(stream), stream)

        return [Edit.through(site, partial(put, place)) for place, site in enumerate(model.stream_sites())]


@engine(obstacle=pattern_obstacle, default_prompts=windows_of)
def attention_sinks(model: HookedModel, prompts: Prompts, options: AttentionSinksOptions) -> AttentionSinks:
    """How much each head attends to the first token, which activations are massive, and the loss without these.

    Mean attention on the first position over windows and queries from `first_query` on (`layer head`), and on the most
    attended of the positions up to it, which all these queries may see. Control: attention alike to all visible keys.

    A massive activation exceeds `least` and `ratio` times the median of its window's stream. The strongest places of
    each stream are listed whether massive or not. Losses: of the next token, with every massive activation replaced, in
    all streams at once, by the mean of the massive ones of its stream and dimension, and by zero; where none is
    massive, nothing changes.
    Unit: probability; nats.
    Source: Xiao et al. 2024, "Efficient Streaming Language Models with Attention Sinks"; Gu et al. 2025, "When
    Attention Sink Emerges in Language Models", section 3, for the threshold; Sun et al. 2024, "Massive Activations in
    Large Language Models", sections 2 and 3.
    Differs: activations are replaced in every stream rather than in the first that has them; the mean is of massive
    activations over positions.
    """
    massive = Massive(options.least, options.ratio)
    sums = gather(model, prompts, SinkSums(options.first_query, massive))
    attention, count = sums.rows("attention"), sums.totals["count"]
    means = np.divide(sums.totals["sum"], count, out=np.zeros_like(count), where=count > 0)
    losses = gather(model, prompts, MassiveLosses(massive, means))
    profile = with_interval("mean", attention)["mean"]
    sink = with_interval("sink", attention[..., 0])
    above = np.where(np.isnan(sink["sink"]), np.nan, sink["sink"] > options.epsilon).mean(1)
    listed, labels = _listed(sums, massive, options.top, model.dims.d_model)
    clean = losses.rows("clean")
    values: dict[str, Any] = {
        **sink,
        "most_attended": np.where(np.isnan(profile), -np.inf, profile).max(-1),
        "most_attended_position": np.where(np.isnan(profile), -np.inf, profile).argmax(-1),
        "uniform": with_interval("mean", sums.rows("uniform"))["mean"],
        "sink_heads": above,
        **listed,
        **with_interval("loss", clean),
        **with_interval("mean_increase", losses.rows("mean") - clean),
        **with_interval("zero_increase", losses.rows("zero") - clean),
    }
    values["most_attended"] = np.where(np.isinf(values["most_attended"]), np.nan, values["most_attended"])
    return AttentionSinks.of(
        prompts,
        values,
        measured=f"attention on the first position from position {options.first_query} on, over {len(prompts):,} "
        f"windows; {_in_words(above, options.epsilon)}",
        **labels,
    )


def _in_words(above: np.ndarray, epsilon: float) -> str:
    if np.isnan(above).any():
        return "none of them has such a query"
    return f"{above.mean():.0%} of the heads above {epsilon:g}"


def _listed(sums: Gathered, massive: Massive, top: int, width: int) -> tuple[dict[str, Any], dict[str, Any]]:
    """The strongest places of every stream, in order, and their labels."""
    activation, place, median = (sums.rows(name) for name in ("activation", "place", "median"))
    rows = [
        (stream, *row)
        for stream in range(activation.shape[1])
        for row in _strongest(activation[:, stream], place[:, stream], median[:, stream], massive, top)
    ]
    stream, at, value, times, share = map(np.array, zip(*rows, strict=True))
    labels = {"stream": stream, "position": at // width, "dimension": at % width}
    return {"activation": value, "times_median": times, "massive": share}, {
        name: ("component", label) for name, label in labels.items()
    }


def _strongest(
    activation: np.ndarray, place: np.ndarray, median: np.ndarray, massive: Massive, top: int
) -> Iterator[tuple[int, float, float, float]]:
    """Of one stream: place, mean value, times the median, share of windows in which it is massive."""
    size = np.abs(activation)
    times = np.divide(size, median[:, None], out=np.zeros_like(size), where=median[:, None] > 0)
    is_massive = (size > massive.least) & (size > massive.ratio * median[:, None])
    finite = np.isfinite(activation)
    places = np.unique(place[finite])
    weights = [size[finite & (place == at)].sum() for at in places]
    for at in places[np.argsort(-np.array(weights), kind="stable")][:top]:
        here = finite & (place == at)
        yield int(at), activation[here].mean(), times[here].mean(), is_massive[here].sum() / len(place)
