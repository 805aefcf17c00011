"""The study's tables and figure."""

from collections.abc import Iterable, Sequence

import numpy as np
import plotly.graph_objects as go

from analyses.method_comparison.measure import EVIDENCE, FAITHFUL
from analyses.reporting import SIZE, markdown, share
from interp.core.intervals import bootstrap_mean
from interp.evaluation import markdown_table
from interp.kinds import Faithfulness, MethodScores
from interp.views import template, theme_named

NAMES = {"mrr": "MRR", "rma": "RMA", "pointing": "pointing game", "pointing_k": "pointing game, top k"}


def tables(
    evidence: MethodScores,
    faithful: Faithfulness,
    correlations: Iterable[tuple[str, str, float, float, float]],
) -> str:
    """Evidence found, faithfulness, and how far they agree, each with 95 % intervals over prompts."""
    right = evidence.values("correct").values
    first = f"**Evidence found** ({int(right.sum())} of {len(right)} sentences are answered right and counted)"
    second = f"**Faithfulness** ({faithful.data.sizes['batch']} of these sentences; logits)"
    third = "**Rank correlation between the two, over methods** (above 0: they agree)"
    parts = (first, markdown_table(evidence), second, _faithfulness(faithful), third, _correlations(correlations))
    return "\n\n".join(part.strip() for part in parts)


def _faithfulness(faithful: Faithfulness) -> str:
    names = (*FAITHFUL, "beats_random")
    columns = [np.stack(bootstrap_mean(faithful.values(name).values)) for name in names]
    rows = [
        [str(method), *(share(*column[:, index]) for column in columns)]
        for index, method in enumerate(faithful.data["method"].values)
    ]
    words = {1: "higher is better", -1: "lower is better"}
    heads = [f"{name.replace('_', ' ').replace('auc', 'AUC')} ({words[sign]})" for name, sign in FAITHFUL.items()]
    return markdown(["method", *heads, "beats random orders"], rows)


def _correlations(correlations: Iterable[tuple[str, str, float, float, float]]) -> str:
    cells = {(one, other): share(*numbers) for one, other, *numbers in correlations}
    rows = [[NAMES[one], *(cells[one, other] for other in FAITHFUL)] for one in EVIDENCE]
    return markdown(["", *(name.replace("_", " ").replace("auc", "AUC") for name in FAITHFUL)], rows)


def figure(evidence: MethodScores, faithful: Faithfulness, methods: Sequence[str]) -> go.Figure:
    """Each method's reciprocal rank of the evidence, and its comprehensiveness."""
    theme = theme_named("light")
    x, y = (
        np.stack(bootstrap_mean(result.values(name).sel({"method": list(methods)}).values))
        for result, name in ((evidence, "mrr"), (faithful, "comprehensiveness"))
    )
    drawing = go.Figure(
        go.Scatter(
            x=x[0],
            y=y[0],
            error_x={"array": x[2] - x[0], "arrayminus": x[0] - x[1], "thickness": 1, "color": theme.muted},
            error_y={"array": y[2] - y[0], "arrayminus": y[0] - y[1], "thickness": 1, "color": theme.muted},
            mode="markers+text",
            text=list(methods),
            textposition="top right",
            marker={"color": theme.accent, "size": 9},
        )
    )
    chance, control = (
        bootstrap_mean(result.values(name).sel({"method": "random"}).values)[0]
        for result, name in ((evidence, "mrr"), (faithful, "comprehensiveness"))
    )
    line = {"color": theme.muted, "width": 1, "dash": "dot"}
    drawing.add_vline(x=float(chance), line=line, annotation_text="random")
    drawing.add_hline(y=float(control), line=line, annotation_text="random order")
    drawing.update_xaxes(title="mean reciprocal rank of the evidence", showgrid=True)
    drawing.update_yaxes(title="comprehensiveness (logits)", showgrid=True)
    drawing.update_layout(
        template=template(theme),
        **SIZE,
        margin={"l": 70, "r": 40, "t": 30, "b": 60},
        meta={
            "kind": "method comparison",
            "measured": "evidence found and faithfulness of each method, with 95 % intervals over prompts",
        },
    )
    return drawing
