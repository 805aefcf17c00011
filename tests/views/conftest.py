"""Results of every kind, by hand: two prompts, one shorter and full of markup; a model of 3 layers × 4 heads."""

from collections.abc import Callable
from functools import partial
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest
import torch

from interp import kinds
from interp.core.edges import circuit_facts
from interp.core.graph import ComputationGraph
from interp.core.prompts import Prompts
from interp.core.result import SIGN, Provenance, Result

MARKUP = "<script>alert(1)</script> & <b>x</b>"
LABELS = (("When", " Mary", " and", " Mary", "\n"), ("<script>", "alert(1)", "</script>", " & <b>x</b>", ""))
PROMPTS = Prompts(
    texts=("When Mary and Mary\n", MARKUP),
    tokens=torch.tensor([[1, 2, 3, 2, 4], [5, 6, 7, 8, 0]]),
    mask=torch.tensor([[True] * 5, [True] * 4 + [False]]),
    labels=LABELS,
)
ORIGIN = Provenance(
    engine="by-hand", model="tiny <b>model</b>", weight_hash="abc", metric='logit("<i>") − logit(" b")', seconds=0.1
)
BATCH, LAYER, HEAD, POS, D_HEAD = 2, 3, 4, 5, 6


def _random(*shape: int) -> np.ndarray:
    return np.random.default_rng(sum(shape)).normal(size=shape).astype("float32")


def _patterns() -> Result:
    attention = np.tril(np.exp(_random(BATCH, LAYER, HEAD, POS, POS)))
    attention /= attention.sum(-1, keepdims=True)
    attention[1, ..., 4, :] = attention[1, ..., :, 4] = np.nan
    return kinds.Patterns.of(
        PROMPTS,
        {"attention": attention},
        "batch layer head query_pos key_pos",
        unit="probability",
        measured="attention probability",
    )


def _expert_routing() -> Result:
    weight = np.abs(_random(BATCH, LAYER, POS, 3))
    weight[..., 1] = 0
    weight[1, :, 4] = np.nan
    return kinds.ExpertRouting.of(
        PROMPTS,
        {
            "weight": weight,
            "taken": (weight > 0).mean(2),
            "dropped": np.where(PROMPTS.mask[:, None], np.abs(_random(BATCH, LAYER, POS)) / 9, np.nan),
        },
        measured="weights of experts",
    )


def _layer_readout() -> Result:
    tokens = np.array([" <b>x</b>", "\n", " Mary", "a", "b"], dtype=object)
    ranked = -np.sort(-_random(BATCH, LAYER, POS, 5)) - 3
    return kinds.LayerReadout.of(
        PROMPTS,
        {
            "top_token": ("batch layer pos rank", np.broadcast_to(tokens, ranked.shape).copy()),
            "top_logprob": ("batch layer pos rank", ranked),
            "target_logprob": _random(BATCH, LAYER, POS) - 5,
            "target_rank": np.arange(1, BATCH * LAYER * POS + 1).reshape(BATCH, LAYER, POS),
        },
        "batch layer pos",
        measured='what each layer says of "<b>"',
    )


def _contributions() -> Result:
    parts = _random(BATCH, 30)
    return kinds.Contributions.of(
        PROMPTS,
        {
            "contribution": ("batch component", parts),
            "total": parts.sum(-1) + 0.25,
            "remainder": np.full(BATCH, 0.25),
        },
        "batch",
        unit="logits",
        measured="direct contribution",
        sign="positive: adds to the answer",
        component=[f"a{i // 4}.{i % 4}" for i in range(30)],
    )


def _neuron_contributions() -> Result:
    parts = _random(BATCH, 30)
    return kinds.NeuronContributions.of(
        PROMPTS,
        {
            "contribution": ("batch component", parts),
            "activation": ("batch component", _random(BATCH, 30)),
            "total": parts.sum(-1) + 0.25,
            "remainder": np.full(BATCH, 0.25),
        },
        "batch",
        measured="direct contribution of neurons",
        sign="positive: adds to the answer",
        component=[f"n1.{i}" for i in range(30)],
    )


def _source_contributions() -> Result:
    beta = _random(BATCH, 30)
    return kinds.SourceContributions.of(
        PROMPTS,
        {"relevance": beta, "beta": beta, "gamma": 2 - beta},
        "batch component",
        unit="logits",
        measured="contextual decomposition",
        sign="positive: evidence for the answer",
        component=[f"a{i // 4}.{i % 4}+<b>" for i in range(30)],
    )


def _head_scores() -> Result:
    values = {name: np.abs(_random(BATCH, LAYER, HEAD)) + i for i, name in enumerate(kinds.HeadScores.variables)}
    return kinds.HeadScores.of(PROMPTS, values, "batch layer head", unit="probability", measured="mean attention")


def _query_key() -> Result:
    query, key = _random(BATCH, D_HEAD), _random(BATCH, POS, D_HEAD)
    product = query[:, None] * key
    score = product.sum(-1) + 0.01
    return kinds.QueryKey.of(
        PROMPTS,
        {
            "query": ("batch d_head", query),
            "key": ("batch key_pos d_head", key),
            "product": ("batch key_pos d_head", product),
            "score": score,
            "remainder": np.full_like(score, 0.01),
            "attention": np.exp(score) / np.exp(score).sum(-1, keepdims=True),
        },
        "batch key_pos",
        measured="attention score of head 1.2",
    )


def _program_variables() -> Result:
    values = np.array(["a", "", "<b>", "1/3"])[(_random(BATCH, LAYER, POS, 5) > 0) + 2 * (_random(5) > 0)]
    return kinds.ProgramVariables.of(
        PROMPTS,
        {"value": values, "strength": np.abs(_random(BATCH, LAYER, POS, 5))},
        "batch layer pos variable",
        measured="value of each variable",
        variable=["tokens", "indices", "hist", "<i>", "share"],
    )


def _selections() -> Result:
    selected = (_random(BATCH, POS, POS) > 0).astype(float)
    expected = selected / np.maximum(selected.sum(-1, keepdims=True), 1)
    values = {
        "selected": selected,
        "expected": expected,
        "attention": expected * 0.9,
        "difference": np.full(BATCH, 0.1),
    }
    facts = {"selector": "same: keys <tokens>, queries tokens", "head": "1.2"}
    return kinds.Selections.of(
        PROMPTS, values, "batch query_pos key_pos", measured="selector same, and attention", facts=facts
    )


def effects(axes: str = "batch layer head", *, prompts: Prompts = PROMPTS) -> kinds.Effects:
    sizes = {"batch": len(prompts), "layer": LAYER, "head": HEAD, "pos": prompts.width}
    values = _random(*(sizes[axis] for axis in axes.split()))
    return kinds.Effects.of(
        prompts, {"effect": values}, axes, unit="logits", measured="effect of <b>resampling</b>", sign=SIGN
    ).with_provenance(ORIGIN)


def _ablation() -> Result:
    clean, edited = _random(BATCH), _random(BATCH) - 2
    prob = np.array([[0.5, 0.3, 0.2]] * BATCH)
    token = np.array([[" Mary", " <b>x</b>", "\n"], [" Mary", " Mary", "&"]], dtype=object)
    return kinds.Ablation.of(
        PROMPTS,
        {
            "clean": clean,
            "edited": edited,
            "effect": edited - clean,
            "clean_token": ("batch rank", token),
            "clean_prob": ("batch rank", prob),
            "edited_token": ("batch rank", token[::-1].copy()),
            "edited_prob": ("batch rank", prob - 0.05),
        },
        "batch",
        unit="logits",
        measured="before and after zero ablation of a1.2",
        sign=SIGN,
    )


def _accuracy() -> Result:
    return kinds.TaskAccuracy.of(
        PROMPTS,
        {"difference": np.array([1.5, -0.5]), "correct": np.array([True, False])},
        "batch",
        unit="logits",
        measured="logit difference",
    )


def _relevance() -> Result:
    return relevance_of(0)


def relevance_of(seed: int, *, latent: bool = True) -> kinds.Relevance:
    """Relevance with everything it may hold; the shorter prompt's last place is padding."""
    made = torch.Generator().manual_seed(seed)

    def draw(*shape: int) -> torch.Tensor:
        return torch.randn(*shape, generator=made, dtype=torch.float64)

    mask = PROMPTS.mask.double()
    insides = {
        "stream": draw(BATCH, LAYER, POS) * mask[:, None],
        "heads": draw(BATCH, LAYER, HEAD, POS) * mask[:, None, None],
        "neurons": draw(BATCH, LAYER, 11),
        "experts": draw(BATCH, LAYER, 2, POS) * mask[:, None, None],
        "router": draw(BATCH, LAYER, POS) * mask[:, None],
        "pairs": draw(BATCH, LAYER, HEAD, POS, POS),
    }
    terms = ("softmax", "<b>bias</b>", "ε")
    return kinds.Relevance.accounted(
        PROMPTS,
        draw(BATCH, POS),
        draw(BATCH),
        absorbed={(f"layer {i}", term): draw(BATCH) for i in reversed(range(LAYER)) for term in terms},
        latent=insides if latent else None,
        unit="logits",
        measured='relevance to logit("<i>")',
    )


METHODS = ["attnlrp", "<b>mine</b>", "random"]


def _faithfulness() -> Result:
    curve, scores = _random(BATCH, 3, 2, 5), ("comprehensiveness", "sufficiency", "deletion_auc", "insertion_auc")
    values = {name: _random(BATCH, 3) for name in (*scores, "beats_random")}
    band = np.stack([curve[:, -1, 0] - 0.5, curve[:, -1, 0] + 0.25], -1)
    return kinds.Faithfulness.of(
        PROMPTS,
        values
        | {"curve": curve, "random": band}
        | {"control": _random(BATCH, 4), "control_interval": _random(BATCH, 4, 2)},
        unit="logits",
        measured='logit("<i>") as tokens are removed',
        sign="comprehensiveness > 0: faithful",
        method=METHODS,
        order=["morf", "lerf"],
        fraction=np.linspace(0, 1, 5),
        score=list(scores),
    )


def _agreement() -> Result:
    values = np.tanh(_random(BATCH, 3, 3))
    return kinds.Agreement.of(
        PROMPTS,
        {
            "rank_correlation": values,
            "magnitude_correlation": values / 2,
            "top_overlap": np.abs(values),
            "chance_overlap": ("batch", np.array([0.4, 0.5])),
        },
        "batch method other_method",
        unit="",
        measured="how alike two methods rank the tokens",
        method=METHODS,
        other_method=METHODS,
    )


def _method_scores() -> Result:
    values = {name: np.tanh(np.abs(_random(BATCH, 3))) for name in ("mrr", "rma", "pointing", "pointing_k")}
    return kinds.MethodScores.of(
        PROMPTS,
        values | {"difference": ("batch", np.array([1.0, 2.0])), "correct": ("batch", np.array([1.0, 0.0]))},
        "batch method",
        unit="fraction",
        measured="how well relevance finds the evidence",
        method=METHODS,
    )


def _scorecard() -> Result:
    """Two engines and a baseline of edges, one of tokens; the second model is refused by one of them."""
    methods, kind = ("eap", "acdc", "random edges", "<b>mine</b>"), kinds.Scorecard
    shapes = {"model": 2, "method": 4, "draw": 3, "bound": 2}
    values = {}
    for name, variable in kind.variables.items():
        values[name] = np.tanh(np.abs(_random(*(shapes[axis] for axis in variable.axes.split()))))
    values["reason"] = np.array([[""] * 4, ["", MARKUP, "", ""]], dtype=object)
    values["auc"][1, 1] = np.nan
    for name in (name for name in values if name.endswith("_interval")):
        mean = values[name.removesuffix("_interval")][:, None]
        values[name] = np.concatenate([mean * 0.9, mean * 1.1], 1)
    return kind.of(
        PROMPTS,
        values,
        measured="how well methods find what is known",
        sign="higher: true ones rank before the others",
        model=["rasp/sort", "rasp/<i>hist</i>"],
        version=("model", ["0123", "4567"]),
        method=list(methods),
        finds=("method", ["edges", "edges", "edges", "tokens"]),
        engine=("method", ["eap", "acdc", "", "mine"]),
        settings=("method", ["", "tau = 0.1", "", ""]),
    )


GRAPH = ComputationGraph(layers=LAYER, heads=HEAD, kv_heads=2)


def edge_scores(*, by_position: bool = False, prompts: Prompts = PROMPTS, graph: ComputationGraph = GRAPH) -> Result:
    """Scores of every edge of a graph; at padded places none."""
    senders, receivers = np.nonzero(graph.present)
    places = (prompts.width,) if by_position else ()
    values = _random(len(prompts), *places, graph.edge_count)
    if by_position:
        values *= prompts.mask.numpy()[:, :, None]
    axes = "batch pos edge" if by_position else "batch edge"
    return kinds.EdgeScores.of(
        prompts, {"score": values}, axes, unit="logits", measured="effect of <b>cutting</b>", sign=SIGN,
        facts=circuit_facts(graph, prompts),
        sender=("edge", np.array(graph.senders, dtype=object)[senders]),
        receiver=("edge", np.array(graph.receivers, dtype=object)[receivers]),
    )  # fmt: skip


def _found_circuit() -> Result:
    senders, receivers = (array[::3] for array in np.nonzero(GRAPH.present))
    totals = dict.fromkeys(("edges", "candidates", "undecided", "clean", "corrupted", "circuit", "forwards"), 3.0)
    values = {name: ("", np.array(number)) for name, number in totals.items()}
    return kinds.FoundCircuit.of(
        PROMPTS,
        values
        | {
            "faithfulness": ("", np.array(0.75)),
            "score": ("edge", np.append(_random(len(senders) - 1), np.nan)),
            "removal_effect": ("candidate", _random(4)),
            "kept": ("candidate", np.array([1.0, 0.0, np.nan, 1.0])),
        },
        "",
        unit="logits",
        measured="edges kept",
        sign=SIGN,
        facts=circuit_facts(GRAPH, PROMPTS),
        sender=("edge", np.array(GRAPH.senders, dtype=object)[senders]),
        receiver=("edge", np.array(GRAPH.receivers, dtype=object)[receivers]),
        candidate_sender=("candidate", np.array(["embed"] * 4, dtype=object)),
        candidate_receiver=("candidate", np.array(["q0.0", "q0.1", "m0", "logits"], dtype=object)),
    )


def circuit_evidence(nodes: int = 4, *, intervals: bool = True) -> Result:
    """Evidence with random numbers, for so many nodes."""
    sizes = {"budget": 5, "draw": 2, "component": nodes, "edge": 3}
    values = {}
    for name, declared in kinds.CircuitEvidence.variables.items():
        if "bound" not in declared.axes:
            values[name] = _random(*(sizes[axis] for axis in declared.axes.split()), 1)[..., 0]
    values["nominal"], values["pruned"] = [1, 5, 20, 90, 180], [0, 0, 9, 80, 180]
    values["edges"] = 20
    for name in ("faithfulness", "curve", "minimality", "edge_effect", "incompleteness"):
        ends = np.stack([values[name] - 0.5, values[name] + 0.25], -1)
        values[f"{name}_interval"] = ends if intervals else ends * np.nan
    return kinds.CircuitEvidence.of(
        PROMPTS,
        values,
        unit="logits",
        measured='how far a circuit carries logit("<i>")',
        sign=SIGN,
        budget=np.array([0.005, 0.03, 0.1, 0.5, 1.0]),
        component=[f"a0.{i}" for i in range(nodes)],
        sender=("edge", np.array(["embed", "a0.1", "m1"], dtype=object)),
        receiver=("edge", np.array(["q1.0", "m1", "logits"], dtype=object)),
    )


def circuit_ablation() -> Result:
    """The answer of a circuit alone: that of an ablation, with the metric where every edge is cut."""
    data = _ablation().data.assign(corrupted=("batch", np.array([-1.0, 0.5])), faithfulness=((), np.array(0.25)))
    return kinds.CircuitAblation(data)


def circuit_growth() -> Result:
    """Faithfulness at four sizes, beside two draws of each."""
    return kinds.CircuitGrowth.of(
        PROMPTS,
        {
            "faithfulness": np.array([0.1, 0.4, 1.2, 1.0]),
            "edges": np.array([10, 30, 90, 180]),
            "random_faithfulness": ("budget draw", np.array([[0.0, 0.1], [0.1, -0.1], [0.2, 0.5], [1.0, 1.0]])),
        },
        "budget",
        unit="share",
        measured='faithfulness of the strongest edges of logit("<i>")',
        sign="1: as the whole model",
        budget=np.array([10, 30, 90, 180]),
    )


SAMPLES: dict[str, Callable[[], Result]] = {
    "LayerReadout": _layer_readout,
    "Contributions": _contributions,
    "NeuronContributions": _neuron_contributions,
    "SourceContributions": _source_contributions,
    "Patterns": _patterns,
    "ExpertRouting": _expert_routing,
    "HeadScores": _head_scores,
    "QueryKey": _query_key,
    "ProgramVariables": _program_variables,
    "Selections": _selections,
    "Effects": effects,
    "Ablation": _ablation,
    "TaskAccuracy": _accuracy,
    "Relevance": _relevance,
    "Faithfulness": _faithfulness,
    "Agreement": _agreement,
    "MethodScores": _method_scores,
    "Scorecard": _scorecard,
    "EdgeScores": edge_scores,
    "FoundCircuit": _found_circuit,
    "CircuitAblation": circuit_ablation,
    "CircuitEvidence": circuit_evidence,
    "CircuitGrowth": circuit_growth,
} | {
    name: partial(make, PROMPTS)
    for path in sorted(Path(__file__).parent.glob("*_samples.py"))
    for name, make in import_module(f"views.{path.stem}").SAMPLES.items()
}


@pytest.fixture
def sample() -> Callable[[str], Result]:
    """A result of a kind, by its name."""
    return lambda kind: SAMPLES[kind]().with_provenance(ORIGIN)


@pytest.fixture
def relevance() -> Callable[..., kinds.Relevance]:
    """Relevance of two prompts, by a seed, with or without what a method says of the insides."""
    return lambda seed=0, **more: relevance_of(seed, **more).with_provenance(ORIGIN)


@pytest.fixture
def effects_on() -> Callable[..., kinds.Effects]:
    """Effects on chosen axes."""
    return effects


@pytest.fixture
def scores_with() -> Callable[..., Result]:
    """Edge scores, by position or of another graph."""
    return lambda **more: edge_scores(**more).with_provenance(ORIGIN)


@pytest.fixture
def evidence_with() -> Callable[..., Result]:
    """Evidence for a circuit of so many nodes, with or without intervals."""
    return lambda *nodes, **more: circuit_evidence(*nodes, **more).with_provenance(ORIGIN)
