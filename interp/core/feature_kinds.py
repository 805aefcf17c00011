"""The kinds of result about a dictionary's features."""

from interp.core.result import Result


class FeatureCards(Result):
    """Every feature of a dictionary over a corpus: how often and how strongly it is active, on what, what it writes.

    `density` is the share of tokens on which it is active, `mean` that of its values there (NaN where it is dead, as
    `max`). `promoted` and `suppressed` are tokens, strongest first; `head` is the head that most of its decoder row
    belongs to, `head_weight` that head's share. The table `contexts` holds its highest places, one of each window at
    most; a feature with fewer has NaN, −1 and no text there.
    """

    variables = {
        "density": "feature",
        "mean": "feature",
        "max": "feature",
        "top_token": "feature",
        "promoted?": "feature",
        "suppressed?": "feature",
        "head?": "feature",
        "head_weight?": "feature",
        "value": "feature rank",
        "window": "feature rank",
        "pos": "feature rank",
        "text": "feature rank",
    }
    tables = {"contexts": ("value", "window", "pos", "text")}


class HeadRoles(Result):
    """What the heads of a dictionary's layer do, read off their top features: the share of each family among them.

    `alive` counts the features that are active somewhere; the shares are of those (NaN where there is none).
    `monosemantic` is 1 where all of them are of one family other than mixed, 0 where not, NaN for fewer than three. In
    the table `features`, `weight` is the head's share of the feature's decoder row; the other shares are of |Σ_h DFA|
    over source positions, averaged over the feature's top contexts, and each `…_chance` is what all visible positions
    alike would give.
    """

    variables = {
        "share": "head component",
        "alive": "head",
        "monosemantic": "head",
        "feature": "head rank",
        "weight": "head rank",
        "density": "head rank",
        "family": "head rank",
        "induction": "head rank",
        "duplicate": "head rank",
        "previous": "head rank",
        "first": "head rank",
        "current": "head rank",
        "near": "head rank",
        "distance": "head rank",
        "induction_chance": "head rank",
        "duplicate_chance": "head rank",
    }
    tables = {
        "features": (
            "feature", "weight", "density", "family", "induction", "duplicate", "previous", "first", "current", "near",
            "distance", "induction_chance", "duplicate_chance",
        ),
    }  # fmt: skip


class FeatureActivations(Result):
    """The strongest features at each position, and how well the dictionary's output stands for what it reads.

    Ranks beyond the features that are active there hold feature −1 and activation NaN. `active` counts them, `error` is
    ‖x − x̂‖² / ‖x‖².
    """

    variables = {
        "feature": "batch pos rank",
        "activation": "batch pos rank",
        "active": "batch pos",
        "error": "batch pos",
    }
    tables = {"positions": ("active", "error")}


class FeatureSources(Result):
    """What each source position and head brings to a feature at one position (DFA), and what brought it there.

    `dfa` and `bias` add up to `preactivation`, `remainder` shown; `activation` is what the nonlinearity makes of it.
    `part` splits each head's DFA at each source over what had been written to the stream there: the embeddings, heads
    and MLPs below, and the biases, each by its own name; or what dictionaries below make of them, whose strongest
    features `part_name` tells prompt by prompt. With `part_remainder` they add up to `dfa`. `unexplained` is the share
    of Σ|dfa| that is remainder or a dictionary's error.
    """

    variables = {
        "dfa": "batch key_pos head",
        "feature": "batch",
        "position": "batch",
        "preactivation": "batch",
        "activation": "batch",
        "bias": "batch",
        "remainder": "batch",
        "unexplained?": "batch",
        "part?": "batch key_pos head component",
        "part_name?": "batch component",
        "part_remainder?": "batch key_pos head",
    }
    tables = {
        "totals": ("feature", "position", "preactivation", "activation", "bias", "remainder", "unexplained"),
        "parts": ("part", "part_name"),
        "part-remainder": ("part_remainder",),
    }


class FeatureEffects(Result):
    """What each feature of a dictionary, and its error, would do to the answer if it were another run's.

    `effect` is that of the strongest features of each prompt, named by `node`; `position_effect` the same by position,
    beside the activations of both runs; `feature_effect` that of every feature. `features` and `error` add up to
    `total`, the effect of the whole site to the same order; `rest` is what the features that are not among the
    strongest have; `patched` is the effect of truly replacing what the site holds.
    """

    variables = {
        "node": "batch rank",
        "effect": "batch rank",
        "position_effect": "batch rank pos",
        "clean": "batch rank pos",
        "corrupted": "batch rank pos",
        "feature_effect": "batch feature",
        "total": "batch",
        "features": "batch",
        "error": "batch",
        "rest": "batch",
        "remainder": "batch",
        "patched": "batch",
    }
    tables = {
        "positions": ("position_effect", "clean", "corrupted"),
        "all": ("feature_effect",),
        "totals": ("total", "features", "error", "rest", "remainder", "patched"),
    }


class FeatureAblation(Result):
    """The answer before and after some features are changed, beside the same change of others as often active.

    `feature` names what was changed, `density` how often each is active, `activation` their largest size where they
    are changed (0: not active there). `control` are the effects of changing `control_feature` instead, drawn at random,
    NaN where no more features are as often active; `control_active` tells which are active where the change is made.
    `as_strong` is the share of those that are changed whose effect is at least as large: of the active ones, or of all
    where something is added. NaN where there are none, or `feature` itself is not changed.
    """

    variables = {
        "clean": "batch",
        "edited": "batch",
        "effect": "batch",
        "feature": "batch",
        "density": "batch",
        "activation": "batch",
        "as_strong": "batch",
        "clean_token": "batch rank",
        "clean_prob": "batch rank",
        "edited_token": "batch rank",
        "edited_prob": "batch rank",
        "control": "batch draw",
        "control_feature": "batch draw",
        "control_density": "batch draw",
        "control_active": "batch draw",
    }
    tables = {
        "tokens": ("clean_token", "clean_prob", "edited_token", "edited_prob"),
        "control": ("control", "control_feature", "control_density", "control_active"),
    }


class DictionaryQuality(Result):
    """How good a dictionary is over windows of text: what it misses, what the model loses, what its features say.

    `ce_…` is the cross entropy of the next token: in the clean run, with the reconstruction spliced in, and with the
    site ablated to zero or to its mean; `recovered_…` is (CE_ablated − CE_spliced) / (CE_ablated − CE_clean) with its
    95 % interval over windows, NaN where that makes no sense (the fact `undefined` says why). `kl_…` is KL from the
    clean run. `dead` is the share of features that were never active, `dense` of those active at over a tenth of the
    positions; `encoder_cosine` is that of a feature's encoder and decoder row, `nearest_cosine` of its decoder row and
    the other one most like it. `accuracy` is the balanced accuracy of probes of as many features as `budget` says,
    beside shuffled labels and raw dimensions; `share` how often the target holds. `mcc` is the mean cosine of the best
    matching between decoders of several dictionaries, `value` what was measured of each.
    """

    variables = {
        "l0": "",
        "explained_variance": "",
        "cosine": "",
        "dead": "",
        "dense": "",
        "ce_clean": "",
        "ce_spliced": "",
        "ce_zero": "",
        "ce_mean": "",
        "recovered_zero": "",
        "recovered_zero_low": "",
        "recovered_zero_high": "",
        "recovered_mean": "",
        "recovered_mean_low": "",
        "recovered_mean_high": "",
        "kl_spliced": "",
        "kl_zero": "",
        "kl_mean": "",
        "mean_encoder_cosine": "",
        "mean_nearest_cosine": "",
        "density": "feature",
        "activation": "feature",
        "encoder_cosine": "feature",
        "nearest_cosine": "feature",
        "accuracy?": "target budget",
        "shuffled_accuracy?": "target budget",
        "raw_accuracy?": "target budget",
        "share?": "target",
        "mcc?": "dictionary other_dictionary",
        "value?": "dictionary entry",
        "value_mean?": "entry",
        "value_deviation?": "entry",
    }
    tables = {
        "features": ("density", "activation", "encoder_cosine", "nearest_cosine"),
        "probing": ("accuracy", "shuffled_accuracy", "raw_accuracy", "share"),
        "seeds": ("value", "value_mean", "value_deviation"),
        "mcc": ("mcc",),
    }
