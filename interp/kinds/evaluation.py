"""Quality and agreement of methods."""

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


_UNDEFINED = "NaN where `reason` says why"
_STATIC = "against all that can carry anything; NaN where that is not known, or all or none of the candidates"


class Scorecard(Result):
    """How well each method finds what a known model's answer depends on: tokens, nodes, edges or features.

    A method is an engine, in `engine` (empty for a baseline), with its `settings` where they are not its own; `finds`
    is what it finds, or shares of the stream, which it recovers with an `error`. The truth is what has an effect when
    it alone is resampled; `static_…` is against everything that could carry anything. `version` is that of each model,
    its truth and its prompts: only equal ones compare. The table `overall` has means over models, with intervals over
    models and draws of prompts.
    """

    auc = Variable("model method", f"area under the ROC curve, mean over draws of prompts; {_UNDEFINED}", unit="share")
    average_precision = Variable("model method", f"average precision; {_UNDEFINED}", unit="share")
    precision = Variable(
        "model method", f"share of true ones among as many of the strongest as there are true ones; {_UNDEFINED}",
        unit="share",
    )  # fmt: skip
    static_auc = Variable("model method", f"AUC {_STATIC}", unit="share")
    static_average_precision = Variable("model method", f"average precision {_STATIC}", unit="share")
    static_precision = Variable("model method", f"precision {_STATIC}", unit="share")
    candidates = Variable("model method", f"what could be found, of all prompts; {_UNDEFINED}")
    true = Variable("model method", f"how many of them are true; {_UNDEFINED}")
    scored = Variable("model method", f"share of them that the method scores; the rest rank last; {_UNDEFINED}")
    cost = Variable(
        "model method",
        "multiplications in its matrix products, as a multiple of those of one forward pass over the prompts; "
        f"{_UNDEFINED}",
        unit="forward passes",
    )
    error = Variable(
        "model method",
        "largest error of a share, of methods that recover shares; NaN of those that rank",
        unit="share",
    )
    reason = Variable("model method", "why there is no score; empty where there is one")
    draw_auc = Variable(
        "model method draw", f"AUC of each draw of prompts; {_UNDEFINED}", unit="share", table="by-draw"
    )
    overall_auc = Variable(
        "method", "mean AUC over models; NaN where there is none", unit="share", table="overall", interval=True
    )
    overall_average_precision = Variable(
        "method", "mean average precision; NaN where there is none", unit="share", table="overall", interval=True
    )
    overall_precision = Variable(
        "method", "mean precision; NaN where there is none", unit="share", table="overall", interval=True
    )
    overall_static_auc = Variable(
        "method", "mean static AUC; NaN where there is none", unit="share", table="overall", interval=True
    )
    overall_cost = Variable("method", "median cost; NaN where there is none", unit="forward passes", table="overall")
    overall_error = Variable(
        "method", "largest error over models; NaN of methods that rank", unit="share", table="overall"
    )
    models = Variable("method", "models that the mean AUC, or the largest error, is over", table="overall")
