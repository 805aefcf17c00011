"""Attention at large: what patterns of heads look like over a corpus, and the loss without what they attend to."""

from interp.core.result import Result
from interp.core.variables import Variable

NO_QUERY = "; NaN where no window has such a query"
NO_LOSS = "; NaN of a model that predicts no next token"


class AttentionSinks(Result):
    """How much every head attends to the first token, the largest activations of the stream, and the loss without them.

    Each `component` is one place of the stream, labelled by `stream` (the layer that it enters; the last one is the
    stream out of the model), `position` and `dimension`.
    """

    sink = Variable(
        "layer head",
        f"mean attention on the first position{NO_QUERY}",
        unit="probability",
        interval=True,
    )
    most_attended = Variable(
        "layer head",
        "mean attention on the most attended of the first positions; NaN as above",
        unit="probability",
    )
    most_attended_position = Variable("layer head", "that position", unit="position")
    uniform = Variable(
        "layer",
        "attention on the first position of a head that attends alike to all keys; NaN as above",
        unit="probability",
        table="layers",
    )
    sink_heads = Variable(
        "layer", "share of the heads whose sink is above the threshold; NaN as above", unit="share", table="layers"
    )
    activation = Variable(
        "component", "mean value of the activation over the windows where it is among the largest",
        unit="units of the stream", table="massive",
    )  # fmt: skip
    times_median = Variable(
        "component",
        "its absolute value over the median of the stream's",
        unit="factor",
        table="massive",
    )
    massive = Variable("component", "share of the windows in which it is massive", unit="share", table="massive")
    loss = Variable("", f"loss of the next token{NO_LOSS}", unit="nats", table="losses", interval=True)
    mean_increase = Variable(
        "", f"increase of the loss with massive activations at their mean{NO_LOSS}", unit="nats", table="losses",
        interval=True,
    )  # fmt: skip
    zero_increase = Variable(
        "", f"increase of the loss with massive activations at zero{NO_LOSS}", unit="nats", table="losses",
        interval=True,
    )  # fmt: skip


class AttentionDispersion(Result):
    """How widely every head spreads its attention, and how that grows with the number of keys that a query sees."""

    entropy_share = Variable(
        "layer head", f"mean of entropy / log of the number of visible keys{NO_QUERY}", unit="share", interval=True
    )
    entropy_share_without_first = Variable(
        "layer head",
        f"the same of the attention on all but the first position, as shares of its sum{NO_QUERY}",
        unit="share",
        interval=True,
    )
    slope = Variable(
        "layer head",
        "slope of entropy against the logarithm of the number of visible keys, 1 for uniform attention; NaN where that "
        "number does not vary",
        interval=True,
    )
    max_weight = Variable("layer head", f"mean of the largest attention{NO_QUERY}", unit="probability", interval=True)
    local_mass = Variable(
        "layer head", f"mean attention on the local window{NO_QUERY}", unit="probability", interval=True
    )
    temperature = Variable(
        "layer head",
        "temperature of the scores with which the window's last queries have the entropy of a shorter length's; NaN "
        "where no window is longer, or no temperature has it",
        unit="factor",
        interval=True,
    )
    uniform_max_weight = Variable(
        "layer", f"largest attention of uniform attention{NO_QUERY}", unit="probability", table="layers"
    )
    uniform_local_mass = Variable(
        "layer", f"attention of uniform attention on the local window{NO_QUERY}", unit="probability", table="layers"
    )
    entropy = Variable("layer head pos", "mean entropy of the query at the position", unit="nats", table="positions")
    largest = Variable("layer head pos", "mean of its largest attention", unit="probability", table="positions")
    uniform_entropy = Variable(
        "layer pos", "entropy of uniform attention: log of the number of visible keys", unit="nats", table="positions"
    )


class HeadRedundancy(Result):
    """The loss without each head alone, and the other head whose output is most like its own."""

    increase = Variable("layer head", f"increase of the loss without the head{NO_LOSS}", unit="nats", interval=True)
    similarity = Variable(
        "layer head",
        "unbiased CKA with the output of the most similar other head; NaN without one, of a head that writes the same "
        "everywhere, and of fewer than four tokens",
    )
    nearest = Variable("layer head", "that head; empty where there is no similarity")
    mean_similarity = Variable("layer head", "mean CKA with all other heads; NaN as above")
    loss = Variable("", f"loss of the whole model{NO_LOSS}", unit="nats", table="losses", interval=True)


class AttentionSpectrum(Result):
    """Over how many directions attention patterns and weights spread, compared with random matrices.

    Each `component` is one matrix: `matrix` says which (`A`, `A without first`, `QK`, `OV`, `MLP in`, …, `weighted` by
    what reaches it), `layer` and `head` whose (−1: no head's). Patterns are means over windows.
    """

    stable_rank = Variable(
        "component", "‖·‖²_F / ‖·‖²₂; NaN of a matrix of zeros, and as every pattern of a window without two keys",
        interval=True,
    )  # fmt: skip
    effective_rank = Variable(
        "component", "exponential of the entropy of the singular values as shares of their sum; NaN as above",
        interval=True,
    )  # fmt: skip
    rank_90 = Variable(
        "component", "fewest singular values with 90 % of the sum of their squares; NaN as above", interval=True
    )
    random_stable_rank = Variable("component", "stable rank of the random matrix; NaN as above")
    random_effective_rank = Variable("component", "its effective rank; NaN as above")
    random_rank_90 = Variable("component", "its fewest singular values with 90 %; NaN as above")
    largest_rank = Variable("component", "greatest rank that the matrix can have; NaN as above")


class LazyLayers(Result):
    """How much the last queries attend to the first and the most recent keys, and the loss with no others."""

    lazy = Variable(
        "layer head", "mean attention on the first and the most recent keys", unit="probability", interval=True
    )
    layer_lazy = Variable("layer", "mean over heads", unit="probability", table="layers", interval=True)
    uniform = Variable("layer", "the same of uniform attention", unit="probability", table="layers")
    increase = Variable(
        "layer",
        "increase of the loss with all heads of the layer restricted to those keys; NaN of a model that predicts no "
        "next token, or whose scores cannot be edited",
        unit="nats",
        table="restricted",
        interval=True,
    )
    loss = Variable("", f"loss of the whole model{NO_LOSS}", unit="nats", table="losses", interval=True)
