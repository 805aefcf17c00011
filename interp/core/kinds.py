"""The kinds of result: which variables each holds and on which axes. A view exists for every kind."""

from interp.core.feature_kinds import (
    DictionaryQuality,
    FeatureAblation,
    FeatureActivations,
    FeatureCards,
    FeatureEffects,
    FeatureSources,
    HeadRoles,
)
from interp.core.relevance import Relevance
from interp.core.result import Result

__all__ = [
    "Ablation",
    "Agreement",
    "CircuitAblation",
    "CircuitEvidence",
    "CircuitGrowth",
    "Contributions",
    "DictionaryQuality",
    "EdgeScores",
    "Effects",
    "Faithfulness",
    "FeatureAblation",
    "FeatureActivations",
    "FeatureCards",
    "FeatureEffects",
    "FeatureSources",
    "FoundCircuit",
    "HeadComposition",
    "HeadRoles",
    "HeadScores",
    "LayerReadout",
    "LayerSimilarity",
    "Linearity",
    "MethodScores",
    "Patterns",
    "PositionContext",
    "PositionalVariance",
    "QKSplit",
    "QueryKey",
    "Relevance",
    "SourceContributions",
    "TaskAccuracy",
]


class LayerReadout(Result):
    """What each layer would predict at each position, and how the target fares there."""

    variables = {
        "top_token": "batch layer pos rank",
        "top_logprob": "batch layer pos rank",
        "target_logprob?": "batch layer pos",
        "target_rank?": "batch layer pos",
    }


class Contributions(Result):
    """Parts that add up to the metric: one number per component, with the remainder shown."""

    variables = {"contribution": "batch component", "total": "batch", "remainder": "batch"}


class SourceContributions(Result):
    """What each set of sources brings to the answer, or to a node: its part β, the rest γ, and its relevance."""

    variables = {"relevance": "batch component", "beta": "batch component", "gamma": "batch component"}


class Patterns(Result):
    """Attention probabilities: every row over `key_pos` sums to one."""

    variables = {"attention": "batch layer head query_pos key_pos"}


class HeadScores(Result):
    """Standard attention scores of every head, prompt by prompt: mean attention to the named place."""

    variables = {
        "previous_token": "batch layer head",
        "duplicate_token": "batch layer head",
        "induction": "batch layer head",
        "first_token": "batch layer head",
    }


class QueryKey(Result):
    """How one attention score comes about, dimension by dimension."""

    variables = {
        "query": "batch d_head",
        "key": "batch key_pos d_head",
        "product": "batch key_pos d_head",
        "score": "batch key_pos",
        "remainder": "batch key_pos",
        "attention": "batch key_pos",
    }


class Effects(Result):
    """What the metric gains or loses when a place is edited: metric(edited) − metric(clean)."""

    variables = {"effect": "batch layer? head? neuron? pos?"}


class Ablation(Result):
    """The metric before and after one set of edits, and the tokens the model then prefers."""

    variables = {
        "clean": "batch",
        "edited": "batch",
        "effect": "batch",
        "clean_token": "batch rank",
        "clean_prob": "batch rank",
        "edited_token": "batch rank",
        "edited_prob": "batch rank",
    }


class CircuitAblation(Ablation):
    """The metric of the whole model and of a circuit alone, and the tokens that each prefers.

    `corrupted` is the metric with every edge cut, `faithfulness` the circuit's share of the way from there to the whole
    model, of means over prompts and not clamped; NaN where there is nothing in between.
    """

    variables = Ablation.variables | {"corrupted": "batch", "faithfulness": ""}


class TaskAccuracy(Result):
    """How often, and by how much, the model prefers the right answer, prompt by prompt and with intervals."""

    variables = {"difference": "batch", "correct": "batch"}


class Faithfulness(Result):
    """What the answer loses as tokens go in each method's order; the last method is the random-order control.

    `curve` is the metric itself, `morf` with the most relevant tokens removed first, `lerf` with the least; the
    control's curve lies between `random_lower` and `random_upper`, its scores between `control_lower` and
    `control_upper` (95 % bootstrap intervals over the random orders).
    """

    variables = {
        "comprehensiveness": "batch method",
        "sufficiency": "batch method",
        "deletion_auc": "batch method",
        "insertion_auc": "batch method",
        "beats_random": "batch method",
        "curve": "batch method order fraction",
        "random_lower": "batch fraction",
        "random_upper": "batch fraction",
        "control": "batch score",
        "control_lower": "batch score",
        "control_upper": "batch score",
    }
    tables = {
        "curve": ("curve", "random_lower", "random_upper"),
        "control": ("control", "control_lower", "control_upper"),
    }


class Agreement(Result):
    """How alike every two methods rank the tokens of a prompt, beside what chance would give."""

    variables = {
        "rank_correlation": "batch method other_method",
        "magnitude_correlation": "batch method other_method",
        "top_overlap": "batch method other_method",
        "chance_overlap": "batch",
    }


class MethodScores(Result):
    """How well each method finds evidence that is known, prompt by prompt; NaN where the model's answer is wrong."""

    variables = {
        "mrr": "batch method",
        "rma": "batch method",
        "pointing": "batch method",
        "pointing_k": "batch method",
        "difference": "batch",
        "correct": "batch",
    }
    tables = {"items": ("difference", "correct")}


class EdgeScores(Result):
    """A score of every edge of the computation graph, prompt by prompt; `sender` and `receiver` label the edges.

    An effect where the method is causal: the metric's change when the edge carries the other run's value. `total` is
    what the scores of the edges out of `embed` would add up to if the method were exact, `remainder` what is missing.
    """

    variables = {"score": "batch pos? edge", "total?": "batch", "remainder?": "batch"}
    tables = {"totals": ("total", "remainder")}


class FoundCircuit(Result):
    """The edges that a search kept, what it decided about every candidate, and how good and how dear that was.

    `score` is the effect of removing a kept edge, the mask that was learned for it, or its sender's relevance;
    `removal_effect`, `mask` and `relevance` are those of every candidate (NaN where nothing was run), `kept` the
    decision: 1, 0, or NaN where the search ended before it. `forwards` is the work done in full forward passes over the
    prompts, `candidates` what one pass a
    candidate would have taken. Metrics and faithfulness are means over the prompts. `prefilter_faithfulness` is that of
    the edges that were candidates; the `lossless` numbers are of the same search without a pre-filter, and
    `jaccard` says how many edges both searches share, of those that either kept.
    """

    variables = {
        "score": "edge",
        "removal_effect?": "candidate",
        "mask?": "candidate",
        "relevance?": "candidate",
        "kept": "candidate",
        "edges": "",
        "candidates": "",
        "undecided": "",
        "clean": "",
        "corrupted": "",
        "circuit": "",
        "faithfulness": "",
        "forwards": "",
        "prefilter_faithfulness?": "",
        "jaccard?": "",
        "lossless_edges?": "",
        "lossless_faithfulness?": "",
        "lossless_forwards?": "",
    }
    tables = {
        "decisions": ("removal_effect", "mask", "relevance", "kept"),
        "totals": (
            "edges", "candidates", "undecided", "clean", "corrupted", "circuit", "faithfulness", "forwards",
            "prefilter_faithfulness", "jaccard", "lossless_edges", "lossless_faithfulness", "lossless_forwards",
        ),
    }  # fmt: skip


class CircuitGrowth(Result):
    """Faithfulness of the strongest edges at growing sizes, beside that of as many edges drawn at random."""

    variables = {"faithfulness": "budget", "edges": "budget", "random_faithfulness": "budget draw"}


class CircuitEvidence(Result):
    """How far a circuit is the whole story, beside random circuits of the same size; intervals are 95 % over prompts.

    `clean`, `corrupted` and `circuit` are the metric with every edge kept, with none, and with the circuit's; of these
    faithfulness is (circuit − corrupted) / (clean − corrupted), unclamped. `curve` is that of the strongest edges at
    each budget: `nominal` edges taken, `pruned` of them that do not dangle. `cpr` is the area under it, `cmd` the area
    between it and 1, over the share of edges; `random_…` those of as many edges drawn at random.

    `minimality` is the effect of removing one of the circuit's nodes from it, `node_incompleteness` the distance
    between circuit and model without that node, `incompleteness` its mean over all sets of nodes knocked out.

    `edge_effect` is what truly patching an edge of the whole model does, beside the `edge_score` that it was ranked by;
    `selection_frequency` how often the edge is among the strongest when prompts are resampled.
    """

    variables = {
        "faithfulness": "",
        "faithfulness_low": "",
        "faithfulness_high": "",
        "random_faithfulness": "",
        "clean": "",
        "corrupted": "",
        "circuit": "",
        "edges": "",
        "incompleteness": "",
        "incompleteness_low": "",
        "incompleteness_high": "",
        "cpr": "",
        "cmd": "",
        "random_cpr": "",
        "random_cmd": "",
        "rank_correlation": "",
        "linearisation_error": "",
        "curve": "budget",
        "curve_low": "budget",
        "curve_high": "budget",
        "nominal": "budget",
        "pruned": "budget",
        "random_curve": "budget draw",
        "minimality": "component",
        "minimality_low": "component",
        "minimality_high": "component",
        "node_incompleteness": "component",
        "edge_effect": "edge",
        "edge_effect_low": "edge",
        "edge_effect_high": "edge",
        "edge_score": "edge",
        "selection_frequency": "edge",
    }
    tables = {
        "curve": ("curve", "curve_low", "curve_high", "nominal", "pruned"),
        "random": ("random_curve",),
        "nodes": ("minimality", "minimality_low", "minimality_high", "node_incompleteness"),
        "edges": ("edge_effect", "edge_effect_low", "edge_effect_high", "edge_score", "selection_frequency"),
    }


class PositionContext(Result):
    """Every layer's stream as mean + position + context + residual over windows of text, and what each part is like.

    `arrangement` is "as read" or the control "shuffled": positions shuffled within every window, topics among windows.
    `layer` is the stream into that layer; the last one is the stream out of the model's last layer. The shares of the
    energy Σ‖h‖² add up to 1 with the `remainder`. `curve` holds the position part on its first three principal
    directions, `gram` the cosines between its positions, `singular_value` its spectrum; `map` the context part of
    some windows on their first three principal directions, each labelled with its `topic` and `document`.
    """

    variables = {
        "mean_share": "arrangement layer",
        "position_share": "arrangement layer",
        "context_share": "arrangement layer",
        "residual_share": "arrangement layer",
        "remainder": "arrangement layer",
        "stable_rank": "arrangement layer",
        "rank": "arrangement layer",
        "relative_norm": "arrangement layer",
        "low_frequency_share": "arrangement layer",
        "incoherence": "arrangement layer",
        "similarity_within": "arrangement layer",
        "similarity_between": "arrangement layer",
        "curve": "layer pos direction",
        "gram": "layer pos other_pos",
        "singular_value": "layer component",
        "map": "layer window direction",
    }
    tables = {"curve": ("curve",), "gram": ("gram",), "spectrum": ("singular_value",), "map": ("map",)}


class QKSplit(Result):
    """One head's attention scores before masking, split into position, context and residual, and every head's shares.

    The three terms and the `remainder` add up to the score. NaN at keys that the query cannot see. A share is the
    covariance of a term with the scores of a query's keys over those scores' variance, over all queries: what of the
    head's choice between keys the term explains. The first positions, which have no position part, are left out of
    queries and keys. The three shares add up to 1.
    """

    variables = {
        "score": "batch query_pos key_pos",
        "position": "batch query_pos key_pos",
        "context": "batch query_pos key_pos",
        "residual": "batch query_pos key_pos",
        "remainder": "batch query_pos key_pos",
        "position_share": "batch layer head",
        "context_share": "batch layer head",
        "residual_share": "batch layer head",
    }
    tables = {"heads": ("position_share", "context_share", "residual_share")}


class HeadComposition(Result):
    """How far each head writes into what the queries, keys and values of later heads read; from the weights alone.

    `sender` and `receiver` label the edges. `null_mean` and `null_sd` are exact for a random rotation between the two;
    `backward` is the share of the pairs of the same kind in which the receiver comes before the sender, and so cannot
    compose, that score as high. A channel is one singular direction of a sender's output, labelled `channel_sender`,
    `channel_receiver` and `channel_component` (0 is its strongest); the strongest are kept.
    """

    variables = {
        "score": "edge",
        "null_mean": "edge",
        "null_sd": "edge",
        "backward": "edge",
        "channel_score": "channel",
        "channel_null_mean": "channel",
        "channel_null_sd": "channel",
        "channel_backward": "channel",
    }
    tables = {"channels": ("channel_score", "channel_null_mean", "channel_null_sd", "channel_backward")}


class Linearity(Result):
    """How well one linear map turns the stream into each layer into the stream out of it, and into what it adds."""

    variables = {"linearity": "layer", "update_linearity": "layer"}


class LayerSimilarity(Result):
    """How alike the streams into every two layers are, of one model or two; 1 is the same up to rotation and scale."""

    variables = {"cka": "layer other_layer"}


class PositionalVariance(Result):
    """How what attention adds to the stream varies over windows, position by position.

    `uniform_attention_variance` is the same for queries that look at all keys they see alike.
    """

    variables = {"variance": "layer pos", "uniform_attention_variance": "layer pos"}
