"""The kinds of result: which variables each holds and on which axes. A view exists for every kind."""

from interp.core.relevance import Relevance
from interp.core.result import Result

__all__ = [
    "Ablation",
    "Agreement",
    "Contributions",
    "Effects",
    "Faithfulness",
    "HeadScores",
    "LayerReadout",
    "MethodScores",
    "Patterns",
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

    variables = {"effect": "batch layer? head? pos?"}


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
