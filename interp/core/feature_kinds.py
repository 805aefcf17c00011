"""The kinds of result that speak of a dictionary's features."""

from interp.core.result import Result


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
