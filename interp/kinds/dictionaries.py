"""Dictionaries and their features."""

from interp.core.result import Result
from interp.core.variables import AGAINST, FOR, METRIC, Variable
from interp.kinds.circuits import Ablation


class FeatureCards(Result):
    """Every feature of a dictionary over a corpus: its activations, its top contexts, and what it writes.

    The table `contexts` holds its highest places, one of each window at most; a feature with fewer has NaN, −1 and no
    text there.
    """

    density = Variable("feature", "share of tokens on which it is active", unit="share of tokens")
    mean = Variable("feature", "mean activation where it is active; NaN if it is dead", unit="activation")
    max = Variable("feature", "largest activation; NaN if it is dead", unit="activation")
    top_token = Variable("feature", "token of its largest activation")
    promoted = Variable("feature", "tokens that it promotes, strongest first", optional=True)
    suppressed = Variable("feature", "tokens that it suppresses, strongest first", optional=True)
    head = Variable("feature", "head with the largest share of its decoder direction", optional=True)
    head_weight = Variable("feature", "that head's share", unit="share", optional=True)
    value = Variable(
        "feature rank", "its value there; NaN where there are no more", unit="activation", table="contexts"
    )
    window = Variable("feature rank", "the window", table="contexts")
    pos = Variable("feature rank", "the position in the window", table="contexts")
    text = Variable("feature rank", "the tokens around it", table="contexts")


class HeadRoles(Result):
    """Roles of the heads of a dictionary's layer, from their top features, which the table `features` lists.

    Shares of attention are of |Σ_h DFA| over source positions, averaged over the feature's top contexts.
    """

    share = Variable("head component", "share of each family among the active features", unit="share of the features")
    alive = Variable("head", "number of features that are ever active", unit="features")
    monosemantic = Variable("head", "1 if all are of one family other than mixed, 0 if not, NaN for fewer than three")
    feature = Variable("head rank", "the feature", table="features")
    weight = Variable("head rank", "the head's share of it", unit="share of the decoder direction", table="features")
    density = Variable("head rank", "share of tokens on which it is active", unit="share of tokens", table="features")
    family = Variable("head rank", "its family", table="features")
    induction = Variable(
        "head rank",
        "share of |DFA| on tokens that follow earlier copies; NaN if it is dead",
        unit="share",
        table="features",
    )
    duplicate = Variable(
        "head rank", "share of |DFA| on earlier copies of the token; NaN if it is dead", unit="share", table="features"
    )
    previous = Variable(
        "head rank", "share of |DFA| on the previous token; NaN if it is dead", unit="share", table="features"
    )
    first = Variable(
        "head rank", "share of |DFA| on the first token; NaN if it is dead", unit="share", table="features"
    )
    current = Variable(
        "head rank", "share of |DFA| on the token itself; NaN if it is dead", unit="share", table="features"
    )
    near = Variable(
        "head rank", "share of |DFA| on sources within short range; NaN if it is dead", unit="share", table="features"
    )
    distance = Variable(
        "head rank", "mean distance of the sources; NaN if it is dead", unit="positions", table="features"
    )
    induction_chance = Variable(
        "head rank",
        "`induction` of uniform attention to visible positions; NaN where it is dead",
        unit="share",
        table="features",
    )
    duplicate_chance = Variable(
        "head rank",
        "`duplicate` of uniform attention to visible positions; NaN where it is dead",
        unit="share",
        table="features",
    )


class FeatureActivations(Result):
    """The strongest features at each position, and how well the dictionary reconstructs what it reads.

    Ranks beyond the features that are active there hold feature −1 and activation NaN.
    """

    feature = Variable("batch pos rank", "the feature")
    activation = Variable(
        "batch pos rank", "its activation, in units of the decoder's rows; NaN beyond the active", unit="activation"
    )
    active = Variable("batch pos", "features that are active there", unit="features", table="positions")
    error = Variable("batch pos", "‖x − x̂‖² / ‖x‖²", unit="share", table="positions")


class FeatureSources(Result):
    """What each source position and head contributes to a feature at one position (DFA), and which components wrote it.

    `part` splits each head's DFA at each source over what had been written to the stream there: the embeddings, heads
    and MLPs below, and the biases, each by its own name; or the features of dictionaries below.
    """

    dfa = Variable(
        "batch key_pos head", "direct feature attribution of the source and head", unit="activation", supports=FOR
    )
    feature = Variable("batch", "the feature", table="totals")
    position = Variable("batch", "position of the feature", table="totals")
    preactivation = Variable("batch", "encoder output before the nonlinearity", unit="activation", table="totals")
    activation = Variable("batch", "activation, after the nonlinearity", unit="activation", table="totals")
    bias = Variable("batch", "the part of the encoder's biases", unit="activation", table="totals")
    remainder = Variable("batch", "preactivation − bias − Σ dfa", unit="activation", table="totals")
    unexplained = Variable(
        "batch",
        "share of Σ|dfa| that is remainder or reconstruction error",
        unit="share",
        table="totals",
        optional=True,
    )
    part = Variable(
        "batch key_pos head component", "part of the DFA that comes from a component", unit="activation",
        supports=FOR, table="parts", optional=True,
    )  # fmt: skip
    part_name = Variable(
        "batch component", "the component's name: of a dictionary, a feature of this prompt", table="parts",
        optional=True,
    )  # fmt: skip
    part_remainder = Variable(
        "batch key_pos head", "dfa − Σ part", unit="activation", table="part-remainder", optional=True
    )


class FeatureEffects(Result):
    """Estimated effect on the answer of replacing each feature, and the reconstruction error, with another run's value.

    Effects are estimated to first order; the `total` is that of the whole site to the same order.
    """

    finds = "features"
    node = Variable("batch rank", "a feature among the prompt's strongest, as a node")
    effect = Variable("batch rank", "its effect over all positions", unit=METRIC, supports=AGAINST)
    position_effect = Variable(
        "batch rank pos", "its effect at a position", unit=METRIC, supports=AGAINST, table="positions"
    )
    clean = Variable("batch rank pos", "its activation in the clean run", unit="activation", table="positions")
    corrupted = Variable("batch rank pos", "its activation in the other run", unit="activation", table="positions")
    feature_effect = Variable("batch feature", "effect of every feature", unit=METRIC, supports=AGAINST, table="all")
    total = Variable("batch", "effect of the whole site", unit=METRIC, table="totals")
    features = Variable("batch", "Σ effects of all features", unit=METRIC, table="totals")
    error = Variable("batch", "effect of the reconstruction error", unit=METRIC, table="totals")
    rest = Variable("batch", "Σ effects of the features not listed", unit=METRIC, table="totals")
    remainder = Variable("batch", "total − features − error", unit=METRIC, table="totals")
    patched = Variable("batch", "measured effect of replacing the whole site", unit=METRIC, table="totals")


class FeatureAblation(Result):
    """The answer before and after some features are changed, compared with the same change of random features.

    The controls are features that are about as often active, drawn at random: NaN where there are no more of them.
    """

    clean = Ablation.clean
    edited = Ablation.edited
    effect = Ablation.effect
    feature = Variable("batch", "the features that are changed")
    density = Variable("batch", "mean share of tokens on which they are active", unit="share")
    activation = Variable("batch", "their largest size where they are changed; 0: not active there", unit="activation")
    as_strong = Variable(
        "batch",
        "share of the controls that are changed (active ones, or all where something is added) whose effect is at "
        "least as large; NaN where there are none, or the features themselves are not changed",
        unit="share",
    )
    clean_token = Variable("batch rank", "most likely tokens of the clean run", table="tokens")
    clean_prob = Variable("batch rank", "their probability", unit="probability", table="tokens")
    edited_token = Variable("batch rank", "most likely tokens of the edited run", table="tokens")
    edited_prob = Variable("batch rank", "their probability", unit="probability", table="tokens")
    control = Variable(
        "batch draw",
        "effect of changing the controls instead; NaN where there are no more",
        unit=METRIC,
        supports=AGAINST,
        table="control",
    )
    control_feature = Variable("batch draw", "the controls", table="control")
    control_density = Variable(
        "batch draw", "mean share of tokens on which they are active; NaN where there are no more",
        unit="share", table="control",
    )  # fmt: skip
    control_active = Variable("batch draw", "whether they are active where the change is made", table="control")


class DictionaryQuality(Result):
    """Quality of a dictionary over windows of text: reconstruction, loss recovered, densities and probing.

    Where a recovered share makes no sense it is NaN, and the fact `undefined` says why.
    """

    l0 = Variable("", "active features a position", unit="features")
    explained_variance = Variable("", "1 − Σ‖x − x̂‖² / Σ‖x − mean‖²; NaN where `undefined`", unit="share")
    cosine = Variable("", "mean cosine of x and x̂", unit="cosine")
    dead = Variable("", "share of features that are never active", unit="share")
    dense = Variable("", "share of features that are active at over a tenth of the positions", unit="share")
    ce_clean = Variable("", "next-token cross entropy of the clean run; NaN of a classifier", unit="nats")
    ce_spliced = Variable("", "… with the reconstruction spliced in; NaN of a classifier", unit="nats")
    ce_zero = Variable("", "… with the site ablated to zero; NaN of a classifier", unit="nats")
    ce_mean = Variable("", "… with the site ablated to its mean; NaN of a classifier", unit="nats")
    recovered_zero = Variable(
        "", "(ce_zero − ce_spliced) / (ce_zero − ce_clean); NaN where `undefined`", unit="share", interval=True
    )
    recovered_mean = Variable(
        "", "(ce_mean − ce_spliced) / (ce_mean − ce_clean); NaN where `undefined`", unit="share", interval=True
    )
    kl_spliced = Variable("", "KL from the clean run with the reconstruction spliced in", unit="nats")
    kl_zero = Variable("", "… with the site ablated to zero", unit="nats")
    kl_mean = Variable("", "… with the site ablated to its mean", unit="nats")
    mean_encoder_cosine = Variable("", "mean of encoder_cosine", unit="cosine")
    mean_nearest_cosine = Variable("", "mean of nearest_cosine", unit="cosine")
    density = Variable("feature", "share of positions at which it is active", unit="share", table="features")
    activation = Variable(
        "feature", "mean of its values where it is active; NaN if it is dead", unit="activation", table="features"
    )
    encoder_cosine = Variable(
        "feature", "cosine of its encoder and decoder directions", unit="cosine", table="features"
    )
    nearest_cosine = Variable(
        "feature", "cosine of its decoder direction with the most similar other one", unit="cosine", table="features"
    )
    accuracy = Variable(
        "target budget", "balanced accuracy of a probe of `budget` features", unit="fraction", table="probing",
        optional=True,
    )  # fmt: skip
    shuffled_accuracy = Variable(
        "target budget", "the same with shuffled labels", unit="fraction", table="probing", optional=True
    )
    raw_accuracy = Variable(
        "target budget", "the same from dimensions of the site", unit="fraction", table="probing", optional=True
    )
    share = Variable("target", "how often the target holds", unit="share", table="probing", optional=True)
    value = Variable(
        "dictionary entry", "what was measured of each dictionary; NaN where it is", table="seeds", optional=True
    )
    value_mean = Variable("entry", "its mean over dictionaries; NaN where one is", table="seeds", optional=True)
    value_deviation = Variable(
        "entry", "its standard deviation over dictionaries; NaN of a single one", table="seeds", optional=True
    )
    mcc = Variable(
        "dictionary other_dictionary", "mean |cosine| of the best one-to-one matching of decoder rows",
        unit="cosine", table="mcc", optional=True,
    )  # fmt: skip
