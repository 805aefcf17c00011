"""Which parts of a model carry an answer: effects of edits, scores of edges, circuits and their evidence."""

from typing import Self

from interp.core.result import Result
from interp.core.variables import AGAINST, METHOD, METRIC, Variable


class Effects(Result):
    """Change of the metric when a component or position is edited."""

    finds = "nodes"
    effect = Variable(
        "batch layer? head? expert? neuron? pos?", "metric(edited) − metric(clean)", unit=METRIC, supports=METHOD
    )


class Ablation(Result):
    """The metric before and after one set of edits, and the model's top tokens."""

    clean = Variable("batch", "the metric of the clean run; NaN without an answer", unit=METRIC)
    edited = Variable("batch", "the metric of the edited run; NaN without an answer", unit=METRIC)
    effect = Variable("batch", "metric(edited) − metric(clean); NaN without an answer", unit=METRIC, supports=AGAINST)
    clean_token = Variable("batch rank", "most likely tokens of the clean run")
    clean_prob = Variable("batch rank", "their probability", unit="probability")
    edited_token = Variable("batch rank", "most likely tokens of the edited run")
    edited_prob = Variable("batch rank", "their probability", unit="probability")


class CircuitAblation(Ablation):
    """The metric of the whole model and of a circuit alone, and the tokens that each prefers."""

    corrupted = Variable("batch", "the metric with every edge cut", unit=METRIC)
    faithfulness = Variable(
        "",
        "(edited − corrupted) / (clean − corrupted) of means over prompts, unclamped; NaN if no edge matters",
        unit="share",
    )


class CircuitGrowth(Result):
    """Faithfulness of the strongest edges at growing sizes, and of the same number of random edges."""

    faithfulness = Variable("budget", "faithfulness of the strongest edges; NaN if no edge matters", unit="share")
    edges = Variable("budget", "number of edges", unit="edges")
    random_faithfulness = Variable(
        "budget draw", "faithfulness of the same number of random edges; NaN if no edge matters", unit="share"
    )


class EdgeScores(Result):
    """A score for every edge of the computation graph, per prompt; `sender` and `receiver` label the edges."""

    finds = "edges"
    score = Variable(
        "batch pos? edge",
        "for causal methods, the change of the metric when the edge carries the other run's value",
        unit=METHOD,
        supports=METHOD,
    )
    total = Variable(
        "batch",
        "what the scores of edges out of `embed` would add up to if the method were exact",
        unit=METHOD,
        table="totals",
        optional=True,
    )
    remainder = Variable("batch", "total − Σ of these scores", unit=METHOD, table="totals", optional=True)

    @property
    def over_positions(self) -> Self:
        """The same with the scores of all positions added up."""
        if "pos" not in self.data.dims:
            return self
        return type(self)(self.data.sum("pos", keep_attrs=True), self.provenance)


class FoundCircuit(Result):
    """The edges that a search kept, its decision on every candidate, its faithfulness and its cost.

    Metrics and faithfulness are means over the prompts. The `lossless` numbers are of the same search without a
    pre-filter.
    """

    finds = "edges"
    score = Variable(
        "edge", "removal_effect, mask or relevance of an edge in the circuit; NaN where nothing was run", unit=METHOD,
        supports=METHOD,
    )  # fmt: skip
    removal_effect = Variable(
        "candidate", "effect of removing the edge; NaN where nothing was run", unit=METHOD, supports=METHOD,
        table="decisions", optional=True,
    )  # fmt: skip
    mask = Variable("candidate", "the mask learned for the edge", table="decisions", optional=True)
    relevance = Variable(
        "candidate", "relevance of its sender; NaN where nothing was run",
        unit="logits into logits, a ratio into heads", supports=METHOD, table="decisions", optional=True,
    )  # fmt: skip
    kept = Variable("candidate", "the decision: 1, 0, or NaN where the search ended before it", table="decisions")
    edges = Variable("", "edges in the circuit", unit="edges", table="totals")
    candidates = Variable(
        "", "forward passes that a search with one pass per candidate would have taken", table="totals"
    )
    undecided = Variable("", "edges without a decision, which the circuit keeps", unit="edges", table="totals")
    clean = Variable("", "the metric with every edge", unit=METRIC, table="totals")
    corrupted = Variable("", "the metric with no edge", unit=METRIC, table="totals")
    circuit = Variable("", "the metric of the circuit", unit=METRIC, table="totals")
    faithfulness = Variable(
        "", "(circuit − corrupted) / (clean − corrupted); NaN where no edge matters", unit="share", table="totals"
    )
    forwards = Variable("", "work done, in full forward passes over the prompts", table="totals")
    prefilter_faithfulness = Variable(
        "",
        "faithfulness of the edges that were candidates; NaN where no edge matters",
        unit="share",
        table="totals",
        optional=True,
    )
    jaccard = Variable(
        "",
        "Jaccard index of the edges of both searches; NaN if there are none",
        unit="share",
        table="totals",
        optional=True,
    )
    lossless_edges = Variable("", "edges without a pre-filter", unit="edges", table="totals", optional=True)
    lossless_faithfulness = Variable(
        "", "faithfulness without a pre-filter; NaN where no edge matters", unit="share", table="totals", optional=True
    )
    lossless_forwards = Variable("", "work without a pre-filter", table="totals", optional=True)


class CircuitEvidence(Result):
    """Faithfulness, completeness and minimality of a circuit, compared with random circuits of the same size.

    Intervals are over prompts. Budgets are shares of the edges: those with the largest |score|, or, for the
    signed curve, those that most support the answer.
    """

    faithfulness = Variable(
        "",
        "(circuit − corrupted) / (clean − corrupted), unclamped; NaN if no edge matters",
        unit="share",
        interval=True,
    )
    random_faithfulness = Variable(
        "", "faithfulness of the same number of random edges; NaN if no edge matters", unit="share"
    )
    clean = Variable("", "the metric with every edge", unit=METRIC)
    corrupted = Variable("", "the metric with no edge", unit=METRIC)
    circuit = Variable("", "the metric of the circuit", unit=METRIC)
    edges = Variable("", "edges in the circuit", unit="edges")
    incompleteness = Variable(
        "",
        "mean distance between circuit and model over sets of knocked-out nodes; NaN if there are none",
        unit=METRIC,
        interval=True,
    )
    cpr = Variable("", "area under signed_curve over the share of edges; NaN if no edge matters", unit="share")
    cmd = Variable("", "area between curve and 1 over the share of edges; NaN if no edge matters", unit="share")
    random_cpr = Variable("", "CPR of the same number of random edges; NaN if no edge matters", unit="share")
    random_cmd = Variable("", "CMD of the same number of random edges; NaN if no edge matters", unit="share")
    stability = Variable(
        "",
        "mean Jaccard index of the circuits of two resamples of the prompts, of one prompt 1; NaN without edges",
        unit="share",
        optional=True,
    )
    rank_correlation = Variable("", "Spearman correlation of edge_score and edge_effect; NaN for fewer than two values")
    linearisation_error = Variable(
        "", "Σ|edge_score − edge_effect| / Σ|edge_effect|; NaN if scores are no effects", unit="share"
    )
    curve = Variable(
        "budget",
        "faithfulness of the strongest edges; NaN if no edge matters",
        unit="share",
        table="curve",
        interval=True,
    )
    signed_curve = Variable(
        "budget",
        "faithfulness of the edges that most support the answer; NaN if no edge matters",
        unit="share",
        table="curve",
        interval=True,
        optional=True,
    )
    nominal = Variable("budget", "number of strongest edges", unit="edges", table="curve")
    pruned = Variable("budget", "number of them that do not dangle", unit="edges", table="curve")
    random_curve = Variable(
        "budget draw",
        "faithfulness of the same number of random edges; NaN if no edge matters",
        unit="share",
        table="random",
    )
    minimality = Variable(
        "component", "effect of removing a node from the circuit", unit=METRIC, supports=AGAINST, table="nodes",
        interval=True,
    )  # fmt: skip
    node_incompleteness = Variable(
        "component", "distance between circuit and model without the node", unit=METRIC, table="nodes"
    )
    edge_effect = Variable(
        "edge", "effect of patching the edge in the whole model", unit=METRIC, supports=AGAINST, table="edges",
        interval=True,
    )  # fmt: skip
    edge_score = Variable(
        "edge", "the score that the edge was ranked by; NaN where it has none", unit=METHOD, table="edges"
    )
    selection_frequency = Variable(
        "edge", "how often the edge is among the strongest when prompts are resampled", unit="share", table="edges"
    )
