"""The study's tables and figure."""

import pandas as pd
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from analyses.reporting import SIZE, markdown, share
from interp.views import template, theme_named

FIGURE = (
    "adjective is the top token",
    "negated phrase is the top run",
    "negated phrase speaks for the class",
    "negated adjective has its own sign",
)


def tables(shares: pd.DataFrame) -> str:
    """A table for each measure: a row for each method, a column for each training."""
    parts = []
    for measure, rows in shares.groupby("measure", sort=False):
        trainings = sorted(rows["training"].unique())
        heads = ["", *(f"training {training}" for training in trainings)]
        lines = []
        for method, cells in rows.groupby("method", sort=False):
            by_training = cells.set_index("training")
            lines.append([str(method), *(share(*by_training.loc[at, ["share", "low", "high"]]) for at in trainings)])
        counts = ", ".join(str(rows.loc[rows["training"] == at, "reviews"].max()) for at in trainings)
        title = f"**{str(measure).capitalize()}** (reviews: {counts})"
        parts.append(f"{title}\n\n{markdown(heads, lines)}")
    return "\n\n".join(parts)


def figure(shares: pd.DataFrame) -> go.Figure:
    """The shares of four measures, a marker for each training."""
    theme = theme_named("light")
    drawing = make_subplots(
        2, 2, subplot_titles=[title.capitalize() for title in FIGURE], horizontal_spacing=0.22, vertical_spacing=0.16
    )
    colours = (theme.accent, theme.support, theme.against, theme.muted)
    for panel, measure in enumerate(FIGURE):
        rows = shares[shares["measure"] == measure]
        methods = list(dict.fromkeys(rows["method"]))
        for training, cells in rows.groupby("training"):
            number = int(str(training))
            drawing.add_trace(
                go.Scatter(
                    x=cells["share"],
                    y=[methods.index(method) + 0.2 * (number - 1) for method in cells["method"]],
                    error_x={"array": cells["high"] - cells["share"], "arrayminus": cells["share"] - cells["low"]},
                    mode="markers",
                    marker={"color": colours[number % len(colours)], "size": 8},
                    name=f"training {number}",
                    showlegend=panel == 0,
                ),
                panel // 2 + 1,
                panel % 2 + 1,
            )
        ticks = {"tickvals": list(range(len(methods))), "ticktext": methods, "autorange": "reversed"}
        drawing.update_yaxes(ticks, row=panel // 2 + 1, col=panel % 2 + 1)
    drawing.update_xaxes(range=[-0.03, 1.03], tickformat=".0%", showgrid=True)
    drawing.update_layout(
        template=template(theme),
        **SIZE,
        margin={"l": 170, "r": 20, "t": 60, "b": 70},
        legend={"orientation": "h", "y": -0.08},
        meta={
            "kind": "sentiment phrases",
            "measured": "share of held-out reviews, with its 95 % interval over reviews",
        },
    )
    return drawing
