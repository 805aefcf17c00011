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
    `monosemantic` is 1 where all of them are of one family, 0 where not, NaN for fewer than two. In the table
    `features`, `weight` is the head's share of the feature's decoder row; the other shares are of |DFA| over source
    positions, averaged over the feature's top contexts, and each `…_chance` is what all visible positions alike would
    give.
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
