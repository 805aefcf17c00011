"""Readouts: lenses, direct logit attribution, attention and head scores."""

from interp.core.result import Result
from interp.core.variables import FOR, Variable


class LayerReadout(Result):
    """What each layer would predict at each position, with the target's rank and log-probability."""

    top_token = Variable("batch layer pos rank", "most likely tokens")
    top_logprob = Variable("batch layer pos rank", "their log-probability", unit="nats")
    target_logprob = Variable("batch layer pos", "log-probability of the target", unit="nats", optional=True)
    target_rank = Variable("batch layer pos", "rank of the target", unit="rank, 1 = the best", optional=True)


class Contributions(Result):
    """Parts that add up to the metric: one number per component, with the remainder shown."""

    finds = "nodes"
    contribution = Variable(
        "batch component", "contribution of the component to the metric", unit="logits", supports=FOR
    )
    total = Variable("batch", "the metric itself", unit="logits")
    remainder = Variable("batch", "total − Σ contribution", unit="logits")


class NeuronContributions(Result):
    """What the neurons of one MLP and its bias contribute, with the remainder shown."""

    contribution = Variable("batch component", "contribution of the neuron to the metric", unit="logits", supports=FOR)
    activation = Variable("batch component", "activation of the neuron; NaN for the bias")
    total = Variable("batch", "the MLP's own direct contribution", unit="logits")
    remainder = Variable("batch", "total − Σ contribution", unit="logits")


class Patterns(Result):
    """Attention probabilities."""

    attention = Variable(
        "batch layer head query_pos key_pos",
        "attention probability of a query to a key; rows sum to one",
        unit="probability",
    )


class ExpertRouting(Result):
    """Which experts took which token, by what their outputs were weighted, and how many tokens each took.

    An expert that takes every token is the last of its layer, and so is the plain MLP of a layer without a router.
    """

    weight = Variable(
        "batch layer pos expert",
        "what the output of the expert is multiplied by, 0 where it did not take the token; NaN at padding",
        unit="factor",
    )
    taken = Variable(
        "batch layer expert", "share of the prompt's tokens that the expert took", unit="share", table="taken"
    )
    dropped = Variable(
        "batch layer pos",
        "share of the router's scores that fell to experts which did not take the token; NaN at padding, and without a "
        "router",
        unit="share",
        table="dropped",
    )


class HeadScores(Result):
    """Standard head scores, per prompt: mean attention to the named position."""

    previous_token = Variable(
        "batch layer head", "attention to the previous token; NaN for a single token", unit="probability"
    )
    duplicate_token = Variable(
        "batch layer head", "attention to earlier copies of the token; NaN if none is repeated", unit="probability"
    )
    induction = Variable(
        "batch layer head",
        "attention to tokens that follow earlier copies; NaN if none is repeated",
        unit="probability",
    )
    first_token = Variable(
        "batch layer head", "attention to the first token; NaN for a single token", unit="probability"
    )


class QueryKey(Result):
    """One attention score broken down by dimension of the head."""

    query = Variable("batch d_head", "the query")
    key = Variable("batch key_pos d_head", "the keys; NaN where the query cannot see")
    product = Variable(
        "batch key_pos d_head", "scaled query × key; NaN where the query cannot see", unit="logits", supports=FOR
    )
    score = Variable(
        "batch key_pos", "the attention score, before the softmax; NaN where the query cannot see", unit="logits",
        supports=FOR,
    )  # fmt: skip
    remainder = Variable("batch key_pos", "score − Σ product; NaN where the query cannot see", unit="logits")
    attention = Variable(
        "batch key_pos", "the attention probability; NaN where the query cannot see", unit="probability"
    )


class ProgramVariables(Result):
    """What the residual stream of a compiled model holds of its program's variables."""

    value = Variable("batch layer pos variable", "value of the variable after the layer; empty where it holds none")
    strength = Variable(
        "batch layer pos variable", "largest coordinate on the axes of the variable, or of a number the number itself"
    )


class Selections(Result):
    """What the program's selector selects for one head, and the head's attention."""

    selected = Variable("batch query_pos key_pos", "1 where the query selects the key", unit="0 or 1")
    expected = Variable(
        "batch query_pos key_pos",
        "attention that the selector stands for: equal shares of the keys selected, with BOS where they are counted, "
        "and BOS alone where there is none",
        unit="probability",
    )
    attention = Variable("batch query_pos key_pos", "attention of the head", unit="probability")
    difference = Variable("batch", "largest difference between attention and expected", unit="probability")
