"""The kinds of result: which variables each holds and on which axes. A view exists for every kind."""

from interp.core.relevance import Relevance
from interp.core.result import Result

__all__ = [
    "Ablation",
    "Contributions",
    "Effects",
    "HeadScores",
    "LayerReadout",
    "Patterns",
    "QueryKey",
    "Relevance",
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
