"""What there is to find in a model of known truth, and what of it is true."""

from collections.abc import Sequence
from dataclasses import replace
from itertools import chain, permutations
from typing import NamedTuple

import torch
from torch import Tensor

from interp.core.errors import EngineError
from interp.core.nodes import Node
from interp.core.prompts import PromptPairs, Prompts
from interp.groundtruth.truth import axes, circuit, program
from interp.groundtruth.truth import known as known_of
from interp.kinds import Circuit
from interp.models.edits import Edit
from interp.models.hooked import HookedModel
from interp.models.sites import Site
from interp.models.writes import graph_of
from interp.tasks import program as program_task
from interp.tasks.program import text_of
from interp.tasks.programs import Program, Value, written

RANKED = ("tokens", "nodes", "edges", "features")
_PAIRS, _TOLERANCE = 48, 1e-9  # as the effects of edges were measured


class Question(NamedTuple):
    """Candidates by name, and the true ones: those with an effect when they alone are resampled, and all that could."""

    candidates: tuple[str, ...]
    effective: frozenset[str]
    static: frozenset[str] | None = None


def questions(model: HookedModel, finds: str, pairs: PromptPairs) -> list[Question]:
    """What to find: of tokens, a question a prompt, of all else one.

    Raises: EngineError, ModelError where the truth is not known.
    """
    if finds == "tokens":
        return [_tokens(model, pairs, row) for row in range(len(pairs))]
    return [{"nodes": _nodes, "edges": _edges, "features": _features}[finds](model)]


def _edges(model: HookedModel) -> Question:
    graph = graph_of(model)
    effective, static = (_names(circuit(model, edges)) for edges in ("effective", "static"))
    return Question(tuple(map(" ".join, graph.edges)), effective, static)


def _names(truth: Circuit) -> frozenset[str]:
    return frozenset(f"{edge.sender} {edge.receiver}" for edge in truth.edges)


def _nodes(model: HookedModel) -> Question:
    """Heads and MLPs that are an end of a true edge."""
    graph = graph_of(model)
    candidates = tuple(name for name in graph.senders if name != "embed")

    def ends(truth: Circuit) -> frozenset[str]:
        senders = {edge.sender for edge in truth.edges}
        receivers = {edge.receiver for edge in truth.edges}
        return frozenset(
            name for name in candidates if name in senders or not receivers.isdisjoint(graph.inputs_of(name))
        )

    return Question(candidates, ends(circuit(model, "effective")), ends(circuit(model, "static")))


def _tokens(model: HookedModel, pairs: PromptPairs, row: int) -> Question:
    """Positions of a prompt at which some other symbol alone changes what the program gives at the answer.

    What has no other symbol that the program may read there (its start or end, BOS, or where none may occur twice) is
    no candidate.
    """
    known, clean = program(model), pairs.clean
    symbols = {written(value): value for value in (*known.start, *known.symbols, *known.end)}
    sequence = tuple(symbols[label.strip()] for label in clean.labels[row][-known.longest :])
    first = clean.width - known.longest
    assert clean.metric is not None
    assert clean.metric.positions is not None
    output = clean.metric.positions[row] - first
    if "lines" in known_of(model):  # learned: the task's program is only what it should have become
        others = chain.from_iterable(_others(known, sequence, at) for at in range(len(sequence)))
        known = replace(known, function=_Learned(model, [sequence, *others]))
    depends = {at: depends_on(known, sequence, output, at) for at in range(len(sequence))}
    return Question(
        tuple(str(first + at) for at, changes in depends.items() if changes is not None),
        frozenset(str(first + at) for at, changes in depends.items() if changes),
    )


def depends_on(known: Program, sequence: tuple[Value, ...], output: int, at: int) -> bool | None:
    """Whether another symbol at `at` alone changes a program's `output`; None where no other may stand there."""
    others = _others(known, sequence, at)
    values = [value for other in others if (value := known.function(other)[output]) is not None]
    return any(value != known.function(sequence)[output] for value in values) if values else None


def _others(known: Program, sequence: tuple[Value, ...], at: int) -> list[tuple[Value, ...]]:
    """The sequences with another symbol at `at` alone that the program may read."""
    if not len(known.start) <= at < len(sequence) - len(known.end):
        return []
    others = [(*sequence[:at], symbol, *sequence[at + 1 :]) for symbol in known.symbols if symbol != sequence[at]]
    if known.sequences is permutations:
        others = [other for other in others if len({*other}) == len(other)]
    return others


class _Learned:
    """What a learned program gives for some sequences: the model's own tokens, as it is its program on every input."""

    def __init__(self, model: HookedModel, sequences: list[tuple[Value, ...]]) -> None:
        with torch.no_grad():
            best = model.logits(Prompts.of(model, list(map(text_of, sequences)))).argmax(-1)
        rows = best[:, -len(sequences[0]) :].tolist()
        self._outputs: dict[Sequence[Value], list[Value]] = dict(zip(sequences, map(list, rows), strict=True))

    def __call__(self, sequence: Sequence[Value]) -> list[Value]:
        return self._outputs[sequence]


def feature_site(model: HookedModel) -> Site:
    """The stream in the middle of the model, whose axes are its features."""
    return Site("resid_post", (model.dims.layers - 1) // 2)


def _features(model: HookedModel) -> Question:
    """Axes of the stream in the middle that move a logit when they alone hold the other run's values."""
    names, site = axes(model), feature_site(model)
    if len(names) != model.dims.d_model:
        raise EngineError(f"the axes of {model.name}'s stream hold no variables of their own")
    pairs = program_task(model, n=_PAIRS)
    with torch.no_grad():
        clean, other = model.logits(pairs.clean), model.record(pairs.corrupted, [site])[site]

        def moves(axis: int) -> bool:
            def through(stream: Tensor) -> Tensor:
                return stream.index_copy(-1, torch.tensor([axis]), other[..., [axis]])

            change = model.run(pairs.clean, edits=[Edit.through(site, through)]).logits - clean
            return bool(change.abs().max() > _TOLERANCE)

        effective = frozenset(str(axis) for axis in range(len(names)) if moves(axis))
    return Question(tuple(map(str, range(len(names)))), effective)


def node_name(layer: int, head: int | None) -> str:
    """A head's name, or an MLP's."""
    return str(Node("m", layer) if head is None else Node("a", layer, head))
