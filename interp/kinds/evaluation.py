"""Quality and agreement of attribution methods."""

from interp.core.result import Result
from interp.core.variables import METRIC, Variable

_ENDS = ("lower", "upper")


class Faithfulness(Result):
    """Drop of the metric as tokens are removed in each method's order; the last method is the random-order control."""

    comprehensiveness = Variable(
        "batch method", "mean drop of the metric without the most relevant tokens", unit=METRIC
    )
    sufficiency = Variable("batch method", "mean drop of the metric with only the most relevant tokens", unit=METRIC)
    deletion_auc = Variable("batch method", "area under the curve, most relevant tokens removed first", unit=METRIC)
    insertion_auc = Variable("batch method", "area under the curve, least relevant tokens removed first", unit=METRIC)
    beats_random = Variable(
        "batch method", "share of random orders with a lower comprehensiveness; ties count half", unit="fraction"
    )
    curve = Variable(
        "batch method order fraction",
        "the metric with a fraction of the tokens removed: morf, the most relevant first; lerf, the least",
        unit=METRIC,
        table="curve",
    )
    random = Variable(
        "batch fraction bound",
        "95 % bootstrap interval of the control's curve over random orders",
        unit=METRIC,
        table="curve",
        ends=_ENDS,
    )
    control = Variable(
        "batch score", "each score, mean over random orders", unit=METRIC, table="control", interval=True, ends=_ENDS
    )


class Agreement(Result):
    """Agreement of every two methods on the ranking of a prompt's tokens, compared with chance."""

    rank_correlation = Variable(
        "batch method other_method", "Spearman correlation of relevance; NaN where one's is all alike"
    )
    magnitude_correlation = Variable(
        "batch method other_method", "Spearman correlation of |relevance|; NaN where one's is all alike"
    )
    top_overlap = Variable(
        "batch method other_method", "share of the tokens of largest |relevance| in common", unit="fraction"
    )
    chance_overlap = Variable("batch", "overlap expected of random relevance", unit="fraction")


class MethodScores(Result):
    """How well each method finds known evidence, per prompt; NaN where the model's answer is wrong."""

    mrr = Variable(
        "batch method",
        "1 / rank of the best-ranked evidence token; NaN if the model's answer is wrong",
        unit="fraction",
    )
    rma = Variable(
        "batch method", "share of positive relevance on evidence; NaN if the model's answer is wrong", unit="fraction"
    )
    pointing = Variable(
        "batch method", "1 if the top token is evidence; NaN if the model's answer is wrong", unit="fraction"
    )
    pointing_k = Variable(
        "batch method", "1 if one of the top k tokens is evidence; NaN if the model's answer is wrong", unit="fraction"
    )
    difference = Variable("batch", "the metric: right answer against wrong answer", unit=METRIC, table="items")
    correct = Variable("batch", "1 if the model prefers the right answer", unit="fraction", table="items")
