"""The kinds of result about a dictionary's features."""

from interp.core.result import Result


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
