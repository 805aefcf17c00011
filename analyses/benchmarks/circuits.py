"""The circuits' rows: the work of searching for one, in forward passes, on random models of GPT-2's shape."""

import tempfile
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import torch
from transformers import GPT2Config, GPT2LMHeadModel

import interp
from analyses.benchmarks import edge_scores
from analyses.benchmarks.timing import Row
from interp.circuits import EdgeExecutor
from interp.core.metric import Metric
from interp.core.nodes import Node
from interp.core.prompts import PromptPairs, Prompts
from interp.core.result import Result
from interp.models import HookedModel

WIDTH, PAIRS = 16, 4
NAMES, AGAIN = (3, 6), 11  # positions of two names, and where one of them is repeated


def rows(model: HookedModel) -> Iterator[Row]:
    """Scores of edges on `model`, then searches on random models that take its tokenizer."""
    yield from edge_scores.rows(model)
    yield from _searching(model)


class _Search(NamedTuple):
    """A random model to search, and a τ that keeps 200 to 500 of its edges."""

    layers: int
    d_model: int
    tau: float
    prefilter: int


SEARCHES = (_Search(2, 96, 4e-5, 300), _Search(12, 48, 2.5e-4, 4000))


def _searching(tokenizer_of: HookedModel) -> Iterator[Row]:
    """Forward passes that ACDC takes, as a share of one for every candidate edge; without loss, and pre-filtered."""
    for search in SEARCHES:
        model = _random_model(tokenizer_of, search)
        pairs = _pairs(model)
        lossless = interp.circuits.acdc(model, pairs, tau=search.tau)
        shape = f"ACDC, {search.layers} layers × {model.dims.heads} heads, τ = {search.tau:g}"
        same = f", same as a pass an edge: {_same_as_plain(model, pairs, lossless, search.tau)}"
        name = f"{shape}: {_summary(lossless)}{same if search.layers == 2 else ''}"
        yield _row(name, lossless, target=1 / 3)
        prefiltered = interp.circuits.acdc(model, pairs, tau=search.tau, prefilter=search.prefilter)
        overlap = _jaccard(prefiltered, lossless)
        name = f"{shape}, of {search.prefilter} by EAP: {_summary(prefiltered)}, Jaccard {overlap:.2f}"
        yield _row(name, prefiltered, target=1 / 10)


def _row(name: str, result: Result, *, target: float) -> Row:
    share = float(result.values("forwards") / result.values("candidates"))
    return Row(name, share, share, share, "of 1", target)


def _summary(result: Result) -> str:
    return f"{int(result.values('edges'))} edges, faithfulness {float(result.values('faithfulness')):.2f}"


def _random_model(tokenizer_of: HookedModel, search: _Search) -> HookedModel:
    """To GPT-2 small's scale: twelve heads, a vocabulary of 65 d_model.

    Weights are about four times as large as GPT-2's are at first: with those, heads would attend evenly, and all edges
    would matter equally little.
    """
    config = GPT2Config(
        vocab_size=65 * search.d_model,
        n_embd=search.d_model,
        n_layer=search.layers,
        n_head=12,
        n_positions=WIDTH,
        initializer_range=1.75 * search.d_model**-0.5,
        bos_token_id=0,
        eos_token_id=0,
    )
    with tempfile.TemporaryDirectory() as folder, torch.random.fork_rng():
        torch.manual_seed(0)
        GPT2LMHeadModel(config).save_pretrained(folder)
        tokenizer_of.tokenizer.save_pretrained(folder)
        return interp.load(folder, dtype="float64")


def _pairs(model: HookedModel) -> PromptPairs:
    """Random tokens in the manner of IOI: two names, and one of them again; in the corrupted twin it is the other."""
    clean = torch.randint(1, model.dims.vocab, (PAIRS, WIDTH), generator=torch.Generator().manual_seed(0))
    answer, other = (clean[:, place] for place in NAMES)
    corrupted = clean.clone()
    clean[:, AGAIN], corrupted[:, AGAIN] = other, answer
    metric = Metric(
        tuple((token,) for token in answer.tolist()),
        tuple((token,) for token in other.tolist()),
        (WIDTH - 1,) * PAIRS,
        tuple(map(model.token_label, answer.tolist())),
        tuple(map(model.token_label, other.tolist())),
    )
    prompts = Prompts.of_tokens(model, clean.tolist())
    clean_prompts = Prompts(prompts.texts, prompts.tokens, prompts.mask, prompts.labels, metric)
    return PromptPairs(clean_prompts, Prompts.of_tokens(model, corrupted.tolist()))


def _jaccard(one: Result, other: Result) -> float:
    left, right = (
        set(zip(each.data["sender"].values, each.data["receiver"].values, strict=True)) for each in (one, other)
    )
    return len(left & right) / len(left | right)


@torch.no_grad()
def _same_as_plain(model: HookedModel, pairs: PromptPairs, result: Result, tau: float) -> bool:
    """Whether the paper's algorithm, with a whole pass for every candidate, keeps the same edges."""
    assert pairs.metric is not None
    executor = EdgeExecutor(model, pairs, pairs.metric)
    clean = executor.clean_logits.log_softmax(-1)

    def objective(mask: np.ndarray) -> float:
        return (clean.exp() * (clean - executor.run(mask).logits[0].log_softmax(-1))).sum(-1).mean().item()

    graph = executor.graph
    mask = graph.present.copy()
    current = objective(mask)
    for receiver in _from_output_to_input(graph.receivers):
        for sender in reversed(range(graph.reads[receiver])):
            mask[sender, receiver] = False
            value = objective(mask)
            mask[sender, receiver] = value - current >= tau
            current = current if mask[sender, receiver] else value
    edges = set(zip(result.data["sender"].values, result.data["receiver"].values, strict=True))
    return edges == set(graph.describe(list(zip(*np.nonzero(mask), strict=True))))


def _from_output_to_input(receivers: tuple[str, ...]) -> list[int]:
    """The logits, then each layer's MLP, values, keys and queries, heads ascending."""

    def place(index: int) -> tuple[int, int, int]:
        kind, layer, head, _ = Node.of(receivers[index])
        return (-1, 0, 0) if kind == "logits" else (1000 - layer, "mvkq".index(kind), head)

    return sorted(range(len(receivers)), key=place)
