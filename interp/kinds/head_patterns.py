"""What heads attend to, in words: predicates, cards, and the tokens that their outputs stand for."""

from typing import Any

from interp.core.result import Result
from interp.core.variables import Variable


class PredicateScores(Result):
    """How much of every head's attention falls on the keys that a predicate selects, and some heads replaced by it.

    Only queries count that see a selected key; a window's mean is over them, and the score is the mean over windows.
    The null shuffles each row of attention among the keys that its query sees: exact mean and spread, no draws.

    The table `replaced` holds, for each predicate, the heads with the highest score above the null, or those named.
    """

    mass = Variable(
        "predicate layer head", "attention on the selected keys; NaN if no query sees one", unit="probability",
        interval=True,
    )  # fmt: skip
    null = Variable("predicate layer head", "its mean if rows were shuffled; NaN as the mass", unit="probability")
    null_interval = Variable(
        "predicate layer head bound",
        "mean ± 1.96 standard deviations of the shuffled score; NaN as the mass",
        unit="probability",
    )
    beyond_first = Variable(
        "predicate layer head",
        "the mass as a share of the attention that is not on the first position, selected keys there left out; NaN "
        "where there is no such attention",
        unit="share",
    )
    replaced = Variable("predicate rank", "the head that is replaced, as a node", table="replaced")
    clean_loss = Variable(
        "predicate rank",
        "loss of the model as it is; NaN where no next token is predicted, or patterns can only be read",
        unit="nats",
        table="replaced",
    )  # fmt: skip
    pattern_loss = Variable(
        "predicate rank", "loss with its attention uniform on the selected keys; NaN as the clean loss", unit="nats",
        table="replaced",
    )  # fmt: skip
    uniform_loss = Variable(
        "predicate rank", "loss with its attention uniform on all keys that it sees; NaN as the clean loss",
        unit="nats", table="replaced",
    )  # fmt: skip
    ablated_loss = Variable(
        "predicate rank", "loss with its output zero; NaN as the clean loss", unit="nats", table="replaced"
    )
    explained = Variable(
        "predicate rank",
        "share of its effect that the predicate explains, (ablated − pattern) / (ablated − clean); NaN where its "
        "ablation does not raise the loss",
        unit="share",
        table="replaced",
        interval=True,
    )


class HeadCards(Result):
    """What every head looks at, and from where, over a corpus.

    Apart from `first`, attention to the first position is left out: shares are of the rest. Tokens are ranked by what
    they add to the divergence Σ p log(p / q) of the head's attention from uniform attention over the keys that are seen
    (of the queries: from how often tokens occur). The table `contexts` holds the strongest pair of each of the windows
    where that is strongest. A card with fewer entries has NaN, −1 and no text there.
    """

    first = Variable("layer head", "mean attention on the first position", unit="probability")
    distance_mean = Variable(
        "layer head", "mean distance to what it attends to; NaN if that is the first position alone", unit="tokens"
    )
    key_token = Variable("layer head rank", "token that it attends to", table="keys")
    key_share = Variable(
        "layer head rank",
        "share of its attention on that token; NaN where there are no more",
        unit="share",
        table="keys",
    )
    key_uniform = Variable(
        "layer head rank",
        "that share if attention were uniform; NaN where there are no more",
        unit="share",
        table="keys",
    )
    query_token = Variable("layer head rank", "token that it attends from", table="queries")
    query_attention = Variable(
        "layer head rank", "mean attention beyond the first position from that token; NaN where there are no more",
        unit="probability", table="queries",
    )  # fmt: skip
    query_share = Variable(
        "layer head rank",
        "share of its attention from that token; NaN where there are no more",
        unit="share",
        table="queries",
    )
    query_frequency = Variable(
        "layer head rank",
        "share of the tokens that are this one; NaN where there are no more",
        unit="share",
        table="queries",
    )
    at_distance = Variable(
        "layer head distance", "share of its attention at that distance; NaN as the mean", unit="share",
        table="distances",
    )  # fmt: skip
    at_distance_uniform = Variable(
        "layer head distance", "that share if attention were uniform", unit="share", table="distances"
    )
    attention = Variable(
        "layer head rank", "attention of the pair; NaN where there are no more", unit="probability", table="contexts"
    )
    window = Variable("layer head rank", "the window", table="contexts")
    query_at = Variable("layer head rank", "position of the query", table="contexts")
    key_at = Variable("layer head rank", "position of the key", table="contexts")
    text = Variable("layer head rank", "tokens around both, the key in «» and the query in ‹›", table="contexts")

    def card(self, layer: int, head: int) -> dict[str, Any]:
        """One head's card as plain data, each table as a list of rows, without empty ones."""
        data = self.data.sel(layer=layer, head=head)
        card: dict[str, Any] = {name: float(data[name]) for name in ("first", "distance_mean")}
        for table, names in self.tables.items():
            columns = [data[name].values.tolist() for name in names]
            rows = [dict(zip(names, row, strict=True)) for row in zip(*columns, strict=True)]
            if table == "distances":
                card[table] = [
                    {"distance": str(at)} | row for at, row in zip(data["distance"].values, rows, strict=True)
                ]
            else:
                card[table] = [row for row in rows if any(isinstance(each, str) and each for each in row.values())]
        return card


class TextSpans(Result):
    """Each head named by the tokens whose directions explain most of how its output varies, chosen one after another.

    Shares are cumulative over `rank`. `component` names the head. A head whose output varies in fewer directions has
    no token and NaN behind them.
    """

    token = Variable("component rank", "the token whose direction is added")
    explained = Variable(
        "component rank", "share of its output's variance in the directions so far; NaN where there are no more",
        unit="share",
    )  # fmt: skip
    random_explained = Variable(
        "component rank", "the same of the head rotated at random in the stream; NaN where there are no more",
        unit="share",
    )  # fmt: skip
    best_explained = Variable(
        "component rank", "the same of its principal directions, the most that any could; NaN where it does not vary",
        unit="share",
    )  # fmt: skip
    mean = Variable(
        "component rank", "mean of its output along the direction; NaN where there are no more", unit="stream"
    )
    sd = Variable(
        "component rank", "standard deviation of its output along the direction; NaN where there are no more",
        unit="stream",
    )  # fmt: skip
