"""Running a model with any set of edges cut: each receiver reads a sum of its own.

What a receiver reads is what it read on a base run, plus, for every kept edge, what its sender writes now
less what it wrote then. From the corrupted run this is the definition of a patched edge; from a run
of the same circuit it gives the same, and only the layers above a change have to be run.
"""

from collections.abc import Iterator, Sequence
from copy import copy
from dataclasses import dataclass, field
from functools import cached_property, partial
from typing import NamedTuple, Self

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from interp.circuits.interventions.replacements import How, base_and_source, recorded_replacement
from interp.core.graph import EMBED, Block
from interp.core.metric import Metric
from interp.core.prompts import PromptPairs, Prompts
from interp.models.edits import Edit, mean_over_positions
from interp.models.hooked import HookedModel
from interp.models.memory import require_free
from interp.models.sites import Site
from interp.models.writes import graph_of, head_writes, mlp_write, mlp_writes, write_sites, writes


@dataclass(frozen=True, eq=False)
class BaseRun:
    """A run that others start from: what every receiver read, and what every sender wrote.

    One input serves all receivers of a block where they read the same.
    """

    inputs: dict[Block, Float[Tensor, "receiver batch pos d_model"]]
    outputs: dict[Block, Float[Tensor, "sender batch pos d_model"]]


class Shift(NamedTuple):
    """What is added to what one receiver reads, one way a row: many ways are run side by side."""

    receiver: int
    added: Float[Tensor, "way batch pos d_model"]


class EdgeRun(NamedTuple):
    """The logits at the answers (`way batch vocab`), and the run itself as a base if it was asked for."""

    logits: Float[Tensor, "way batch vocab"]
    base: BaseRun | None


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
            outputs = {block: torch.zeros_like(value) for block, value in outputs.items()}
        elif how == "mean":
            outputs = {block: self._mean(value) for block, value in outputs.items()}
        self.cut = BaseRun(self._sums(outputs), outputs)

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
        pairs = (
            Prompts.of(model, prompts, target=target, contrast=contrast)
            if corrupted is None
            else PromptPairs.of(model, prompts, corrupted, target=target, contrast=contrast)
        )
        metric = pairs.metric
        assert metric is not None
        return cls(model, pairs, metric, how)

    def with_constants(self, constants: Float[Tensor, "sender d_model"]) -> Self:
        """The same, where a cut edge carries one vector of its sender at every position of every prompt."""
        other = copy(self)
        other.__dict__.pop("cut_metric", None)
        outputs = {
            block: constants[self.graph.senders_at(block)][:, None, None].expand_as(value)
            for block, value in self.cut.outputs.items()
        }
        other.cut = BaseRun(self._sums(outputs), outputs)
        return other

    @property
    def nbytes(self) -> int:
        """The memory that the run to depart from takes."""
        values = (*self.cut.inputs.values(), *self.cut.outputs.values())
        return sum(value.nbytes for value in values)

    def run(
        self,
        mask: np.ndarray | Tensor,
        *,
        since: BaseRun | None = None,
        shift: Shift | list[Shift] | None = None,
        keep: bool = False,
        neurons: Bool[np.ndarray, "layer neuron"] | None = None,
    ) -> EdgeRun:
        """Run with the edges of `mask` intact and all others cut.

        `mask` is `sender receiver`, or `way sender receiver`, or `way pos sender receiver` for edges cut at some
        positions only; numbers between 0 and 1 mix both values, and may take a gradient. With `since`, a run of the
        same circuit, and `shift`, a change of what one receiver reads (or a list of them), only what that can change
        is run. `keep` (for one way) returns the run as a base. `neurons` says which MLP neurons stay intact; the
        others are put at what a cut edge would carry of them.
        """
        mask = torch.as_tensor(mask, device=self.model.device).to(self.model.dtype)
        mask = mask[None] if mask.dim() == 2 else mask
        start = since or self.cut
        shifts = [shift] if isinstance(shift, Shift) else shift or []
        blocks = [self.block_of(each.receiver) for each in shifts]
        first = min(blocks, key=lambda block: (block.layer, block.part), default=Block("attention", 0))
        passing = _Pass(self, mask, start, shifts, keep, 0 if since is None else self.graph.senders_at(first).start)
        if since is None:
            passing.wrote(EMBED, self.embedding[None])
        if first.part == "logits":
            return EdgeRun(self._read_out(passing), None)
        rows = passing.ways * len(self.clean)
        many = list(range(len(self.clean))) * passing.ways
        nothing = self.embedding.new_zeros(rows, *self.embedding.shape[1:])
        entry = (first.layer, nothing) if first.layer else None
        edits = [*passing.edits(first), *([] if neurons is None else self._neurons(neurons, first.layer))]
        logits = self.model.run(self.clean[many], edits=edits, answer=self.metric.select(many), start=entry).logits
        return EdgeRun(logits.unflatten(0, (passing.ways, -1)), passing.base)

    @torch.no_grad()
    def whole(self) -> BaseRun:
        """The run with every edge, as a base for others."""
        base = self.run(self.graph.present, keep=True).base
        assert base is not None
        return base

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

    def block_of(self, receiver: int) -> Block:
        """The block that a receiver stands in."""
        return self.graph.block(self.graph.receiver_nodes[receiver])

    def _sums(self, outputs: dict[Block, Tensor]) -> dict[Block, Tensor]:
        """What every receiver reads where the senders write `outputs`."""
        stream, inputs = outputs[EMBED], {}
        for layer in range(self.model.dims.layers):
            inputs[Block("attention", layer)] = inputs[Block("mlp", layer)] = stream
            stream = stream + outputs[Block("attention", layer)].sum(0, keepdim=True)
            stream = stream + self.model.weights.output_bias(layer)
            if not self.graph.parallel:
                inputs[Block("mlp", layer)] = stream
            stream = stream + outputs[Block("mlp", layer)].sum(0, keepdim=True)
        inputs[Block("logits", self.model.dims.layers)] = stream
        return inputs

    def _neurons(self, mask: Bool[np.ndarray, "layer neuron"], first: int) -> Iterator[Edit]:
        """Edits that leave only some neurons as they are, from a layer on."""
        sites = self.model.sites("mlp_post")
        for layer in range(first, len(sites)):
            in_circuit = torch.as_tensor(mask[layer], device=self.model.device)
            other = self._other_neurons[layer]

            def only(value: Tensor, in_circuit: Tensor = in_circuit, other: Tensor = other) -> Tensor:
                ways = len(value) // len(self.clean)
                return torch.where(in_circuit, value, other.repeat(ways, 1, 1) if other.dim() == 3 else other)

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
        stream = passing.read(Block("logits", self.model.dims.layers))[0]
        rows = self.metric.select(list(range(len(self.clean))) * passing.ways).at_answer(stream)
        return self.model.unembed(rows.unsqueeze(1))[:, 0].unflatten(0, (passing.ways, -1))

    def _require_memory(self) -> None:
        """Two runs' worth of what every sender writes. Raises: MemoryLimitError with both numbers."""
        cells = 3 * len(self.graph.senders) * len(self.clean) * self.clean.width * self.model.dims.d_model
        prompts = f"{len(self.clean)} prompts of {self.clean.width} tokens"
        work = f"{prompts} and what {len(self.graph.senders)} senders write on them"
        require_free(cells * self.model.dtype.itemsize, self.model.device, work, "give fewer prompts")


@dataclass(eq=False)
class _Pass:
    """One run under a mask: what has been written so far, and the edits that make receivers read their own sums."""

    executor: EdgeExecutor
    mask: Float[Tensor, "way *pos sender receiver"]
    since: BaseRun
    shifts: list[Shift]
    keep: bool
    first: int  # the first sender that may write something new
    ways: int = field(init=False)
    base: BaseRun | None = field(init=False)
    _changes: list[Tensor] = field(default_factory=list)
    _buffer: Float[Tensor, "way sender batch pos d_model"] | None = field(init=False)
    _count: int = 0
    _inputs: dict[str, Tensor] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.ways = len(self.shifts[0].added) if self.shifts else len(self.mask)
        self.base = BaseRun(dict(self.since.inputs), dict(self.since.outputs)) if self.keep else None
        senders = len(self.executor.graph.senders) - self.first
        shape = (self.ways, senders, *self.executor.embedding.shape)
        # One room for all changes, unless they take part in a gradient, which forbids writing into it.
        self._buffer = None if self.mask.requires_grad else self.executor.embedding.new_empty(shape)

    def read(self, block: Block) -> Float[Tensor, "receiver row pos d_model"]:
        """What the receivers of a block read now; rows run over ways, then prompts."""
        receivers = self.executor.graph.receivers_at(block)
        count = receivers.stop - receivers.start
        total = self.since.inputs[block].unsqueeze(0).expand(self.ways, count, -1, -1, -1)
        if self._count:
            senders = slice(self.first, self.first + self._count)
            total = total + self._edge_sums(self.mask[..., senders, receivers])
        inside = [shift for shift in self.shifts if receivers.start <= shift.receiver < receivers.stop]
        total = total.clone() if inside else total
        for shift in inside:
            total[:, shift.receiver - receivers.start] += shift.added
        if self.base is not None:
            self.base.inputs[block] = total[0]
        return total.transpose(0, 1).flatten(1, 2)

    def wrote(self, block: Block, value: Float[Tensor, "sender row pos d_model"]) -> None:
        """Take note of what the senders of a block write; blocks come in the graph's order."""
        batch = len(self.executor.clean)
        change = value.unflatten(1, (-1, batch)).transpose(0, 1) - self.since.outputs[block]
        if self._buffer is None:
            self._changes.append(change)
        else:
            self._buffer[:, self._count : self._count + change.shape[1]] = change
        self._count += change.shape[1]
        if self.base is not None:
            self.base.outputs[block] = value

    def _edge_sums(self, mask: Float[Tensor, "way *pos sender receiver"]) -> Float[Tensor, "way receiver batch pos d"]:
        """What the kept edges bring to some receivers."""
        changes = torch.cat(self._changes, 1) if self._buffer is None else self._buffer[:, : self._count]
        if mask.dim() == 4:
            return torch.einsum("wpsr,wsbpd->wrbpd", mask.expand(self.ways, -1, -1, -1), changes)
        weights = mask.transpose(1, 2).expand(self.ways, -1, -1)
        return (weights @ changes.flatten(2)).unflatten(2, changes.shape[2:])

    def edits(self, first: Block) -> list[Edit]:
        """The edits of a run from the layer of `first` on; in that layer, attention is as it was if an MLP is first."""
        model, edits = self.executor.model, []
        for layer in range(first.layer, model.dims.layers):
            if Block("mlp", layer) != first:
                edits += [Edit.through(Site(name, layer), partial(self._project, name, layer)) for name in "qkv"]
                edits.append(Edit.through(Site("z", layer), partial(self._heads, layer)))
            edits.append(Edit.through(Site(model.layer_map.mlp.reads, layer), partial(self._into_mlp, layer)))
            edits.append(Edit.through(Site(mlp_write(model), layer), partial(self._mlp, layer)))
        last = Block("logits", model.dims.layers)
        return [*edits, Edit.through(Site("ln_final_in"), lambda old: self.read(last)[0])]

    def _project(self, name: str, layer: int, old: Tensor) -> Tensor:
        """Queries, keys or values, each from what its own receiver reads."""
        model = self.executor.model
        if name not in self._inputs:
            norm = model.layer_map.attention.norm_before
            inputs = model.weights.normalised(norm, layer, self.read(Block("attention", layer)))
            sizes = [model.dims.heads, model.dims.kv_heads, model.dims.kv_heads]
            self._inputs = dict(zip("qkv", inputs.split(sizes), strict=True))
        weights = model.weights.projection(name, layer)
        heads = torch.einsum("hrpd,hdk->rphk", self._inputs.pop(name), weights.matrix)
        return heads if weights.bias is None else heads + weights.bias

    def _heads(self, layer: int, z: Tensor) -> None:
        self.wrote(Block("attention", layer), head_writes(self.executor.model, layer, z))

    def _mlp(self, layer: int, out: Tensor) -> None:
        self.wrote(Block("mlp", layer), mlp_writes(out))

    def _into_mlp(self, layer: int, old: Tensor) -> Tensor:
        model = self.executor.model
        return model.weights.normalised(model.layer_map.mlp.norm_before, layer, self.read(Block("mlp", layer))[0])
