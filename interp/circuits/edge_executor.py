"""Running a model with any set of edges cut: each receiver reads a sum of its own.

What a receiver reads is what it read on a run to depart from, plus, for every kept edge, what its sender writes now
less what it wrote then. Departing from the corrupted run this is the definition of a patched edge; departing from a run
of the same circuit it gives the same, and only the layers above a change have to be run.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import NamedTuple, Self

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from interp.circuits.replacements import How, base_and_source, recorded_replacement
from interp.core.errors import MemoryLimitError
from interp.core.metric import Metric
from interp.core.prompts import PromptPairs, Prompts
from interp.models.edits import Edit, mean_over_positions
from interp.models.hooked import HookedModel
from interp.models.memory import free_memory
from interp.models.sites import Site
from interp.models.writes import EMBED, Place, constant, graph_of, head_writes, write_sites, writes


@dataclass(frozen=True, eq=False)
class Departure:
    """A run to depart from: what every receiver read, and what every sender wrote.

    One input serves all receivers of a place where they read the same.
    """

    inputs: dict[Place, Float[Tensor, "receiver batch pos d_model"]]
    outputs: dict[Place, Float[Tensor, "sender batch pos d_model"]]


class Shift(NamedTuple):
    """What is added to what one receiver reads, one way a row: many ways are run side by side."""

    receiver: int
    added: Float[Tensor, "way batch pos d_model"]


class EdgeRun(NamedTuple):
    """The logits at the answers (`way batch vocab`), and the run itself as a departure if it was kept."""

    logits: Float[Tensor, "way batch vocab"]
    departure: Departure | None


class EdgeExecutor:
    """One model on one set of prompts, with what a cut edge carries instead: see `run`.

    `how` says what that is: the value on the corrupted prompts (`resample`), zero, or the mean over the prompt.
    """

    def __init__(
        self, model: HookedModel, prompts: Prompts | PromptPairs, metric: Metric, how: How = "resample"
    ) -> None:
        self.model, self.metric, self.graph = model, metric, graph_of(model)
        self.how: How = how
        self.clean, self._source = base_and_source("cutting edges", prompts, how)
        self._require_memory()
        with torch.no_grad():
            trace = model.run(self.clean, record=write_sites(model), answer=metric)
            self.clean_logits: Float[Tensor, "batch vocab"] = trace.logits
            self.embedding = trace[Site("resid_pre", 0)]
            if self._source is not self.clean:
                trace = model.run(self._source, record=write_sites(model), answer=metric)
            outputs = writes(model, trace)
        if how == "zero":
            outputs = {place: torch.zeros_like(value) for place, value in outputs.items()}
        elif how == "mean":
            outputs = {place: self._mean(value) for place, value in outputs.items()}
        self.cut = Departure(self._summed(outputs), outputs)

    @classmethod
    def of(
        cls,
        model: HookedModel,
        prompts: str | Sequence[str],
        *,
        corrupted: str | Sequence[str] | None = None,
        target: str | Sequence[str],
        contrast: str | Sequence[str] | None = None,
        how: How = "resample",
    ) -> Self:
        """The executor on text, asked as engines are. Raises: PromptError, TargetError, OptionError."""
        made = (
            Prompts.of(model, prompts, target=target, contrast=contrast)
            if corrupted is None
            else PromptPairs.of(model, prompts, corrupted, target=target, contrast=contrast)
        )
        metric = made.metric
        assert metric is not None
        return cls(model, made, metric, how)

    @property
    def nbytes(self) -> int:
        """The memory that the run to depart from takes."""
        values = (*self.cut.inputs.values(), *self.cut.outputs.values())
        return sum(value.nbytes for value in values)

    def run(
        self,
        kept: np.ndarray | Tensor,
        *,
        since: Departure | None = None,
        shift: Shift | list[Shift] | None = None,
        keep: bool = False,
        neurons: Bool[np.ndarray, "layer neuron"] | None = None,
    ) -> EdgeRun:
        """Run with the edges of `kept` intact and all others cut.

        `kept` is `sender receiver`, or `way sender receiver`, or `way pos sender receiver` for edges cut at some
        positions only; numbers between 0 and 1 mix both values, and may take a gradient. With `since`, a run of the
        same circuit, and `shift`, a change of what one receiver reads (or a list of them), only what that can change
        is run. `keep` (for one way) returns the run as a departure. `neurons` says which MLP neurons stay intact; the
        others are put at what a cut edge would carry of them.
        """
        kept = torch.as_tensor(kept, device=self.model.device).to(self.model.dtype)
        kept = kept[None] if kept.dim() == 2 else kept
        start = since or self.cut
        shifts = [shift] if isinstance(shift, Shift) else shift or []
        places = [self.place_of(each.receiver) for each in shifts]
        first = min(places, key=lambda place: (place[1], place[0]), default=("attention", 0))
        passing = _Pass(self, kept, start, shifts, keep, 0 if since is None else self.senders_at(first).start)
        if since is None:
            passing.wrote(EMBED, self.embedding[None])
        if first[0] == "logits":
            return EdgeRun(self._read_out(passing), None)
        rows = passing.ways * len(self.clean)
        many = list(range(len(self.clean))) * passing.ways
        entering = None if first[1] == 0 else (first[1], self.embedding.new_zeros(rows, *self.embedding.shape[1:]))
        edits = [*passing.edits(first), *([] if neurons is None else self._neurons(neurons, first[1]))]
        logits = self.model.run(self.clean[many], edits=edits, answer=self.metric.select(many), start=entering).logits
        return EdgeRun(logits.unflatten(0, (passing.ways, -1)), passing.departure)

    def metric_of(self, run: EdgeRun) -> Float[Tensor, "way batch"]:
        """The metric of every way and prompt."""
        return torch.stack([self.metric.of_rows(rows) for rows in run.logits])

    @cached_property
    def clean_metric(self) -> Float[Tensor, "batch"]:
        """The metric of the whole model."""
        return self.metric.of_rows(self.clean_logits)

    @cached_property
    def cut_metric(self) -> Float[Tensor, "batch"]:
        """The metric with every edge cut: where prompts are resampled, that of the corrupted run."""
        return self.metric_of(self.run(np.zeros(self.graph.present.shape)))[0]

    def place_of(self, receiver: int) -> Place:
        """The block that a receiver stands in."""
        name = self.graph.receivers[receiver]
        if name == "logits":
            return "logits", self.model.dims.layers
        return ("mlp", int(name[1:])) if name[0] == "m" else ("attention", int(name[1:].split(".")[0]))

    def receivers_at(self, place: Place) -> slice:
        """The receivers of a block."""
        kind, layer = place
        first, dims = self.graph.receivers_before(layer), self.model.dims
        attention = dims.heads + 2 * dims.kv_heads
        if kind == "attention":
            return slice(first, first + attention)
        return slice(first, first + 1) if kind == "logits" else slice(first + attention, first + attention + 1)

    def senders_at(self, place: Place) -> slice:
        """The senders of a block."""
        kind, layer = place
        if kind == "embed":
            return slice(0, 1)
        if kind == "logits":  # nothing writes there
            return slice(len(self.graph.senders), len(self.graph.senders))
        first, heads = self.graph.senders_before(layer), self.model.dims.heads
        return slice(first, first + heads) if kind == "attention" else slice(first + heads, first + heads + 1)

    def _summed(self, outputs: dict[Place, Tensor]) -> dict[Place, Tensor]:
        """What every receiver reads where the senders write `outputs`."""
        stream, inputs = outputs[EMBED], {}
        for layer in range(self.model.dims.layers):
            inputs["attention", layer] = inputs["mlp", layer] = stream
            stream = stream + outputs["attention", layer].sum(0, keepdim=True) + constant(self.model, layer)
            if not self.graph.parallel:
                inputs["mlp", layer] = stream
            stream = stream + outputs["mlp", layer]
        inputs["logits", self.model.dims.layers] = stream
        return inputs

    def _neurons(self, kept: Bool[np.ndarray, "layer neuron"], first: int) -> Iterator[Edit]:
        """Edits that leave only some neurons as they are, from a layer on."""
        sites = self.model.sites("mlp_post")
        for layer in range(first, len(sites)):
            stay = torch.as_tensor(kept[layer], device=self.model.device)
            other = self._other_neurons[layer]

            def only(value: Tensor, stay: Tensor = stay, other: Tensor = other) -> Tensor:
                ways = len(value) // len(self.clean)
                return torch.where(stay, value, other.repeat(ways, 1, 1) if other.dim() == 3 else other)

            yield Edit.through(sites[layer], only)

    @cached_property
    def _other_neurons(self) -> list[Tensor]:
        """Every layer's neurons as a cut edge would carry them."""
        return recorded_replacement(self.model, self._source, self.model.sites("mlp_post"), self.how)

    def _mean(self, values: Tensor) -> Tensor:
        """Each sender's mean over every prompt's positions."""
        return torch.stack([mean_over_positions(value, self.clean.mask) for value in values])

    def _read_out(self, passing: "_Pass") -> Float[Tensor, "way batch vocab"]:
        """The logits of a pass in which only what the head reads is new."""
        stream = passing.read(("logits", self.model.dims.layers))[0]
        rows = self.metric.select(list(range(len(self.clean))) * passing.ways).at_answer(stream)
        return self.model.unembed(rows.unsqueeze(1))[:, 0].unflatten(0, (passing.ways, -1))

    def _require_memory(self) -> None:
        """Two runs' worth of what every sender writes. Raises: MemoryLimitError with both numbers."""
        cells = 3 * len(self.graph.senders) * len(self.clean) * self.clean.width * self.model.dims.d_model
        needed, free = cells * self.model.dtype.itemsize, free_memory(self.model.device)
        if needed > free:
            raise MemoryLimitError(
                f"{len(self.clean)} prompts of {self.clean.width} tokens need {needed / 2**30:.1f} GiB for what "
                f"{len(self.graph.senders)} senders write, and {free / 2**30:.1f} GiB are free; give fewer prompts"
            )


@dataclass(eq=False)
class _Pass:
    """One run under a mask: what has been written so far, and the edits that make receivers read their own sums."""

    executor: EdgeExecutor
    kept: Float[Tensor, "way *pos sender receiver"]
    since: Departure
    shifts: list[Shift]
    keep: bool
    first: int  # the first sender that may write something new
    ways: int = field(init=False)
    departure: Departure | None = field(init=False)
    _changes: list[Tensor] = field(default_factory=list)
    _buffer: Float[Tensor, "way sender batch pos d_model"] | None = field(init=False)
    _written: int = 0
    _normed: dict[str, Tensor] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.ways = len(self.shifts[0].added) if self.shifts else len(self.kept)
        self.departure = Departure(dict(self.since.inputs), dict(self.since.outputs)) if self.keep else None
        senders = len(self.executor.graph.senders) - self.first
        shape = (self.ways, senders, *self.executor.embedding.shape)
        # One room for all changes, unless they take part in a gradient, which forbids writing into it.
        self._buffer = None if self.kept.requires_grad else self.executor.embedding.new_empty(shape)

    def read(self, place: Place) -> Float[Tensor, "receiver row pos d_model"]:
        """What the receivers of a place read now; rows run over ways, then prompts."""
        receivers = self.executor.receivers_at(place)
        count = receivers.stop - receivers.start
        total = self.since.inputs[place].unsqueeze(0).expand(self.ways, count, -1, -1, -1)
        if self._written:
            senders = slice(self.first, self.first + self._written)
            total = total + self._carried(self.kept[..., senders, receivers])
        inside = [shift for shift in self.shifts if receivers.start <= shift.receiver < receivers.stop]
        total = total.clone() if inside else total
        for shift in inside:
            total[:, shift.receiver - receivers.start] += shift.added
        if self.departure is not None:
            self.departure.inputs[place] = total[0]
        return total.transpose(0, 1).flatten(1, 2)

    def wrote(self, place: Place, value: Float[Tensor, "sender row pos d_model"]) -> None:
        """Take note of what the senders of a place write; blocks come in the graph's order."""
        batch = len(self.executor.clean)
        change = value.unflatten(1, (-1, batch)).transpose(0, 1) - self.since.outputs[place]
        if self._buffer is None:
            self._changes.append(change)
        else:
            self._buffer[:, self._written : self._written + change.shape[1]] = change
        self._written += change.shape[1]
        if self.departure is not None:
            self.departure.outputs[place] = value

    def _carried(self, kept: Float[Tensor, "way *pos sender receiver"]) -> Float[Tensor, "way receiver batch pos d"]:
        """What the kept edges bring to some receivers."""
        changes = torch.cat(self._changes, 1) if self._buffer is None else self._buffer[:, : self._written]
        if kept.dim() == 4:
            return torch.einsum("wpsr,wsbpd->wrbpd", kept.expand(self.ways, -1, -1, -1), changes)
        weights = kept.transpose(1, 2).expand(self.ways, -1, -1)
        return (weights @ changes.flatten(2)).unflatten(2, changes.shape[2:])

    def edits(self, first: Place) -> list[Edit]:
        """The edits of a run from the layer of `first` on; in that layer, attention is as it was if an MLP is first."""
        model, made = self.executor.model, []
        for layer in range(first[1], model.dims.layers):
            if (layer, first[0]) != (first[1], "mlp"):
                made += [
                    self._through("q", layer, lambda old, at=layer: self._projected("q", at)),
                    self._through("k", layer, lambda old, at=layer: self._projected("k", at)),
                    self._through("v", layer, lambda old, at=layer: self._projected("v", at)),
                    self._through("z", layer, lambda z, at=layer: self._heads(at, z)),
                ]
            reads = model.architecture.mlp_reads
            made += [
                self._through(reads, layer, lambda old, at=layer: self._into_mlp(at)),
                self._through("mlp_write", layer, lambda out, at=layer: self.wrote(("mlp", at), out[None])),
            ]
        last = ("logits", model.dims.layers)
        return [*made, Edit.through(Site("ln_final_in"), lambda old: self.read(last)[0])]

    @staticmethod
    def _through(name: str, layer: int, function: Callable[[Tensor], Tensor | None]) -> Edit:
        return Edit.through(Site(name, layer), function)

    def _projected(self, name: str, layer: int) -> Tensor:
        """Queries, keys or values, each from what its own receiver reads."""
        model = self.executor.model
        if name not in self._normed:
            read = model.weights.normalised("ln1", layer, self.read(("attention", layer)))
            sizes = [model.dims.heads, model.dims.kv_heads, model.dims.kv_heads]
            self._normed = dict(zip("qkv", read.split(sizes), strict=True))
        weights = {"q": model.weights.query, "k": model.weights.key, "v": model.weights.value}[name](layer)
        made = torch.einsum("hrpd,hdk->rphk", self._normed.pop(name), weights.matrix)
        return made if weights.bias is None else made + weights.bias

    def _heads(self, layer: int, z: Tensor) -> None:
        self.wrote(("attention", layer), head_writes(self.executor.model, layer, z))

    def _into_mlp(self, layer: int) -> Tensor:
        return self.executor.model.weights.normalised("ln2", layer, self.read(("mlp", layer))[0])
