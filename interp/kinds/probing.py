"""What the stream holds: probes with their controls, inversions, depth and disentanglement."""

from interp.core.result import Result
from interp.core.variables import METRIC, Variable

_UNKNOWN = "NaN where the items there lack two groups or two labels"


class Probes(Result):
    """What probes of every layer's stream tell of a label, on groups that they have not seen, beside their controls.

    `layer` is the stream into that layer, the first of them the embeddings, the last the stream out of the last layer.
    `pos` counts from the labelled token: −1 is the token before it. An accuracy is balanced: the mean over labels of
    the share of their items that the probe gets right, and its interval is over groups.
    """

    accuracy = Variable("layer pos", f"balanced accuracy; {_UNKNOWN}", unit="fraction", interval=True)
    shuffled = Variable(
        "layer pos",
        f"the same of labels shuffled within their groups, or among groups of one label; {_UNKNOWN}",
        unit="fraction",
        interval=True,
    )
    by_type = Variable(
        "layer pos",
        "the same where every token of the vocabulary has one label at random, which a probe can only memorise; NaN "
        "where one token stands at all items, where tokens tell the labels one to one, or as accuracy",
        unit="fraction",
        interval=True,
    )
    selectivity = Variable(
        "layer pos",
        "accuracy − by_type, or − shuffled where that is NaN; NaN as accuracy",
        unit="fraction",
        interval=True,
    )
    untrained = Variable(
        "layer pos",
        f"accuracy in a model of the same config with weights as before training; {_UNKNOWN}",
        unit="fraction",
        optional=True,
        interval=True,
    )
    bag_of_tokens = Variable(
        "pos",
        f"accuracy of a probe of the counts of the tokens that the state can see; {_UNKNOWN}",
        unit="fraction",
        interval=True,
    )
    codelength = Variable(
        "layer pos",
        f"bits an item for the labels, sent portion by portion to a reader of the states; {_UNKNOWN}",
        unit="bits",
        optional=True,
    )
    erased_accuracy = Variable(
        "layer pos",
        "accuracy at the last stream of a probe fitted there, after the change here; NaN as accuracy",
        unit="fraction",
        optional=True,
    )
    divergence = Variable(
        "layer pos",
        "Kullback-Leibler divergence of the answers without and with the change here; NaN as accuracy",
        unit="nats",
        optional=True,
        interval=True,
    )
    random_divergence = Variable(
        "layer pos",
        "the same for a change of as many random directions; NaN as accuracy",
        unit="nats",
        optional=True,
        interval=True,
    )
    effect = Variable(
        "layer pos", "effect of the change on the metric; NaN as accuracy", unit=METRIC, optional=True, interval=True
    )
    direction = Variable(
        "target layer pos d_model",
        "unit vector towards a label, of a probe of all items; zero where there is none",
        table="directions",
    )
    distance = Variable(
        "target layer pos",
        "mean along that vector of the label's states less that of the others'; NaN where there is none",
        unit="stream",
        table="distances",
    )


class Inversion(Result):
    """A prompt read back from the states of one layer, token by token, as far as the margins allow."""

    distance = Variable(
        "batch pos",
        "distance of the recovered token's state from the given one; NaN from the refused on",
        unit="stream",
    )
    margin = Variable(
        "batch pos", "how much farther the next nearest candidate tried is; NaN from the refused on", unit="stream"
    )
    tried = Variable("batch pos", "candidates that were run; NaN from the refused on", unit="tokens")
    correct = Variable("batch pos", "1 where the recovered token is the prompt's; NaN from the refused on")
    recovered_token = Variable("batch pos", "the token; empty from the refused on")


class DepthRanking(Result):
    """How central each text's last state is among those of all texts, layer by layer; `document` names the texts.

    `layer` is the stream into that layer, the last one the stream out of the last layer.
    """

    depth = Variable("layer window", "1 + mean cosine with the other texts; NaN of a single text")
    standardised_depth = Variable(
        "layer window", "the same with every dimension standardised over the texts; NaN of a single text"
    )
    nearest_distance = Variable(
        "layer window", "distance of the nearest other text's state; NaN of a single text", unit="stream"
    )
    changed_distance = Variable(
        "layer window", "distance of the state of the same text with one token changed", unit="stream"
    )
    standardised_nearest_distance = Variable(
        "layer window", "nearest_distance with every dimension standardised over the texts; NaN of a single text"
    )
    standardised_changed_distance = Variable(
        "layer window", "changed_distance with every dimension standardised over the texts; NaN of a single text"
    )
    q = Variable(
        "layer",
        "mean share of the texts that are no deeper than a text of the other corpus; NaN of a single text",
        optional=True,
        interval=True,
    )
    p_value = Variable(
        "layer",
        "of a rank-sum test of the two corpora's depths; NaN of a single text",
        unit="probability",
        optional=True,
    )
    standardised_q = Variable(
        "layer", "q of standardised dimensions; NaN of a single text", optional=True, interval=True
    )
    standardised_p_value = Variable(
        "layer", "p_value of standardised dimensions; NaN of a single text", unit="probability", optional=True
    )


class Disentanglement(Result):
    """How far single latents (neurons, heads, dimensions) stand for one factor of the text each.

    `target` is a factor, `component` a latent. A null is the 95th percentile of permutations.
    """

    mig = Variable(
        "target", "mutual information gap of the two best latents; NaN where the factor does not vary", interval=True
    )
    mig_null = Variable("target", "its null; NaN where the factor does not vary")
    sap = Variable(
        "target", "gap of the two best latents' balanced accuracies; NaN where the factor does not vary", interval=True
    )
    sap_null = Variable("target", "its null; NaN where the factor does not vary")
    best = Variable("target", "the latent that tells most of the factor")
    smoothness = Variable(
        "target", "1 where the factor's mean changes evenly along the best latent; NaN of too few bins or many values"
    )
    monotonicity = Variable(
        "target", "1 where it only rises along it, −1 where it only falls; NaN of too few bins or many values"
    )
    mutual_information = Variable(
        "target component", "of the latent in bins and the factor", unit="nats", table="information"
    )
    modularity = Variable(
        "component", "1 where the latent tells of one factor alone; NaN where it tells of none", table="modularities"
    )


class Recoverability(Result):
    """The share of tokens whose own embedding is the nearest of the vocabulary to an inversion of their state.

    `layer` is the stream into that layer, the last one the stream out of the last layer.
    """

    linear = Variable(
        "layer", "by a linear map fitted on other prompts; NaN where there are none", unit="fraction", interval=True
    )
    descent = Variable("layer", "by gradient descent; NaN where none was run", unit="fraction", interval=True)
    state = Variable(
        "layer", "of the state itself, inverted by nothing; NaN where there are no other prompts", unit="fraction",
        interval=True,
    )  # fmt: skip
