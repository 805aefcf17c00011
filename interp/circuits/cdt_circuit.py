"""The CD-T circuit search: heads relevant to the answer, then heads relevant to those, round by round."""

from collections.abc import Sequence
from typing import Literal

import numpy as np
import torch
from jaxtyping import Bool, Float
from pydantic import Field
from pydantic.dataclasses import dataclass

from interp.circuits.interventions.edge_executor import EdgeExecutor
from interp.circuits.interventions.replacements import How
from interp.circuits.search.found_circuit import Faithfulness, found_circuit
from interp.core.engine import engine
from interp.core.graph import ComputationGraph
from interp.core.metric import Metric
from interp.core.nodes import Node
from interp.core.options import BatchTokens, Count, Repeats
from interp.core.prompts import PromptPairs, Prompts
from interp.core.variables import FOR
from interp.decomposition.contextual import ContextualSettings, SourceSet, Start, beta_of_answer, sizes_at_nodes
from interp.decomposition.linear_readout import require_logits, walk_obstacle
from interp.kinds import FoundCircuit
from interp.models.finite import require_finite
from interp.models.hooked import HookedModel
from interp.models.writes import graph_obstacle, graph_of


@dataclass(frozen=True)
class CdtCircuitOptions:
    """The number of rounds, how heads are selected, and how the circuit is tested."""

    rounds: Repeats = Field(
        3,
        description="1: heads relevant to the answer; each further round adds heads relevant to those of the last one",
    )
    outliers: float = Field(
        2.0,
        ge=0,
        le=1e6,
        allow_inf_nan=False,
        description="select heads whose relevance is more than this many standard deviations above the mean",
    )
    top: Count | None = Field(None, description="select this many heads for every target instead")
    how: How = Field(
        "mean",
        description="value of all other heads when the circuit is tested: the mean, zero, or the corrupted value",
    )
    attention: Literal["split", "frozen"] = Field(
        "frozen",
        description="frozen uses the attention pattern of the run; split gives β the softmax of its own scores",
    )
    batch_tokens: BatchTokens = Field(1024, description="tokens per pass: several heads share a pass")


def _obstacle(model: HookedModel) -> str | None:
    return graph_obstacle(model) or walk_obstacle(model)


@engine(obstacle=_obstacle)
def cdt_circuit(
    model: HookedModel, prompts: Prompts | PromptPairs, metric: Metric, options: CdtCircuitOptions
) -> FoundCircuit:
    """A circuit of heads found by contextual decomposition, working down from the answer.

    Every head starts as what it differs by from its mean over the prompt, β, and is followed alone. Its relevance to
    the answer is β of the metric; to a head downstream Σ_t ‖β_t‖₁ / ‖γ_t‖₁ over positions t of that head's values; both
    averaged over prompts. The outliers of the first kind are kept, then for each of them its outliers of the second,
    for as many rounds as asked. The circuit is every edge among the embedding, the kept heads, all MLPs and the logits;
    `relevance` (and the score of a kept edge, in its `score_unit`) is that of the sender to the logits, or to the head
    that the receiver belongs to, and NaN where none was measured. `forwards` counts one source in one layer as one
    layer of a forward.

    Unit: of relevance: logits into `logits`, a ratio into heads; logits for the metrics.
    Raises: OptionError if resampling is asked for without corrupted prompts; EngineError if the metric is not on the
    logit scale, or activations are not finite; MemoryLimitError.
    Source: Hsu et al. 2024, "Efficient Automated Circuit Discovery in Transformers using Contextual Decomposition",
    algorithm 1.
    Differs: heads at all positions together, not at each; each target has outliers of its own; the mean is over the
    prompt's positions, not over a data set; no pruning by faithfulness afterwards; the rules of `cdt`.
    """
    require_logits("cdt-circuit", metric)
    clean = prompts.clean
    executor = EdgeExecutor(model, prompts, metric, options.how)
    search = _Search(model, clean, metric, options)
    with torch.no_grad():
        circuit, relevance = search.run(executor.graph)
    faithfulness = Faithfulness(executor)
    return found_circuit(
        faithfulness,
        _among(executor.graph, circuit).astype(float),
        {"relevance": relevance},
        {"forwards": search.forwards + (4 if options.how == "resample" else 3)},
        score="relevance",
        unit_into=["logits" if node.kind == "logits" else "ratio" for node in executor.graph.receiver_nodes],
        measured=f"relevance by contextual decomposition in a circuit of {len(circuit)} heads and all MLPs",
        sign="into logits: positive where the head supports the answer; into heads: a magnitude",
        supports=FOR,
    )


class _Search:
    """Relevance of heads to the answer and to each other, mean over prompts."""

    def __init__(self, model: HookedModel, prompts: Prompts, metric: Metric, options: CdtCircuitOptions) -> None:
        self.model, self.options, self.forwards = model, options, 0.0
        self._prompts, self._metric = prompts, metric
        self._how = ContextualSettings(options.attention == "frozen", options.batch_tokens, mean=True)
        self.heads = [node for node in graph_of(model).sender_nodes if node.kind == "a"]

    def run(self, graph: ComputationGraph) -> tuple[set[Node], Float[np.ndarray, "sender receiver"]]:
        """The heads that are kept, and the relevance of every edge for which one was measured."""
        relevance = np.full(graph.present.shape, np.nan)
        to_answer = self._to_answer()
        relevance[self._senders(graph, self.heads), -1] = to_answer
        circuit = {self.heads[index] for index in self._strongest(np.abs(to_answer)).nonzero()[0]}
        targets = sorted(circuit)
        for _ in range(self.options.rounds - 1):
            targets = [target for target in targets if target.layer > 0]
            if not targets:
                break
            new: set[Node] = set()
            for target, to_target in zip(targets, self._to_heads(targets), strict=True):
                upstream = self.heads[: target.layer * self.model.dims.heads]
                sizes = to_target[: len(upstream)]
                new |= {upstream[index] for index in self._strongest(sizes).nonzero()[0]}
                into = [graph.receiver(name) for name in graph.inputs_of(str(target))]
                cells = np.ix_(self._senders(graph, upstream), into)
                relevance[cells] = np.fmax(relevance[cells], sizes[:, None])  # heads may share a key and value
            targets = sorted(new - circuit)
            circuit |= new
        return circuit, relevance

    def _strongest(self, sizes: Float[np.ndarray, "head"]) -> Bool[np.ndarray, "head"]:
        """The outliers, or the largest."""
        if self.options.top is None:
            return sizes > sizes.mean() + self.options.outliers * sizes.std()
        return np.argsort(np.argsort(-sizes, kind="stable")) < self.options.top

    @staticmethod
    def _senders(graph: ComputationGraph, heads: Sequence[Node]) -> list[int]:
        return [graph.sender(str(head)) for head in heads]

    def _to_answer(self) -> Float[np.ndarray, "head"]:
        total = torch.zeros(len(self.heads), dtype=torch.float64)
        for row in range(len(self._prompts)):
            prompt, metric = self._prompts[[row]], self._metric.select([row])
            totals = self._how.totals(self.model, prompt, metric)
            beta = beta_of_answer(self.model, totals, metric, self._sources(self.heads), self._how)
            require_finite(self.model, prompt, beta)
            total += beta
        self._count(self.heads, self.model.dims.layers)
        return (total / len(self._prompts)).numpy()

    def _to_heads(self, targets: Sequence[Node]) -> Float[np.ndarray, "target head"]:
        """The relevance of every head below the last target; 0 where a head is not upstream."""
        last = max(target.layer for target in targets)
        below = self.heads[: last * self.model.dims.heads]
        total = torch.zeros(len(targets), len(below), dtype=torch.float64)
        for row in range(len(self._prompts)):
            totals = self._how.totals(self.model, self._prompts[[row]], self._metric.select([row]))
            starts = [Start.of(target) for target in targets]
            total += sizes_at_nodes(self.model, totals, starts, self._sources(below), self._how)[..., 2]
        self._count(below, last)
        return (total / len(self._prompts)).numpy()

    def _count(self, sources: Sequence[Node], until: int) -> None:
        """Take note of the work: one plain run, and every source from its own layer on."""
        self.forwards += 1 + sum(until - head.layer for head in sources) / self.model.dims.layers

    @staticmethod
    def _sources(heads: Sequence[Node]) -> list[SourceSet]:
        return [SourceSet(str(head), (Start.of(head),)) for head in heads]


def _among(graph: ComputationGraph, heads: set[Node]) -> Bool[np.ndarray, "sender receiver"]:
    """Every edge among the embedding, some heads, all MLPs and the logits."""
    inputs = {receiver for head in heads for receiver in graph.inputs_of(str(head))}
    senders = np.array([node.kind != "a" or node in heads for node in graph.sender_nodes])
    receivers = np.array([node.kind in ("m", "logits") or str(node) in inputs for node in graph.receiver_nodes])
    return graph.present & senders[:, None] & receivers
