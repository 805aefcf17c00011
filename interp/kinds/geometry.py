"""Geometry of the residual stream, and how heads read and write it."""

from interp.core.result import Result
from interp.core.variables import FOR, Variable


class PositionContext(Result):
    """Every layer's stream as mean + position + context + residual over windows of text, with measures of each part.

    `arrangement` is "as read" or the control "shuffled": positions shuffled within every window, topics among windows.
    `layer` is the stream into that layer; the last one is the stream out of the model's last layer. The shares of the
    energy Σ‖h‖² add up to 1 with the remainder.
    """

    finds = "shares"
    mean_share = Variable("arrangement layer", "share of the energy in the mean", unit="share")
    position_share = Variable("arrangement layer", "share of the energy in the position part", unit="share")
    context_share = Variable("arrangement layer", "share of the energy in the context part", unit="share")
    residual_share = Variable("arrangement layer", "share of the energy in the residual", unit="share")
    remainder = Variable("arrangement layer", "1 − Σ shares", unit="share")
    stable_rank = Variable("arrangement layer", "‖position‖²_F / ‖position‖²₂")
    rank = Variable("arrangement layer", "rank of the position part, estimated by ScreeNOT")
    relative_norm = Variable(
        "arrangement layer", "‖position‖₂ / ‖stream − mean‖₂, one row a token; NaN where nothing varies"
    )
    low_frequency_share = Variable(
        "arrangement layer",
        "share of the low frequencies in the 2-D cosine transform of the positions' cosines; NaN where nothing varies",
    )
    incoherence = Variable("arrangement layer", "max |cos(position, context)|; NaN where one is zero", unit="cosine")
    similarity_within = Variable(
        "arrangement layer", "mean |cos| of two windows of one topic; NaN without two", unit="cosine"
    )
    similarity_between = Variable(
        "arrangement layer", "mean |cos| of windows of two topics; NaN of one topic", unit="cosine"
    )
    curve = Variable(
        "layer pos direction", "position part on its first principal directions", unit="stream", table="curve"
    )
    gram = Variable(
        "layer pos other_pos",
        "cosines between positions of the position part",
        unit="cosine",
        supports=FOR,
        table="gram",
    )
    singular_value = Variable(
        "layer component", "singular values of the position part", unit="stream", table="spectrum"
    )
    map = Variable(
        "layer window direction",
        "context part of some windows on its first principal directions",
        unit="stream",
        table="map",
    )


class QKSplit(Result):
    """One head's attention scores before masking, split into position, context and residual, and every head's shares.

    The three terms and the remainder add up to the score. A share is the covariance of a term with the scores of a
    query's keys over those scores' variance, over all queries: what of the head's choice between keys the term
    explains. The three add up to 1, but each is signed: terms that cancel each other have shares below 0 or above 1,
    and a negative `cross_share`. The first positions, which have no position part, are left out of queries and keys.
    """

    score = Variable(
        "batch query_pos key_pos", "the attention score; NaN where the query cannot see", unit="logits", supports=FOR
    )
    position = Variable(
        "batch query_pos key_pos", "its position term; NaN where the query cannot see", unit="logits", supports=FOR
    )
    context = Variable(
        "batch query_pos key_pos", "its context term; NaN where the query cannot see", unit="logits", supports=FOR
    )
    residual = Variable(
        "batch query_pos key_pos", "its residual term; NaN where the query cannot see", unit="logits", supports=FOR
    )
    remainder = Variable(
        "batch query_pos key_pos", "score − the three terms; NaN where the query cannot see", unit="logits"
    )
    position_share = Variable(
        "batch layer head",
        "share of the position term; NaN of a prompt with too few positions",
        unit="signed share",
        table="heads",
    )
    context_share = Variable(
        "batch layer head",
        "share of the context term; NaN of a prompt with too few positions",
        unit="signed share",
        table="heads",
    )
    residual_share = Variable(
        "batch layer head",
        "share of the residual term; NaN of a prompt with too few positions",
        unit="signed share",
        table="heads",
    )
    cross_share = Variable(
        "batch layer head",
        "1 − Σ of the terms' own variances over the scores': what their covariances add; NaN as the shares",
        unit="signed share",
        table="heads",
        optional=True,
    )


class HeadComposition(Result):
    """How far each head writes into what the queries, keys and values of later heads read; from the weights alone.

    `sender` and `receiver` label the edges. A channel is one singular direction of a sender's output, labelled
    `channel_sender`, `channel_receiver` and `channel_component` (0 is its strongest); the strongest are listed.
    """

    finds = "edges"
    score = Variable("edge", "composition score, from 0 to 1")
    null_mean = Variable("edge", "its exact mean under a random rotation between the two heads")
    null_sd = Variable("edge", "its exact standard deviation under that rotation")
    backward = Variable(
        "edge",
        "share of the pairs of the same kind, receiver before sender and so unable to compose, that score as high",
    )
    channel_score = Variable("channel", "composition score of the channel", table="channels")
    channel_null_mean = Variable("channel", "its exact mean under a random rotation", table="channels")
    channel_null_sd = Variable("channel", "its exact standard deviation under that rotation", table="channels")
    channel_backward = Variable(
        "channel", "share of the channels of backward pairs of the same kind that score as high", table="channels"
    )


class Linearity(Result):
    """How well one linear map of the stream into each layer predicts the stream out of it, and the update."""

    linearity = Variable(
        "layer", "explained share of the stream out of the layer; NaN if it does not vary", unit="share of the variance"
    )
    update_linearity = Variable(
        "layer", "explained share of the layer's update; NaN if it does not vary", unit="share of the variance"
    )


class LayerSimilarity(Result):
    """How alike the streams into every two layers are, of one model or two."""

    cka = Variable("layer other_layer", "unbiased CKA; 1 is the same up to rotation and scale")


class PositionalVariance(Result):
    """Variance of attention's output over windows, position by position."""

    variance = Variable("layer pos", "variance of attention's output over windows", unit="squared units of the stream")
    uniform_attention_variance = Variable(
        "layer pos",
        "the same with uniform attention over visible keys",
        unit="squared units of the stream",
    )


_NO_LOSS = "; NaN of a model that predicts no next token"
_MASSIVE = "without the first position and the dimensions of largest mean square"


class TokenClusters(Result):
    """How alike the tokens of a window are in every stream.

    `layer` is the stream into that layer; the last one is the stream out of the model's last layer. NaN where no window
    has two tokens.
    """

    cosine = Variable("layer", "mean cosine of two tokens", unit="cosine", interval=True)
    cosine_without_first = Variable("layer", "the same without the first position", unit="cosine", interval=True)
    cosine_without_massive = Variable("layer", f"the same {_MASSIVE}", unit="cosine", interval=True)
    close_share = Variable(
        "layer", "share of the pairs of tokens whose cosine is above 1 − ε", unit="share", interval=True
    )
    close_share_without_first = Variable("layer", "the same without the first position", unit="share", interval=True)
    close_share_without_massive = Variable("layer", f"the same {_MASSIVE}", unit="share", interval=True)


class FeatureDiversity(Result):
    """How far the tokens of a window are from all being the same, in every stream.

    `layer` is the stream into that layer; the last one is the stream out of the model's last layer. NaN where no window
    has a token, or the stream is zero.
    """

    diversity = Variable("layer", "‖Z − 1zᵀ‖ / ‖Z‖, z the mean token: 0 where all tokens are alike", interval=True)
    diversity_without_first = Variable("layer", "the same without the first position", interval=True)
    diversity_without_massive = Variable("layer", f"the same {_MASSIVE}", interval=True)


class ActivationSparsity(Result):
    """How few of an MLP's neurons carry its activations, and the loss without the smallest ones."""

    small_share = Variable("layer", "share of the activations below the threshold in size", unit="share", interval=True)
    zero_share = Variable("layer", "share of the activations that are zero", unit="share", interval=True)
    hoyer = Variable(
        "layer",
        "(√n − ‖a‖₁ / ‖a‖₂) / (√n − 1), mean over tokens: 0 where all n are of one size, 1 with a single one; NaN "
        "where all are zero",
        interval=True,
    )
    layer_increase = Variable(
        "layer", f"increase of the loss with the smallest activations of the layer at zero{_NO_LOSS}", unit="nats",
        table="layers", interval=True,
    )  # fmt: skip
    increase = Variable(
        "fraction", f"increase of the loss with this share of every MLP's activations, the smallest, at zero{_NO_LOSS}",
        unit="nats", table="removal", interval=True,
    )  # fmt: skip
    random_increase = Variable(
        "fraction", f"the same with as many random ones{_NO_LOSS}", unit="nats", table="removal", interval=True
    )
    loss = Variable("", f"loss of the whole model{_NO_LOSS}", unit="nats", table="losses", interval=True)
