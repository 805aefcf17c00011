"""Path patching: the effect on the answer when only chosen receivers read a different value of one sender."""

from collections.abc import Iterator, Sequence
from typing import Literal

import numpy as np
import torch
from jaxtyping import Float
from pydantic import Field
from pydantic.dataclasses import dataclass
from torch import Tensor

from interp.circuits.interventions.edge_executor import BaseRun, EdgeExecutor, Shift
from interp.circuits.interventions.groups import Group, groups
from interp.circuits.interventions.replacements import How
from interp.core.edges import circuit_facts
from interp.core.engine import engine
from interp.core.errors import OptionError
from interp.core.graph import Block, ComputationGraph
from interp.core.metric import Metric
from interp.core.options import BatchTokens
from interp.core.progress import track
from interp.core.prompts import PromptPairs, Prompts
from interp.core.result import SIGN
from interp.core.variables import AGAINST
from interp.kinds import EdgeScores
from interp.models.edits import Edit
from interp.models.finite import require_finite
from interp.models.hooked import HookedModel
from interp.models.sites import Site
from interp.models.writes import graph_obstacle, graph_of, read_site


@dataclass(frozen=True)
class PathPatchingOptions:
    """Senders, receivers, and which components may pass the change on."""

    senders: tuple[str, ...] = Field(
        (), description="senders: embed, heads such as a9.6, MLPs such as m4; by default all"
    )
    receivers: tuple[str, ...] = Field(
        ("logits",),
        description="logits, a head's query, key or value such as q9.6, k9.2 or v9.2, MLPs such as m4; empty: all",
    )
    mlps: Literal["frozen", "recomputed"] = Field(
        "frozen", description="frozen: the direct edge only; recomputed: MLPs in between pass the change on"
    )
    together: bool = Field(False, description="patch all receivers at once: one effect per sender")
    how: How = Field(
        "resample", description="what the receivers read instead: the corrupted run's value, zero, or the mean"
    )
    batch_tokens: BatchTokens = Field(512, description="tokens per forward pass: several patches share a pass")


@engine(obstacle=graph_obstacle)
def path_patching(
    model: HookedModel, prompts: Prompts | PromptPairs, metric: Metric, options: PathPatchingOptions
) -> EdgeScores:
    """Measured effect of one sender on chosen receivers only, along the direct edge or through MLPs.

    Let chosen receivers read what a sender writes on the other run, and run everything behind them again.

    Heads between sender and receiver keep their clean values, MLPs between too unless they are `recomputed`. With
    frozen MLPs this is the true effect of cutting one edge. Returns the score, axes `batch edge`: a row for each sender
    and receiver, or for each sender where all receivers are patched `together` (named as joined by +).

    Unit: that of the metric (logits).
    Raises: SiteError for a sender or receiver that the model lacks; OptionError if no sender writes before a receiver,
    or resampling is asked for without corrupted prompts; EngineError where activations are not finite;
    MemoryLimitError.
    Source: Wang et al. 2022, "Interpretability in the Wild", section 3.1 and appendix B; Goldowsky-Dill et al. 2023.
    Differs: MLPs are frozen unless asked for otherwise (Wang et al. recompute them), which makes paths edges.
    """
    graph = graph_of(model)
    pairs = _pairs(graph, options)
    effects = torch.zeros(len(prompts), len(pairs), dtype=torch.float64)
    # Prompts by the quarter: a few patches of each stand beside it.
    for group in groups(prompts, metric, max(1, options.batch_tokens // 4)):
        executor = EdgeExecutor(model, group.prompts, group.metric, options.how)
        whole = executor.whole()
        chunks = list(_chunks(pairs, group, options.batch_tokens))
        for chunk in track(chunks, len(chunks), "path patching"):
            part = _effects(executor, whole, [pairs[index] for index in chunk], options)
            require_finite(model, group.clean, part)
            effects[np.ix_(group.rows, chunk)] = part.T.double().cpu()
    clean = prompts.clean
    mlps = "MLPs between frozen" if options.mlps == "frozen" else "MLPs between recomputed"
    return EdgeScores.of(
        clean,
        {"score": effects},
        "batch edge",
        unit=metric.unit,
        measured=f"change of {metric.label} when the receiver reads the sender's replacement value ({mlps})",
        sign=SIGN,
        supports=AGAINST,
        facts=circuit_facts(graph, clean),
        sender=("edge", np.array([graph.senders[sender] for sender, _ in pairs], dtype=object)),
        receiver=("edge", np.array([_label(graph, receivers) for _, receivers in pairs], dtype=object)),
    )


Pair = tuple[int, tuple[int, ...]]


def _pairs(graph: ComputationGraph, options: PathPatchingOptions) -> list[Pair]:
    """Every sender with the receivers that are patched at once; receivers that do not read it are left out."""
    senders = sorted({graph.sender(name) for name in options.senders or graph.senders})
    receivers = sorted({graph.receiver(name) for name in options.receivers or graph.receivers})
    sets = [tuple(receivers)] if options.together else [(receiver,) for receiver in receivers]
    pairs = [
        (sender, tuple(receiver for receiver in some if graph.present[sender, receiver]))
        for some in sets
        for sender in senders
    ]
    pairs = [(sender, some) for sender, some in pairs if some]
    if not pairs:
        raise OptionError(
            f"none of the senders writes before {', '.join(options.receivers) or 'a receiver'} reads; choose earlier "
            "senders or later receivers"
        )
    return pairs


def _label(graph: ComputationGraph, receivers: Sequence[int]) -> str:
    return "+".join(graph.receivers[receiver] for receiver in receivers)


def _chunks(pairs: Sequence[Pair], group: Group, batch_tokens: int) -> Iterator[list[int]]:
    """Pairs that run side by side: the same receivers, as many as fit."""
    ways = max(1, batch_tokens // group.clean.tokens.numel())
    chunk: list[int] = []
    for index, (_, receivers) in enumerate(pairs):
        if chunk and (len(chunk) == ways or receivers != pairs[chunk[0]][1]):
            yield chunk
            chunk = []
        chunk.append(index)
    yield chunk


def _effects(
    executor: EdgeExecutor, whole: BaseRun, pairs: Sequence[Pair], options: PathPatchingOptions
) -> Float[Tensor, "pair batch"]:
    """The effects of some patches of the same receivers."""
    receivers = pairs[0][1]
    changes = torch.stack([_change(executor, whole, sender) for sender, _ in pairs])
    with torch.no_grad():
        if options.mlps == "frozen":
            shifts = [Shift(receiver, changes) for receiver in receivers]
        else:
            at_receivers = _through_mlps(executor, whole, [sender for sender, _ in pairs], changes, receivers)
            shifts = [Shift(receiver, at_receivers[receiver]) for receiver in receivers]
        run = executor.run(executor.graph.present, since=whole, shift=shifts)
        return executor.metric_of(run) - executor.clean_metric


def _change(executor: EdgeExecutor, whole: BaseRun, sender: int) -> Float[Tensor, "batch pos d_model"]:
    """What a sender writes on the other run less what it writes on this one."""
    block = executor.graph.block(executor.graph.sender_nodes[sender])
    index = sender - executor.graph.senders_at(block).start
    return executor.cut.outputs[block][index] - whole.outputs[block][index]


def _through_mlps(
    executor: EdgeExecutor,
    whole: BaseRun,
    senders: Sequence[int],
    changes: Float[Tensor, "way batch pos d_model"],
    receivers: Sequence[int],
) -> dict[int, Float[Tensor, "way batch pos d_model"]]:
    """What each receiver reads more when heads keep what they wrote, and MLPs write what they make of the change."""
    model, batch = executor.model, len(executor.clean)
    blocks = [executor.graph.block(executor.graph.sender_nodes[sender]) for sender in senders]
    many = list(range(batch)) * len(senders)
    edits = []
    for layer in range(model.dims.layers):
        heads = whole.outputs[Block("attention", layer)].sum(0) + model.weights.output_bias(layer)
        edits.append(Edit.replace(Site("attn_write", layer), heads.repeat(len(senders), 1, 1)))
    for kind, name in (("embed", "resid_pre"), ("attention", "attn_write"), ("mlp", "mlp_write")):
        for layer in {block.layer for block in blocks if block.part == kind}:
            ways = torch.tensor([block == (kind, layer) for block in blocks]).to(changes)
            edits.append(Edit.add(Site(name, layer), (changes * ways[:, None, None, None]).flatten(0, 1)))
    where = {receiver: executor.block_of(receiver) for receiver in receivers}
    sites = {receiver: read_site(model, block) for receiver, block in where.items()}
    first = min(block.layer for block in blocks)
    stream = whole.inputs[Block("attention", first)][0].repeat(len(senders), 1, 1)
    trace = model.run(
        executor.clean[many],
        record=set(sites.values()),
        edits=edits,
        answer=executor.metric.select(many),
        start=(first, stream) if first else None,
    )
    before = {receiver: whole.inputs[block][0] for receiver, block in where.items()}  # one for all that read there
    return {receiver: trace[site].unflatten(0, (-1, batch)) - before[receiver] for receiver, site in sites.items()}
