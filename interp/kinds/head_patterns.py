"""What heads attend to, in words: predicates, cards, and the tokens that their outputs stand for."""

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
        "predicate rank", "loss of the model as it is; NaN where no next token is predicted", unit="nats",
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
